package train

// addOp is the sum of two values.
type addOp struct{ a, b, out *value }

func (o *addOp) touches() []*value { return []*value{o.a, o.b, o.out} }

func (o *addOp) forward(t *thread, img int) {
	for y := range o.out.data.H {
		a, b := o.a.data.row(img, y), o.b.data.row(img, y)
		to := o.out.data.row(img, y)
		a, b = a[:len(to)], b[:len(to)]
		for i := range to {
			to[i] = a[i] + b[i]
		}
	}
}

func (o *addOp) backward(t *thread, img int) {
	for y := range o.out.grad.H {
		for _, in := range []*value{o.a, o.b} {
			if !in.constant {
				copy(in.grad.row(img, y), o.out.grad.row(img, y))
			}
		}
	}
}

// forkOp gives a value to several readers, each of which has its own gradient. Those
// that want the same halo read it where it stands.
type forkOp struct {
	in     *value
	out    []*value
	copied []*value // of out, those that do not
}

// share is called once halos are known.
func (o *forkOp) share() {
	for _, out := range o.out {
		if out.data.Image == o.in.data.Image && out.pad == o.in.pad {
			out.data.mem = o.in.data.mem
		} else {
			o.copied = append(o.copied, out)
		}
	}
}

func (o *forkOp) touches() []*value { return append([]*value{o.in}, o.out...) }

func (o *forkOp) forward(t *thread, img int) {
	for _, out := range o.copied {
		for y := range o.in.data.H {
			copy(out.data.row(img, y), o.in.data.row(img, y))
		}
	}
}

func (o *forkOp) backward(t *thread, img int) {
	for y := range o.in.grad.H {
		to := o.in.grad.row(img, y)
		a, b := o.out[0].grad.row(img, y)[:len(to)], o.out[1].grad.row(img, y)[:len(to)]
		for i := range to {
			to[i] = a[i] + b[i]
		}
		for _, out := range o.out[2:] {
			for i, g := range out.grad.row(img, y) {
				to[i] += g
			}
		}
	}
}

// concatOp puts the channels of several values behind one another.
type concatOp struct {
	in  []*value
	out *value
}

func (o *concatOp) touches() []*value { return append([]*value{o.out}, o.in...) }

func (o *concatOp) forward(t *thread, img int) {
	at := 0
	for _, in := range o.in {
		for y := range in.data.H {
			copyChannels(o.out.data.row(img, y)[at:], in.data.row(img, y), o.out.data.C, in.data.C, in.data.C)
		}
		at += in.data.C
	}
}

func (o *concatOp) backward(t *thread, img int) {
	at := 0
	for _, in := range o.in {
		if !in.constant {
			for y := range in.grad.H {
				copyChannels(in.grad.row(img, y), o.out.grad.row(img, y)[at:], in.grad.C, o.out.grad.C, in.grad.C)
			}
		}
		at += in.data.C
	}
}

// copyChannels copies n values from every stepFrom of from to every stepTo of to.
func copyChannels(to, from []float32, stepTo, stepFrom, n int) {
	for {
		copy(to[:n], from)
		if len(to) <= stepTo || len(from) <= stepFrom {
			return
		}
		to, from = to[stepTo:], from[stepFrom:]
	}
}
