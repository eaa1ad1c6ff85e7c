package onnx

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strings"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// maxRank is the most dimensions that anything in a file may have.
const maxRank = 8

// reader turns one decoded ONNX graph into a graph.Graph.
type reader struct {
	g      *onnxpb.GraphProto
	opsets map[string]int64
	places places
	bud    *budget

	folder  *folder // nil: there is none
	options ReadOptions

	symmetric bool // where the zero point is 0, int8 values are −127…127

	b     *graph.Builder
	batch int64              // the batch that the file fixes, or 0
	named map[string]operand // by the names in the file
	nodes map[string]int     // node names given so far, for uniqueness

	finishers map[string]int        // by a Mul's output: the node that alone reads it, or −1
	givers    map[string]int        // the node that gives a name
	taken     map[string]bool       // names of values in the file, and of those made up so far
	readers   map[string][]int      // the nodes needed that read a name
	unlike    map[string]bool       // whether those of a name do not all do the same, once somebody asked
	used      map[string]bool       // names that some node needed reads, or the graph's output
	plain     map[*graph.Value]bool // values that some node reads as they are, not through int8
	signs     map[*graph.Value]bool // values that are ±1
	aliases   map[*graph.Value]bool // values that have a second name, for what does nothing to them
}

// operand is what a name in the file stands for: a value, a constant, or a value
// on which something was begun that another node must finish. Neither of the three: an
// optional input left out.
type operand struct {
	value    *graph.Value
	view     []int // dimensions behind the batch, where they are not the value's shape
	by       *call // who shall reshape value to what view asks for; nil: it lies so
	constant *constant
	int8     bool  // value, through QuantizeLinear and DequantizeLinear
	begun    begun // on value
}

// none says that the operand is an input left out.
func (o operand) none() bool { return o.value == nil && o.constant == nil && o.begun == nil }

// carriedOut is o after what its node left undone: a padding, a scale, or a reshaping.
func (o operand) carriedOut() (operand, error) {
	var err error
	by := o.by
	if p, ok := o.begun.(*padding); ok {
		by = p.c
		if !by.in[0].int8 {
			by.plain[p.v] = true
		}
		err = by.emitAs(p.to, p.op, p.v)
	} else if s, ok := o.begun.(*scaledSigns); ok {
		return s.multiplied(o)
	} else if by != nil {
		err = by.emitAs(o.view, reshaping(lying(o.view)), o.value)
	} else {
		return o, nil
	}
	if err != nil {
		return o, fmt.Errorf("%s: %w", by.what, err)
	}
	return by.named[by.node.Output[0]], nil
}

// begun is what one ONNX node does and only the next one completes.
type begun interface {
	// missing says what was begun and who alone may finish it.
	missing() string
}

func (r *reader) read() (*graph.Graph, error) {
	if err := r.constants(); err != nil {
		return nil, err
	}
	if err := r.input(); err != nil {
		return nil, err
	}
	if len(r.g.Output) != 1 {
		return nil, fmt.Errorf("%d outputs: want 1", len(r.g.Output))
	}
	order, err := r.order()
	if err != nil {
		return nil, err
	}
	if err := r.supported(order); err != nil {
		return nil, err
	}
	r.findFinishers(order)
	r.noteNames(order)
	for _, i := range order {
		if err := r.node(i); err != nil {
			return nil, err
		}
	}
	return r.output()
}

// constants notes the initializers.
func (r *reader) constants() error {
	r.named = make(map[string]operand, len(r.g.Initializer))
	if len(r.g.SparseInitializer) > 0 {
		return fmt.Errorf("sparse initializer %s: not supported", quote(r.g.SparseInitializer[0].GetValues().GetName()))
	}
	for i, t := range r.g.Initializer {
		c, err := r.newConstant(t)
		if err == nil && t.GetName() == "" {
			err = errors.New("it has no name")
		}
		if _, ok := r.named[t.GetName()]; ok && err == nil {
			err = errors.New("a second tensor of that name")
		}
		if err != nil {
			return fmt.Errorf("tensor %s (byte %d): %w", quote(t.GetName()), r.places.initializers[i], err)
		}
		r.named[t.GetName()] = operand{constant: c}
	}
	return nil
}

