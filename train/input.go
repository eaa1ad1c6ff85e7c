package train

import "macroscope/graph"

// inputOp takes images in: [C H W] values become NHWC, scaled and shifted by the
// affine ops at the network's beginning.
type inputOp struct {
	out          *value
	scale, shift []float32
	load         Image
	raw          [][]float32 // of each thread, or of each image of the batch: [C H W]
	keep         bool        // of each image, since a teacher will look at it
	class        []int       // of each image of the batch
}

func newInputOp(channels int) *inputOp {
	o := &inputOp{scale: make([]float32, channels), shift: make([]float32, channels)}
	for c := range o.scale {
		o.scale[c] = 1
	}
	return o
}

// then adds an affine op to what the input does.
func (o *inputOp) then(a *graph.Affine) {
	for c := range o.scale {
		scale, shift := a.Scale[c%len(a.Scale)], a.Shift[c%len(a.Shift)]
		o.scale[c], o.shift[c] = o.scale[c]*scale, o.shift[c]*scale+shift
	}
}

func (o *inputOp) plan(threads, batch int) {
	d := &o.out.data
	o.class = make([]int, batch)
	n := threads
	if o.keep {
		n = batch
	}
	for range n {
		o.raw = append(o.raw, make([]float32, d.C*d.H*d.W))
	}
}

// image is where an image's values stand.
func (o *inputOp) image(t *thread, img int) []float32 {
	if o.keep {
		return o.raw[img]
	}
	return o.raw[t.id]
}

func (o *inputOp) forward(t *thread, img int) {
	raw, d := o.image(t, img), &o.out.data
	o.class[img] = o.load(img, raw)
	for y := range d.H {
		row := d.row(img, y)
		for c, scale := range o.scale {
			shift := o.shift[c]
			for x, v := range raw[(c*d.H+y)*d.W:][:d.W] {
				row[x*d.C+c] = v*scale + shift
			}
		}
	}
}

func (o *inputOp) backward(*thread, int) {}

func (o *inputOp) touches() []*value { return nil }
