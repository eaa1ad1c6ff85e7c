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
		kept := int64(1)
		for i, delta := range back {
			k := union[i]
			if delta != 0 {
				if new := min(max(delta, -delta), ax[i].length); new == ax[i].length {
					kept = 0
					break
				} else {
					k -= ax[i].union(new)
				}
			}
			kept *= k
		}
		words += (l.bound - 1) * outside * (whole - kept)
		back[at] += l.bound * step
	}
	return words
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
// level last, where the order of those up to level i is open.
//
// These go over a region of the input, whatever their order, and each time that a loop
// outside them advances, at most a tile of it is there already, and no more than what the
// region shares with the one before.
func (n *nest) inputsAtLeast(p *Problem, child, last, i int) int64 {
	ax := n.lay(p, child, child+1, last)
	held := int64(1)
	for j := range ax {
		held *= ax[j].union(ax[j].length)
	}
	for _, l := range n.loops[n.start[child+1]:n.start[i+1]] {
		if l.dim != K {
			at, step := p.moves(l)
			ax[at].add(step, l.bound)
		}
	}
	region := int64(1)
	var extent [axes]int64
	for j := range ax {
		region *= ax[j].atLeast()
		extent[j] = ax[j].length
		for _, s := range ax[j].spread[:ax[j].n] {
			extent[j] += (s.count - 1) * s.step
		}
	}
	outer := n.loops[n.start[i+1]:n.n]
	outside := int64(1)
	for _, l := range outer {
		outside *= l.bound
	}
	words := region
	var back [axes]int64
	for _, l := range outer {
		outside /= l.bound
		at, step := p.moves(l)
		back[at] -= step
		shared := int64(1)
		for j, delta := range back {
			shared *= max(0, extent[j]-max(delta, -delta))
		}
		words += (l.bound - 1) * outside * max(0, region-min(held, shared))
		back[at] += l.bound * step
	}
	for _, l := range outer {
		if l.dim != K {
			at, step := p.moves(l)
			ax[at].add(step, l.bound)
		}
	}
	distinct := int64(1)
	for j := range ax {
		distinct *= ax[j].atLeast()
	}
	return max(words, distinct)
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
