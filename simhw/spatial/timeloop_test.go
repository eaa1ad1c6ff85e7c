package spatial

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// golden is one mapping that Timeloop v2.0 evaluated.
type golden struct {
	name    string
	problem Problem
	arch    Arch
	mapping Mapping
	cycles  int64
	energy  string // in all, µJ as printed
	levels  map[string]map[string]string
}

func readCSV(t *testing.T, file string) []map[string]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]string
	for _, r := range rows[1:] {
		m := map[string]string{}
		for i, h := range rows[0] {
			m[h] = r[i]
		}
		list = append(list, m)
	}
	return list
}

func number(t *testing.T, s string) int64 {
	t.Helper()
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func dimOf(t *testing.T, name byte) Dim {
	t.Helper()
	i := strings.IndexByte(dimNames, name)
	if i < 0 {
		t.Fatalf("dimension %q", name)
	}
	return Dim(i)
}

func factors(t *testing.T, s string) Factors {
	f := Ones()
	for _, w := range strings.Fields(s) {
		f[dimOf(t, w[0])] = number(t, w[1:])
	}
	return f
}

// order is a permutation, innermost first; groups, which Timeloop has not, are outside.
func order(t *testing.T, s string) [Dims]Dim {
	o := DefaultOrder()
	for i := range s {
		o[i] = dimOf(t, s[i])
	}
	return o
}

func keeps(s string) (k [Spaces]bool) {
	for i, n := range spaceNames {
		k[i] = strings.Contains(s, n)
	}
	return k
}

// goldenArch is the machine that the mappings were made for: 256 multipliers with a
// register file of 256 words each, a buffer of 128 KiB, DRAM. Its energies are the
// ones that the golden files name: per vector (1 + 5/99.5·(KiB − 0.5))·width/16.
func goldenArch(bits int64, limited bool) Arch {
	b := float64(bits)
	all := [Spaces]float64{1, 1, 1}
	times := func(v float64) (e [Spaces]float64) {
		for i := range all {
			e[i] = v
		}
		return e
	}
	sram := func(kib, width float64) float64 { return (1 + 5/99.5*(kib-0.5)) * width / 16 }
	a := Arch{Count: 3, Bits: [Spaces]int64{bits, bits, bits}, MACPJ: b / 16 * b / 16, Timeloop: true}
	a.Levels[0] = Level{Name: "RegisterFile", FanoutX: 1, FanoutY: 1, Capacity: 256 * bits, AccessPJ: times(sram(256*b/8/1024, b))}
	a.Levels[1] = Level{Name: "GlobalBuffer", FanoutX: 16, FanoutY: 16, Capacity: 128 << 13, Block: 4, AccessPJ: times(sram(128, 4*b) / 4)}
	a.Levels[2] = Level{Name: "DRAM", FanoutX: 1, FanoutY: 1, Keep: [Spaces]bool{true, true, true}, AccessPJ: times(200 * b / 16)}
	if limited {
		for i, bw := range []float64{4, 16, 8} {
			a.Levels[i].ReadBandwidth, a.Levels[i].WriteBandwidth = bw, bw
		}
	}
	return a
}

func goldens(t *testing.T) []golden {
	t.Helper()
	levels := map[string]map[string]map[string]string{}
	for _, r := range readCSV(t, "testdata/timeloop/levels.csv") {
		c := r["case"]
		if levels[c] == nil {
			levels[c] = map[string]map[string]string{}
		}
		levels[c][r["level"]+" "+r["dataspace"]] = r
	}
	var list []golden
	for _, r := range readCSV(t, "testdata/timeloop/summary.csv") {
		g := golden{name: r["case"] + " " + r["layer"], cycles: number(t, r["cycles"]), energy: r["energy_uJ"], levels: levels[r["case"]]}
		stride := number(t, r["stride"])
		g.problem = Problem{Bounds: Ones(), StrideP: stride, StrideQ: stride, DilationR: 1, DilationS: 1}
		for _, d := range []Dim{R, S, P, Q, C, K, N} {
			g.problem.Bounds[d] = number(t, r[d.String()])
		}
		g.arch = goldenArch(number(t, r["bits"]), r["bw"] == "1")
		g.arch.Levels[0].Keep, g.arch.Levels[1].Keep = keeps(r["keepRF"]), keeps(r["keepGLB"])
		g.mapping = Empty()
		for i, p := range []string{"rf", "glb", "dram"} {
			g.mapping[i].Temporal, g.mapping[i].Order = factors(t, r[p+"_factors"]), order(t, r[p+"_perm"])
		}
		// The first sp_split loops of the permutation go along X.
		for i, d := range order(t, r["sp_perm"]) {
			b := factors(t, r["sp_factors"])[d]
			if int64(i) < number(t, r["sp_split"]) {
				g.mapping[1].X[d] = b
			} else {
				g.mapping[1].Y[d] = b
			}
		}
		list = append(list, g)
	}
	return list
}

// TestTimeloop holds the closed form against 120 mappings that Timeloop evaluated: every
// count, cycles to one, and the energy to the printed digits.
func TestTimeloop(t *testing.T) {
	list := goldens(t)
	if len(list) != 120 {
		t.Fatalf("%d mappings, want 120", len(list))
	}
	compared, inputs := 0, 0
	for i := range list {
		g := &list[i]
		if err := g.problem.Check(); err != nil {
			t.Fatal(g.name, err)
		}
		if err := g.arch.Check(); err != nil {
			t.Fatal(g.name, err)
		}
		if err := g.arch.CheckMapping(&g.problem, &g.mapping); err != nil {
			t.Error(g.name, err)
		}
		var r Result
		g.arch.Evaluate(&g.problem, &g.mapping, &r)
		for l := range g.arch.Count {
			lv := &g.arch.Levels[l]
			for s := range Space(Spaces) {
				want, kept := g.levels[lv.Name+" "+s.String()]
				if kept != lv.Keep[s] {
					t.Errorf("%s: %s keeps %v: %v", g.name, lv.Name, s, lv.Keep[s])
				}
				if !kept {
					continue
				}
				c := r.Levels[l].Spaces[s]
				theirs := Counts{number(t, want["tile"]), number(t, want["reads"]), number(t, want["fills"]), number(t, want["updates"])}
				compared++
				if s == Inputs {
					inputs++
				}
				if c != theirs {
					t.Errorf("%s: %s %v: %+v, Timeloop %+v", g.name, lv.Name, s, c, theirs)
				}
				if e := fmt.Sprintf("%.2f", r.Levels[l].EnergyPJ[s]); e != want["energy_pJ"] {
					t.Errorf("%s: %s %v: %s pJ, Timeloop %s", g.name, lv.Name, s, e, want["energy_pJ"])
				}
				if n := number(t, want["instances"]); s != Inputs && n != r.Levels[l].Instances {
					t.Errorf("%s: %s %v: %d instances, Timeloop %d", g.name, lv.Name, s, r.Levels[l].Instances, n)
				}
			}
		}
		if d := r.Cycles - g.cycles; d < -1 || d > 1 {
			t.Errorf("%s: %d cycles, Timeloop %d", g.name, r.Cycles, g.cycles)
		}
		if e := fmt.Sprintf("%.2f", r.EnergyPJ/1e6); e != g.energy {
			t.Errorf("%s: %s µJ, Timeloop %s", g.name, e, g.energy)
		}
	}
	if compared != 976 || inputs != 318 {
		t.Errorf("%d counts compared, %d of inputs; want 976 and 318", compared, inputs)
	}
	g := &list[0]
	var r Result
	if n := testing.AllocsPerRun(10, func() { g.arch.Evaluate(&g.problem, &g.mapping, &r) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
	// How much of that is the program's approximations and not the words themselves.
	approximate := 0
	for i := range list {
		g := &list[i]
		var theirs, exact Result
		g.arch.Evaluate(&g.problem, &g.mapping, &theirs)
		g.arch.Timeloop = false
		g.arch.Evaluate(&g.problem, &g.mapping, &exact)
		for l := range g.arch.Count {
			if theirs.Levels[l].Spaces[Inputs] != exact.Levels[l].Spaces[Inputs] {
				approximate++
			}
		}
	}
	t.Logf("%d counts of weights and outputs and %d of inputs compared; in %d of those for inputs Timeloop approximates", compared-inputs, inputs, approximate)
}
