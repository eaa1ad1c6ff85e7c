package spatial

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/simhw/design"
)

// bruteForce evaluates every mapping: every split of every dimension over all loops,
// every order of the loops that iterate.
func bruteForce(a *Arch, p *Problem, o design.Objective) (best cost, all int64, found bool) {
	m := Empty()
	var r Result
	evaluate := func() {
		if a.CheckMapping(p, &m) != nil {
			return
		}
		all++
		a.Evaluate(p, &m, &r)
		if c := costBy(o, r.EnergyPJ, float64(r.Cycles)); !found || c.less(best) {
			best, found = c, true
		}
	}
	var orders func(level, fixed int)
	orders = func(level, fixed int) {
		if level == a.Count {
			evaluate()
			return
		}
		order := &m[level].Order
		looping := 0
		for _, d := range order {
			if m[level].Temporal[d] > 1 {
				looping++
			}
		}
		if fixed == looping || level == 0 {
			orders(level+1, 0)
			return
		}
		// Loops that iterate stand first: split puts them there.
		for j := fixed; j < looping; j++ {
			order[fixed], order[j] = order[j], order[fixed]
			orders(level, fixed+1)
			order[fixed], order[j] = order[j], order[fixed]
		}
	}
	var split func(d Dim, slot int, rest int64)
	split = func(d Dim, slot int, rest int64) {
		if d == Dims {
			for i := range a.Count {
				order, at := &m[i].Order, 0
				for pass := range 2 {
					for e := range Dim(Dims) {
						if (m[i].Temporal[e] > 1) == (pass == 0) {
							order[at] = e
							at++
						}
					}
				}
			}
			orders(0, 0)
			return
		}
		if slot == 3*a.Count {
			if rest == 1 {
				next := int64(1)
				if d+1 < Dims {
					next = p.Bounds[d+1]
				}
				split(d+1, 0, next)
			}
			return
		}
		l, lm := &a.Levels[slot/3], &m[slot/3]
		f, allowed := &lm.Temporal[d], l.Time
		switch slot % 3 {
		case 1:
			f, allowed = &lm.X[d], l.AcrossX
		case 2:
			f, allowed = &lm.Y[d], l.AcrossY
		}
		for v := int64(1); v <= rest; v++ {
			if rest%v == 0 && (v == 1 || allowed.Has(d)) {
				*f = v
				split(d, slot+1, rest/v)
			}
		}
		*f = 1
	}
	split(0, 0, p.Bounds[0])
	return best, all, found
}

