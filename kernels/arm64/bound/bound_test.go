package bound

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels/arm64"
)

// core is the core of a name.
func core(t *testing.T, name string) *Core {
	t.Helper()
	for i := range Cores {
		if Cores[i].Name == name {
			return &Cores[i]
		}
	}
	t.Fatalf("no core %q", name)
	return nil
}

// The examples are worked out by hand.
func TestPredict(t *testing.T) {
	float := arm64.Mix{DType: dtype.Float32, MACs: 256, LoadQ: 8, LoadPair: 4, FMLA: 64, Scalar: 3, Branch: 1, Sums: 16}
	neon := arm64.Mix{DType: dtype.Int8, MACs: 512, LoadQ: 4, LoadPair: 4, SMULL: 64, SADALP: 64, Permute: 16, Scalar: 3, Branch: 1, Sums: 16}
	few := float
	few.Sums = 4
	loads := float
	loads.LoadQ = 100
	scalars := float
	scalars.Scalar = 200
	for _, tt := range []struct {
		name, core string
		mix        arm64.Mix
		cycles     float64
		limit      string
		peak       float64 // cycles of the arithmetic alone
	}{
		// 64 FMLA, 8 LDR of 2 cycles and 4 LDP of 4 share one pipe: 64 + 16 + 16.
		{"loads share the pipe", "Cortex-A53", float, 96, "NEON pipe", 64},
		// 64 FMLA on two pipes are 32 cycles; 80 instructions at 4 a cycle are 20.
		{"two pipes", "Neoverse-N1", float, 32, "vector pipes", 32},
		{"four pipes", "Apple-M1", float, 16, "vector pipes", 16},
		// SMULL has V0 alone and SADALP V1: 64 cycles each; with the 16 DUP, which
		// take either, 144 instructions on two pipes: 72.
		{"both halves full", "Neoverse-N1", neon, 72, "vector pipes", 64},
		// 16 additions onto each of 4 sums, 2 cycles apart: 32, no more than the
		// pipes need; on the M1, 4 cycles apart, 64.
		{"sums just enough", "Neoverse-N1", few, 32, "vector pipes", 32},
		{"too few sums", "Apple-M1", few, 64, "latency of the sums", 16},
		// 100 LDR and 4 LDP of two: 108 on two or three load pipes.
		{"loads", "Neoverse-N1", loads, 54, "load pipes", 32},
		{"loads", "Neoverse-V1", loads, 36, "load pipes", 16},
		// 64 + 12 + 200 + 1 = 277 instructions.
		{"instructions", "Apple-M1", scalars, 277.0 / 8, "instructions a cycle", 16},
	} {
		p := Predict(core(t, tt.core), tt.mix)
		if got := float64(tt.mix.MACs) / p.MACPerCycle; !near(got, tt.cycles) || p.Limit != tt.limit {
			t.Errorf("%s on %s: %g cycles by %q, want %g by %q", tt.name, tt.core, got, p.Limit, tt.cycles, tt.limit)
		}
		if got := float64(tt.mix.MACs) / p.PeakPerCycle; !near(got, tt.peak) {
			t.Errorf("%s on %s: %g cycles of arithmetic, want %g", tt.name, tt.core, got, tt.peak)
		}
		if want := tt.peak / tt.cycles; !near(p.OfPeak(), want) {
			t.Errorf("%s on %s: %g of peak, want %g", tt.name, tt.core, p.OfPeak(), want)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

// One pipe of a set may be the limit although the set as a whole is not.
func TestOnePipeLimits(t *testing.T) {
	m := arm64.Mix{DType: dtype.Int8, MACs: 512, SMULL: 64, SADALP: 32, Permute: 16, Sums: 16}
	// V0 64 cycles, both 112/2 = 56.
	if p := Predict(core(t, "Neoverse-N1"), m); !near(p.MACPerCycle, 8) || p.Limit != "vector V0" {
		t.Errorf("Neoverse-N1: %g by %q, want 8 by vector V0", p.MACPerCycle, p.Limit)
	}
	// V0 and V2 64/2 = 32, all four 112/4 = 28.
	if p := Predict(core(t, "Neoverse-V1"), m); !near(p.MACPerCycle, 16) || p.Limit != "vector V0 and V2" {
		t.Errorf("Neoverse-V1: %g by %q, want 16 by vector V0 and V2", p.MACPerCycle, p.Limit)
	}
}

// Every micro-kernel has a prediction on every core, or the name of what the
// core lacks.
func TestAllPredicted(t *testing.T) {
	lacks := map[string]string{"Cortex-A53": "SDOT SMMLA", "Cortex-A76": "SMMLA", "Neoverse-N1": "SMMLA", "Neoverse-V1": "", "Apple-M1": "SMMLA"}
	if len(arm64.Mixes) == 0 {
		t.Fatal("no micro-kernels")
	}
	if got, want := len(All()), len(Cores)*len(arm64.Mixes)+len(arm64.SVEMixes); got != want { // SVE's on the V1
		t.Errorf("%d predictions, want %d", got, want)
	}
	for _, c := range Cores {
		if _, ok := lacks[c.Name]; !ok {
			t.Errorf("%s: say what it lacks", c.Name)
		}
		for _, m := range arm64.Mixes {
			want := ""
			for name, n := range map[string]int{"SDOT": m.SDOT, "SMMLA": m.SMMLA} {
				if n > 0 && strings.Contains(lacks[c.Name], name) {
					want = name
				}
			}
			p := Predict(&c, m)
			if p.Missing != want {
				t.Errorf("%s on %s: lacks %q, want %q", p.Kernel(), c.Name, p.Missing, want)
			}
			if p.Missing == "" && (!(p.MACPerCycle > 0) || !(p.OfPeak() > 0 && p.OfPeak() <= 1) || p.Limit == "") {
				t.Errorf("%s on %s: %+v", p.Kernel(), c.Name, p)
			}
		}
	}
}

// SVE's loops on the Neoverse-V1, by hand: vectors of 256 bits, two pipes. 64 FMLA
// are 32 cycles for 8×16 sums and 4 words; the 16 loads at two a cycle are 8. Bits: 48
// instructions are 24 cycles for 8×16 sums of 32 bits. Without SVE there is no bound.
func TestSVE(t *testing.T) {
	perCycle := map[string]float64{"float32/sve": 8 * 16 * 4 / 32., "int8/sve": 8 * 16 * 16 / 32., "binary/sve": 8 * 16 * 32 / 24.}
	if len(arm64.SVEMixes) != len(perCycle) {
		t.Errorf("%d loops, want %d", len(arm64.SVEMixes), len(perCycle))
	}
	for _, m := range arm64.SVEMixes {
		p := Predict(core(t, "Neoverse-V1"), m)
		if want := perCycle[p.Kernel()]; !near(p.MACPerCycle, want) || !near(p.PeakPerCycle, want) || p.Limit != "vector V0 and V1" || p.TileCols != 16 || p.Missing != "" {
			t.Errorf("%+v, want %g MACs a cycle by vector V0 and V1, 16 columns", p, want)
		}
		if want := Predict(core(t, "Apple-M1"), m); want.Missing != "SVE" || want.MACPerCycle != 0 {
			t.Errorf("%+v on a core without SVE", want)
		}
		m.LoadQ, m.LoadLane = 60, 70 // at two a cycle
		if p := Predict(core(t, "Neoverse-V1"), m); !near(p.MACPerCycle, 2*float64(m.MACs)/65) || p.Limit != "load pipes" {
			t.Errorf("%s with 130 loads: %g MACs a cycle by %s", p.Kernel(), p.MACPerCycle, p.Limit)
		}
	}
}

// countFields are the fields of arm64.Mix that count instructions.
func countFields(t *testing.T) (names []string) {
	t.Helper()
	known := " DType Impl NonNegative MR NR KWords MACs Registers Sums "
	for f := range reflect.TypeFor[arm64.Mix]().Fields() {
		if !strings.Contains(known, " "+f.Name+" ") {
			names = append(names, f.Name)
		}
	}
	return names
}

// A new class of instructions must be counted, named and priced.
func TestEveryClassCounts(t *testing.T) {
	names := countFields(t)
	if len(names) != int(ops) {
		t.Errorf("arm64.Mix counts %d classes %v, want %d", len(names), names, ops)
	}
	for _, name := range names {
		m := arm64.Mix{MACs: 1, Sums: 1}
		reflect.ValueOf(&m).Elem().FieldByName(name).SetInt(3)
		if got := counts(m).sum(); got != 3 {
			t.Errorf("3 %s count as %d instructions", name, got)
		}
	}
	for o, name := range opNames {
		if name == "" {
			t.Errorf("class %d has no name", o)
		}
	}
}

// What a core's table says must hang together.
func TestCores(t *testing.T) {
	for _, c := range Cores {
		if len(c.Sources) == 0 || c.front < 1 || c.loads < 1 || len(c.vectors) == 0 {
			t.Errorf("%s: incomplete", c.Name)
		}
		uses := c.uses[:]
		if c.sve != nil {
			if c.sve.bits%128 != 0 || c.sve.bits == 0 || c.sve.loads < 1 {
				t.Errorf("%s: SVE incomplete", c.Name)
			}
			uses = slices.Concat(uses, c.sve.uses[:])
		}
		for i, u := range uses {
			o, ofSVE := op(i%int(ops)), i >= int(ops)
			switch accumulates := o == fmla || o == sdot || o == udot || o == smmla || o == sadalp || o == uadalp || o == add; {
			case u.slots == 0:
				if u != (use{}) || !ofSVE && o != sdot && o != udot && o != smmla {
					t.Errorf("%s: %s takes no slot", c.Name, opNames[o])
				}
			case (u.vector > 0) != (u.pipes != 0) || u.pipes&^c.all() != 0:
				t.Errorf("%s: %s: %d cycles of pipes %b", c.Name, opNames[o], u.vector, u.pipes)
			case (u.load > 0) != (o <= loadLane):
				t.Errorf("%s: %s: %d cycles of a load pipe", c.Name, opNames[o], u.load)
			case (u.sum > 0) != accumulates:
				t.Errorf("%s: %s: %d cycles from sum to sum", c.Name, opNames[o], u.sum)
			}
		}
	}
}

// The chosen tiles are the ones that Shapes bounds under their size.
func TestShapesHoldTheChosenTile(t *testing.T) {
	for _, m := range arm64.Mixes {
		if m.FMLA == 0 && m.SDOT == 0 {
			continue
		}
		found := false
		for _, s := range Shapes(m.DType) {
			if s.Rows != m.MR || s.Cols != m.NR {
				continue
			}
			found = true
			for i, b := range s.Bounds {
				if want := Predict(&Cores[i], m); !near(b.OfPeak(), want.OfPeak()) && want.Missing == "" {
					t.Errorf("%v %d×%d on %s: %g of peak, the kernel %g", m.DType, m.MR, m.NR, b.Core, b.OfPeak(), want.OfPeak())
				}
			}
		}
		if !found {
			t.Errorf("%v/%s: no shape %d×%d", m.DType, m.Impl, m.MR, m.NR)
		}
	}
}

// 8×8: 16 sums, 8 registers of A and 2 of B; 4 words of K need 8 loads of A and
// 8 of B for 64 FMLA. 8×12: 24 sums leave no room for a register of each row, nor
// for four words of three vectors, but for two: 6, and 2 of A; 16 loads of A and
// 12 of B for 96 FMLA. 12×8 likewise, 4 registers of B, 24 loads of A and 8 of B.
// 4×24: 4 registers of A stay, while 24 vectors of B come by 2. 16×4: one vector of
// each of 4 words stays, while 16 rows come by 2. 16×8 has 32 sums.
func TestShapes(t *testing.T) {
	for _, tt := range []struct {
		rows, cols, words, registers int
		loads                        float64
	}{
		{8, 8, 4, 26, 16.0 / 64}, {8, 12, 2, 32, 28.0 / 96}, {12, 8, 2, 30, 32.0 / 96}, {4, 24, 4, 30, 28.0 / 96},
		{16, 4, 4, 22, 20.0 / 64}, {12, 4, 4, 18, 16.0 / 48}, {16, 8, 0, 36, 0},
	} {
		s := newShape(dtype.Float32, tt.rows, tt.cols)
		if s.WordsOfA != tt.words || s.Registers != tt.registers || !near(s.Loads, tt.loads) && tt.words > 0 {
			t.Errorf("%d×%d: %+v, want %+v", tt.rows, tt.cols, s, tt)
		}
		if (s.Bounds == nil) != (tt.words == 0) {
			t.Errorf("%d×%d: %d bounds", tt.rows, tt.cols, len(s.Bounds))
		}
	}
}

// What ARCHITECTURE.md says of 12 rows or columns: 6 % fewer cycles on the
// Cortex-A53, and in the network's layers 6 % or 9 % more products.
func TestTwelveDividesNothing(t *testing.T) {
	onA53 := func(rows, cols int) float64 { return newShape(dtype.Float32, rows, cols).Bounds[0].OfPeak() }
	more := func(rows, cols int) float64 {
		up := func(n, of int) int { return (n + of - 1) / of * of }
		products, computed := 0, 0
		for _, l := range []struct{ rows, cols, k int }{{1024, 32, 27}, {1024, 32, 288}, {256, 64, 288}, {256, 64, 576}, {64, 128, 576}, {64, 128, 1152}} {
			products += l.rows * l.cols * l.k
			computed += up(l.rows, rows) * up(l.cols, cols) * l.k
		}
		return float64(computed) / float64(products)
	}
	if more(8, 8) != 1 {
		t.Errorf("8×8 computes %g of the products", more(8, 8))
	}
	for _, tt := range []struct {
		rows, cols int
		more       float64
	}{{8, 12, 1.09}, {12, 8, 1.06}} {
		if gain := onA53(tt.rows, tt.cols) / onA53(8, 8); math.Abs(gain-1.06) > 0.005 {
			t.Errorf("%d×%d: %g of 8×8 on the Cortex-A53, want 1.06", tt.rows, tt.cols, gain)
		}
		if got := more(tt.rows, tt.cols); math.Abs(got-tt.more) > 0.005 {
			t.Errorf("%d×%d: %g of the products, want %g", tt.rows, tt.cols, got, tt.more)
		}
	}
}

// What the kernels' comments say: a quarter of a load a FMLA or SDOT, half a load
// a SMMLA, twelve for 64 SMULL, twenty for 64 EOR; and all of them fit into the
// registers.
func TestCounts(t *testing.T) {
	want := map[string][2]int{ // loads, multiplications
		"float32/neon": {16, 64}, "int8/dotprod": {16, 64}, "int8/i8mm": {16, 32}, "int8/neon": {12, 64}, "int8/neon, A ≥ 0": {12, 64}, "binary/neon": {20, 64},
		"float32/sve": {16, 64}, "int8/sve": {16, 64}, "binary/sve": {10, 16},
	}
	for _, c := range Counts() {
		if w, ok := want[c.Kernel()]; !ok || w != [2]int{c.Loads, c.Multiplications} {
			t.Errorf("%s: %d loads for %d multiplications, want %v", c.Kernel(), c.Loads, c.Multiplications, w)
		}
		if c.Registers > vectorRegisters || c.Sums >= c.Registers {
			t.Errorf("%s: %d sums in %d registers of %d", c.Kernel(), c.Sums, c.Registers, vectorRegisters)
		}
	}
}
