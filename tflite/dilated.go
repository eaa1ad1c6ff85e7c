package tflite

import (
	"fmt"

	"macroscope/graph"
)

// TensorFlow writes a dilated convolution as SPACE_TO_BATCH_ND, which deals the pixels out
// to images of their own, a convolution of those, and BATCH_TO_SPACE_ND. The three together
// are read as one convolution.

// spaced is what SPACE_TO_BATCH_ND gives, and what a convolution makes of that.
type spaced struct {
	from   *operator
	conv   *operator // nil: none yet
	block  [2]int    // rows, columns
	before [2]int    // padding
	after  [2]int
}

// blocks are input 1, how the rows and columns of an image are dealt out, and input 2, what
// is added before and after.
func (r *reader) blocks(o *operator, t *tensor) (block, before, after [2]int, err error) {
	b, err := r.ints(o, 1, 2)
	if err != nil {
		return
	}
	n, err := r.ints(o, 2, 4)
	if err != nil {
		return
	}
	if len(t.dims) != 4 || len(b) != 2 || len(n) != 4 {
		err = fmt.Errorf("%d blocks and %d numbers at the edges for dimensions %v: want 2 and 4 for an image, [N H W C]", len(b), len(n), t.dims)
		return
	}
	for i := range 2 {
		block[i], before[i], after[i] = b[i], n[2*i], n[2*i+1]
		for _, v := range []int{b[i] - 1, before[i], after[i]} {
			if v < 0 || v > graph.MaxElements {
				err = fmt.Errorf("blocks %v, %v at the edges: want blocks from 1, edges from 0, at most %d", b, n, graph.MaxElements)
				return
			}
		}
	}
	return
}

func (r *reader) spaceToBatch(o *operator) error {
	_, t, err := r.value(o, 0)
	if err != nil {
		return err
	}
	if err := r.sameScale(o, t); err != nil {
		return err
	}
	s := &spaced{from: o}
	if s.block, s.before, s.after, err = r.blocks(o, t); err != nil {
		return err
	}
	for _, reader := range r.readers[o.out[0]] {
		if reader.code != opConv && reader.code != opDepthwiseConv || reader.in[0] != o.out[0] {
			return fmt.Errorf("%s reads what it gives: want a convolution alone, then BATCH_TO_SPACE_ND", r.place(reader))
		}
	}
	return r.giveSpaced(o, s)
}

func (r *reader) giveSpaced(o *operator, s *spaced) error {
	if r.values[o.out[0]] != nil || r.spaced[o.out[0]] != nil {
		return fmt.Errorf("tensor %s: given twice", quote(r.tensors[o.out[0]].name))
	}
	r.spaced[o.out[0]] = s
	return nil
}

// ofSpaced takes note of a convolution of what SPACE_TO_BATCH_ND gave; false where o's input
// is none.
func (r *reader) ofSpaced(o *operator) (bool, error) {
	if !o.has(0) || r.spaced[o.in[0]] == nil {
		return false, nil
	}
	s := *r.spaced[o.in[0]]
	for _, reader := range r.readers[o.out[0]] {
		if reader.code != opBatchToSpace || reader.in[0] != o.out[0] {
			return true, fmt.Errorf("%s reads what it gives: want BATCH_TO_SPACE_ND alone behind SPACE_TO_BATCH_ND and a convolution", r.place(reader))
		}
	}
	if s.conv != nil {
		return true, fmt.Errorf("a second convolution behind SPACE_TO_BATCH_ND: want BATCH_TO_SPACE_ND")
	}
	s.conv = o
	return true, r.giveSpaced(o, &s)
}

func (r *reader) batchToSpace(o *operator) error {
	if !o.has(0) || r.spaced[o.in[0]] == nil || r.spaced[o.in[0]].conv == nil {
		return fmt.Errorf("input 0: want what a convolution makes of SPACE_TO_BATCH_ND")
	}
	s := *r.spaced[o.in[0]]
	t := &r.tensors[o.in[0]]
	if err := r.sameScale(o, t); err != nil {
		return err
	}
	block, cropBefore, cropAfter, err := r.blocks(o, t)
	if err != nil {
		return err
	}
	for i := range 2 {
		s.before[i], s.after[i] = s.before[i]-cropBefore[i], s.after[i]-cropAfter[i]
		if block[i] != s.block[i] || s.before[i] < 0 || s.after[i] < 0 {
			return fmt.Errorf("blocks %v, cut off %v and %v: SPACE_TO_BATCH_ND has blocks %v and adds %v and %v: want the same, and no more",
				block, cropBefore, cropAfter, s.block, r.spaced[o.in[0]].before, r.spaced[o.in[0]].after)
		}
	}
	whole := *s.conv
	whole.spaced = &s
	whole.in = append([]int{s.from.in[0]}, s.conv.in[1:]...)
	whole.out = o.out
	read := r.conv
	if whole.code == opDepthwiseConv {
		read = r.depthwise
	}
	if err := read(&whole); err != nil {
		return fmt.Errorf("with %s: %w", r.place(s.conv), err)
	}
	return nil
}

// dilate makes c, whose operator's own dilation, stride and padding stand in it, the
// convolution between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND.
func (s *spaced) dilate(c *graph.Conv2D) error {
	if c.StrideH != 1 || c.StrideW != 1 || c.DilationH != 1 || c.DilationW != 1 || c.PadTop+c.PadBottom+c.PadLeft+c.PadRight != 0 {
		return fmt.Errorf("strides %d, %d, dilations %d, %d or padding behind SPACE_TO_BATCH_ND: want 1 and none", c.StrideH, c.StrideW, c.DilationH, c.DilationW)
	}
	c.DilationH, c.DilationW = s.block[0], s.block[1]
	c.PadTop, c.PadLeft, c.PadBottom, c.PadRight = s.before[0], s.before[1], s.after[0], s.after[1]
	return nil
}
