package spatial

// The axes of an input: columns, rows, channels, images, groups. Only along the first
// two can tiles of different indices have words in common.
const (
	axisW = iota
	axisH
	axisC
	axisN
	axisG
	axes
)

// progression is count children, each step farther along an axis than the last.
type progression struct{ step, count int64 }

// axis is how a set of children's tiles lies along one axis.
type axis struct {
	length int64                      // of each tile
	spread [4 * MaxLevels]progression // in space and, of all words that pass, in time
	n      int
}

// inputs counts the input words that pass down to level child (-1: the multipliers)
// over all steps of the loops from there. With first = child+1 and last = i it counts
// those that leave level i for all its children together; with none of the two, those
// that fill one child.
//
// At each step a child takes the words of its tile that it did not hold the step
// before. By how much a tile moves depends only on which loop advances, all inside it
// going back to their start. A word is passed down where some child takes it: it lies
// in the union of tiles on every axis (that is ∏union), but not where along every axis
// all children that want it had it (∏kept).
func (n *nest) inputs(a *Arch, p *Problem, child, first, last int) int64 {
	if a.Timeloop {
		return n.timeloop(p, child, first, last)
	}
	ax := n.lay(p, child, first, last)
	var union [axes]int64
	whole := int64(1)
	for i := range ax {
		union[i] = ax[i].union(ax[i].length)
		whole *= union[i]
	}
	if child < 0 { // a multiplier holds nothing
		steps := int64(1)
		for _, l := range n.loops[:n.n] {
			steps *= l.bound
		}
		return steps * whole
	}
	words := whole
	outside := int64(1)
	loops := n.loops[n.start[child+1]:n.n]
	for _, l := range loops {
		outside *= l.bound
	}
	var back [axes]int64 // by how much the loops inside go back
	for _, l := range loops {
		outside /= l.bound
		at, step := p.moves(l)
		back[at] -= step
		words += (l.bound - 1) * outside * (whole - n.kept(&union, &back))
		back[at] += l.bound * step
	}
	return words
}

// kept is how many of the words of tiles that are laid out those that want them had
// before the tiles moved; union is the places of the tiles by axis.
func (n *nest) kept(union, moved *[axes]int64) int64 {
	kept := int64(1)
	for i, delta := range moved {
		k := union[i]
		if delta != 0 {
			ax := &n.axes[i]
			fresh := min(max(delta, -delta), ax.length)
			if fresh == ax.length {
				return 0
			}
			k -= ax.union(fresh)
		}
		kept *= k
	}
	return kept
}

// lay says how the tiles of all children at level child below one instance of level last
// lie along each axis; without first = child+1 to last of a single one.
func (n *nest) lay(p *Problem, child, first, last int) *[axes]axis {
	ax := &n.axes
	for i := range ax {
		ax[i].n = 0
	}
	tile := &n.tile[child+1]
	ax[axisW].length, ax[axisH].length = p.axes(tile)
	ax[axisC].length, ax[axisN].length, ax[axisG].length = tile[C], tile[N], tile[G]
	for l := first; l <= last; l++ {
		below, steps := &n.below[l], &n.steps[l]
		ax[axisW].add(steps[P]*p.StrideP, below[P])
		ax[axisW].add(steps[R]*p.DilationR, below[R])
		ax[axisH].add(steps[Q]*p.StrideQ, below[Q])
		ax[axisH].add(steps[S]*p.DilationS, below[S])
		ax[axisC].add(steps[C], below[C])
		ax[axisN].add(steps[N], below[N])
		ax[axisG].add(steps[G], below[G])
	}
	return ax
}

