// Package reference evaluates a graph plainly: float64 throughout, direct loops,
// one image at a time. It is the definition of right that the runtime is tested
// against, and on networks of ±1 weights and values its convolutions are exact. It is
// slow on purpose; package nn is the fast one.
//
// It computes the float network also where a graph has been quantized: Int8,
// Scale and Value.Scale play no part.
package reference

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"macroscope/graph"
)

// Values runs g on an image and gives every value: the input's and each node's
// output's elements, in the order of Run.
func Values(g *graph.Graph, image []float32) (map[*graph.Value][]float64, error) {
	values := map[*graph.Value][]float64{}
	_, err := Run(g, image, func(v *graph.Value, data []float64) { values[v] = slices.Clone(data) })
	return values, err
}

// Run evaluates g, which must be one that graph.Check accepts, on one image in
// the input shape's order ([C H W] row by row, channel after channel). The result
// is the output's elements in the same order.
//
// watch, where not nil, is called with the input and then with every node's
// output in order. Its slice must not be changed or kept after Run's return.
func Run(g *graph.Graph, image []float32, watch func(v *graph.Value, data []float64)) ([]float64, error) {
	if len(image) != g.Input.Shape.Size() {
		return nil, fmt.Errorf("graph %q: image of %d elements: want %d for %v", g.Name, len(image), g.Input.Shape.Size(), g.Input.Shape)
	}
	in := make([]float64, len(image))
	for i, x := range image {
		in[i] = float64(x)
	}
	data := map[*graph.Value][]float64{g.Input: in}
	if watch != nil {
		watch(g.Input, in)
	}
	for _, n := range g.Nodes {
		y, err := evaluate(n, data)
		if err != nil {
			return nil, fmt.Errorf("graph %q: node %q (%s): %w", g.Name, n.Name, n.Op.Kind(), err)
		}
		data[n.Out] = y
		if watch != nil {
			watch(n.Out, y)
		}
	}
	return data[g.Output], nil
}

// evaluate gives what n makes of its inputs.
func evaluate(n *graph.Node, data map[*graph.Value][]float64) ([]float64, error) {
	x := data[n.In[0]]
	y := make([]float64, n.Out.Shape.Size())
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		conv2d(y, x, op, n.In[0].Shape, n.Out.Shape)
	case *graph.Dense:
		dense(y, x, op)
	case *graph.BatchNorm:
		perChannel(y, x, n.Out.Shape, op.At)
	case *graph.Affine:
		perChannel(y, x, n.Out.Shape, op.At)
	case *graph.ReLU:
		for i, v := range x {
			y[i] = max(0, v)
		}
	case *graph.PReLU:
		perChannel(y, x, n.Out.Shape, op.At)
	case *graph.Clip:
		for i, v := range x {
			y[i] = min(float64(op.Hi), max(float64(op.Lo), v))
		}
	case *graph.Sign:
		for i, v := range x {
			y[i] = -1
			if v >= 0 {
				y[i] = 1
			}
		}
	case *graph.Func:
		for i, v := range x {
			y[i] = op.At(v)
		}
	case *graph.MaxPool:
		maxPool(y, x, op, n.In[0].Shape, n.Out.Shape)
	case *graph.AveragePool:
		averagePool(y, x, op, n.In[0].Shape, n.Out.Shape)
	case *graph.GlobalAveragePool:
		plane := n.In[0].Shape.Plane()
		for c := range y {
			for _, v := range x[c*plane : (c+1)*plane] {
				y[c] += v
			}
			y[c] /= float64(plane)
		}
	case interface{ At(x, y float64) float64 }: // Add, Sub, Mul, Div
		stretched(y, x, data[n.In[1]], n.In[0].Shape, n.In[1].Shape, n.Out.Shape, op.At)
	case *graph.Concat:
		y = y[:0]
		for _, v := range n.In {
			y = append(y, data[v]...)
		}
	case *graph.Constant:
		for i, v := range op.Values {
			y[i] = float64(v)
		}
	case *graph.Dropout:
		copy(y, x)
	case graph.Mover: // Flatten, Reshape, Transpose, Slice, Pad
		fill := 0.0
		if p, ok := op.(*graph.Pad); ok {
			fill = float64(p.Value)
		}
		for i, from := range op.Source(n.In[0].Shape) {
			y[i] = fill
			if from >= 0 {
				y[i] = x[from]
			}
		}
	case *graph.LRN:
		eachPixel(x, n.In[0].Shape, func(pixel []float64, at func(c int) int) {
			for c, v := range pixel {
				sum := 0.0
				for i, u := range pixel {
					if i >= c-(op.Size-1)/2 && i <= c+op.Size/2 {
						sum += u * u
					}
				}
				y[at(c)] = v / math.Pow(float64(op.Bias)+float64(op.Alpha)/float64(op.Size)*sum, float64(op.Beta))
			}
		})
	case *graph.Softmax:
		eachPixel(x, n.In[0].Shape, func(pixel []float64, at func(c int) int) {
			softmax(pixel, op.Log)
			for c, v := range pixel {
				y[at(c)] = v
			}
		})
	case *graph.ArgMax:
		i := 0
		eachPixel(x, n.In[0].Shape, func(pixel []float64, _ func(int) int) {
			best := 0
			for c, v := range pixel {
				if v > pixel[best] || op.Last && v == pixel[best] {
					best = c
				}
			}
			y[i] = float64(best)
			i++
		})
	default:
		return nil, errors.New("not known here")
	}
	return y, nil
}

