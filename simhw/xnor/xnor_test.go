package xnor

import (
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/quant"
)

func randomBits(rnd *rand.Rand, rows, k int64) []uint32 {
	row := quant.Words(int(k))
	v := make([]uint32, rows*int64(row))
	for i := range v {
		v[i] = rnd.Uint32() // past the last bit as well: they must not count
	}
	return v
}

func bit(rows []uint32, k, row, i int64) int32 {
	return 2*int32(rows[row*int64(quant.Words(int(k)))+i/32]>>(i%32)&1) - 1
}

// product is the plain product of signs.
func product(x, w []uint32, v, n, k int64) []int32 {
	sums := make([]int32, v*n)
	for i := range v {
		for j := range n {
			for b := range k {
				sums[i*n+j] += bit(x, k, i, b) * bit(w, k, j, b)
			}
		}
	}
	return sums
}

// By hand: 3 vectors of 5 bits, 5 outputs, on 2 rows of 3 bits. ⌈5/2⌉ = 3 groups,
// ⌈5/3⌉ = 2 words: 3·3·2 = 18 cycles, and 1 of the pipe. Held at 4 bits a cycle, the
// groups' 10, 10 and 5 bits take 3 + 3 + 2 = 8 cycles more.
func TestByHand(t *testing.T) {
	e := Engine{PEs: 2, SIMD: 3, Pipe: 1}
	if got := e.Cycles(3, 5, 5); got != 19 {
		t.Errorf("%d cycles, want 19", got)
	}
	if got, want := e.Traffic(3, 5, 5), (Traffic{WeightBits: 3 * 5 * 5, InputBits: 3 * 3 * 5, Outputs: 15}); got != want {
		t.Errorf("traffic %+v, want %+v", got, want)
	}
	e.LoadBits = 4
	if got := e.Cycles(3, 5, 5); got != 27 {
		t.Errorf("weights held: %d cycles, want 27", got)
	}
	if got, want := e.Traffic(3, 5, 5), (Traffic{WeightBits: 5 * 5, InputBits: 3 * 3 * 5, Outputs: 15}); got != want {
		t.Errorf("weights held: traffic %+v, want %+v", got, want)
	}
	// 75 comparisons of 19·2·3 that the engine could do.
	e.LoadBits = 0
	if got, want := e.Utilization(3, 5, 5), 75.0/114; got != want {
		t.Errorf("utilization %v, want %v", got, want)
	}
	// 5 bits are 2 words: of 75 products 3·5·2 = 30 join a sum, the others the tree.
	// A word writes 16 bits of sum and, once on its way, a count of 0…3.
	a := e.Actions(3, 5, 5, 16, 1)
	if a.Products != 75 || a.TreeAdds != 45 || a.Accumulates != 30 || a.RegisterBits != 30*(16+2) || a.FilterBits != 75 || a.IfmapBits != 45 || a.OfmapBits != 15 {
		t.Errorf("actions %+v", a)
	}
}

// The machine returns the plain product's sums and bits, the closed form's cycles,
// and its reads and writes, on random engines and products.
func TestMachine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		mc := Machine{Engine: Engine{PEs: 1 + rnd.Int64N(9), SIMD: 1 + rnd.Int64N(70), Pipe: rnd.Int64N(4)}}
		if rnd.IntN(2) == 0 {
			mc.LoadBits = 1 + rnd.Int64N(100)
		}
		v, n, k := 1+rnd.Int64N(5), 1+rnd.Int64N(40), 1+rnd.Int64N(200)
		x, w := randomBits(rnd, v, k), randomBits(rnd, n, k)
		for range n {
			mc.Thresholds = append(mc.Thresholds, quant.Threshold{T: rnd.Int32N(int32(k)) - int32(k)/2, Flip: rnd.IntN(2) == 0})
		}
		r, err := mc.Run(x, w, v, n, k)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range product(x, w, v, n, k) {
			if r.Sums[i] != want {
				t.Fatalf("%+v, %d×%d×%d: sum %d is %d, want %d", mc.Engine, v, n, k, i, r.Sums[i], want)
			}
			row, col := int64(i)/n, int64(i)%n
			if got := bit(r.Bits, n, row, col) > 0; got != mc.Thresholds[col].Bit(want) {
				t.Fatalf("%+v, %d×%d×%d: bit %d of sum %d is %v", mc.Engine, v, n, k, i, want, got)
			}
		}
		if want := mc.Cycles(v, n, k); r.Cycles != want {
			t.Errorf("%+v, %d×%d×%d: %d cycles stepped, %d by the closed form", mc.Engine, v, n, k, r.Cycles, want)
		}
		if want := mc.Engine.Traffic(v, n, k); r.Traffic != want {
			t.Errorf("%+v, %d×%d×%d: traffic %+v stepped, %+v by the closed form", mc.Engine, v, n, k, r.Traffic, want)
		}
	}
}

