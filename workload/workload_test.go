package workload

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"macroscope/dtype"
)

// conv2 of the CIFAR-10 network: 3×3 with padding 1 over 32×32×32.
var conv2 = Layer{Name: "conv2", DType: dtype.Int8, H: 32, W: 32, C: 32, OutC: 32, KH: 3, KW: 3,
	PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}

func TestLayerShape(t *testing.T) {
	strided := Layer{Name: "s", H: 224, W: 224, C: 3, OutC: 64, KH: 7, KW: 7, StrideH: 2, StrideW: 2}
	depthwise := Layer{Name: "d", H: 16, W: 16, C: 8, OutC: 8, KH: 3, KW: 3, Groups: 8}
	dense := Layer{Name: "fc", Kind: Gemm, M: 1, N: 10, K: 2048}
	pool := Layer{Name: "p", Kind: Other, Op: "maxpool", Elements: 8192}
	for _, c := range []struct {
		l                       Layer
		oh, ow, m, n, k         int64
		macs, in, weights, outs int64
	}{
		{conv2, 32, 32, 1024, 32, 288, 9437184, 32768, 9216, 32768},
		// ⌊(224 − 7)/2⌋ + 1 = 109; the last row and column are never read.
		{strided, 109, 109, 11881, 64, 147, 11881 * 64 * 147, 223 * 223 * 3, 9408, 11881 * 64},
		{depthwise, 14, 14, 196, 1, 9, 196 * 9 * 8, 2048, 72, 1568},
		{dense, 1, 1, 1, 10, 2048, 20480, 2048, 20480, 10},
		{pool, 0, 0, 0, 0, 0, 0, 0, 0, 8192},
	} {
		l := c.l
		if err := l.Validate(); err != nil {
			t.Errorf("%s: %v", l.Name, err)
			continue
		}
		oh, ow := l.OutSize()
		m, n, k := l.GEMM()
		got := []int64{oh, ow, m, n, k, l.MACs(), l.InputWords(), l.WeightWords(), l.OutputWords()}
		want := []int64{c.oh, c.ow, c.m, c.n, c.k, c.macs, c.in, c.weights, c.outs}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: got %v, want %v", l.Name, got, want)
				break
			}
		}
	}
}

func TestTouchedAgainstCounting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 40).Draw(t, "n")
		k := rapid.Int64Range(1, 8).Draw(t, "k")
		s := rapid.Int64Range(1, 9).Draw(t, "s")
		d := rapid.Int64Range(1, 9).Draw(t, "d")
		pad := rapid.Int64Range(0, 12).Draw(t, "pad")
		out := rapid.Int64Range(1, 12).Draw(t, "out")
		seen := map[int64]bool{}
		for o := range out {
			for i := range k {
				if p := o*s + i*d - pad; p >= 0 && p < n {
					seen[p] = true
				}
			}
		}
		if got := Touched(n, k, s, d, pad, out); got != int64(len(seen)) {
			t.Fatalf("touched = %d, counting gives %d", got, len(seen))
		}
	})
}

func TestValidateNamesTheField(t *testing.T) {
	with := func(f func(*Layer)) Layer { l := conv2; f(&l); return l }
	for _, c := range []struct {
		l    Layer
		want string
	}{
		{with(func(l *Layer) { l.H = 0 }), "height 0"},
		{with(func(l *Layer) { l.W = -1 }), "width -1"},
		{with(func(l *Layer) { l.C = math.MaxInt }), "channels"},
		{with(func(l *Layer) { l.StrideH = -2 }), "stride (rows) -2"},
		{with(func(l *Layer) { l.PadLeft = -1 }), "padding (left) -1"},
		{with(func(l *Layer) { l.Groups = 3 }), "groups 3: want a divisor"},
		{with(func(l *Layer) { l.KH = 35 }), "kernel spans 35: want at most the padded height, 34"},
		{with(func(l *Layer) { l.KW, l.DilationW = 3, 17 }), "kernel spans 35"},
		{with(func(l *Layer) { l.H, l.W, l.C, l.OutC = MaxDim, MaxDim, MaxDim, MaxDim }), "more multiply-accumulates"},
		{with(func(l *Layer) { l.DType = 10 }), "dtype 10"},
		{with(func(l *Layer) { l.OutBits = 65 }), "output bits 65"},
		{Layer{Kind: Gemm, M: 1, N: 1}, "K 0"},
		{Layer{Kind: Gemm, M: MaxGemm, N: MaxGemm, K: MaxGemm}, "multiply-accumulates"},
		{Layer{Kind: Other, Elements: 3}, "no operation"},
		{Layer{Kind: Other, Op: "add"}, "elements 0"},
		{Layer{Kind: Other, Op: "maxpool", Elements: 4, H: 4, W: 4, C: 2, OutC: 2, Groups: 2, KH: 2, KW: 2, StrideH: 2, StrideW: 2}, "elements 4: the pool has 8 outputs"},
		{Layer{Kind: Other, Op: "maxpool", Elements: 8, H: 4, W: 4, C: 2, OutC: 2, KH: 2, KW: 2, StrideH: 2, StrideW: 2}, "want all equal"},
		{Layer{Kind: Other, Op: "maxpool", Elements: 8, H: 4, W: 4, C: 2, OutC: 2, Groups: 2, KH: 2, StrideH: 2, StrideW: 2}, "kernel width 0"},
		{Layer{Kind: 7}, "kind 7"},
	} {
		err := c.l.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
	if err := (&Workload{Name: "empty"}).Validate(); err == nil {
		t.Error("a workload without layers was accepted")
	}
}

func TestValidLayersNeverOverflow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.OneOf(rapid.IntRange(1, 64), rapid.IntRange(1, MaxDim))
		l := Layer{H: dim.Draw(t, "h"), W: dim.Draw(t, "w"), C: dim.Draw(t, "c"), OutC: dim.Draw(t, "n"),
			KH: dim.Draw(t, "kh"), KW: dim.Draw(t, "kw"), Batch: rapid.IntRange(0, 4).Draw(t, "b"),
			StrideH: rapid.IntRange(0, MaxStride).Draw(t, "sh"), PadTop: rapid.IntRange(0, MaxStride).Draw(t, "p")}
		if l.Validate() != nil {
			t.Skip("not a valid layer")
		}
		for _, v := range []int64{l.MACs(), l.InputWords(), l.WeightWords(), l.OutputWords()} {
			if v < 0 || v > MaxMACs {
				t.Fatalf("%+v: count %d", l, v)
			}
		}
		if l.InputWords() > int64(one(l.Batch))*int64(l.H)*int64(l.W)*int64(l.C) {
			t.Fatal("more input words than the input has")
		}
	})
}

func TestWithDTypeCopies(t *testing.T) {
	w := Workload{Layers: []Layer{conv2}}
	b := w.WithDType(dtype.Binary)
	if w.Layers[0].DType != dtype.Int8 || b.Layers[0].DType != dtype.Binary {
		t.Errorf("got %v and %v", w.Layers[0].DType, b.Layers[0].DType)
	}
	if b.Layers[0].OutputBits() != 1 || w.Layers[0].OutputBits() != 8 {
		t.Error("outputs do not have the operands' width")
	}
}