func conv2d(y, x []float64, c *graph.Conv2D, in, out graph.Shape) {
	h, w := in[1], in[2]
	perGroup := c.InC / c.Groups
	k, all := c.K(), c.Floats()
	i := 0
	for o := range c.OutC {
		first := o / (c.OutC / c.Groups) * perGroup // the group's first input channel
		weights := all[o*k : (o+1)*k]
		for oy := range out[1] {
			for ox := range out[2] {
				sum := 0.0
				if c.Bias != nil {
					sum = float64(c.Bias[o])
				}
				for ch := range perGroup {
					for ky := range c.KH {
						for kx := range c.KW {
							v := float64(c.PadValue)
							iy := oy*c.StrideH + ky*c.DilationH - c.PadTop
							ix := ox*c.StrideW + kx*c.DilationW - c.PadLeft
							if iy >= 0 && iy < h && ix >= 0 && ix < w {
								v = x[((first+ch)*h+iy)*w+ix]
							}
							sum += v * float64(weights[(ch*c.KH+ky)*c.KW+kx])
						}
					}
				}
				y[i] = sum
				i++
			}
		}
	}
}

func dense(y, x []float64, d *graph.Dense) {
	weights := d.Floats()
	for o := range y {
		if d.Bias != nil {
			y[o] = float64(d.Bias[o])
		}
		for i, v := range x {
			y[o] += v * float64(weights[o*d.In+i])
		}
	}
}

func perChannel(y, x []float64, s graph.Shape, at func(c int, x float64) float64) {
	plane := s.Plane()
	for i, v := range x {
		y[i] = at(i/plane, v)
	}
}

// taps calls f for each output of a pool over kh×kw windows with the places in the
// image that its window covers, and the number of the window's taps in the padding.
func taps(in, out graph.Shape, kh, kw, sh, sw, dh, dw, top, left int, f func(i int, at []int, padding int)) {
	h, w := in[1], in[2]
	i := 0
	for c := range out[0] {
		for oy := range out[1] {
			for ox := range out[2] {
				var at []int
				for ky := range kh {
					for kx := range kw {
						iy, ix := oy*sh+ky*dh-top, ox*sw+kx*dw-left
						if iy >= 0 && iy < h && ix >= 0 && ix < w {
							at = append(at, (c*h+iy)*w+ix)
						}
					}
				}
				f(i, at, kh*kw-len(at))
				i++
			}
		}
	}
}

func maxPool(y, x []float64, p *graph.MaxPool, in, out graph.Shape) {
	dh, dw := p.Dilations()
	taps(in, out, p.KH, p.KW, p.StrideH, p.StrideW, dh, dw, p.PadTop, p.PadLeft, func(i int, at []int, _ int) {
		y[i] = math.Inf(-1)
		for _, j := range at {
			y[i] = max(y[i], x[j])
		}
	})
}

func averagePool(y, x []float64, p *graph.AveragePool, in, out graph.Shape) {
	dh, dw := p.Dilations()
	taps(in, out, p.KH, p.KW, p.StrideH, p.StrideW, dh, dw, p.PadTop, p.PadLeft, func(i int, at []int, padding int) {
		n := len(at)
		if p.CountPad {
			n += padding
		}
		for _, j := range at {
			y[i] += x[j]
		}
		y[i] /= float64(n)
	})
}

// stretched is y = at(u, v) where the only element of an extent of 1 meets all.
func stretched(y, u, v []float64, su, sv, sy graph.Shape, at func(x, y float64) float64) {
	for i := range y {
		j, k, rest, stepU, stepV := 0, 0, i, 1, 1
		for d := len(sy) - 1; d >= 0; d-- {
			at := rest % sy[d]
			rest /= sy[d]
			if su[d] > 1 {
				j += at * stepU
			}
			if sv[d] > 1 {
				k += at * stepV
			}
			stepU, stepV = stepU*su[d], stepV*sv[d]
		}
		y[i] = at(u[j], v[k])
	}
}

// eachPixel calls f with the channels of every pixel of an image, or with a whole
// vector; at is the place of a channel in x.
func eachPixel(x []float64, s graph.Shape, f func(pixel []float64, at func(c int) int)) {
	pixel, plane := make([]float64, s[0]), s.Plane()
	for p := range plane {
		at := func(c int) int { return c*plane + p }
		for c := range pixel {
			pixel[c] = x[at(c)]
		}
		f(pixel, at)
	}
}

// softmax subtracts the largest element first, which changes nothing but keeps
// exp in range.
func softmax(x []float64, logs bool) {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range x {
		largest = max(largest, v)
	}
	for _, v := range x {
		sum += math.Exp(v - largest)
	}
	for i, v := range x {
		if x[i] = v - largest - math.Log(sum); !logs {
			x[i] = math.Exp(v-largest) / sum
		}
	}
}
