package graph

// Streams are the values that go round layers by shortcuts: those that additions join,
// also through max-pools, repeated channels, activations and dropout, where some addition
// is among them and a Sign reads one, as it is or normalized.
type Streams struct {
	next  map[*Value]*Value // another of its own; none of the last
	signs map[*Value]bool   // of the last: a Sign reads one of them
	sums  map[*Value]bool   // an Add gives one of them
}

// FindStreams finds a network's.
func FindStreams(g *Graph) *Streams {
	s := &Streams{next: map[*Value]*Value{}, signs: map[*Value]bool{}, sums: map[*Value]bool{}}
	for _, n := range g.Nodes {
		switch n.Op.(type) {
		case *Add, *Concat, *MaxPool, *PReLU, *Clip, *ReLU, *Dropout:
			for _, v := range n.In {
				if a, b := s.find(v), s.find(n.Out); a != b {
					s.next[a] = b
				}
			}
		}
	}
	for v := range s.next {
		s.find(v)
	}
	seen := map[*Value]bool{}
	from := map[*Value]*Value{} // what a norm gives from what it takes
	for _, n := range g.Nodes {
		switch n.Op.(type) {
		case *BatchNorm, *Affine:
			from[n.Out] = n.In[0]
		case *Add:
			s.sums[s.Of(n.Out)] = true
		case *Sign:
			for v := n.In[0]; v != nil && !seen[v]; v = from[v] {
				s.signs[s.Of(v)], seen[v] = true, true
			}
		}
	}
	return s
}

// find is Of, and shortens the way for the next that asks.
func (s *Streams) find(v *Value) *Value {
	of := s.Of(v)
	for v != of {
		s.next[v], v = of, s.next[v]
	}
	return of
}

// Of is one value for all that belong together.
func (s *Streams) Of(v *Value) *Value {
	for s.next[v] != nil {
		v = s.next[v]
	}
	return v
}

// Has says whether v is of a stream.
func (s *Streams) Has(v *Value) bool {
	of := s.Of(v)
	return s.signs[of] && s.sums[of]
}
