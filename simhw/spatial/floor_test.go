package spatial

import (
	"math/rand/v2"
	"testing"
)

// What a stage's choice takes at least is no more than what mappings with it take,
// however much of the loops around it is known.
func TestFloorsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	var s Search
	held, close, nested := 0, 0, 0
	nests := 3000
	if testing.Short() {
		nests = 300
	}
	for n := range nests {
		a, p, m := randomNest(rng, 3000)
		randomCosts(rng, &a, &m)
		if a.CheckMapping(&p, &m) != nil {
			continue
		}
		var r Result
		a.Evaluate(&p, &m, &r)
		s.Arch = &a
		s.start(&p)
		s.n.build(&a, &m)
		cycles, energy := float64(r.Cycles), r.EnergyPJ
		check := func(what string, k int, least, fewest float64) {
			held++
			if fewest > cycles*(1+1e-9)+1 || least > energy*(1+1e-9)+1e-9 {
				t.Fatalf("nest %d: %s of stage %d takes %g cycles, %g pJ at least; the mapping takes %g and %g\n%+v\n%+v\n%s", n, what, k, fewest, least, cycles, energy, p, a, a.Text(&m))
			}
			if fewest > 0.9*cycles {
				close++
			}
		}
		var whole float64 // of all stages
		for k := range s.stageCount {
			g := &s.stages[k]
			at := func(g *stage) (tile, across Factors) {
				for d := range Dims {
					across[d] = s.n.below[g.up][d]
				}
				return s.n.tile[g.up], across
			}
			tile, across := at(g)
			above := s.n.above[g.up]
			floor := func(what string, shells []Factors, held, waited float64) float64 {
				least, fewest, _, _ := s.inner(k, &tile, &across, &above, shells, held, waited)
				check(what, k, least, fewest)
				return least
			}
			shells := []Factors{m[g.up].Temporal}
			floor("a tile", nil, 0, 0)
			whole += floor("a tile below a loop", shells, 0, 0)
			if k+1 < s.stageCount {
				o := &s.stages[k+1]
				outerTile, outerAcross := at(o)
				_, _, wait, waits := s.inner(k+1, &outerTile, &outerAcross, &s.n.above[o.up], nil, 0, 0)
				floor("a tile within a tile", shells, wait, waits)
				floor("a tile within a tile below a loop", append(shells, m[o.up].Temporal), wait, waits)
				if wait > 0 {
					nested++
				}
			}
		}
		check("all stages together", 0, whole, 0)
		if s.apartLeast+s.part.slowest > cycles+1 {
			t.Fatalf("nest %d: DRAM takes %g and %g cycles at least, all takes %g", n, s.apartLeast, s.part.slowest, cycles)
		}
	}
	if held < 3*nests || close < held/40 || nested < nests/200 {
		t.Errorf("%d floors, %d of them close, %d with what waits for inputs", held, close, nested)
	}
	t.Logf("%d floors, %d of them close, %d with what waits for inputs", held, close, nested)
}

// randomCosts gives levels bandwidths, waits and prices, and takes loops from some of those
// where a mapping has none.
func randomCosts(rng *rand.Rand, a *Arch, m *Mapping) {
	for i := range a.Count {
		l := &a.Levels[i]
		l.Time, l.AcrossX, l.AcrossY = AllDims, AllDims, AllDims
		if i > 0 && i < a.Count-1 && m[i].Temporal.Product() == 1 && m[i].X.Product()*m[i].Y.Product() == 1 && rng.IntN(2) == 0 {
			l.Time, l.AcrossX, l.AcrossY = 0, 0, 0
		}
		some := func(v float64) float64 {
			if rng.IntN(3) > 0 {
				return 0
			}
			return v * (0.2 + rng.Float64())
		}
		l.ReadBandwidth, l.WriteBandwidth, l.BitsPerCycle = some(2), some(2), some(16)
		l.Bus, l.Waits = [Spaces]float64{some(2), some(2), some(2)}, rng.IntN(2) == 0
		l.NetworkPJ = some(2)
		for sp := range Spaces {
			l.AccessPJ[sp] = some(5)
		}
	}
	a.Levels[a.Count-1].Keep = [Spaces]bool{true, true, true}
	a.Levels[a.Count-1].Alternates = rng.IntN(2) == 0
}
