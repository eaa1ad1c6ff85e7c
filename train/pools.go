package train

import (
	"math"

	"macroscope/graph"
)

// maxPoolOp takes the maximum over windows; the gradient goes to the first of
// equals.
type maxPoolOp struct {
	in, out *value
	p       graph.MaxPool
	from    []int32 // for each output of the batch, the offset in its image's data of its maximum
}

func (o *maxPoolOp) forward(t *thread, img int) {
	if o.p.KH == 2 && o.p.KW == 2 && o.p.StrideH == 2 && o.p.StrideW == 2 && o.p.PadTop+o.p.PadLeft == 0 {
		o.forward2(img)
		return
	}
	in, c := &o.in.data, o.in.data.C
	src := floats(in.image(img))
	from := o.from[img*o.out.data.H*o.out.data.W*c:]
	for y := range o.out.data.H {
		to := o.out.data.row(img, y)
		for x := range o.out.data.W {
			for ch := range c {
				best, at := float32(math.Inf(-1)), int32(-1)
				for ky := range o.p.KH {
					for kx := range o.p.KW {
						py, px := y*o.p.StrideH+ky-o.p.PadTop, x*o.p.StrideW+kx-o.p.PadLeft
						if py < 0 || py >= in.H || px < 0 || px >= in.W {
							continue
						}
						i := in.Offset(py, px)/4 + ch
						if v := src[i]; at < 0 || v > best || v != v {
							best, at = v, int32(i)
						}
					}
				}
				i := x*c + ch
				to[i], from[y*o.out.data.W*c+i] = best, at
			}
		}
	}
}

// forward2 is forward for windows of 2×2 side by side.
func (o *maxPoolOp) forward2(img int) {
	in, c := &o.in.data, o.in.data.C
	pitch := int32(in.RowBytes() / 4)
	from := o.from[img*o.out.data.H*o.out.data.W*c:]
	for y := range o.out.data.H {
		to := o.out.data.row(img, y)
		above, below := in.row(img, 2*y), in.row(img, 2*y+1)
		base := int32(in.Offset(2*y, 0) / 4)
		at := from[y*len(to):][:len(to)]
		for x := range o.out.data.W {
			a, b := above[2*x*c:][:c], above[(2*x+1)*c:][:c]
			d, e := below[2*x*c:][:c], below[(2*x+1)*c:][:c]
			best, index := to[x*c:][:c], at[x*c:][:c]
			first := base + int32(2*x*c)
			for ch, v := range a {
				i := first
				if w := b[ch]; w > v || w != w {
					v, i = w, first+int32(c)
				}
				if w := d[ch]; w > v || w != w {
					v, i = w, first+pitch
				}
				if w := e[ch]; w > v || w != w {
					v, i = w, first+pitch+int32(c)
				}
				best[ch], index[ch] = v, i+int32(ch)
			}
		}
	}
}

func (o *maxPoolOp) backward(t *thread, img int) {
	in := &o.in.grad
	for y := range in.H {
		clear(in.row(img, y))
	}
	to := floats(in.image(img))
	data, c := &o.in.data, o.in.data.C
	same := data.Image == in.Image
	from := o.from[img*o.out.data.H*o.out.data.W*c:]
	for y := range o.out.grad.H {
		g := o.out.grad.row(img, y)
		at := from[y*len(g):][:len(g)]
		if same {
			for i, v := range g {
				to[at[i]] += v
			}
			continue
		}
		for i, v := range g {
			to[o.gradOffset(at[i])] += v
		}
	}
}

// gradOffset turns an offset in an image's data into that in its gradient, whose
// halo may be another.
func (o *maxPoolOp) gradOffset(at int32) int {
	d := &o.in.data
	pixel, ch := int(at)/d.C, int(at)%d.C
	wide := d.Left + d.W + d.Right
	return o.in.grad.Offset(pixel/wide-d.Top, pixel%wide-d.Left)/4 + ch
}

// averageOp is the mean over each channel's plane.
type averageOp struct{ in, out *value }

func (o *averageOp) forward(t *thread, img int) {
	to, c := o.out.data.row(img, 0), o.in.data.C
	clear(to)
	for y := range o.in.data.H {
		row := o.in.data.row(img, y)
		for i, v := range row {
			to[i%c] += v
		}
	}
	scale := 1 / float32(o.in.data.H*o.in.data.W)
	for i := range to {
		to[i] *= scale
	}
}

func (o *averageOp) backward(t *thread, img int) {
	g, c := o.out.grad.row(img, 0), o.in.data.C
	scale := 1 / float32(o.in.data.H*o.in.data.W)
	for y := range o.in.grad.H {
		to := o.in.grad.row(img, y)
		for i := range to {
			to[i] = g[i%c] * scale
		}
	}
}
