package streaming

import (
	"fmt"

	"macroscope/workload"
)

// Network is a workload as a pipeline has it.
type Network struct {
	Layers []Layer
	Index  []int // by layer: which of the workload's it is
	Beside []int // the workload's layers that change no shape and have no unit here: additions and the like
}

// Read makes a workload a chain of layers; n's memory is used again. A workload is a
// list without arrows: each layer reads what the one before writes, or it is an error.
// A maximum pool's window is what makes its outputs of the pixels before it. Layers
// without products that keep the number of values have no unit (Beside); others are an
// error, as are groups, dilation and batches.
func (n *Network) Read(w *workload.Workload) error {
	n.Layers, n.Index, n.Beside = n.Layers[:0], n.Index[:0], n.Beside[:0]
	for i := range w.Layers {
		src := &w.Layers[i]
		l := Layer{Name: src.Name, InBits: int64(src.DType.Bits()), WeightBits: int64(src.DType.Bits()), OutBits: int64(src.OutputBits())}
		switch src.Kind {
		case workload.Conv:
			if src.GroupCount() > 1 || src.Batch > 1 || src.DilationH > 1 || src.DilationW > 1 {
				return fmt.Errorf("layer %q: a streaming pipeline has no groups, batches or dilation", src.Name)
			}
			l.H, l.W, l.C, l.OutC = int64(src.H), int64(src.W), int64(src.C), int64(src.OutC)
			l.KH, l.KW, l.StrideH, l.StrideW = int64(src.KH), int64(src.KW), int64(max(1, src.StrideH)), int64(max(1, src.StrideW))
			l.PadTop, l.PadLeft, l.PadBottom, l.PadRight = int64(src.PadTop), int64(src.PadLeft), int64(src.PadBottom), int64(src.PadRight)
		case workload.Gemm:
			l.H, l.W, l.C, l.OutC = src.M, 1, src.K, src.N
			l.KH, l.KW, l.StrideH, l.StrideW = 1, 1, 1, 1
		default:
			if len(n.Layers) == 0 {
				return fmt.Errorf("layer %q (%s): a streaming pipeline begins with a layer that has weights", src.Name, src.Op)
			}
			h, wd, c := n.Layers[len(n.Layers)-1].Out()
			if src.Op != "maxpool" {
				if src.Elements != h*wd*c {
					return fmt.Errorf("layer %q (%s) makes %d values of %d: a streaming pipeline has no such unit", src.Name, src.Op, src.Elements, h*wd*c)
				}
				n.Beside = append(n.Beside, i)
				continue
			}
			side := int64(1)
			for side < min(h, wd) && (h/side)*(wd/side)*c > src.Elements {
				side++
			}
			if (h/side)*(wd/side)*c != src.Elements {
				return fmt.Errorf("layer %q makes %d values of %d×%d×%d: no square window gives so many", src.Name, src.Elements, h, wd, c)
			}
			l.Pool, l.H, l.W, l.C, l.KH, l.KW, l.WeightBits = true, h, wd, c, side, side, 0
		}
		n.Layers, n.Index = append(n.Layers, l), append(n.Index, i)
	}
	if len(n.Layers) == 0 {
		return fmt.Errorf("workload %q has no layers", w.Name)
	}
	return nil
}