// bounded reports a view of more elements than a value may have.
func bounded(view []int) error {
	n := 1
	for _, d := range view {
		if d < 1 || d > graph.MaxElements/n {
			return fmt.Errorf("dimensions %v: want positive ones, at most %d elements", graph.Shape(view), graph.MaxElements)
		}
		n *= d
	}
	return nil
}

// noteNames notes which names are read, and which are taken.
func (r *reader) noteNames(order []int) {
	r.used, r.taken, r.readers = map[string]bool{r.g.Output[0].GetName(): true}, map[string]bool{}, map[string][]int{}
	r.unlike = map[string]bool{}
	for name := range r.named {
		r.taken[name] = true
	}
	for _, i := range order {
		for _, in := range r.g.Node[i].Input {
			r.used[in] = in != ""
			r.readers[in] = append(r.readers[in], i)
		}
		for _, out := range r.g.Node[i].Output {
			r.taken[out] = true
		}
	}
}

// order gives the indices of the nodes that the output needs, each after those
// that it needs itself, otherwise as in the file. It reports names that nobody
// gives, or two do, and cycles.
func (r *reader) order() ([]int, error) {
	giver := make(map[string]int, len(r.g.Node))
	r.givers = giver
	for i, n := range r.g.Node {
		for _, out := range n.Output {
			if out == "" {
				continue
			}
			if _, ok := r.named[out]; ok {
				return nil, fmt.Errorf("%s: output %s: also an input or initializer of the graph", r.what(i), quote(out))
			}
			if j, ok := giver[out]; ok {
				return nil, fmt.Errorf("%s: output %s: already given by %s", r.what(i), quote(out), r.what(j))
			}
			giver[out] = i
		}
	}
	for i, n := range r.g.Node {
		for _, in := range n.Input {
			_, given := giver[in]
			if _, ok := r.named[in]; !ok && !given && in != "" {
				return nil, fmt.Errorf("%s: input %s: nothing gives it", r.what(i), quote(in))
			}
		}
	}
	// Backwards from the output: who is needed, by how many edges, by whom.
	needed := make([]bool, len(r.g.Node))
	waits := make([]int, len(r.g.Node))
	var todo, ready []int
	if i, ok := giver[r.g.Output[0].GetName()]; ok {
		needed[i] = true
		todo = append(todo, i)
	}
	readers := make([][]int, len(r.g.Node))
	count := 0
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		count++
		for _, in := range r.g.Node[i].Input {
			j, ok := giver[in]
			if !ok {
				continue
			}
			waits[i]++
			readers[j] = append(readers[j], i)
			if !needed[j] {
				needed[j] = true
				todo = append(todo, j)
			}
		}
		if waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	// Forwards, the earliest in the file first.
	queue := (*intHeap)(&ready)
	heap.Init(queue)
	order := make([]int, 0, count)
	for queue.Len() > 0 {
		i := heap.Pop(queue).(int)
		order = append(order, i)
		for _, j := range readers[i] {
			if waits[j]--; waits[j] == 0 {
				heap.Push(queue, j)
			}
		}
	}
	if len(order) < count {
		for i := range needed {
			if needed[i] && waits[i] > 0 {
				return nil, fmt.Errorf("%s: it needs its own output (a cycle)", r.what(i))
			}
		}
	}
	return order, nil
}

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// what names node i in errors.
func (r *reader) what(i int) string {
	n := r.g.Node[i]
	name := n.GetName()
	if name == "" && len(n.Output) > 0 {
		name = n.Output[0]
	}
	return fmt.Sprintf("node %s (%s, byte %d)", quote(name), opName(n), r.places.nodes[i])
}

