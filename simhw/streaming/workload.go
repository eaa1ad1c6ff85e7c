package streaming

import (
	"fmt"
	"strings"

	"macroscope/workload"
)

// Network is a workload as a pipeline has it.
type Network struct {
	Layers []Layer
	Index  []int // by layer: which of the workload's it is; −1 for a pool that the list leaves out
	Beside []int // the workload's layers that change no shape and have no unit here: additions and the like
}

// Read makes a workload a chain of layers; n's memory is used again. A workload is a
// list without arrows: each layer reads what the one before writes, or it is an error.
// A maximum pool's window is what makes its outputs of the pixels before it. Layers
// without products that keep the number of values have no unit (Beside); others are an
// error, as are groups, dilation and batches.
//
// Lists of shapes such as SCALE-Sim's topologies have no pools, and images with their
// padding: where a layer's image is smaller than the one before writes, by a whole
// number in height and width, a pool stands between; where it is larger by what a
// kernel needs to keep the size, that is padding.
func (n *Network) Read(w *workload.Workload) error {
	n.Layers, n.Index, n.Beside = n.Layers[:0], n.Index[:0], n.Beside[:0]
	for i := range w.Layers {
		src := &w.Layers[i]
		l := Layer{Name: src.Name, InBits: int64(src.DType.Bits()), WeightBits: int64(src.WeightBits()), OutBits: int64(src.OutputBits())}
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
		default: // no products
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
		n.join(&l)
		n.Layers, n.Index = append(n.Layers, l), append(n.Index, i)
	}
	if len(n.Layers) == 0 {
		return fmt.Errorf("workload %q has no layers", w.Name)
	}
	return nil
}

// poolName names the pool before a layer, by the same string as the last time.
func (n *Network) poolName(layer string) string {
	const before = "pool before "
	if at := len(n.Layers); at < cap(n.Layers) {
		old := n.Layers[:at+1][at].Name
		if rest, ok := strings.CutPrefix(old, before); ok && rest == layer {
			return old
		}
	}
	return before + layer
}

// join makes l read what the last layer writes, by a pool between or by padding, if
// that is what its size says.
func (n *Network) join(l *Layer) {
	if len(n.Layers) == 0 || l.Pool {
		return
	}
	last := &n.Layers[len(n.Layers)-1]
	h, w, c := last.Out()
	if h*w*c == l.H*l.W*l.C {
		return
	}
	add := func(side int64) {
		n.Layers = append(n.Layers, Layer{Name: n.poolName(l.Name), Pool: true, H: h, W: w, C: c, KH: side, KW: side, InBits: last.OutBits, OutBits: last.OutBits})
		n.Index = append(n.Index, -1)
	}
	if l.C != c {
		for side := int64(2); side <= min(h, w) && l.H*l.W == 1; side++ {
			if h%side == 0 && w%side == 0 && h/side*(w/side)*c == l.C { // flattened
				add(side)
				return
			}
		}
		return
	}
	for _, padded := range [...]bool{false, true} {
		ph, pw := l.KH-1, l.KW-1
		if !padded {
			ph, pw = 0, 0
		} else if l.pads() {
			return
		}
		ih, iw := l.H-ph, l.W-pw
		if ih < 1 || iw < 1 || h%ih != 0 || w%iw != 0 || h/ih != w/iw {
			continue
		}
		l.H, l.W = ih, iw
		if padded {
			l.PadTop, l.PadBottom, l.PadLeft, l.PadRight = ph/2, ph-ph/2, pw/2, pw-pw/2
		}
		if side := h / ih; side > 1 {
			add(side)
		}
		return
	}
}
