// Package tune picks the implementation of each layer by measuring, since the
// widest instructions can lose on small layers.
//
//	result, err := tune.Pick(ctx, g, nn.Options{}, tune.Options{Cache: cache})
//	plan, err := nn.Compile(g, nn.Options{Picks: result.Picks})
//
// Each candidate computes all layers of its dtype in a plan of its own; the plans
// are timed in turns, so a layer is measured with its real shape, epilogue and
// neighbours, and a disturbance hits all candidates. int8 and binary layers give
// the same bits whatever is picked.
package tune

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

// Options steer Pick. The zero value measures, and keeps nothing.
type Options struct {
	Cache *Cache // nil: none

	measure measure // for tests; nil is passes
}

// measure times the layers of plans that differ only in their implementations:
// nanoseconds by plan and layer. A plan's time may be missing (nil) where it is
// slower in every layer than what others showed.
type measure func(ctx context.Context, plans []*nn.Plan) ([][]float64, error)

// Result is what Pick found.
type Result struct {
	Picks  map[string]nn.Pick // for nn.Options
	Layers []Layer            // in the network's order
	// Measured says that something was measured: not all layers were in the cache.
	Measured bool
	Notices  []string // of a cache that could not be written, in words for the user
}

// Layer is what was picked for one.
type Layer struct {
	Name          string
	Usual, Picked string // full names: "conv2d/int8/avx512vnni"
	// Gain is the usual implementation's time over the picked one's; 0 where it is
	// not known, because the pick came from the cache.
	Gain float64
}

// margin is by how much another implementation must be faster to take the usual
// one's place: less is noise.
const margin = 1.03

// candidate is an implementation that layers of its dtype may have.
type candidate struct{ pick nn.Pick }

// name is what nn.Layer.Impl says of a layer that the candidate computes, if its
// shape suits.
func (c candidate) name(kind string) string {
	switch {
	case kind != "conv2d":
		return c.pick.Impl.FullName("dot")
	case c.pick.BitSerial != nil:
		return c.pick.BitSerial.FullName("bitserial")
	case c.pick.Winograd != 0:
		return c.pick.Impl.FullName(fmt.Sprintf("winograd%d", c.pick.Winograd))
	}
	return c.pick.Impl.FullName("conv2d")
}

// Pick finds for each layer of g the implementation that is fastest here, of those
// that are available; Winograd's are among them if o allows them, or exact. What o chooses
// itself stays where nothing is clearly faster. Picks of o are ignored. Measuring
// takes some tenths of a second; if ctx ends, the error is its cause.
func Pick(ctx context.Context, g *graph.Graph, o nn.Options, opt Options) (Result, error) {
	o.Picks, o.Observe = nil, nil
	if opt.measure == nil {
		opt.measure = passes
	}
	usual, err := nn.Compile(g, o)
	if err != nil {
		return Result{}, err
	}
	layers := usual.Layers()
	cands, err := candidates(o, slices.ContainsFunc(layers, func(l nn.Layer) bool { return l.FewBits }))
	if err != nil {
		return Result{}, err
	}

	r := Result{Picks: map[string]nn.Pick{}}
	var todo []int // layers that the cache does not know
	for i, l := range layers {
		r.Layers = append(r.Layers, Layer{Name: l.Name, Usual: l.Impl, Picked: l.Impl})
		known := opt.Cache.get(key(l, cands[l.DType]))
		at := slices.IndexFunc(cands[l.DType], func(c candidate) bool { return c.name(l.Kind) == known })
		switch {
		case len(cands[l.DType]) == 1:
		case at < 0:
			todo = append(todo, i)
		default:
			r.take(i, cands[l.DType][at], known)
		}
	}
	if len(todo) == 0 {
		return r, nil
	}
	r.Measured = true
	plans, times, err := try(ctx, g, o, opt.measure, layers, cands)
	if err != nil {
		return Result{}, err
	}
	for _, i := range todo {
		l := layers[i]
		best := fastest(l.Impl, named(i, plans, times))
		at := slices.IndexFunc(cands[l.DType], func(c candidate) bool { return c.name(l.Kind) == best.name })
		if at < 0 {
			continue // nothing was measured: the usual one stays
		}
		r.take(i, cands[l.DType][at], best.name)
		r.Layers[i].Gain = best.gain
		opt.Cache.set(key(l, cands[l.DType]), best.name)
	}
	if err := opt.Cache.save(ctx); err != nil {
		r.Notices = append(r.Notices, fmt.Sprintf("what tuning found is not kept: %v", err))
	}
	return r, nil
}

