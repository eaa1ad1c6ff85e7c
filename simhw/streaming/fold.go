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

// divisors lists n's in rising order.
func divisors(n int64) []int64 {
	var low, high []int64
	for d := int64(1); d*d <= n; d++ {
		if n%d != 0 {
			continue
		}
		low = append(low, d)
		if d*d < n {
			high = append(high, n/d)
		}
	}
	slices.Reverse(high)
	return append(low, high...)
}

// options lists what is worth having of a layer's foldings, the cheapest first: each
// takes fewer cycles than all that have as few lanes, PE·SIMD, or fewer. Of two that
// are alike the one with more SIMD stays, which needs fewer accumulators. A pool's
// only one has no lanes.
func (l *Layer) options() []option {
	if l.Pool {
		return []option{{cycles: l.PoolCycles()}}
	}
	var all []option
	for _, simd := range divisors(l.C) {
		for _, pe := range divisors(l.OutC) {
			f := Fold{pe, simd}
			all = append(all, option{f, l.Cycles(f)})
		}
	}
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
	return best
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
	folds := make([]Fold, len(layers))
	for i := range layers {
		l := &layers[i]
		if err := l.Check(); err != nil {
			return nil, err
		}
		options := l.options()
		o, ok := cheapest(options, target)
		if !ok {
			return nil, fmt.Errorf("layer %q takes %d cycles at least: want an interval of so many or more, not %d", l.Name, options[len(options)-1].cycles, target)
		}
		folds[i] = o.Fold
	}
	return folds, nil
}

// FoldWithin finds the shortest interval that lanes lanes can reach, and of those
// foldings the one with the fewest. The least that it takes is one for each layer with
// weights.
func FoldWithin(layers []Layer, lanes int64) ([]Fold, error) {
	all := make([][]option, len(layers))
	var intervals []int64
	for i := range layers {
		if err := layers[i].Check(); err != nil {
			return nil, err
		}
		all[i] = layers[i].options()
		for _, o := range all[i] {
			intervals = append(intervals, o.cycles)
		}
	}
	slices.Sort(intervals)
	intervals = slices.Compact(intervals)
	// The sum of lanes falls as the interval grows: look for the first that fits.
	at, _ := slices.BinarySearchFunc(intervals, lanes, func(interval, lanes int64) int {
		sum := int64(0)
		for _, options := range all {
			o, ok := cheapest(options, interval)
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
	if at == len(intervals) {
		return nil, fmt.Errorf("%d lanes: want one at least for each layer with weights", lanes)
	}
	return FoldFor(layers, intervals[at])
}
