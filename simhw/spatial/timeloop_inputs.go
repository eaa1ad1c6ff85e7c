package spatial

// How Timeloop counts inputs, its approximations included. Its nest analysis
// (NVlabs/timeloop, src/loop-analysis, in its form without isl) differs from an exact
// count in four ways:
//
//   - Only the first two iterations of a loop in time are looked at, the second standing
//     for all later ones. So when a loop farther out advances, those inside it go back by
//     one step, not by all of theirs.
//   - A tile is a box, and what it shares with the one before counts only where they
//     differ along one axis, and only if the last move was along that axis in the same
//     direction, or there was none to compare with.
//   - Children share a word only if they take the same box; boxes that overlap are
//     passed down whole.
//   - What fills a child is, by groups of children that are sent a box to equally many,
//     what is sent divided by the number of boxes, and all groups are added up. So a
//     child is filled once for each such size of a group.

// A course is the move that the next one is compared with: none, or along an axis
// forwards or backwards.
const (
	noCourse = 0
	courses  = 1 + 2*axes
)

// timeloop counts as nest.inputs does.
func (n *nest) timeloop(p *Problem, child, first, last int) int64 {
	words := n.visits(p, child)
	if first > last {
		return words * n.groupSizes(p, child+1)
	}
	for l := first; l <= last; l++ {
		words *= n.boxes(p, l)
	}
	return words
}

// boxes is how many different input tiles the children below an instance of level l
// have.
func (n *nest) boxes(p *Problem, l int) int64 {
	below, steps := &n.below[l], &n.steps[l]
	var w, h axis
	w.add(steps[P]*p.StrideP, below[P])
	w.add(steps[R]*p.DilationR, below[R])
	h.add(steps[Q]*p.StrideQ, below[Q])
	h.add(steps[S]*p.DilationS, below[S])
	return w.union(1) * h.union(1) * below[C] * below[N] * below[G]
}

// groupSizes is how many different numbers of children below an instance of level l
// have the same tile.
func (n *nest) groupSizes(p *Problem, l int) int64 {
	below, steps := &n.below[l], &n.steps[l]
	w := most(steps[P]*p.StrideP, below[P], steps[R]*p.DilationR, below[R])
	h := most(steps[Q]*p.StrideQ, below[Q], steps[S]*p.DilationS, below[S])
	sizes := int64(0) // different products of a number up to w and one up to h
	for a := int64(1); a <= w; a++ {
		for b := int64(1); b <= h; b++ {
			known := false
			for c := int64(1); c < a && !known; c++ {
				known = a*b%c == 0 && a*b/c <= h
			}
			if !known {
				sizes++
			}
		}
	}
	return sizes
}

// most is how many of the places i·s + j·t, i < n and j < m, are the same at most. Each
// smaller number occurs as well: places (i, j) are the same in steps of (t, -s), without
// their common divisor, and such a chain can begin at any multiple of the step along j.
func most(s, n, t, m int64) int64 {
	a, b := s, t
	for b != 0 {
		a, b = b, a%b
	}
	s, t = s/a, t/a
	return min((n+t-1)/t, (m+s-1)/s)
}

// visits is what one child at level child is sent over all steps of the loops above it.
//
// The moves of a nest whose loops have two iterations each repeat: a loop's second
// iteration makes the moves of all loops inside it once more. So the words of a loop
// follow from those of the next one inwards, for each course that it can start with.
func (n *nest) visits(p *Problem, child int) int64 {
	if child < 0 { // a multiplier takes a word each cycle
		steps := int64(1)
		for _, l := range n.loops[:n.n] {
			steps *= l.bound
		}
		return steps
	}
	tile := &n.tile[child+1]
	var length [axes]int64
	length[axisW], length[axisH] = p.axes(tile)
	length[axisC], length[axisN], length[axisG] = tile[C], tile[N], tile[G]
	box := int64(1)
	for _, l := range length {
		box *= l
	}
	var words, after [courses]int64 // of the loops so far, by the course before them
	for c := range after {
		after[c] = int64(c)
	}
	var back [axes]int64
	for _, l := range n.loops[n.start[child+1]:n.n] {
		at, step := p.moves(l)
		delta := back
		for i := range delta {
			delta[i] = -delta[i]
		}
		delta[at] += step
		sent, course := move(&length, &delta, box)
		inner, innerAfter := words, after
		for c := range courses {
			between := innerAfter[c]
			w, next := box, int64(noCourse)
			if between == noCourse || between == course || sent == 0 {
				w, next = sent, course
			}
			words[c] = inner[c] + (l.bound-1)*(w+inner[next])
			after[c] = innerAfter[next]
		}
		back[at] += step
	}
	return box + words[noCourse]
}

// move is what a box that moves by delta takes that it did not have, and the course of
// the move.
func move(length, delta *[axes]int64, box int64) (sent, course int64) {
	for i, d := range delta {
		if d == 0 {
			continue
		}
		far := max(d, -d)
		if sent > 0 || far >= length[i] {
			return box, noCourse
		}
		sent, course = box/length[i]*far, int64(1+2*i)
		if d < 0 {
			course++
		}
	}
	return sent, course
}
