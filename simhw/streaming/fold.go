package streaming

import (
	"fmt"
	"slices"
)

// option is one folding of a layer.
type option struct {
	Fold
	cycles int64
}

func (o option) lanes() int64 { return o.PE * o.SIMD }

// divisors appends n's in rising order.
func divisors(list []int64, n int64) []int64 {
	first := len(list)
	d := int64(1)
	for ; d*d <= n; d++ {
		if n%d == 0 {
			list = append(list, d)
		}
	}
	for i := len(list) - 1; i >= first; i-- {
		if d := list[i]; d*d < n {
			list = append(list, n/d)
		}
	}
	return list
}

// Folder finds foldings; its memory is used again.
type Folder struct {
	options   []option
	ends      []int // of each layer's options
	intervals []int64
	simds     []int64
	pes       []int64
	folds     []Fold
}

// of is the options of a layer.
func (r *Folder) of(i int) []option {
	if i == 0 {
		return r.options[:r.ends[0]]
	}
	return r.options[r.ends[i-1]:r.ends[i]]
}

// list lists what is worth having of a layer's foldings, the cheapest first: each
// takes fewer cycles than all that have as few lanes, PE·SIMD, or fewer. Of two that
// are alike the one with more SIMD stays, which needs fewer accumulators. A pool's
// only one has no lanes.
func (r *Folder) list(layers []Layer) error {
	r.options, r.ends = r.options[:0], r.ends[:0]
	for i := range layers {
		l := &layers[i]
		if err := l.Check(); err != nil {
			return err
		}
		if l.Pool {
			r.options = append(r.options, option{cycles: l.PoolCycles()})
		} else {
			r.layer(l)
		}
		r.ends = append(r.ends, len(r.options))
	}
	return nil
}

// layer appends the options of a layer with weights.
func (r *Folder) layer(l *Layer) {
	first := len(r.options)
	r.simds, r.pes = divisors(r.simds[:0], l.C), divisors(r.pes[:0], l.OutC)
	for _, simd := range r.simds {
		for _, pe := range r.pes {
			f := Fold{pe, simd}
			r.options = append(r.options, option{f, l.Cycles(f)})
		}
	}
	all := r.options[first:]
	slices.SortFunc(all, func(a, b option) int {
		switch {
		case a.lanes() != b.lanes():
			return int(a.lanes() - b.lanes())
		case a.cycles != b.cycles:
			return int(min(max(a.cycles-b.cycles, -1), 1))
		}
		return int(b.SIMD - a.SIMD)
	})
	best := all[:1]
	for _, o := range all[1:] {
		if o.cycles < best[len(best)-1].cycles {
			best = append(best, o)
		}
	}
	r.options = r.options[:first+len(best)]
}

// cheapest is the first option within a target.
func cheapest(options []option, target int64) (option, bool) {
	i, _ := slices.BinarySearchFunc(options, target, func(o option, t int64) int {
		if o.cycles <= t {
			return 1 // cycles fall
		}
		return -1
	})
	if i == len(options) {
		return option{}, false
	}
	return options[i], true
}

// FoldFor finds the folding with the fewest lanes, the sum of PE·SIMD, whose interval
// is at most target cycles: of each layer's foldings, all of which are looked at, the
// cheapest that is fast enough. Layers bind each other only by the widths of their
// words, and converters are never slower than what they join.
func FoldFor(layers []Layer, target int64) ([]Fold, error) {
	var r Folder
	if err := r.list(layers); err != nil {
		return nil, err
	}
	return r.fold(layers, target)
}

// fold is FoldFor of layers whose options are listed.
func (r *Folder) fold(layers []Layer, target int64) ([]Fold, error) {
	r.folds = r.folds[:0]
	for i := range layers {
		options := r.of(i)
		o, ok := cheapest(options, target)
		if !ok {
			return nil, fmt.Errorf("layer %q takes %d cycles at least: want an interval of so many or more, not %d", layers[i].Name, options[len(options)-1].cycles, target)
		}
		r.folds = append(r.folds, o.Fold)
	}
	return r.folds, nil
}

// FoldWithin finds the shortest interval that lanes lanes can reach, and of those
// foldings the one with the fewest. The least that it takes is one for each layer with
// weights.
func FoldWithin(layers []Layer, lanes int64) ([]Fold, error) {
	var r Folder
	return r.Within(layers, lanes)
}

// Within is FoldWithin; the folds are r's until its next use.
func (r *Folder) Within(layers []Layer, lanes int64) ([]Fold, error) {
	if err := r.list(layers); err != nil {
		return nil, err
	}
	r.intervals = r.intervals[:0]
	for _, o := range r.options {
		r.intervals = append(r.intervals, o.cycles)
	}
	slices.Sort(r.intervals)
	r.intervals = slices.Compact(r.intervals)
	// The sum of lanes falls as the interval grows: look for the first that fits.
	at, _ := slices.BinarySearchFunc(r.intervals, lanes, func(interval, lanes int64) int {
		sum := int64(0)
		for i := range layers {
			o, ok := cheapest(r.of(i), interval)
			if !ok {
				return -1
			}
			sum += o.lanes()
		}
		if sum > lanes {
			return -1
		}
		return 1
	})
	if at == len(r.intervals) {
		return nil, fmt.Errorf("%d lanes: want one at least for each layer with weights", lanes)
	}
	return r.fold(layers, r.intervals[at])
}
