package mactree

import (
	"math"
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/workload"
)

// By hand: a 1×1 layer of 256 to 512 channels on 28×28 outputs (stride 2 over
// 56×56) on 512 KiB. Inputs read: 28·28·256 B = 200,704; weights 131,072;
// together they fit.
func TestTrafficByHand(t *testing.T) {
	a := Array{Channels: 64, Kernels: 32, StripeOutputs: 32, WeightLoadCycles: 16}
	l := workload.Layer{Name: "l", Kind: workload.Conv, DType: dtype.Int8, H: 56, W: 56, C: 256, OutC: 512, KH: 1, KW: 1, StrideH: 2, StrideW: 2}
	b := Buffer{Bytes: 512 << 10, BytesPerCycle: 10}
	got, ok := b.Traffic(&a, &l)
	// First: one input row of 56·256 B and the weights of 32 channels.
	want := Traffic{InputBytes: 200704, WeightBytes: 131072, OutputBytes: 28 * 28 * 512, InputPasses: 1, WeightPasses: 1, FirstBytes: 56*256 + 32*256}
	if !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// In 32 KiB: weights leave 32768 − 14336 = 18432 B, so they come in 8
	// parts and the inputs 8 times; or inputs leave 32768 − 8192 = 24576 B, one
	// row of 14336: 28 parts. 8·200704 + 131072 is less than 28·131072 + 200704.
	b.Bytes = 32 << 10
	got, ok = b.Traffic(&a, &l)
	if want.InputBytes, want.InputPasses = 8*200704, 8; !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if b.Bytes = 22527; func() bool { _, ok := b.Traffic(&a, &l); return ok }() {
		t.Error("a buffer that holds no row beside the weights of a step was accepted")
	}
}

// More bandwidth or a larger buffer never costs time; nothing unique is left
// out; the core is never faster than its multipliers allow.
func TestMonotone(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 2))
	for range 2000 {
		a, l := randomArray(rnd), randomLayer(rnd)
		l.DType = dtype.All[rnd.IntN(3)]
		w := a.Map(&l)
		if w.ComputeCycles()*a.Channels*a.Kernels < w.Counts().Products {
			t.Fatalf("%+v on %+v: %d cycles for %d products", l, a, w.ComputeCycles(), w.Counts().Products)
		}
		if e := w.MappingEfficiency(); !(e > 0 && e <= 1) {
			t.Fatalf("%+v on %+v: mapping efficiency %g", l, a, e)
		}
		last, lastOK := int64(0), false
		for i, bytes := range []float64{64, 300, 1000, 4000, 16000, 1e6} {
			b := Buffer{Bytes: bytes, BytesPerCycle: 3}
			tr, ok := b.Traffic(&a, &l)
			if !ok {
				if lastOK {
					t.Fatalf("%+v on %+v: %g bytes hold no tile, less did", l, a, bytes)
				}
				continue
			}
			unique := float64(l.InputWords()+l.WeightWords())*float64(l.DType.Bits())/8 + float64(l.OutputWords()*int64(l.OutputBits()))/8
			if tr.Bytes() < unique-1e-6 {
				t.Fatalf("%+v on %+v: traffic of %g bytes, %g are distinct", l, a, tr.Bytes(), unique)
			}
			time, ok := b.Time(&w, &tr)
			if !ok || time.Cycles != time.ComputeCycles+time.FillDrainCycles+time.StallCycles+time.PrefetchCycles || time.FillDrainCycles < 0 {
				t.Fatalf("%+v on %+v: %+v", l, a, time)
			}
			if lastOK && time.Cycles > last {
				t.Fatalf("%+v on %+v: %d cycles with buffer %d, %d with less", l, a, time.Cycles, i, last)
			}
			wide := Buffer{Bytes: bytes, BytesPerCycle: 7}
			if faster, _ := wide.Time(&w, &tr); faster.Cycles > time.Cycles {
				t.Fatalf("%+v on %+v: more bandwidth is slower", l, a)
			}
			last, lastOK = time.Cycles, true
		}
	}
}

// With a clock x times as fast n cycles become ⌈x·n⌉ at most, which some reach: the end is
// rounded up once, and DRAM's waits take no longer.
func TestFasterClock(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 3))
	worst, compared := 0.0, 0
	for compared < 100_000 {
		a, l := randomArray(rnd), randomLayer(rnd)
		w := a.Map(&l)
		b := Buffer{Bytes: math.Exp2(6 + 9*rnd.Float64()), BytesPerCycle: math.Exp2(8 * rnd.Float64())}
		traffic, ok := b.Traffic(&a, &l)
		if !ok {
			continue
		}
		compared++
		x := 1 + rnd.ExpFloat64()*math.Exp2(-float64(rnd.IntN(10)))
		slow, _ := b.Time(&w, &traffic)
		b.BytesPerCycle /= x
		fast, _ := b.Time(&w, &traffic)
		over := float64(fast.Cycles) - x*float64(slow.Cycles)
		if worst = max(worst, over); !(over < 1+1e-11*x*float64(slow.Cycles)) {
			t.Fatalf("%+v on %+v: %d cycles, with a clock %g times as fast %d", l, a, slow.Cycles, x, fast.Cycles)
		}
	}
	if worst < 0.95 {
		t.Errorf("longer by %g cycles at most: the bound could be lower", worst)
	}
}

func TestTooLong(t *testing.T) {
	a := Array{Channels: 1, Kernels: 1, StripeOutputs: 1 << 14, WeightLoadCycles: 1 << 14}
	l := workload.Layer{Name: "l", Kind: workload.Gemm, DType: dtype.Int8, M: 1, N: 1 << 25, K: 1 << 24}
	b := Buffer{Bytes: 1e9, BytesPerCycle: 1e-9}
	w := a.Map(&l)
	tr, ok := b.Traffic(&a, &l)
	if !ok {
		t.Fatal("does not fit")
	}
	if _, ok := b.Time(&w, &tr); ok {
		t.Error("2^49 products with weights of 2^14 cycles each have a time")
	}
}
