package nn

import (
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// Part is what a step's time goes into.
type Part int

const (
	Kernel   Part = iota // products and their sums
	Packing              // bringing values into the form that their reader takes
	Epilogue             // what becomes of sums: bias, ReLU, requantization, thresholds, storing them
	Pool                 // maxima or means of windows
	Other                // the rest
	Parts    = iota
)

var partNames = [Parts]string{"kernel", "packing", "epilogue", "pool", "other"}

// String is the part's name, in lower case.
func (p Part) String() string { return partNames[p] }

// Step describes a step of a plan: a layer with what is fused into it, or what
// stands between layers. Weights are packed once, by a plan's first Runner, and
// halos are filled once, when a Runner is made: neither is a step.
type Step struct {
	Name  string // of the layer's or op's node; "input", "output"; of the value that a conversion writes
	Kind  string // "conv2d", "dense", "input", "output", "convert", "planes", "dequantize", "join", "observe", or the op's
	Layer int    // index in Plan.Layers; −1: no layer
	// Reader is the index of the layer whose input the step takes apart into bits: what
	// its kernel saves must pay for that too. −1: none.
	Reader int
	// What an image costs of memory traffic between the step and the arena, each
	// byte counted once however often tiles read it again: activations read, with
	// the halo that taps touch, and written. Weights come on top (Layer.ReadBytes).
	BytesRead, BytesWritten int

	part Part // of the step, or of what its twins leave
}

// valueBytes is what a buffer's pixels hold, without their padding to words.
func (b *buffer) valueBytes() int {
	m := b.img
	return b.images() * m.H * m.W * ((m.C*m.DType.Bits() + 7) / 8)
}

// plain describes a step that is no layer.
func plain(name, kind string, part Part, out *buffer, ins ...*buffer) Step {
	st := Step{Name: name, Kind: kind, Layer: -1, Reader: -1, part: part}
	for _, b := range ins {
		st.BytesRead += b.valueBytes()
	}
	if out != nil {
		st.BytesWritten = out.valueBytes()
	}
	return st
}

func (st *inputStep) about() Step {
	a := plain("input", "input", Packing, st.out)
	a.BytesRead = st.out.img.C * st.out.img.H * st.out.img.W // pixels are bytes
	return a
}

func (st *convStep) about() Step {
	part := Epilogue
	switch st.conv().(type) {
	case *kernels.Winograd:
		part = Packing
	case *kernels.Grouped, *kernels.Depthwise, *kernels.BitSerial: // whose parts nobody tells apart
		part = Kernel
	}
	return Step{Name: st.node, Kind: "conv2d", Layer: st.layer, Reader: -1, part: part, BytesRead: st.conv().InputBytes(), BytesWritten: st.out.valueBytes()}
}

func (st *denseFloat) about() Step { return st.denseAbout.step(st.in, st.out) }
func (st *denseInt8) about() Step  { return st.denseAbout.step(st.in, st.out) }

func (st *denseExact) about() Step { return st.denseAbout.step(st.in, st.out) }

func (a denseAbout) step(in, out *buffer) Step {
	st := plain(a.node, "dense", Epilogue, out, in)
	st.Layer = a.layer
	return st
}

func convertAbout(from, to *buffer) Step {
	return plain(to.value.Name, "convert", Packing, to, from)
}

func (st *elementStep) about() Step { return convertAbout(st.from, st.to) }
func (st *unpackStep) about() Step  { return convertAbout(st.from, st.to) }

func (st *dequantStep) about() Step {
	return plain(st.out.value.Name, "dequantize", Epilogue, st.out, st.in)
}

func (st *opStep) about() Step {
	part := Other
	switch st.node.Op.(type) {
	case *graph.MaxPool, *graph.AveragePool, *graph.GlobalAveragePool:
		part = Pool
	case *graph.ReLU, *graph.PReLU, *graph.Clip, *graph.Func, *graph.BatchNorm, *graph.Affine, *graph.Sign:
		part = Epilogue
	case *graph.Flatten, *graph.Concat:
		part = Packing
	}
	return plain(st.node.Name, st.node.Op.Kind(), part, st.out, st.ins...)
}

func (st *observeStep) about() Step {
	return plain(st.b.value.Name, "observe", Other, nil, st.b)
}

func (st *outputStep) about() Step {
	a := plain("output", "output", Packing, nil, st.b)
	a.BytesWritten = st.b.img.H * st.b.img.W * st.b.img.C * dtype.Float32.Bits() / 8
	return a
}