// opName is the operator as errors write it, with its domain where it is not
// ONNX's own.
func opName(n *onnxpb.NodeProto) string {
	name := n.GetOpType()
	if d := domain(n.GetDomain()); d != "" {
		name = d + "." + name
	}
	if len(name) > 80 {
		name = name[:80]
	}
	return strings.Trim(fmt.Sprintf("%q", name), `"`)
}

// supported reports all operators among the nodes that cannot be read, at once.
func (r *reader) supported(order []int) error {
	type missing struct {
		count int
		names []string
	}
	var ops []string
	all := map[string]*missing{}
	for _, i := range order {
		n := r.g.Node[i]
		if _, ok := operators[operatorKey(n)]; ok {
			continue
		}
		op := opName(n)
		m := all[op]
		if m == nil {
			m = &missing{}
			all[op] = m
			ops = append(ops, op)
		}
		m.count++
		if len(m.names) < 3 {
			name := n.GetName()
			if name == "" && len(n.Output) > 0 {
				name = n.Output[0]
			}
			m.names = append(m.names, fmt.Sprintf("%s at byte %d", quote(name), r.places.nodes[i]))
		}
	}
	if len(ops) == 0 {
		return nil
	}
	var parts []string
	for _, op := range ops[:min(len(ops), 20)] {
		m := all[op]
		names := strings.Join(m.names, ", ")
		if m.count > len(m.names) {
			names += ", ..."
		}
		nodes := "nodes"
		if m.count == 1 {
			nodes = "node"
		}
		parts = append(parts, fmt.Sprintf("%s (%d %s: %s)", op, m.count, nodes, names))
	}
	if len(ops) > 20 {
		parts = append(parts, fmt.Sprintf("and %d more", len(ops)-20))
	}
	return fmt.Errorf("operators not supported: %s; macroscope inspect --operators lists those that are", strings.Join(parts, ", "))
}

// node reads node i.
func (r *reader) node(i int) error {
	n := r.g.Node[i]
	c := &call{reader: r, node: n, what: r.what(i)}
	if err := c.run(); err != nil {
		return fmt.Errorf("%s: %w", c.what, err)
	}
	return nil
}

// output ends the graph and compares the shape that the file states.
func (r *reader) output() (*graph.Graph, error) {
	info := r.g.Output[0]
	o, ok := r.named[info.GetName()]
	o, err := o.carriedOut()
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", quote(info.GetName()), err)
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("output %s: nothing gives it", quote(info.GetName()))
	case o.constant != nil:
		return nil, fmt.Errorf("output %s: a constant", quote(info.GetName()))
	case o.begun != nil:
		return nil, fmt.Errorf("output %s: given by %s", quote(info.GetName()), o.begun.missing())
	case o.value == r.b.Input():
		return nil, fmt.Errorf("output %s: the input unchanged", quote(info.GetName()))
	}
	view := o.view
	if view == nil {
		view = o.value.Shape
	}
	if s := info.GetType().GetTensorType().GetShape(); s != nil {
		var stated []int64
		agree := len(s.Dim) == len(view)+1
		for i, d := range s.Dim[:min(len(s.Dim), 8)] {
			stated = append(stated, d.GetDimValue())
			if agree && i > 0 && d.GetDimValue() != 0 && d.GetDimValue() != int64(view[i-1]) {
				agree = false
			}
		}
		if !agree {
			return nil, fmt.Errorf("output %s: the file states shape %v with the batch, its nodes give %v without", quote(info.GetName()), stated, graph.Shape(view))
		}
	}
	if !o.int8 {
		r.plain[o.value] = true
	}
	if err := r.streams(); err != nil {
		return nil, err
	}
	g, err := r.b.Graph(o.value)
	if err != nil {
		return nil, err
	}
	g.Weightless = len(r.bud.none) > 0
	return g, r.oneFormEach(g)
}

// Operators lists the operators that Read understands, in alphabetical order.
func Operators() []string {
	names := make([]string, 0, len(operators))
	for k := range operators {
		names = append(names, strings.TrimPrefix(k, "."))
	}
	slices.Sort(names)
	return names
}
