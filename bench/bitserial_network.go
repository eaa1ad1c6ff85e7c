package bench

import (
	"fmt"
	"slices"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/ptq"
)

// BitSerialNetworkCases measure whole inferences of a network whose hidden convolutions
// have few bits, weights and inputs, by int8 and bit-serially. Its first convolution and
// its dense layer are int8. Weights have the formats' values by rank: they cost what
// trained ones would, but what the network says is of no use.
func BitSerialNetworkCases(model string) ([]Case, error) {
	set, err := Sample()
	if err != nil {
		return nil, err
	}
	choice, err := kernels.Default()
	if err != nil {
		return nil, err
	}
	base, err := LoadNetwork(model, dtype.Int8, ptq.Options{})
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, f := range lowBits {
		g, err := narrowed(base, f.values, f.inputs)
		if err != nil {
			return nil, err
		}
		im := choice.For(dtype.Int8)
		bytewise, err := nn.Compile(g, nn.Options{Kernels: choice.With(im)}) // asked for: no bits; else what would run
		if err != nil {
			return nil, err
		}
		picks := map[string]nn.Pick{}
		for _, l := range bytewise.Layers() {
			if l.FewBits {
				picks[l.Name] = nn.Pick{Impl: im, BitSerial: choice.For(dtype.Binary)}
			}
		}
		serial, err := nn.Compile(g, nn.Options{Kernels: choice, Picks: picks})
		if err != nil {
			return nil, err
		}
		for name, plan := range map[string]*nn.Plan{im.Name(): bytewise, BitSerialImpl: serial} {
			c := networkCase(plan, im, 1, set.Pixels)
			c.Name = fmt.Sprintf("BenchmarkBitSerial/dtype=int8/impl=%s/weights=%s/inputs=%dbit/layer=all/batch=1", name, f.weights, f.inputs)
			c.Bytes, c.Peak, c.Extra = 0, "", nil // not what the other path has
			cases = append(cases, c)
		}
	}
	slices.SortFunc(cases, func(a, b Case) int { // maps have no order
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return cases, nil
}

// narrowed is the int8 network g with weights of the given values in all convolutions but
// the first, which read bits bits.
func narrowed(g *graph.Graph, values []int8, bits int) (*graph.Graph, error) {
	b := graph.New(g.Name, g.Input.Name, g.Input.Shape)
	b.Input().Scale, b.Input().Zero = g.Input.Scale, g.Input.Zero
	now := map[*graph.Value]*graph.Value{g.Input: b.Input()}
	first := true
	for _, n := range g.Nodes {
		op := n.Op
		if conv, ok := op.(*graph.Conv2D); ok {
			if !first {
				c := *conv
				c.Int8 = byRank(conv.Int8, values)
				op = &c
			}
			first = false
		}
		var in []*graph.Value
		for _, v := range n.In {
			in = append(in, now[v])
		}
		out := b.Add(n.Name, op, in...)
		switch n.Op.(type) {
		case *graph.ReLU, *graph.MaxPool:
			s := n.Out.Scale
			if s == 0 {
				break
			}
			levels := float32(int(1)<<bits - 1)
			scale := s * 127 / levels
			out = b.Add(n.Name+"/clip", &graph.Clip{Hi: levels * scale}, out)
			out.Scale = scale
		case *graph.Flatten:
			out.Scale = in[0].Scale
		default:
			out.Scale = n.Out.Scale
		}
		now[n.Out] = out
	}
	return b.Graph(now[g.Output])
}

// byRank gives each weight one of the sorted values, as many weights each.
func byRank(w, values []int8) []int8 {
	order := slices.Sorted(slices.Values(w))
	out := make([]int8, len(w))
	for i, v := range w {
		at, _ := slices.BinarySearch(order, v)
		out[i] = values[at*len(values)/len(order)]
	}
	return out
}
