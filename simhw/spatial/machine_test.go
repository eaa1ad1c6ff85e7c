package spatial

import (
	"math/rand/v2"
	"testing"
)

// splitRandom spreads a bound over n factors.
func splitRandom(rng *rand.Rand, bound int64, n int) []int64 {
	f := make([]int64, n)
	for i := range f {
		f[i] = 1
	}
	for d := int64(2); bound > 1; {
		if bound%d == 0 {
			f[rng.IntN(n)] *= d
			bound /= d
		} else {
			d++
		}
	}
	return f
}

// randomNest is a small problem with an accelerator and a mapping that fits both.
func randomNest(rng *rand.Rand, most int64) (Arch, Problem, Mapping) {
	p := Problem{Bounds: Ones(), StrideP: 1 + rng.Int64N(3), StrideQ: 1 + rng.Int64N(3), DilationR: 1 + rng.Int64N(2), DilationS: 1 + rng.Int64N(2)}
	for macs := int64(1); ; {
		d, b := rng.IntN(Dims), 2+rng.Int64N(3)
		if macs *= b; macs > most {
			break
		}
		p.Bounds[d] *= b
	}
	a := Arch{Count: 2 + rng.IntN(3), Bits: [Spaces]int64{8, 8, 8}}
	m := Empty()
	for i := range a.Count {
		l := &a.Levels[i]
		for s := range l.Keep {
			l.Keep[s] = i == a.Count-1 || rng.IntN(3) > 0
		}
		rng.Shuffle(Dims, func(x, y int) { o := &m[i].Order; o[x], o[y] = o[y], o[x] })
	}
	for d := range Dims {
		// A third of the factors in space.
		for i, f := range splitRandom(rng, p.Bounds[d], a.Count*3) {
			switch lm := &m[i/3]; {
			case i%3 == 0 && rng.IntN(2) == 0:
				lm.X[d] *= f
			case i%3 == 0:
				lm.Y[d] *= f
			default:
				lm.Temporal[d] *= f
			}
		}
	}
	for i := range a.Count {
		a.Levels[i].FanoutX, a.Levels[i].FanoutY = m[i].X.Product(), m[i].Y.Product()
	}
	return a, p, m
}

// TestClosedFormIsTheWalk compares every count of random nests with a walk's.
func TestClosedFormIsTheWalk(t *testing.T) {
	nests := 1500
	if testing.Short() {
		nests = 300
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range nests {
		a, p, m := randomNest(rng, 600)
		for _, err := range []error{a.Check(), p.Check(), a.CheckMapping(&p, &m)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		walked, err := Walk(&a, &p, &m, nil)
		if err != nil {
			t.Fatal(err)
		}
		var r Result
		a.Evaluate(&p, &m, &r)
		for i := range a.Count {
			for s := range Space(Spaces) {
				if !a.Levels[i].Keep[s] {
					continue
				}
				c, all := r.Levels[i].Spaces[s], r.Levels[i].Instances
				got := Counts{c.Tile, c.Reads * all, c.Fills * all, c.Updates * all}
				if got != walked[i][s] {
					t.Fatalf("nest %d, level %d of %d, %v: closed form %+v, walk %+v\n%+v\n%+v", n, i, a.Count, s, got, walked[i][s], p, m[:a.Count])
				}
			}
		}
	}
}

// TestNetworksCarryWhatChildrenTake compares the words on the networks with a walk's:
// what fills each child, or passes through it, and the sums on their way down.
func TestNetworksCarryWhatChildrenTake(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	walk := func(a *Arch, p *Problem, m *Mapping) Traffic {
		w, err := Walk(a, p, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	passing := 0
	for n := range 200 {
		a, p, m := randomNest(rng, 400)
		for i := range a.Count {
			a.Levels[i].NetworkPJ = 2
		}
		var r Result
		a.Evaluate(&p, &m, &r)
		walked := walk(&a, &p, &m)
		all := int64(0)
		for i := range a.Count {
			want := int64(0)
			for s := range Space(Spaces) {
				switch {
				case i == 0:
					want += p.Bounds.Product() // each product takes and gives a word
				case a.Levels[i-1].Keep[s]:
					want += walked[i-1][s].Fills
				default: // what a buffer there would hand on
					keeps := a
					keeps.Levels[i-1].Keep[s] = true
					if c := walk(&keeps, &p, &m)[i-1][s]; s == Outputs {
						want += c.Updates
					} else {
						want += c.Reads
					}
					passing++
				}
			}
			parent := i
			for !a.Levels[parent].Keep[Outputs] {
				parent++
			}
			want += walked[parent][Outputs].Reads
			if got := r.Levels[i].Network; got != want {
				t.Fatalf("nest %d, level %d of %d: %d words on the network, walk %d\n%+v\n%+v", n, i, a.Count, got, want, p, m[:a.Count])
			}
			all += want
		}
		if r.NetworkPJ != 2*float64(all) || r.EnergyPJ != r.NetworkPJ {
			t.Fatalf("nest %d: %v pJ on networks and %v in all, want %v", n, r.NetworkPJ, r.EnergyPJ, 2*all)
		}
	}
	if passing == 0 {
		t.Error("no nest where a level is passed by")
	}
}

// TestWalkConvolves multiplies real operands in a walk's order: each product once, and
// the sums of a convolution written plainly.
func TestWalkConvolves(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		a, p, m := randomNest(rng, 3000)
		input := func(w, h, c, n, g int64) int64 { return (w*7+h*5+c*3+n*11+g*13)%17 - 8 }
		weight := func(r, s, c, k, g int64) int64 { return (r*3+s*11+c*5+k*7+g)%13 - 6 }
		type out struct{ p, q, k, n, g int64 }
		sums := map[out]int64{}
		seen := map[Factors]bool{}
		_, err := Walk(&a, &p, &m, func(f Factors) {
			if seen[f] {
				t.Fatalf("%v twice", f)
			}
			seen[f] = true
			sums[out{f[P], f[Q], f[K], f[N], f[G]}] += weight(f[R], f[S], f[C], f[K], f[G]) *
				input(f[P]*p.StrideP+f[R]*p.DilationR, f[Q]*p.StrideQ+f[S]*p.DilationS, f[C], f[N], f[G])
		})
		if err != nil {
			t.Fatal(err)
		}
		b := p.Bounds
		if int64(len(seen)) != b.Product() {
			t.Fatalf("%d of %d products", len(seen), b.Product())
		}
		for o, got := range sums {
			want := int64(0)
			for r := range b[R] {
				for s := range b[S] {
					for c := range b[C] {
						want += weight(r, s, c, o.k, o.g) * input(o.p*p.StrideP+r*p.DilationR, o.q*p.StrideQ+s*p.DilationS, c, o.n, o.g)
					}
				}
			}
			if got != want {
				t.Fatalf("output %v is %d, want %d", o, got, want)
			}
		}
	}
}

func TestWalkIsBounded(t *testing.T) {
	p := Problem{Bounds: Ones(), StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
	p.Bounds[K] = MaxSteps + 1
	m := Empty()
	m[0].Temporal[K] = p.Bounds[K]
	a := rowArray()
	if _, err := Walk(&a, &p, &m, nil); err == nil {
		t.Error("no error of a walk too long")
	}
}
