package onnx

import (
	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// readConv: X, W [out, in/group, kh, kw] or [out, in/group, k], optional B [out].
func readConv(c *call) error {
	var conv graph.Conv2D
	c.takeSigns()
	pad, _ := c.input(0).begun.(*padding)
	if pad != nil && pad.forConv() {
		conv.PadTop, conv.PadLeft, conv.PadBottom, conv.PadRight = pad.op.Before[1], pad.op.Before[2], pad.op.After[1], pad.op.After[2]
		conv.PadValue = pad.op.Value
		c.in[0] = operand{value: pad.v, int8: c.in[0].int8, view: pad.from}
	} else {
		pad = nil
	}
	v, spatial := c.image(0)
	w := c.must(1)
	if len(w.dims) != spatial+2 {
		c.fail("weights of dimensions %v: want %d, [out, in/group, height, width] or [out, in/group, length]", w.dims, spatial+2)
	}
	if c.err != nil {
		return c.err
	}
	conv.Groups = int(min(max(c.attrInt("group", 1), 0), graph.MaxElements))
	conv.OutC, conv.KH, conv.KW = w.dims[0], 1, w.dims[len(w.dims)-1]
	if spatial == 2 {
		conv.KH = w.dims[2]
	}
	conv.InC = v.Shape[0]
	if conv.Groups < 1 || conv.InC != w.dims[1]*conv.Groups {
		c.fail("%d groups of %d input channels by the weights, the input has %d", conv.Groups, w.dims[1], conv.InC)
	}
	win := c.window(v.Shape, spatial, conv.KH, conv.KW)
	conv.StrideH, conv.StrideW, conv.DilationH, conv.DilationW = win.strides[0], win.strides[1], win.dilations[0], win.dilations[1]
	if pad != nil && win.pads != [4]int{} && conv.PadValue != 0 {
		c.fail("padding of its own (%v) around Pad %s with %g: want one of the two", win.pads, quote(pad.c.nodeName()), conv.PadValue)
	}
	if pad != nil && win.same {
		c.fail("auto_pad around Pad %s: want explicit pads", quote(pad.c.nodeName()))
	}
	conv.PadTop += win.pads[0]
	conv.PadLeft += win.pads[1]
	conv.PadBottom += win.pads[2]
	conv.PadRight += win.pads[3]
	conv.Weights = c.weights(w, v, 0)
	conv.Bias = c.later(c.vector(2, conv.OutC))
	if err := c.done(3); err != nil {
		return err
	}
	return c.sized(spatial, &conv, v)
}

// A windowing is what convolutions and pools share.
type windowing struct {
	strides, dilations [2]int // height, width
	pads               [4]int // top, left, bottom, right
	same               bool   // auto_pad SAME_UPPER or SAME_LOWER
}

// spread is a dilation as a pool has it: 0 for 1.
func (w *windowing) spread(i int) int {
	if w.dilations[i] == 1 {
		return 0
	}
	return w.dilations[i]
}

// window reads kernel_shape (which must be kh×kw), strides, dilations, pads and
// auto_pad for windows over the image in. With one spatial dimension it is the width.
func (c *call) window(in graph.Shape, spatial, kh, kw int) windowing {
	w := windowing{strides: [2]int{1, 1}, dilations: [2]int{1, 1}}
	if _, ok := c.attrs["kernel_shape"]; ok {
		k := c.attrInts("kernel_shape", spatial, 1, 1)
		if want := []int{kh, kw}[2-spatial:]; c.err == nil && (k[0] != want[0] || k[spatial-1] != kw) {
			c.fail("attribute kernel_shape: %v: the weights are %d×%d", k, kh, kw)
		}
	}
	copy(w.strides[2-spatial:], c.attrInts("strides", spatial, 1, 1))
	copy(w.dilations[2-spatial:], c.attrInts("dilations", spatial, 1, 1))
	_, explicit := c.attrs["pads"]
	if p := c.attrInts("pads", 2*spatial, 0, 0); spatial == 2 {
		copy(w.pads[:], p)
	} else {
		w.pads[1], w.pads[3] = p[0], p[1]
	}
	auto := c.attrString("auto_pad", "NOTSET")
	if c.err != nil {
		return w
	}
	if auto != "NOTSET" && explicit && w.pads != [4]int{} {
		c.fail("both pads and auto_pad %s: want one", quote(auto))
	}
	switch auto {
	case "NOTSET", "VALID":
	case "SAME_UPPER", "SAME_LOWER":
		w.same = true
		for i, k := range []int{kh, kw} {
			n, s := in[1+i], w.strides[i]
			out := (n + s - 1) / s
			total := max((out-1)*s+w.dilations[i]*(k-1)+1-n, 0)
			less := total / 2
			w.pads[i], w.pads[i+2] = less, total-less
			if auto == "SAME_LOWER" {
				w.pads[i], w.pads[i+2] = total-less, less
			}
		}
	default:
		c.fail("attribute auto_pad: %s: want NOTSET, VALID, SAME_UPPER or SAME_LOWER", quote(auto))
	}
	return w
}

// pooled is what MaxPool and AveragePool share: the input, and the window with the
// padding that ceil_mode adds, by itself.
type pooled struct {
	v        *graph.Value
	spatial  int
	kh, kw   int
	win      windowing
	ceilPads [2]int // below, right
}

func (c *call) pool() pooled {
	p := pooled{kh: 1, kw: 1}
	p.v, p.spatial = c.image(0)
	if c.attrs["kernel_shape"] == nil {
		c.fail("attribute kernel_shape is missing")
	}
	if c.err != nil {
		return p
	}
	size := c.attrInts("kernel_shape", p.spatial, 1, 1)
	if p.kw = size[p.spatial-1]; p.spatial == 2 {
		p.kh = size[0]
	}
	w := c.window(p.v.Shape, p.spatial, p.kh, p.kw)
	if ceil := c.attrInt("ceil_mode", 0) != 0; ceil && !w.same && c.err == nil {
		for i, k := range []int{p.kh, p.kw} {
			p.ceilPads[i] = ceilPad(p.v.Shape[1+i], w.dilations[i]*(k-1)+1, w.strides[i], w.pads[i], w.pads[i+2])
		}
	}
	p.win = w
	return p
}

// ceilPad is the padding to add after n elements so that one more window starts
// there, as ceil_mode asks; 0 where the windows come out even or the further one
// would begin beyond the elements and the padding before them.
func ceilPad(n, size, stride, before, after int) int {
	room := n + before + after - size
	if room < 0 && room > -stride { // a single window, not all of which there is
		return -room
	}
	over := room % stride
	if over <= 0 || n+before+after-over-size+stride >= n+before {
		return 0
	}
	return stride - over
}

// readMaxPool: X; the second output, indices, is not supported.
func readMaxPool(c *call) error {
	p := c.pool()
	if c.attrInt("storage_order", 0) != 0 {
		c.fail("attribute storage_order: want 0")
	}
	if err := c.done(1); err != nil {
		return err
	}
	w := p.win
	return c.sized(p.spatial, &graph.MaxPool{
		KH: p.kh, KW: p.kw, StrideH: w.strides[0], StrideW: w.strides[1], DilationH: w.spread(0), DilationW: w.spread(1),
		PadTop: w.pads[0], PadLeft: w.pads[1], PadBottom: w.pads[2] + p.ceilPads[0], PadRight: w.pads[3] + p.ceilPads[1],
	}, p.v)
}

// readAveragePool: X. What ceil_mode adds never counts, whatever count_include_pad says,
// so that with both the padding is put around the image before.
func readAveragePool(c *call) error {
	p := c.pool()
	counts := c.attrInt("count_include_pad", 0) != 0
	if err := c.done(1); err != nil {
		return err
	}
	v, w := p.v, p.win
	if counts && p.ceilPads != [2]int{} && w.pads != [4]int{} {
		var err error
		if v, err = c.step(&graph.Pad{Before: [3]int{0, w.pads[0], w.pads[1]}, After: [3]int{0, w.pads[2], w.pads[3]}}, v); err != nil {
			return err
		}
		w.pads = [4]int{}
	}
	return c.sized(p.spatial, &graph.AveragePool{
		KH: p.kh, KW: p.kw, StrideH: w.strides[0], StrideW: w.strides[1], DilationH: w.spread(0), DilationW: w.spread(1),
		PadTop: w.pads[0], PadLeft: w.pads[1], PadBottom: w.pads[2] + p.ceilPads[0], PadRight: w.pads[3] + p.ceilPads[1],
		CountPad: counts && p.ceilPads == [2]int{},
	}, v)
}

func readGlobalAveragePool(c *call) error { return c.global(&graph.GlobalAveragePool{}) }

func readGlobalMaxPool(c *call) error { return c.global(nil) }

// global pools whole planes; nil takes the maximum.
func (c *call) global(op graph.Op) error {
	v, spatial := c.image(0)
	if err := c.done(1); err != nil {
		return err
	}
	if op == nil {
		op = &graph.MaxPool{KH: v.Shape[1], KW: v.Shape[2], StrideH: 1, StrideW: 1}
	}
	return c.sized(spatial, op, v)
}

// padding is a Pad node that has not been carried out yet, since a convolution may take
// it in.
type padding struct {
	c    *call
	op   *graph.Pad
	v    *graph.Value
	from []int // v's view, nil for its shape
	to   []int // what the padded value is seen as
}

func (p *padding) missing() string { return "Pad " + quote(p.c.nodeName()) }

// forConv says whether a convolution can have this padding as its own.
func (p *padding) forConv() bool {
	return p.op.Mode == graph.PadConstant && p.op.Before[0] == 0 && p.op.After[0] == 0
}

// readPad: X, pads, optional value, optional axes; before opset 11 pads and value
// are attributes.
func readPad(c *call) error {
	v := c.anyForm(0)
	view := c.dims(0)
	if c.err == nil && (len(view) < 1 || len(view) > 3) {
		c.fail("input of %d dimensions behind the batch: want 1 to 3", len(view))
	}
	op := &graph.Pad{}
	switch mode := c.attrString("mode", "constant"); mode {
	case "constant":
	case "reflect":
		op.Mode = graph.PadReflect
	case "edge":
		op.Mode = graph.PadEdge
	default:
		c.fail("attribute mode: %s: want constant, reflect or edge", quote(mode))
	}
	rank := len(view) + 1
	pads, with, axes := c.padArguments(rank)
	if op.Mode == graph.PadConstant {
		op.Value = with
	}
	if err := c.done(4); err != nil {
		return err
	}
	if len(axes) > rank || len(pads) != 2*len(axes) {
		c.fail("%d pads: want %d, before and after each axis", len(pads), 2*len(axes))
		return c.err
	}
	to := append([]int(nil), view...)
	seen, any := make([]bool, rank), false
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		if a < 0 || a >= int64(rank) || seen[a] {
			c.fail("axes %v: want each of 0 to %d at most once", axes, rank-1)
			return c.err
		}
		seen[a] = true
		before, after := pads[i], pads[i+len(axes)]
		if min(before, after) < 0 || max(before, after) > graph.MaxElements || a == 0 && max(before, after) > 0 {
			c.fail("pads %v: want 0 for the batch, 0 to %d for other dimensions", pads, graph.MaxElements)
			return c.err
		}
		if a == 0 {
			continue
		}
		at := standing(int(a)-1, rank-1)
		op.Before[at], op.After[at] = int(before), int(after)
		to[a-1] += int(before) + int(after)
		any = any || before > 0 || after > 0
	}
	if !any {
		return c.bind(c.in[0])
	}
	if _, err := op.OutShape([]graph.Shape{v.Shape}); err != nil {
		return err
	}
	if err := bounded(to); err != nil {
		return err
	}
	return c.bind(operand{value: v, int8: c.in[0].int8, begun: &padding{c: c, op: op, v: v, from: c.in[0].view, to: to}})
}

// standing is where dimension i of a view of 1 to 3 dimensions stands in the graph's shape.
func standing(i, rank int) int {
	if rank == 2 && i == 1 {
		return 2
	}
	return i
}

func (c *call) padArguments(rank int) (pads []int64, with float32, axes []int64) {
	for i := range rank {
		axes = append(axes, int64(i))
	}
	if c.opset < 11 {
		if a := c.attr("pads", onnxpb.AttributeProto_INTS); a != nil {
			pads = a.Ints
		}
		return pads, c.attrFloat("value", 0), axes
	}
	pads = c.ints(1, c.must(1))
	if k := c.constant(2); k != nil {
		if f := c.floats(2, k); len(f) == 1 {
			with = f[0]
		} else {
			c.fail("input 2 has %d values: want 1", k.size())
		}
	}
	if k := c.constant(3); k != nil {
		axes = c.ints(3, k)
	}
	return pads, with, axes
}