// Integers by bit planes: the plain product's sums, and the cycles and reads of so many
// products of bits as there are pairs of planes.
func TestMachineIntegers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(14, 15))
	for range 120 {
		mc := Machine{Engine: Engine{PEs: 1 + rnd.Int64N(9), SIMD: 1 + rnd.Int64N(70), Pipe: rnd.Int64N(4), InputPlanes: 1 + rnd.Int64N(MaxPlanes), WeightPlanes: 1 + rnd.Int64N(MaxPlanes)}}
		mc.WeightPlanes = min(mc.WeightPlanes, 26-mc.InputPlanes) // sums of 100 fit an int32
		v, n, k := 1+rnd.Int64N(3), 1+rnd.Int64N(12), 1+rnd.Int64N(100)
		random := func(count, bits int64) []int16 {
			values := make([]int16, count)
			for i := range values {
				values[i] = int16(rnd.Int64N(1<<bits) - 1<<(bits-1))
			}
			return values
		}
		x, w := random(v*k, mc.InputPlanes), random(n*k, mc.WeightPlanes)
		r, err := mc.RunIntegers(x, w, v, n, k)
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.Sums {
			want := int64(0)
			for b := range k {
				want += int64(x[int64(i)/n*k+b]) * int64(w[int64(i)%n*k+b])
			}
			if int64(r.Sums[i]) != want {
				t.Fatalf("%+v, %d×%d×%d: sum %d is %d, want %d", mc.Engine, v, n, k, i, r.Sums[i], want)
			}
		}
		if want := mc.Cycles(v, n, k); r.Cycles != want {
			t.Errorf("%+v, %d×%d×%d: %d cycles stepped, %d by the closed form", mc.Engine, v, n, k, r.Cycles, want)
		}
		one := mc.Engine
		one.InputPlanes, one.WeightPlanes = 0, 0
		if got, want := mc.ComputeCycles(v, n, k), mc.InputPlanes*mc.WeightPlanes*one.ComputeCycles(v, n, k); got != want {
			t.Errorf("%+v: %d cycles, want %d", mc.Engine, got, want)
		}
		if want := mc.Engine.Traffic(v, n, k); r.Traffic != want {
			t.Errorf("%+v, %d×%d×%d: traffic %+v stepped, %+v by the closed form", mc.Engine, v, n, k, r.Traffic, want)
		}
	}
	for _, c := range []struct {
		e    Engine
		want string
	}{
		{Engine{PEs: 1, SIMD: 1}, "without bit planes"},
		{Engine{PEs: 1, SIMD: 1, InputPlanes: 8, WeightPlanes: 8, LoadBits: 1}, "holds its weights"},
		{Engine{PEs: 1, SIMD: 1, InputPlanes: 17, WeightPlanes: 2}, "17 by 2 bit planes"},
		{Engine{PEs: 1, SIMD: 1, WeightPlanes: 2}, "0 by 2 bit planes"},
	} {
		if _, err := (&Machine{Engine: c.e}).RunIntegers([]int16{1}, []int16{1}, 1, 1, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.e, err, c.want)
		}
	}
	if _, err := (&Machine{Engine: Engine{PEs: 1, SIMD: 1, InputPlanes: 8, WeightPlanes: 8}}).Run([]uint32{0}, []uint32{0}, 1, 1, 1); err == nil {
		t.Error("±1 in bit planes: no error")
	}
	wide := Machine{Engine: Engine{PEs: 1, SIMD: 8, InputPlanes: 16, WeightPlanes: 16}}
	if _, err := wide.RunIntegers(make([]int16, 8), make([]int16, 8), 1, 1, 8); err == nil || !strings.Contains(err.Error(), "up to 8.58993") {
		t.Errorf("sums beyond an int32: %v", err)
	}
}

// More rows, wider words or a wider load never cost cycles, and never fewer than the
// comparisons need.
func TestMonotone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		e := Engine{PEs: 1 + rnd.Int64N(64), SIMD: 1 + rnd.Int64N(256), Pipe: rnd.Int64N(4), LoadBits: rnd.Int64N(2) * (1 + rnd.Int64N(512))}
		v, n, k := 1+rnd.Int64N(1000), 1+rnd.Int64N(300), 1+rnd.Int64N(3000)
		cycles := e.Cycles(v, n, k)
		if float64(cycles)*float64(e.PEs*e.SIMD) < float64(v*n*k) {
			t.Fatalf("%+v, %d×%d×%d: %d cycles do more than the engine can", e, v, n, k, cycles)
		}
		wider := e
		wider.SIMD += rnd.Int64N(100)
		if wider.LoadBits > 0 {
			wider.LoadBits += rnd.Int64N(100)
		}
		if e.LoadBits == 0 { // of held weights' groups each rounds up for itself
			wider.PEs += rnd.Int64N(20)
		}
		if got := wider.Cycles(v, n, k); got > cycles {
			t.Fatalf("%+v: %d cycles, %+v: %d", e, cycles, wider, got)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	one := []uint32{0}
	for _, c := range []struct {
		mc      Machine
		x, w    []uint32
		v, n, k int64
		want    string
	}{
		{Machine{Engine: Engine{SIMD: 1}}, one, one, 1, 1, 1, "0 PEs: want 1 to"},
		{Machine{Engine: Engine{PEs: 1}}, one, one, 1, 1, 1, "0 bits of a word"},
		{Machine{Engine: Engine{PEs: 1, SIMD: 1, Pipe: -1}}, one, one, 1, 1, 1, "-1 pipeline registers"},
		{Machine{Engine: Engine{PEs: 1, SIMD: 1, LoadBits: -1}}, one, one, 1, 1, 1, "-1 weight bits"},
		{Machine{Engine: Engine{PEs: 1, SIMD: 1}}, one, one, 0, 1, 1, "want 1 to"},
		{Machine{Engine: Engine{PEs: 1, SIMD: 1}}, one, one, 1, 1, 33, "want 2"},
		{Machine{Engine: Engine{PEs: 1, SIMD: 1}, Thresholds: make([]quant.Threshold, 2)}, one, one, 1, 1, 1, "2 thresholds for 1 outputs"},
	} {
		if _, err := c.mc.Run(c.x, c.w, c.v, c.n, c.k); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.mc.Engine, err, c.want)
		}
	}
}
