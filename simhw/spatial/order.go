package spatial

// In which orders the loops of a level are tried.

// expand appends a choice in each order that makes a difference.
func (s *Search) expand(i int, c *candidate, list []candidate) []candidate {
	return s.orders(i, 0, s.order(c), 0, s.slideOf(i, c), c, list)
}

// order puts the loops that iterate first and tells how many there are.
func (s *Search) order(c *candidate) int {
	loops, at := 0, Dims-1
	for d := range Dim(Dims) {
		if c.time[d] > 1 {
			c.order[loops] = d
			loops++
		} else {
			c.order[at] = d
			at--
		}
	}
	return loops
}

// Dataspaces that no longer stay when loops outside the ones chosen advance.
const (
	weightsMove = 1 << iota
	inputsMove
	outputsMove
	allMove = weightsMove | inputsMove | outputsMove
)

// moves tells what a loop ends the stay of. Inputs slide: a loop over columns or rows
// may leave a part of the tile, see slide.
var moves = [Dims]uint8{R: weightsMove, S: weightsMove, P: outputsMove, Q: outputsMove,
	C: weightsMove | inputsMove, K: weightsMove | outputsMove, N: inputsMove | outputsMove, G: allMove}

// slide is what the loops of a level that are ordered already leave of an input tile, of
// columns and of rows.
type slide struct {
	length [2]int64 // of the tile
	back   [2]int64 // how far it has come, and goes back when the next loop advances
	open   [2]int   // loops along the axis that have no place yet
}

// slideOf is before any loop has a place.
func (s *Search) slideOf(i int, c *candidate) slide {
	var f Factors
	for d := range Dims {
		f[d] = s.n.tile[i+1][d] / (c.time[d] * c.x[d] * c.y[d])
	}
	var v slide
	v.length[0], v.length[1] = s.p.axes(&f)
	for d, t := range c.time[:C] {
		if t > 1 {
			v.open[d&1]++ // R and P, S and Q
		}
	}
	return v
}

// after is when a loop has got its place.
func (v slide) after(s *Search, i int, c *candidate, d Dim) slide {
	if d >= C {
		return v
	}
	step := s.n.tile[i+1][d] / c.time[d] * [...]int64{R: s.p.DilationR, S: s.p.DilationS, P: s.p.StrideP, Q: s.p.StrideQ}[d]
	v.back[d&1] += (c.time[d] - 1) * step
	v.open[d&1]--
	return v
}

// gone tells whether nothing of the tile stays whichever loop comes next. Along an axis
// only loops over it can bring back what has left.
func (v *slide) gone() bool {
	w, h := v.back[0] >= v.length[0], v.back[1] >= v.length[1]
	return w && h || w && v.open[0] == 0 || h && v.open[1] == 0
}

// orders goes over the orders of the first loops entries, of which the first fixed are
// chosen.
func (s *Search) orders(i, fixed, loops int, moved uint8, v slide, c *candidate, list []candidate) []candidate {
	if moved&inputsMove == 0 && v.gone() {
		moved |= inputsMove
	}
	if fixed == loops || moved == allMove {
		before, start := s.part, s.n.start[i]
		s.take(i, c)
		s.advance(i)
		j := i
		for i == s.group+1 && j > 1 { // levels without loops
			j--
			s.take(j, &noLoops)
			s.advance(j)
		}
		c.bound = s.bound(j)
		s.part, s.n.start[i] = before, start
		s.Looked++
		if !s.found || c.bound.less(s.bestCost) {
			list = append(list, *c)
		}
		return list
	}
	if fixed > 0 && fixed < loops-1 && s.found && !s.inOrderOf(i, fixed, c).less(s.bestCost) {
		return list
	}
	for j := fixed; j < loops; j++ {
		c.order[fixed], c.order[j] = c.order[j], c.order[fixed]
		list = s.orders(i, fixed+1, loops, moved|moves[c.order[fixed]], v.after(s, i, c, c.order[fixed]), c, list)
		c.order[fixed], c.order[j] = c.order[j], c.order[fixed]
	}
	return list
}

// inOrderOf is the bound of a choice of loops of which so many innermost have their places.
func (s *Search) inOrderOf(i, fixed int, c *candidate) cost {
	before, start := s.part, s.n.start[i]
	s.take(i, c)
	b := s.bound(s.advanceAtLeast(i, fixed))
	s.part, s.n.start[i] = before, start
	s.Looked++
	return b
}
