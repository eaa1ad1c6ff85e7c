package nn

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// group is the nodes that become one step: a layer with what its kernel's
// epilogue does as well, or a single op.
type group struct {
	node   *graph.Node
	fused  []*graph.Node
	lo, hi float32    // what follows the sums clamps them to: infinite where nothing does
	pool   bool       // 2×2, stride 2
	norms  []graph.Op // batch norms and affines between integer sums and a sign
	sign   bool
	bytes  bool  // an Add of int8 to int8
	exact  bool  // from int8 to int8 by integers alone (graph.Integers)
	join   *join // what joins the sums with a stream, or nil
	out    *graph.Value
	inputs []*buffer
}

type bufferKey struct {
	value *graph.Value
	form  form
}

type compiler struct {
	g        *graph.Graph
	choice   *kernels.Choice
	winograd Winograd
	observed bool // someone sees every sum and product of values
	picks    map[string]Pick
	plan     *Plan
	readers  map[*graph.Value][]*graph.Node
	giver    map[*graph.Value]*graph.Node
	groups   []*group
	joins    map[*graph.Node]bool // layers whose sums a stream takes in
	wanted   map[bufferKey]*buffer
	forms    map[*graph.Value][]*buffer // of each value, in the order asked for
	signs    map[signsOf][]int8         // weights of ±1 as bytes
	read     int                        // readWeights, once it was asked
	spare    int                        // bytes that the layers' constants may still take
	tables   float64                    // bytes of what the first runner lays out by pixels
}

func newCompiler(g *graph.Graph, choice *kernels.Choice) *compiler {
	c := &compiler{
		g: g, choice: choice,
		plan:  &Plan{name: g.Name, in: g.Input.Shape.Clone(), outSize: g.Output.Shape.Size(), classes: g.Classes()},
		joins: map[*graph.Node]bool{}, wanted: map[bufferKey]*buffer{}, forms: map[*graph.Value][]*buffer{},
		signs: map[signsOf][]int8{}, spare: maxConstants,
	}
	c.index()
	return c
}

// index notes who gives and who reads the values of c.g.
func (c *compiler) index() {
	c.readers, c.giver = map[*graph.Value][]*graph.Node{}, map[*graph.Value]*graph.Node{}
	for _, n := range c.g.Nodes {
		c.giver[n.Out] = n
		for _, v := range n.In {
			c.readers[v] = append(c.readers[v], n)
		}
	}
}

// compile groups the nodes of c.g, which is whole with its batch norms folded, asks each group for the forms it reads, lays the
// buffers out and then emits the steps, in that order: a convolution can be
// prepared only when its input's and output's halos are known.
func (c *compiler) compile(whole *graph.Graph, observe func(*graph.Value, []float32)) error {
	input, norms := c.inputChain()
	streams, taken := c.fuseStreams()
	for n := range streams {
		c.joins[n] = true
	}
	for _, n := range norms {
		taken[n] = true
	}
	for _, n := range c.g.Nodes {
		if taken[n] || c.alias(n) {
			continue
		}
		grp, err := streams[n], error(nil)
		if grp == nil {
			grp, err = c.fuse(n)
		}
		if err != nil {
			return fmt.Errorf("node %q: %w", n.Name, err)
		}
		for _, f := range grp.fused {
			taken[f] = true
		}
		c.groups = append(c.groups, grp)
	}
	for _, grp := range c.groups {
		if err := c.ask(grp); err != nil {
			return fmt.Errorf("node %q: %w", grp.node.Name, err)
		}
	}
	result := c.want(c.g.Output, form{dtype: dtype.Float32})
	if err := c.checkArena(); err != nil { // before anything is prepared for buffers of that size
		return err
	}

	in := &inputStep{norms: norms}
	in.out = c.native(input, c.carried(input))
	c.plan.first = in
	c.converts(in.out, observe)
	for _, grp := range c.groups {
		if err := c.emit(grp, observe); err != nil {
			return fmt.Errorf("node %q: %w", grp.node.Name, err)
		}
	}
	c.plan.steps = append(c.plan.steps, &outputStep{result})
	c.describe(whole, norms)
	return c.layOut()
}

// inputChain follows the affine ops that normalize the input: they become part
// of the input's conversion.
func (c *compiler) inputChain() (v *graph.Value, norms []*graph.Node) {
	v = c.g.Input
	for v != c.g.Output && len(c.readers[v]) == 1 && v.Scale == 0 && v.Stream == 0 {
		n := c.readers[v][0]
		if _, ok := n.Op.(*graph.Affine); !ok {
			break
		}
		norms, v = append(norms, n), n.Out
	}
	return v, norms
}

// alias says whether a node is a Flatten that costs nothing, because only dense
// layers read it: they take the image as it lies. One that rounds to a scale of its
// own costs nothing only where nobody else sees what it rounds.
func (c *compiler) alias(n *graph.Node) bool {
	if _, ok := n.Op.(*graph.Flatten); !ok || n.Out == c.g.Output {
		return false
	}
	from := n.In[0]
	if s := n.Out.Scale; s != 0 && (s != from.Scale || n.Out.Zero != from.Zero || n.Out.Lowest() != from.Lowest()) && (from.Scale != 0 || from == c.g.Output || len(c.readers[from]) > 1) {
		return false
	}
	for _, r := range c.readers[n.Out] {
		if _, ok := r.Op.(*graph.Dense); !ok {
			return false
		}
	}
	return true
}

