package streaming

import (
	"bytes"
	"slices"
	"testing"

	"macroscope/bench"
	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/ptq"
	"macroscope/quant"
)

// built is a network of package models as a pipeline's layers with their parameters.
type built struct {
	graph  *graph.Graph
	net    net
	factor []float32 // of the last layer's sums
	shift  []float32
	scale  float32 // of the input's pixels
	input  *graph.Value
}

// build turns the embedded network, quantized after training (its layers of signs stay
// what they are), into a pipeline. Where signs are taken behind a pool, here the pool is
// behind them, of minima where a threshold falls.
func build(t *testing.T, d dtype.DType) built {
	t.Helper()
	g, err := bench.LoadNetwork("cifar10cnn", d, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := built{graph: g}
	readers := map[*graph.Value]*graph.Node{}
	for _, n := range g.Nodes {
		readers[n.In[0]] = n
	}
	for _, n := range g.Nodes {
		switch op := n.Op.(type) {
		case *graph.Conv2D:
			in := n.In[0].Shape
			l := Layer{Name: n.Name, H: int64(in[1]), W: int64(in[2]), C: int64(in[0]), OutC: int64(op.OutC), KH: int64(op.KH), KW: int64(op.KW),
				StrideH: int64(op.StrideH), StrideW: int64(op.StrideW),
				PadTop: int64(op.PadTop), PadLeft: int64(op.PadLeft), PadBottom: int64(op.PadBottom), PadRight: int64(op.PadRight)}
			b.add(t, l, n, &op.Weights, int(op.PadValue), op.KH*op.KW, readers)
		case *graph.Dense:
			// The graph flattens by channel, the pipeline's stream by pixel.
			plane := 1
			if v := n.In[0]; len(b.net.layers) > 0 {
				h, w, c := b.net.layers[len(b.net.layers)-1].Out()
				if plane = int(h * w); int64(v.Shape[0]) != h*w*c {
					t.Fatalf("dense layer of %d inputs behind %d×%d×%d", v.Shape[0], h, w, c)
				}
			}
			b.add(t, Layer{Name: n.Name, H: 1, W: 1, C: int64(op.In), OutC: int64(op.Out), KH: 1, KW: 1, StrideH: 1, StrideW: 1}, n, &op.Weights, 0, plane, readers)
		}
	}
	return b
}

func (b *built) add(t *testing.T, l Layer, n *graph.Node, w *graph.Weights, pad, plane int, readers map[*graph.Value]*graph.Node) {
	par := Parameters{Pad: int32(pad), Lo: -quant.Max, Hi: quant.Max}
	if len(b.net.layers) == 0 {
		b.input, b.scale = n.In[0], n.In[0].Scale
	}
	rows := int(l.OutC)
	width := len(w.Float) / rows
	for o := range rows {
		for p := range plane {
			for c := range width / plane {
				at := o*width + c*plane + p
				if w.Binary {
					par.Weights = append(par.Weights, int8(w.Float[at]))
				} else {
					par.Weights = append(par.Weights, w.Int8[at])
				}
			}
		}
	}
	// What follows, up to the next layer with weights or the end.
	var pool *graph.MaxPool
	var norms []graph.Op
	sign := false
	out := n.Out
	for r := readers[out]; r != nil; r = readers[out] {
		switch op := r.Op.(type) {
		case *graph.MaxPool:
			pool = op
		case *graph.BatchNorm:
			norms = append(norms, op)
		case *graph.ReLU:
			par.Lo = 0
		case *graph.Sign:
			sign = true
		case *graph.Flatten:
		case *graph.Conv2D, *graph.Dense:
			r = nil
		default:
			t.Fatalf("%s behind %s", r.Op.Kind(), n.Name)
		}
		if r == nil {
			break
		}
		out = r.Out
	}
	real := func(o int, sum float64) float64 {
		s := 1.0
		if n.In[0].Scale != 0 {
			s = float64(n.In[0].Scale)
		}
		if len(w.Scale) > 0 {
			s *= float64(w.Scale[min(o, len(w.Scale)-1)])
		}
		x := float64(sum * s)
		if w.Bias != nil {
			x += float64(w.Bias[o])
		}
		for _, op := range norms {
			x = op.(*graph.BatchNorm).At(o, x)
		}
		return x
	}
	for o := range rows {
		switch {
		case sign:
			th, err := quant.FoldSign(func(sum int32) float64 { return real(o, float64(sum)) })
			if err != nil {
				t.Fatal(err)
			}
			par.Thresholds = append(par.Thresholds, th)
		case out.Scale != 0:
			zero := 0.0
			if w.Bias != nil {
				zero = float64(w.Bias[o])
			}
			par.Factor = append(par.Factor, float32((real(o, 1)-zero)/float64(out.Scale)))
			par.Shift = append(par.Shift, float32(zero/float64(out.Scale)))
		default:
			b.factor, b.shift = append(b.factor, float32(real(o, 1)-real(o, 0))), append(b.shift, float32(real(o, 0)))
		}
	}
	b.net.layers, b.net.parameters = append(b.net.layers, l), append(b.net.parameters, par)
	if pool == nil {
		return
	}
	h, wd, c := l.Out()
	p := Parameters{Minimum: make([]bool, c)}
	for o, th := range par.Thresholds {
		p.Minimum[o] = th.Flip
	}
	b.net.layers = append(b.net.layers, Layer{Name: "pool", Pool: true, H: h, W: wd, C: c, KH: int64(pool.KH), KW: int64(pool.KW)})
	b.net.parameters = append(b.net.parameters, p)
}

// cpu computes a layer by an implementation of the CPU's kernels.
func cpu(t *testing.T, d dtype.DType, l *Layer, par *Parameters, x []int32) []int32 {
	if l.Pool {
		return plain(l, par, x)
	}
	binary := d == dtype.Binary
	for _, v := range par.Weights {
		binary = binary && (v == 1 || v == -1)
	}
	format := dtype.Int8
	if binary {
		format = dtype.Binary
	}
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	im := choice.For(format)
	shape := kernels.Conv2DShape{H: int(l.H), W: int(l.W), C: int(l.C), OutC: int(l.OutC), KH: int(l.KH), KW: int(l.KW),
		PadTop: int(l.PadTop), PadLeft: int(l.PadLeft), PadBottom: int(l.PadBottom), PadRight: int(l.PadRight)}
	h, w, c := l.Out()
	sums := make([]int32, h*w*c)
	if binary {
		conv, err := im.NewConv2DBinary(shape, as[float32](par.Weights))
		if err != nil {
			t.Fatal(err)
		}
		conv.Binary(new(kernels.Context), sums, as[float32](x))
	} else {
		conv, err := im.NewConv2DInt8(shape, par.Weights)
		if err != nil {
			t.Fatal(err)
		}
		conv.Int8(new(kernels.Context), sums, as[int8](x))
	}
	for i := range sums {
		sums[i] = par.activate(int64(i)%c, sums[i])
	}
	return sums
}

func as[To, From int8 | int32 | float32](v []From) []To {
	to := make([]To, len(v))
	for i := range v {
		to[i] = To(v[i])
	}
	return to
}

// The embedded network, in int8 and binary, with its own weights and test images: the
// machine's outputs are those of the CPU's kernels, layer after layer, and its logits
// those of the runtime; the first image takes the schedule's latency, each further one
// its interval, to the cycle.
func TestNetwork(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		t.Run(d.String(), func(t *testing.T) {
			b := build(t, d)
			folds, err := FoldFor(b.net.layers, 1<<15)
			if err != nil {
				t.Fatal(err)
			}
			var p Pipeline
			if err := p.Build(b.net.layers, folds, 2); err != nil {
				t.Fatal(err)
			}
			var s Schedule
			s.Run(&p)
			mc, err := NewMachine(&p, b.net.parameters, s.Depths)
			if err != nil {
				t.Fatal(err)
			}
			set, err := cifar10.Read(bytes.NewReader(models.Sample()), "sample")
			if err != nil {
				t.Fatal(err)
			}
			const count = 2
			var images [][]int32
			var floats []float32
			for i := range count {
				image := make([]float32, cifar10.PixelBytes)
				set.Floats(image, i)
				floats = append(floats, image...)
				var x []int32
				if _, err := reference.Run(b.graph, image, func(v *graph.Value, data []float64) {
					if v != b.input {
						return
					}
					plane := v.Shape[1] * v.Shape[2]
					for p := range plane {
						for c := range v.Shape[0] {
							x = append(x, int32(quant.Quantize(float32(data[c*plane+p]), b.scale)))
						}
					}
				}); err != nil {
					t.Fatal(err)
				}
				images = append(images, x)
			}
			r, err := mc.Run(images, 0)
			if err != nil {
				t.Fatal(err)
			}
			plan, err := nn.Compile(b.graph, nn.Options{})
			if err != nil {
				t.Fatal(err)
			}
			runner := plan.NewRunner(1)
			defer runner.Close()
			logits := make([]float32, count*plan.OutputSize())
			if err := runner.Run(logits, floats); err != nil {
				t.Fatal(err)
			}
			for i, x := range images {
				for j := range b.net.layers {
					x = cpu(t, d, &b.net.layers[j], &b.net.parameters[j], x)
				}
				if !slices.Equal(r.Outputs[i], x) {
					t.Errorf("image %d: %v, the kernels' %v", i, r.Outputs[i], x)
				}
				for o, sum := range r.Outputs[i] {
					got, want := float32(float32(sum)*b.factor[o])+b.shift[o], logits[i*plan.OutputSize()+o]
					if diff := got - want; !(diff <= 1e-4 && diff >= -1e-4) {
						t.Errorf("image %d: logit %d is %v, the runtime's %v", i, o, got, want)
					}
				}
				if want := s.Batch(int64(i) + 1); r.Done[i] != want {
					t.Errorf("image %d after %d cycles, %d by the schedule", i, r.Done[i], want)
				}
			}
		})
	}
}
