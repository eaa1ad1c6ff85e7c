// Package reference evaluates a graph plainly: float64 throughout, direct loops,
// one image at a time. It is the definition of right that the runtime is tested
// against, and on networks of ±1 weights and values its convolutions are exact. It is
// slow on purpose; package nn is the fast one.
//
// It computes the float network also where a graph has been quantized: Int8,
// Scale and Value.Scale play no part.
package reference

import (
	"fmt"
	"math"

	"macroscope/graph"
)

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
		case *graph.MaxPool:
			maxPool(y, x, op, n.In[0].Shape, n.Out.Shape)
		case *graph.GlobalAveragePool:
			plane := n.In[0].Shape.Plane()
			for c := range y {
				for _, v := range x[c*plane : (c+1)*plane] {
					y[c] += v
				}
				y[c] /= float64(plane)
			}
		case *graph.Add:
			for i, v := range data[n.In[1]] {
				y[i] = x[i] + v
			}
		case *graph.Concat:
			y = y[:0]
			for _, v := range n.In {
				y = append(y, data[v]...)
			}
		case *graph.Flatten, *graph.Dropout:
			copy(y, x)
		case *graph.Softmax:
			softmax(y, x)
		default:
			return nil, fmt.Errorf("graph %q: node %q (%s): not known here", g.Name, n.Name, n.Op.Kind())
		}
		data[n.Out] = y
		if watch != nil {
			watch(n.Out, y)
		}
	}
	return data[g.Output], nil
}

func conv2d(y, x []float64, c *graph.Conv2D, in, out graph.Shape) {
	h, w := in[1], in[2]
	perGroup := c.InC / c.Groups
	k := c.K()
	i := 0
	for o := range c.OutC {
		first := o / (c.OutC / c.Groups) * perGroup // the group's first input channel
		weights := c.Float[o*k : (o+1)*k]
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
	for o := range y {
		if d.Bias != nil {
			y[o] = float64(d.Bias[o])
		}
		for i, v := range x {
			y[o] += v * float64(d.Float[o*d.In+i])
		}
	}
}

func perChannel(y, x []float64, s graph.Shape, at func(c int, x float64) float64) {
	plane := s.Plane()
	for i, v := range x {
		y[i] = at(i/plane, v)
	}
}

func maxPool(y, x []float64, p *graph.MaxPool, in, out graph.Shape) {
	h, w := in[1], in[2]
	i := 0
	for c := range out[0] {
		for oy := range out[1] {
			for ox := range out[2] {
				y[i] = math.Inf(-1)
				for ky := range p.KH {
					for kx := range p.KW {
						iy, ix := oy*p.StrideH+ky-p.PadTop, ox*p.StrideW+kx-p.PadLeft
						if iy >= 0 && iy < h && ix >= 0 && ix < w {
							y[i] = max(y[i], x[(c*h+iy)*w+ix])
						}
					}
				}
				i++
			}
		}
	}
}

// softmax subtracts the largest element first, which changes nothing but keeps
// exp in range.
func softmax(y, x []float64) {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range x {
		largest = max(largest, v)
	}
	for i, v := range x {
		y[i] = math.Exp(v - largest)
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
}