// inputsAtLeast is the least that inputs can be of what the loops in time from level
// child+1 on let pass down, to one child or, with last above child, to all those below
// level last, where the order of those up to level i is open but for so many of the
// innermost.
//
// What the loops at level i go over is a region of the input, whatever their order, and
// each time that a loop outside them advances, at most the tiles are there already, and no
// more than what the region shares with the one before.
func (n *nest) inputsAtLeast(p *Problem, child, last, i, known int) int64 {
	ax := n.lay(p, child, child+1, last)
	var union, extent, back [axes]int64
	tiles := int64(1)
	for j := range ax {
		union[j] = ax[j].union(ax[j].length)
		tiles *= union[j]
	}
	from, outer := n.start[child+1], n.start[i+1]
	all := int64(1) // of the loops
	for _, l := range n.loops[from:n.n] {
		all *= l.bound
	}
	outside := all
	words := tiles // of steps of the loops whose places are known
	for _, l := range n.loops[from : n.start[i]+known] {
		outside /= l.bound
		at, step := p.moves(l)
		back[at] -= step
		words += (l.bound - 1) * outside * (tiles - n.kept(&union, &back))
		back[at] += l.bound * step
	}
	outside = all
	for _, l := range n.loops[from:outer] {
		outside /= l.bound
	}
	for j := n.start[i] + known; j < outer; j++ {
		at, step := p.moves(n.loops[j])
		back[at] += (n.loops[j].bound - 1) * step
	}
	// The regions.
	inside := *ax
	region := int64(1)
	for _, l := range n.loops[from:outer] {
		if l.dim != K {
			at, step := p.moves(l)
			inside[at].add(step, l.bound)
		}
	}
	for j := range inside {
		region *= inside[j].atLeast()
		extent[j] = inside[j].length
		for _, s := range inside[j].spread[:inside[j].n] {
			extent[j] += (s.count - 1) * s.step
		}
	}
	regions := region
	var moved [axes]int64
	for _, l := range n.loops[outer:n.n] {
		outside /= l.bound
		at, step := p.moves(l)
		back[at] -= step
		moved[at] -= step
		words += (l.bound - 1) * outside * (tiles - n.kept(&union, &back))
		shared := int64(1)
		for j, delta := range moved {
			shared *= max(0, extent[j]-max(delta, -delta))
		}
		regions += (l.bound - 1) * outside * max(0, region-min(tiles, shared))
		back[at] += l.bound * step
		moved[at] += l.bound * step
		if l.dim != K {
			inside[at].add(step, l.bound)
		}
	}
	distinct := int64(1)
	for j := range inside {
		distinct *= inside[j].atLeast()
	}
	return max(words, regions, distinct)
}

// atLeast is union, or less where gaps are filled in part.
func (x *axis) atLeast() int64 {
	length, teeth, end := x.length, int64(1), x.length
	for _, s := range x.spread[:x.n] {
		switch {
		case teeth == 1 && s.step <= length:
			length += (s.count - 1) * s.step
			end = length
		case s.step >= end:
			teeth *= s.count
			end += (s.count - 1) * s.step
		}
	}
	return teeth * length
}

// moves is the axis along which a loop moves an input tile, and by how much.
func (p *Problem) moves(l loop) (at int, step int64) {
	switch l.dim {
	case P:
		return axisW, l.step * p.StrideP
	case R:
		return axisW, l.step * p.DilationR
	case Q:
		return axisH, l.step * p.StrideQ
	case S:
		return axisH, l.step * p.DilationS
	case C:
		return axisC, l.step
	case N:
		return axisN, l.step
	case G:
		return axisG, l.step
	}
	return axisW, 0
}

// add puts count copies of what is there beside one another.
func (x *axis) add(step, count int64) {
	if count == 1 {
		return
	}
	i := x.n
	for ; i > 0 && x.spread[i-1].step > step; i-- {
		x.spread[i] = x.spread[i-1]
	}
	x.spread[i] = progression{step, count}
	x.n++
}

// union is the number of places that the children cover with length places each.
func (x *axis) union(length int64) int64 {
	period, teeth := int64(0), int64(1) // a comb of equal parts that do not touch
	for i, s := range x.spread[:x.n] {
		switch {
		case teeth == 1 && s.step <= length:
			length += (s.count - 1) * s.step
		case teeth == 1:
			period, teeth = s.step, s.count
		case s.step%period == 0 && s.step/period <= teeth:
			teeth += (s.count - 1) * (s.step / period)
		case i == x.n-1 && s.step >= (teeth-1)*period+length:
			teeth *= s.count
		default:
			return x.covered(length, period, teeth, i)
		}
	}
	return teeth * length
}

// covered is union where combs of different periods fall between one another: it looks
// at every place. Progressions before from make the comb.
func (x *axis) covered(length, period, teeth int64, from int) int64 {
	extent := (teeth-1)*period + length
	for _, s := range x.spread[from:x.n] {
		extent += (s.count - 1) * s.step
	}
	places := int64(0)
	for at := range extent {
		if covers(at, length, period, teeth, x.spread[from:x.n]) {
			places++
		}
	}
	return places
}

func covers(at, length, period, teeth int64, more []progression) bool {
	if len(more) == 0 {
		return at >= 0 && at%period < length && at/period < teeth
	}
	for range more[0].count {
		if covers(at, length, period, teeth, more[1:]) {
			return true
		}
		if at -= more[0].step; at < 0 {
			break
		}
	}
	return false
}
