package kernels

import (
	"fmt"
	"unsafe"

	"macroscope/dtype"
)

// SetFloat32 gives a float32 convolution other weights, [OutC][KH][KW][In.C], and
// another bias, [OutC] or nil for 0, as training does after each step. It must
// not run at the same time as Run. It panics if a length does not fit or the
// convolution is of another dtype.
func (c *Conv) SetFloat32(weights, bias []float32) {
	s, nr := &c.spec, c.k.NR
	if c.k.DType != dtype.Float32 || 4*len(weights) != c.weightsB || bias != nil && len(bias) != s.Out.C {
		panic(fmt.Sprintf("kernels: %s: %d float32 weights and %d biases: want %d and %d of a float32 convolution",
			c.im.FullName("conv2d"), len(weights), len(bias), c.weightsB/4, s.Out.C))
	}
	panel := len(c.take) * nr
	packInto(c.k, unsafe.Slice(&c.panels[0].b[0], len(c.panels)*panel), view[uint32](floatBytes(weights)), s.Out.C, nr, c.take, c.segLen)
	for i := range c.panels {
		p := &c.panels[i]
		inits := [][]float32{unsafe.Slice((*float32)(p.init), nr)}
		for e := range c.edges {
			both := unsafe.Slice((*float32)(c.edges[e].init[i]), 2*nr)
			inits = append(inits, both[:nr], both[nr:])
		}
		for _, init := range inits {
			clear(init)
			if bias != nil {
				copy(init, bias[p.firstColumn:][:p.cols])
			}
		}
	}
}
