package streaming

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// brute tries every folding of every layer.
func brute(layers []Layer, visit func(folds []Fold, interval, lanes int64)) {
	folds := make([]Fold, len(layers))
	var next func(i int, interval, lanes int64)
	next = func(i int, interval, lanes int64) {
		if i == len(layers) {
			visit(folds, interval, lanes)
			return
		}
		l := &layers[i]
		if l.Pool {
			folds[i] = Fold{}
			next(i+1, max(interval, l.PoolCycles()), lanes)
			return
		}
		for pe := int64(1); pe <= l.OutC; pe++ {
			for simd := int64(1); simd <= l.C; simd++ {
				folds[i] = Fold{pe, simd}
				if folds[i].Check(l) == nil {
					next(i+1, max(interval, l.Cycles(folds[i])), lanes+pe*simd)
				}
			}
		}
	}
	next(0, 0, 0)
}

func total(folds []Fold) int64 {
	sum := int64(0)
	for _, f := range folds {
		sum += f.PE * f.SIMD
	}
	return sum
}

// Both searches find what trying everything finds, and the interval of the pipeline
// that they lead to, converters and all, is the one searched for.
func TestFoldIsOptimal(t *testing.T) {
	rnd := rand.New(rand.NewPCG(12, 13))
	tried := 0
	for range 60 {
		n := randomNet(rnd)
		if len(n.layers) > 3 {
			n.layers = n.layers[:3]
		}
		type point struct{ interval, lanes int64 }
		var points []point
		brute(n.layers, func(_ []Fold, interval, lanes int64) { points = append(points, point{interval, lanes}) })
		tried += len(points)
		for range 5 {
			p := points[rnd.IntN(len(points))]
			lanes, interval := int64(1)<<40, int64(1)<<40
			for _, q := range points {
				if q.interval <= p.interval {
					lanes = min(lanes, q.lanes)
				}
				if q.lanes <= p.lanes {
					interval = min(interval, q.interval)
				}
			}
			folds, err := FoldFor(n.layers, p.interval)
			if err != nil {
				t.Fatal(err)
			}
			if got := total(folds); got != lanes {
				t.Fatalf("%+v: interval %d by %d lanes, want %d", n.layers, p.interval, got, lanes)
			}
			if folds, err = FoldWithin(n.layers, p.lanes); err != nil {
				t.Fatal(err)
			}
			var pipe Pipeline
			if err := pipe.Build(n.layers, folds, 0); err != nil {
				t.Fatal(err)
			}
			if got, _ := pipe.Interval(); got != interval || total(folds) > p.lanes {
				t.Fatalf("%+v: %d lanes give interval %d by %d, want %d", n.layers, p.lanes, got, total(folds), interval)
			}
		}
	}
	if tried < 10000 {
		t.Errorf("only %d foldings tried", tried)
	}
}

// For the interval of cnvW1A1 the search needs no more lanes than its authors did.
func TestFoldCNV(t *testing.T) {
	folds, err := FoldFor(cnv(64), 32768)
	if err != nil {
		t.Fatal(err)
	}
	if got, theirs := total(folds), total(cnvFolds()); got > theirs {
		t.Errorf("%d lanes, theirs has %d", got, theirs)
	} else {
		t.Logf("%d lanes, theirs has %d: %v", got, theirs, folds)
	}
}

func TestFoldRefuses(t *testing.T) {
	l := cnv(64)[:1]
	for _, c := range []struct {
		got  error
		want string
	}{
		{second(FoldFor(l, 1)), "cycles at least"},
		{second(FoldWithin(l, 0)), "one at least for each layer"},
		{second(FoldFor([]Layer{{Name: "x"}}, 1)), `layer "x": height 0`},
		{second(FoldWithin([]Layer{{Name: "x"}}, 1)), `layer "x": height 0`},
	} {
		if c.got == nil || !strings.Contains(c.got.Error(), c.want) {
			t.Errorf("error %v, want %q", c.got, c.want)
		}
	}
}

func second(_ []Fold, err error) error { return err }

func TestDivisors(t *testing.T) {
	if got := divisors(nil, 36); !slices.Equal(got, []int64{1, 2, 3, 4, 6, 9, 12, 18, 36}) {
		t.Errorf("%v", got)
	}
}

// By hand, of a layer of 576 inputs of one bit and 64 outputs with one-bit weights at
// 32×32: 36·2 = 72 words of 1024 bits are ⌈72/512⌉·⌈1024/36⌉ = 29 blocks; 4 lines of
// 30·2 = 60 words of 32 bits 4·1. An engine's products are 32·1·2, its tree 2·63, its
// sum log2(576)+2−2 = 9.17, so 11 bits: 300 + 1.1·32·(64+126+11) = 7375.
func TestEstimate(t *testing.T) {
	l := cnv(64)[1]
	l.InBits, l.WeightBits, l.OutBits = 1, 1, 1
	var p Pipeline
	if err := p.Build([]Layer{l}, []Fold{{32, 32}}, 0); err != nil {
		t.Fatal(err)
	}
	if got, want := p.Estimate(), (Resources{LUT: 7375 + 300, BRAM18: 29 + 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestBuildRefuses(t *testing.T) {
	good := cnv(64)
	edit := func(i int, change func(*Layer)) []Layer {
		l := slices.Clone(good)
		change(&l[i])
		return l
	}
	fold := func(i int, f Fold) []Fold {
		fs := cnvFolds()
		fs[i] = f
		return fs
	}
	for _, c := range []struct {
		layers []Layer
		folds  []Fold
		depth  int64
		want   string
	}{
		{nil, nil, 0, "0 layers"},
		{good, cnvFolds()[1:], 0, "one folding a layer"},
		{good, cnvFolds(), -1, "-1 cycles: want 0 to"},
		{edit(1, func(l *Layer) { l.H = 31 }), cnvFolds(), 0, "the one before writes 57600"},
		{edit(0, func(l *Layer) { l.KH = 40 }), cnvFolds(), 0, "a kernel of 40×3 on 32×32"},
		{edit(0, func(l *Layer) { l.StrideH = 0 }), cnvFolds(), 0, "strides 0 and 1"},
		{edit(0, func(l *Layer) { l.C = 1 << 20 }), cnvFolds(), 0, "channels 1048576"},
		{edit(2, func(l *Layer) { l.PadTop = 1 }), cnvFolds(), 0, "without padding"},
		{edit(1, func(l *Layer) {
			*l = Layer{Name: "big", H: MaxDim, W: MaxDim, C: MaxDim, OutC: MaxDim, KH: 1, KW: 1, StrideH: 1, StrideW: 1}
		}), cnvFolds(), 0, "more than 2^50"},
		{good, fold(0, Fold{5, 3}), 0, "PE 5: want a divisor of its 64"},
		{good, fold(1, Fold{32, 3}), 0, "SIMD 3: want a divisor of its 64"},
		{good, fold(2, Fold{1, 1}), 0, "a pool has no folding"},
	} {
		var p Pipeline
		if err := p.Build(c.layers, c.folds, c.depth); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}
