package graph

// Classes is how many classes the network tells apart: the elements of its output; or,
// where that is one index, of an ArgMax that only reshapes follow, as exporters put one
// behind the logits, those that the index is of.
func (g *Graph) Classes() int {
	giver := map[*Value]*Node{}
	for _, n := range g.Nodes {
		giver[n.Out] = n
	}
	for v := g.Output; v.Shape.Size() == 1; {
		n := giver[v]
		if n == nil {
			break
		}
		switch n.Op.(type) {
		case *ArgMax:
			return n.In[0].Shape.Size()
		case *Flatten, *Reshape, *Dropout:
			v = n.In[0]
			continue
		}
		break
	}
	return g.Output.Shape.Size()
}