// candidates lists by dtype what is available; fewBits says that some layer can be
// computed bit-serially, for which the other layers have the chosen implementation.
func candidates(o nn.Options, fewBits bool) (map[dtype.DType][]candidate, error) {
	choice := o.Kernels
	if choice == nil {
		var err error
		if choice, err = kernels.Default(); err != nil {
			return nil, err
		}
	}
	cands := map[dtype.DType][]candidate{}
	for _, im := range kernels.Table() { // int8's rows stand before binary's
		if !im.Available() {
			continue
		}
		d := im.DType()
		cands[d] = append(cands[d], candidate{nn.Pick{Impl: im}})
		if d != dtype.Float32 && o.Winograd != nn.WinogradNone || o.Winograd == nn.WinogradAll {
			for _, m := range im.Winograds() {
				cands[d] = append(cands[d], candidate{nn.Pick{Impl: im, Winograd: m}})
			}
		}
		if d == dtype.Binary && fewBits {
			cands[dtype.Int8] = append(cands[dtype.Int8], candidate{nn.Pick{Impl: choice.For(dtype.Int8), BitSerial: im}})
		}
	}
	return cands, nil
}

// take picks a candidate for a layer, unless it is the usual one.
func (r *Result) take(i int, c candidate, name string) {
	l := &r.Layers[i]
	if l.Picked = name; name != l.Usual {
		r.Picks[l.Name] = c.pick
	}
}

// key is what a pick depends on beside the machine and the program: the layer, and
// the candidates.
func key(l nn.Layer, cands []candidate) string {
	var names []string
	for _, c := range cands {
		names = append(names, c.name(l.Kind))
	}
	return l.Problem + " by " + strings.Join(names, ", ")
}

// try times the candidates: plan k has each dtype's k-th.
func try(ctx context.Context, g *graph.Graph, o nn.Options, m measure, layers []nn.Layer, cands map[dtype.DType][]candidate) ([]*nn.Plan, [][]float64, error) {
	most := 0
	for _, l := range layers {
		most = max(most, len(cands[l.DType]))
	}
	var plans []*nn.Plan
	for k := range most {
		o.Picks = map[string]nn.Pick{}
		for _, l := range layers {
			list := cands[l.DType]
			o.Picks[l.Name] = list[min(k, len(list)-1)].pick
		}
		p, err := nn.Compile(g, o)
		if err != nil {
			return nil, nil, err
		}
		plans = append(plans, p)
	}
	times, err := m(ctx, plans)
	return plans, times, err
}

// timed is an implementation's time of one layer.
type timed struct {
	name string
	ns   float64
	gain float64 // of fastest: over the usual one
}

// named lists a layer's times by implementation, in the table's order; of plans
// that compute it alike the least.
func named(layer int, plans []*nn.Plan, times [][]float64) (list []timed) {
	for k, p := range plans {
		if times[k] == nil {
			continue
		}
		name, ns := p.Layers()[layer].Impl, times[k][layer]
		if at := slices.IndexFunc(list, func(t timed) bool { return t.name == name }); at >= 0 {
			list[at].ns = min(list[at].ns, ns)
		} else {
			list = append(list, timed{name: name, ns: ns})
		}
	}
	return list
}

// fastest is the usual implementation if none is faster by more than margin; else
// of those within margin of the fastest the last in the table's order, which lists
// what is faster in general later.
func fastest(usual string, list []timed) (best timed) {
	if len(list) == 0 {
		return timed{}
	}
	least := slices.MinFunc(list, func(a, b timed) int {
		switch {
		case a.ns < b.ns:
			return -1
		case a.ns > b.ns:
			return 1
		}
		return 0
	}).ns
	usualNS := 0.0
	for _, t := range list {
		if t.name == usual {
			usualNS = t.ns
		}
		if t.ns <= least*margin && best.name != usual {
			best = t
		}
	}
	if best.ns > 0 {
		best.gain = usualNS / best.ns
	}
	return best
}

// Text says in words what was picked: nothing but the usual ones, or which layers
// have another.
func (r *Result) Text() string {
	var other []string
	for _, l := range r.Layers {
		if l.Picked == l.Usual {
			continue
		}
		text := l.Name + " by " + l.Picked
		if l.Gain > 0 {
			text += fmt.Sprintf(" (%.2f times as fast as %s)", l.Gain, l.Usual)
		} else {
			text += " instead of " + l.Usual
		}
		other = append(other, text)
	}
	if other == nil {
		return "every layer is fastest, or within 3%, by the chosen implementation"
	}
	return strings.Join(other, "; ")
}
