package nn

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// Pick is how one layer is computed.
type Pick struct {
	Impl *kernels.Impl // of the layer's dtype
	// Winograd lets a convolution be computed by F(m×m, 3×3) where its shape suits: 4, or
	// else 2, or else directly; 2, or else directly; 0: directly. In int8 it is exact.
	Winograd int
	// BitSerial, if not nil, computes an int8 convolution as a sum of binary ones
	// (kernels.BitSerial) where the layer's weights and inputs are of so few bits; an
	// implementation of binary.
	BitSerial *kernels.Impl
}

// pick says how a node, which is a layer, is computed.
func (c *compiler) pick(n *graph.Node) Pick {
	if p, ok := c.picks[n.Name]; ok {
		return p
	}
	d := c.layerType(n)
	p := Pick{Impl: c.choice.For(d)}
	if op, ok := n.Op.(*graph.Conv2D); ok && c.winograd == WinogradAll && d == dtype.Float32 && filterable(op) {
		p.Winograd = p.Impl.WinogradFor(n.Out.Shape[1], n.Out.Shape[2], c.readWeights())
	}
	if d == dtype.Int8 {
		p.BitSerial = c.pays(n)
		if op, ok := n.Op.(*graph.Conv2D); ok && c.winograd != WinogradNone {
			p.Winograd = p.Impl.WinogradPays(op.InC)
		}
	}
	return p
}

// filterable says whether minimal filtering computes such a convolution.
func filterable(op *graph.Conv2D) bool {
	return op.KH == 3 && op.KW == 3 && op.StrideH == 1 && op.StrideW == 1 && op.DilationH == 1 && op.DilationW == 1 && op.Groups == 1
}

// readWeights is how many bytes of float32 weights an inference reads if all layers that suit
// are by F(4×4, 3×3).
func (c *compiler) readWeights() int {
	if c.read == 0 {
		for _, n := range c.g.Nodes {
			words := 0
			switch op := n.Op.(type) {
			case *graph.Conv2D:
				if words = op.OutC * op.K(); filterable(op) {
					words *= 4 // 36 for 9
				}
			case *graph.Dense:
				words = op.In * op.Out
			}
			if words > 0 && c.layerType(n) == dtype.Float32 {
				c.read += 4 * words
			}
		}
	}
	return c.read
}

// checkPicks refuses picks that cannot be followed.
func (c *compiler) checkPicks() error {
	layers := map[string]bool{}
	for _, n := range c.g.Nodes {
		switch n.Op.(type) {
		case *graph.Conv2D, *graph.Dense:
		default:
			continue
		}
		layers[n.Name] = true
		p, ok := c.picks[n.Name]
		if !ok {
			continue
		}
		switch d := c.layerType(n); {
		case p.Impl == nil || p.Impl.DType() != d:
			return fmt.Errorf("node %q: picked %v: want an implementation of %v", n.Name, p.Impl, d)
		case !p.Impl.Available():
			return fmt.Errorf("node %q: %v is not available here: %s", n.Name, p.Impl, p.Impl.Reason())
		case p.BitSerial != nil && (d != dtype.Int8 || p.BitSerial.DType() != dtype.Binary):
			return fmt.Errorf("node %q: picked %v bit-serially for %v: want an implementation of binary for int8", n.Name, p.BitSerial, d)
		case p.BitSerial != nil && !p.BitSerial.Available():
			return fmt.Errorf("node %q: %v is not available here: %s", n.Name, p.BitSerial, p.BitSerial.Reason())
		case p.Winograd != 0 && (p.Winograd != 2 && p.Winograd != 4 || d == dtype.Binary):
			return fmt.Errorf("node %q: picked winograd %d for %v: want 0, or 2 or 4 for float32 and int8", n.Name, p.Winograd, d)
		}
	}
	for name := range c.picks {
		if !layers[name] {
			return fmt.Errorf("a pick for %q: want the name of a convolution or dense layer", name)
		}
	}
	return nil
}

// convProblem describes a convolution for Layer.Problem.
func convProblem(s *kernels.ConvSpec, groups int) string {
	p := fmt.Sprintf("conv2d %v %dx%dx%d to %v %dx%dx%d, kernel %dx%d, stride %d,%d, dilation %d,%d, padding %d,%d, halo %d, clamp %v,%v",
		s.In.DType, s.In.H, s.In.W, s.In.C, s.Out.DType, s.Out.H, s.Out.W, s.Out.C, s.KH, s.KW, s.StrideH, s.StrideW, s.DilationH, s.DilationW,
		s.PadTop, s.PadLeft, s.Halo, s.Lo, s.Hi)
	if s.NonNegative {
		p += ", non-negative"
	}
	if groups > 1 {
		p += fmt.Sprintf(", %d groups", groups)
	}
	if s.Pool {
		p += ", pool"
	}
	return p
}

// denseProblem describes a dense layer for Layer.Problem.
func denseProblem(op *graph.Dense, d dtype.DType, out *buffer) string {
	return fmt.Sprintf("dense %v %d to %v %d", d, op.In, out.form.dtype, op.Out)
}
