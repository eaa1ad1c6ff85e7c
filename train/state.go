package train

import (
	"fmt"
	"maps"
	"slices"
)

// State is tensors by name: a network's weights and running statistics, or what an
// optimizer remembers.
type State map[string][]float32

func (s State) clone() State {
	c := State{}
	for name, v := range s {
		c[name] = slices.Clone(v)
	}
	return c
}

// fits says which tensor of want s lacks, or has of another size or not finite.
func (s State) fits(want State, what string) error {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		v := want[name]
		if len(s[name]) != len(v) {
			return fmt.Errorf("%s: %d values of %s: want %d", what, len(s[name]), name, len(v))
		}
		for i, x := range s[name] {
			if x-x != 0 {
				return fmt.Errorf("%s: value %d of %s is %v", what, i, name, x)
			}
		}
	}
	return nil
}

// set copies src's tensors into s's, which they fit.
func (s State) set(src State) {
	for name, v := range s {
		copy(v, src[name])
	}
}

// Snapshot copies the state.
func (n *Net) Snapshot() State { return n.tensors().clone() }

// Restore sets the state to what Snapshot gave for a network of the same shape.
func (n *Net) Restore(s State) error {
	t := n.tensors()
	if err := s.fits(t, "state"); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	t.set(s)
	return nil
}

// tensors is all that makes up the state: the slices themselves.
func (n *Net) tensors() State {
	s := State{}
	for _, p := range n.params {
		s[p.Name] = p.W
	}
	for node, o := range n.norms {
		s[node.Name+".mean"], s[node.Name+".var"] = o.mean, o.variance
	}
	return s
}