// TestSearchFindsTheOptimum compares the pruned search with brute force.
func TestSearchFindsTheOptimum(t *testing.T) {
	cases := 200
	if testing.Short() {
		cases = 20
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var s Search
	compared, none, paired, layered := 0, 0, 0, 0
	pruned, brute := int64(0), int64(0)
	for n := range cases {
		p := Problem{Bounds: Ones(), StrideP: 1 + rng.Int64N(2), StrideQ: 1 + rng.Int64N(2), DilationR: 1, DilationS: 1 + rng.Int64N(2)}
		for range 5 {
			p.Bounds[rng.IntN(Dims)] = 2 + rng.Int64N(5)
		}
		a := Arch{Count: 2 + rng.IntN(2), Bits: [Spaces]int64{8, 8, 16}, MACPJ: 1}
		for i := range a.Count {
			l := &a.Levels[i]
			*l = Level{Name: "L", FanoutX: 1, FanoutY: 1, Time: AllDims, Keep: [Spaces]bool{true, true, true}}
			for sp := range Spaces {
				l.AccessPJ[sp] = math.Pow(8, float64(i)) * (0.5 + rng.Float64())
				l.Keep[sp] = i == a.Count-1 || rng.IntN(4) > 0
			}
			if i < a.Count-1 {
				l.Capacity = 8 * (2 + rng.Int64N(40)) << i
			}
			if rng.IntN(2) == 0 {
				l.ReadBandwidth, l.WriteBandwidth = 1+rng.Float64()*4, 1+rng.Float64()*4
			}
			if rng.IntN(3) == 0 {
				l.BitsPerCycle = 8 + rng.Float64()*40
			}
			if i > 0 && rng.IntN(3) == 0 {
				l.Bus, l.Waits = [Spaces]float64{1, 2, 1}, rng.IntN(2) == 0
			}
			if i == 0 && a.Count == 3 {
				l.Time = DimSet(rng.Uint32())
			}
			if rng.IntN(4) == 0 {
				l.NetworkPJ = rng.Float64() * 4
			}
		}
		a.Levels[1].FanoutX, a.Levels[1].FanoutY = 1+rng.Int64N(4), 1+rng.Int64N(4)
		a.Levels[1].AcrossX, a.Levels[1].AcrossY = DimSet(rng.Uint32()), DimSet(rng.Uint32())
		if rng.IntN(2) == 0 { // all in one direction
			a.Levels[1].FanoutX *= a.Levels[1].FanoutY
			a.Levels[1].FanoutY, a.Levels[1].AcrossY = 1, 0
		}
		if a.Count == 3 && rng.IntN(2) == 0 { // loops in space below two levels
			a.Levels[2].FanoutX, a.Levels[2].AcrossX = 2+rng.Int64N(3), DimSet(rng.Uint32())
		}
		if a.Count == 3 && rng.IntN(3) == 0 { // a third buffer
			a.Levels[3], a.Count = a.Levels[2], 4
			a.Levels[3].Capacity, a.Levels[3].FanoutX, a.Levels[3].Keep = 0, 1, [Spaces]bool{true, true, true}
			a.Levels[2].Time, a.Levels[2].Keep[rng.IntN(Spaces)] = DimSet(rng.Uint32()), false
			a.Levels[2].Capacity = a.Levels[1].Capacity * 2
		}
		if a.Count == 3 && rng.IntN(2) == 0 { // a level without loops between
			a.Levels[3], a.Levels[2], a.Count = a.Levels[2], a.Levels[1], 4
			a.Levels[1] = a.Levels[0]
			a.Levels[1].Time, a.Levels[1].Keep = 0, [Spaces]bool{rng.IntN(2) == 0, rng.IntN(2) == 0, rng.IntN(2) == 0}
		}
		if rng.IntN(3) == 0 {
			a.CyclePJ, a.ClocksIdle, a.Levels[a.Count-1].Alternates = rng.Float64()*4, rng.IntN(2) == 0, rng.IntN(2) == 0
		}
		o := design.Objective(n % 3)
		want, all, found := bruteForce(&a, &p, o)
		s.Arch, s.Objective = &a, o
		var m Mapping
		var r Result
		err := s.Find(&p, &m, &r)
		if (err == nil) != found {
			t.Fatalf("case %d: search says %v, brute force found one: %v", n, err, found)
		}
		if !found {
			none++
			continue
		}
		if err := a.CheckMapping(&p, &m); err != nil {
			t.Fatal(err)
		}
		if !s.Complete {
			t.Fatalf("case %d: not complete", n)
		}
		got := costBy(o, r.EnergyPJ, float64(r.Cycles))
		for i := range got {
			if math.Abs(got[i]-want[i]) > 1e-9*want[i] && i == 0 || i == 1 && got[1] > want[1]*(1+1e-9) {
				t.Fatalf("case %d: search finds %v, brute force %v\n%+v\n%+v", n, got, want, p, a)
			}
		}
		pruned += s.Looked
		brute += all
		if s.Fastest != (o == design.LeastCycles) {
			t.Fatalf("case %d: fastest is %v by objective %d", n, s.Fastest, o)
		}
		if o == design.LeastCycles { // energies alone change
			again, fast := a, s.Fast
			for i := range again.Count {
				for sp := range Spaces {
					again.Levels[i].AccessPJ[sp] *= 0.5 + rng.Float64()
				}
			}
			again.MACPJ, again.CyclePJ = 2, 0.5
			other := Search{Arch: &again}
			var m1, m2 Mapping
			var r1, r2 Result
			if err := other.Find(&p, &m1, &r1); err != nil {
				t.Fatal(err)
			}
			if s.Arch = &again; again.Unpriced() != a.Unpriced() || again == a {
				t.Fatalf("case %d: more than the energies differs, or nothing", n)
			}
			s.FindAgain(&p, &fast, true, &m2, &r2)
			if m1 != m2 || r1 != r2 || s.Fast != other.Fast || !s.Complete || r2.Cycles != r.Cycles {
				t.Fatalf("case %d: %+v with what is known, %+v without", n, r2, r1)
			}
		}
		compared++
		if s.stages[0].listed {
			paired++
		}
		if s.layered() {
			layered++
		}
	}
	if compared < cases/2 || paired < cases/5 || layered < cases/20 {
		t.Errorf("only %d compared, %d of them with pairs, %d with several stages", compared, paired, layered)
	}
	t.Logf("%d optima equal, %d with several stages, %d layers fit in no way; looked at %d half-built and whole mappings where there are %d whole", compared, layered, none, pruned, brute)
}

// TestSearchIsBounded: layers with very many factors end at the limit, with a mapping.
func TestSearchIsBounded(t *testing.T) {
	a := rowArray()
	p := Problem{Bounds: Ones(), StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
	p.Bounds = Factors{R: 1, S: 1, P: 5040, Q: 5040, C: 720, K: 720, N: 60, G: 1}
	s := Search{Arch: &a, Limit: 1 << 17}
	var m Mapping
	var r Result
	if err := s.Find(&p, &m, &r); err != nil {
		t.Fatal(err)
	}
	if err := a.CheckMapping(&p, &m); err != nil || s.Complete || s.Fastest || s.Looked > 3<<17 {
		t.Errorf("%v, complete %v, looked at %d", err, s.Complete, s.Looked)
	}
	// No loops may be at the registers, and the array has no room for all.
	a.Levels[2].Time, a.Levels[1].Time = 0, 0
	if err := s.Find(&p, &m, &r); err == nil {
		t.Error("a mapping where none is possible")
	}
	a.Timeloop = true
	if err := s.Find(&p, &m, &r); err == nil || !strings.Contains(err.Error(), "Timeloop") {
		t.Errorf("a search by Timeloop's counts: %v", err)
	}
}
