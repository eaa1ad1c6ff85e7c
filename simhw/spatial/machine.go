package spatial

import "fmt"

// MaxSteps bounds what Walk walks over: multiply-accumulates, and words of all tiles.
const MaxSteps = 1 << 22

// Traffic is what Walk counted, all instances of a level together; Tile is the most
// that one held.
type Traffic [MaxLevels][Spaces]Counts

// walker is a mapping taken apart from the outermost loop inwards.
type walker struct {
	a     *Arch
	p     *Problem
	time  []walkLoop // outermost first
	tiles []walkTile // by level, the multipliers last
	out   Traffic
}

// walkLoop is a loop whose index moves dim by step.
type walkLoop struct {
	dim         Dim
	bound, step int64
}

// walkTile is what is inside the loops around a level.
type walkTile struct {
	level     int
	bounds    Factors
	instances []Factors // where each one's tile begins, relative to the first's
}

// box is a range on each of up to five axes; no range is empty but the zero box's.
type box struct {
	at, length [axes]int64
}

func (b *box) words() int64 {
	n := int64(1)
	for _, l := range b.length {
		n *= l
	}
	return n
}

func (b *box) holds(w [axes]int64) bool {
	for i := range w {
		if d := w[i] - b.at[i]; d < 0 || d >= b.length[i] {
			return false
		}
	}
	return true
}

// each goes over a box's words.
func (b *box) each(yield func([axes]int64)) {
	if b.words() == 0 {
		return
	}
	w := b.at
	for {
		yield(w)
		i := 0
		for ; i < axes; i++ {
			if w[i]++; w[i] < b.at[i]+b.length[i] {
				break
			}
			w[i] = b.at[i]
		}
		if i == axes {
			return
		}
	}
}

// Walk steps through a mapping that CheckMapping accepts and counts the words that
// move. A buffer holds the tile of the loops inside it and, when one around it advances,
// takes in the words that it lacks; children that lack the same word take it from one
// read, and those that have sums of the same output are added into one update. mac is
// called for each multiply-accumulate, in order of time; it may be nil. The error says
// that the walk is longer than MaxSteps. Arch.Timeloop and bandwidths have no effect.
func Walk(a *Arch, p *Problem, m *Mapping, mac func(at Factors)) (Traffic, error) {
	w := walker{a: a, p: p}
	if macs := p.Bounds.Product(); macs > MaxSteps {
		return w.out, fmt.Errorf("%d multiply-accumulates: want %d at most", macs, MaxSteps)
	}
	w.takeApart(m)
	steps := int64(1)
	for _, l := range w.time {
		steps *= l.bound
	}
	for i := range w.tiles {
		t := &w.tiles[i]
		for s := range Space(Spaces) {
			if words := float64(p.Words(s, &t.bounds)) * float64(len(t.instances)) * float64(steps); words > MaxSteps*64 {
				return w.out, fmt.Errorf("%.4g words of tiles: want %d at most", words, int64(MaxSteps*64))
			}
		}
	}
	for s := range Space(Spaces) {
		w.space(s)
	}
	if mac != nil {
		w.each(func(at Factors) {
			for _, o := range w.tiles[len(w.tiles)-1].instances {
				f := at
				for d := range f {
					f[d] += o[d]
				}
				mac(f)
			}
		})
	}
	return w.out, nil
}

func (w *walker) takeApart(m *Mapping) {
	rest := w.p.Bounds
	instances := []Factors{{}}
	for i := w.a.Count - 1; i >= 0; i-- {
		lm := &m[i]
		w.tiles = append(w.tiles, walkTile{level: i, bounds: rest, instances: instances})
		for j := Dims - 1; j >= 0; j-- {
			d := lm.Order[j]
			rest[d] /= lm.Temporal[d]
			w.time = append(w.time, walkLoop{d, lm.Temporal[d], rest[d]})
		}
		for d := range Dims {
			count := lm.X[d] * lm.Y[d]
			rest[d] /= count
			var spread []Factors
			for _, o := range instances {
				for j := range count {
					c := o
					c[d] += j * rest[d]
					spread = append(spread, c)
				}
			}
			instances = spread
		}
	}
	w.tiles = append(w.tiles, walkTile{level: -1, bounds: rest, instances: instances})
}