// root is the value that really lies in memory for v.
func (c *compiler) root(v *graph.Value) *graph.Value {
	if n := c.giver[v]; n != nil && c.alias(n) {
		return n.In[0]
	}
	return v
}

// rounded is v, or its flattening where only that has a scale.
func (c *compiler) rounded(v *graph.Value) *graph.Value {
	if v.Scale != 0 {
		return v
	}
	for _, r := range c.readers[v] {
		if c.alias(r) && r.Out.Scale != 0 {
			return r.Out
		}
	}
	return v
}

// scaleOf is the int8 scale of a value, its own or that of its flattening; 0
// if it is not carried as int8.
func (c *compiler) scaleOf(v *graph.Value) float32 { return c.rounded(v).Scale }

// signed says whether v is ±1: the output of a Sign, or the maximum of such.
func (c *compiler) signed(v *graph.Value) bool {
	n := c.giver[v]
	if n == nil {
		return false
	}
	switch n.Op.(type) {
	case *graph.Sign:
		return true
	case *graph.MaxPool:
		return v.Scale == 0 && c.signed(n.In[0])
	}
	return false
}

// nonNegative says whether v is the output of a ReLU, or the maximum of such.
func (c *compiler) nonNegative(v *graph.Value) bool {
	n := c.giver[v]
	if n == nil {
		return false
	}
	switch n.Op.(type) {
	case *graph.ReLU:
		return true
	case *graph.MaxPool:
		return c.nonNegative(n.In[0])
	}
	return false
}

// carried is the dtype in which a value is given.
func (c *compiler) carried(v *graph.Value) dtype.DType {
	switch {
	case c.scaleOf(v) != 0:
		return dtype.Int8
	case c.signed(v):
		return dtype.Binary
	default:
		return dtype.Float32
	}
}

// want returns the buffer of a value in a form, made at the first asking.
func (c *compiler) want(v *graph.Value, f form) *buffer {
	key := bufferKey{v, f}
	if b := c.wanted[key]; b != nil {
		return b
	}
	b := c.newBuffer(v, f)
	c.wanted[key] = b
	c.forms[v] = append(c.forms[v], b)
	return b
}

func (c *compiler) newBuffer(v *graph.Value, f form) *buffer {
	b := &buffer{value: v, form: f, img: imageOf(v, f.dtype), scale: 1, away: c.g.Integer != graph.NotInteger}
	if s := c.scaleOf(v); s != 0 {
		from := c.rounded(v)
		b.scale, b.zero, b.lo = s, from.Zero, from.Lowest()
	}
	if f.wide {
		b.img, b.scale, b.zero = kernels.Int16Image(b.img.H, b.img.W, b.img.C), v.Stream, 0
	}
	c.plan.bufs = append(c.plan.bufs, b)
	return b
}

// native returns the buffer that the giver of v writes in the given dtype: the
// first one asked for, or one of its own. The other forms are converted from
// it.
func (c *compiler) native(v *graph.Value, d dtype.DType) *buffer {
	for _, b := range c.forms[v] {
		if b.form.dtype == d && !b.form.wide && b.form.levels.Bits == 0 {
			return b
		}
	}
	return c.want(v, form{dtype: d})
}

// converts adds the steps from a value's native form to the other forms asked
// for, and the observer. A float32 form of an int8 value is s·x̃.
func (c *compiler) converts(from *buffer, observe func(*graph.Value, []float32)) {
	for _, to := range c.forms[from.value] {
		switch {
		case to == from:
		case to.form.levels.Bits > 0:
			c.plan.steps = append(c.plan.steps, &planesStep{c.choice.For(dtype.Binary), from, to, -1})
		default:
			c.plan.steps = append(c.plan.steps, convertStep(from, to))
		}
	}
	if observe != nil && from.form.dtype == dtype.Float32 {
		c.plan.observe = true
		c.plan.scratch = max(c.plan.scratch, from.value.Shape.Size())
		c.plan.steps = append(c.plan.steps, &observeStep{from, observe})
	}
}

// maxConstants bounds what a plan has for the layers' channels beside their weights: a small
// file can have very many layers that share constants, of which each has its own form.
const maxConstants = 32 << 20

// afford counts bytes of the layers' constants; false where they are too many.
func (c *compiler) afford(bytes int) bool {
	if bytes > c.spare {
		return false
	}
	c.spare -= bytes
	return true
}

// channels counts the constants of a layer of integers or bits with n outputs.
func (c *compiler) channels(n int) error {
	if !c.afford(32 * n) { // scales, offsets, multipliers, thresholds
		return fmt.Errorf("constants of the layers' channels: more than %d MiB", maxConstants>>20)
	}
	return nil
}

// checkArena refuses more than maxArena of activations and of the tables that their pixels
// have in some steps.
func (c *compiler) checkArena() error {
	size := c.tables
	for _, b := range c.plan.bufs {
		m := b.img
		size += float64(b.images()) * float64(m.Top+m.H+m.Bottom) * float64(m.Left+m.W+m.Right) * float64(m.PixelBytes())
	}
	if size > maxArena {
		return fmt.Errorf("activations of one image and tables of its pixels need %.3g MiB: want at most %d", size/(1<<20), maxArena>>20)
	}
	return nil
}

// layOut gives every buffer its place in the arena, on cache lines.
func (c *compiler) layOut() error {
	if err := c.checkArena(); err != nil {
		return err
	}
	at := 0
	for _, b := range c.plan.bufs {
		if err := b.checkPad(); err != nil {
			return err
		}
		b.off = at
		at += (b.size() + 63) &^ 63
	}
	c.plan.arena = at
	return nil
}