// each goes over the steps in time; at is where the first multiplier is.
func (w *walker) each(step func(at Factors)) {
	index := make([]int64, len(w.time))
	for {
		var at Factors
		for i, l := range w.time {
			at[l.dim] += index[i] * l.step
		}
		step(at)
		i := len(index) - 1
		for ; i >= 0; i-- {
			if index[i]++; index[i] < w.time[i].bound {
				break
			}
			index[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// floor is where the tile of a level begins when the first multiplier is at at.
func (t *walkTile) floor(at Factors) Factors {
	for d := range at {
		at[d] -= at[d] % t.bounds[d]
	}
	return at
}

// box is the words of a dataspace that a tile at f takes.
func (w *walker) box(s Space, t *walkTile, f Factors) box {
	b := &t.bounds
	switch s {
	case Weights:
		return box{[axes]int64{f[R], f[S], f[C], f[K], f[G]}, [axes]int64{b[R], b[S], b[C], b[K], b[G]}}
	case Inputs:
		cols, rows := w.p.axes(b)
		return box{[axes]int64{f[P]*w.p.StrideP + f[R]*w.p.DilationR, f[Q]*w.p.StrideQ + f[S]*w.p.DilationS, f[C], f[N], f[G]},
			[axes]int64{cols, rows, b[C], b[N], b[G]}}
	}
	return box{[axes]int64{f[P], f[Q], f[K], f[N], f[G]}, [axes]int64{b[P], b[Q], b[K], b[N], b[G]}}
}

type word struct {
	instance int
	at       [axes]int64
}

// space walks one dataspace from every level that keeps it to the next.
func (w *walker) space(s Space) {
	var parent *walkTile
	for i := range w.tiles {
		t := &w.tiles[i]
		if t.level >= 0 && !w.a.Levels[t.level].Keep[s] {
			continue
		}
		if t.level >= 0 {
			b := w.box(s, t, Factors{})
			w.out[t.level][s].Tile = b.words()
		}
		if parent != nil {
			w.between(s, parent, t)
		}
		parent = t
	}
}

// between walks a dataspace from a level to the next that keeps it, or the multipliers.
func (w *walker) between(s Space, parent, child *walkTile) {
	above := &w.out[parent.level][s]
	below := &Counts{} // multipliers' own are not counted
	if child.level >= 0 {
		below = &w.out[child.level][s]
	}
	siblings := len(child.instances) / len(parent.instances)
	held := make([]box, len(child.instances))
	summed := map[word]bool{} // outputs that a parent has a sum of
	w.each(func(at Factors) {
		base := child.floor(at)
		asked, returned := map[word]bool{}, map[word]bool{}
		var next []box
		for i, o := range child.instances {
			f := base
			for d := range f {
				f[d] += o[d]
			}
			b := w.box(s, child, f)
			next = append(next, b)
			if child.level < 0 {
				held[i] = box{} // a multiplier keeps nothing from step to step
			}
			if s == Outputs && b != held[i] {
				held[i].each(func(x [axes]int64) {
					if !b.holds(x) {
						returned[word{i / siblings, x}] = true
					}
				})
			}
			if b == held[i] {
				continue
			}
			b.each(func(x [axes]int64) {
				if !held[i].holds(x) {
					below.Fills++
					asked[word{i / siblings, x}] = true
				}
			})
		}
		above.Updates += int64(len(returned))
		for x := range returned {
			summed[x] = true
		}
		for x := range asked {
			if s != Outputs || summed[x] {
				above.Reads++
			}
		}
		if s == Outputs && child.level < 0 { // the sums go back at once
			above.Updates += int64(len(asked))
			for x := range asked {
				summed[x] = true
			}
		}
		held = next
	})
	if s == Outputs && child.level >= 0 {
		last := map[word]bool{}
		for i := range held {
			held[i].each(func(x [axes]int64) { last[word{i / siblings, x}] = true })
		}
		above.Updates += int64(len(last))
	}
}
