package mactree

import (
	"math/rand/v2"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels"
	"macroscope/workload"
)

// direct is the definition of a layer's sums: a convolution [H][W][C] by
// [OutC][KH][KW][C/Groups], or a product.
func direct(l *workload.Layer, x, w []int8) []int32 {
	if l.Kind == workload.Gemm {
		out := make([]int32, l.M*l.N)
		for m := range l.M {
			for n := range l.N {
				for k := range l.K {
					out[m*l.N+n] += int32(x[m*l.K+k]) * int32(w[n*l.K+k])
				}
			}
		}
		return out
	}
	h, ow := l.OutSize()
	var out []int32
	g := max(l.Groups, 1)
	cg, kg := l.C/g, l.OutC/g
	for y := range int(h) {
		for xx := range int(ow) {
			for k := range l.OutC {
				sum := int32(0)
				for r := range l.KH {
					for s := range l.KW {
						iy := y*max(l.StrideH, 1) + r*max(l.DilationH, 1) - l.PadTop
						ix := xx*max(l.StrideW, 1) + s*max(l.DilationW, 1) - l.PadLeft
						if iy < 0 || ix < 0 || iy >= l.H || ix >= l.W {
							continue
						}
						for c := range cg {
							sum += int32(x[(iy*l.W+ix)*l.C+k/kg*cg+c]) * int32(w[((k*l.KH+r)*l.KW+s)*cg+c])
						}
					}
				}
				out = append(out, sum)
			}
		}
	}
	return out
}

func randomBytes(rnd *rand.Rand, n int64) []int8 {
	v := make([]int8, n)
	for i := range v {
		v[i] = int8(rnd.IntN(255) - 127)
	}
	return v
}

func randomArray(rnd *rand.Rand) Array {
	a := Array{Channels: 1 + rnd.Int64N(20), Kernels: 1 + rnd.Int64N(9), StripeOutputs: 1 + rnd.Int64N(40),
		WeightLoadCycles: 1 + rnd.Int64N(20), PipelineCycles: rnd.Int64N(9)}
	if rnd.IntN(2) == 0 {
		a.Channels, a.Winograd = 16*(1+rnd.Int64N(3)), true
	}
	return a
}

func randomLayer(rnd *rand.Rand) workload.Layer {
	if rnd.IntN(5) == 0 {
		return workload.Layer{Name: "product", Kind: workload.Gemm, DType: dtype.Int8, M: 1 + rnd.Int64N(40), N: 1 + rnd.Int64N(30), K: 1 + rnd.Int64N(90)}
	}
	g := 1
	if rnd.IntN(4) == 0 {
		g = 1 + rnd.IntN(4)
	}
	l := workload.Layer{Name: "convolution", Kind: workload.Conv, DType: dtype.Int8, H: 5 + rnd.IntN(8), W: 5 + rnd.IntN(8),
		C: g * (1 + rnd.IntN(12)), OutC: g * (1 + rnd.IntN(12)), Groups: g, KH: 1 + rnd.IntN(3), KW: 1 + rnd.IntN(3),
		StrideH: 1 + rnd.IntN(2), StrideW: 1 + rnd.IntN(2), DilationH: 1 + rnd.IntN(2), DilationW: 1 + rnd.IntN(2),
		PadTop: rnd.IntN(2), PadLeft: rnd.IntN(3), PadBottom: rnd.IntN(3), PadRight: rnd.IntN(2)}
	if rnd.IntN(2) == 0 { // one that Winograd can take
		l.KH, l.KW, l.StrideH, l.StrideW, l.DilationH, l.DilationW = 3, 3, 0, 1, 0, 1
	}
	return l
}

// The machine multiplies right and takes the cycles of the closed form, on
// random cores and layers.
func TestMachine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 1))
	winograd := 0
	for range 600 {
		a, l := randomArray(rnd), randomLayer(rnd)
		inputs := int64(l.H) * int64(l.W) * int64(l.C)
		if l.Kind == workload.Gemm {
			inputs = l.M * l.K
		}
		x, w := randomBytes(rnd, inputs), randomBytes(rnd, l.WeightWords())
		mc := Machine{Array: a}
		sums, cycles, err := mc.Run(&l, x, w)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range direct(&l, x, w) {
			if sums[i] != v {
				t.Fatalf("%+v on %+v: sum %d is %d, want %d", l, a, i, sums[i], v)
			}
		}
		wk := a.Map(&l)
		if wk.Cycles() != cycles {
			t.Fatalf("%+v on %+v: %d cycles stepped, %d by the closed form", l, a, cycles, wk.Cycles())
		}
		if wk.Winograd {
			winograd++
		}
	}
	if winograd < 50 {
		t.Errorf("only %d of the layers were done by Winograd", winograd)
	}
}

// By hand: 5 outputs in stripes of 2, 2 and 1 on a core that needs 3 cycles to
// load weights, one tap of two channel steps: 3 to load, then steps of 3, 3,
// 3, 3, 3 (each waits for the weights after it) and 1, and 4 in the pipeline.
func TestCyclesByHand(t *testing.T) {
	a := Array{Channels: 2, Kernels: 4, StripeOutputs: 2, WeightLoadCycles: 3, PipelineCycles: 4}
	l := workload.Layer{Kind: workload.Gemm, M: 5, N: 3, K: 4}
	w := a.Map(&l)
	if got := w.Cycles(); got != 3+5*3+1+4 {
		t.Errorf("%d cycles, want 23", got)
	}
	if got := w.ComputeCycles(); got != 10 {
		t.Errorf("operands enter in %d cycles, want 10", got)
	}
	if got := w.MappingEfficiency(); got != 0.75 {
		t.Errorf("mapping efficiency %g, want 3 of 4 cells", got)
	}
	// Features: 5 positions of 4 channels; weights: 12 for each of 3 stripes.
	if got, want := w.Counts(), (Counts{20, 36, 60, 30}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

// The machine returns what the CPU's kernels return, all that run here.
func TestMachineEqualsKernels(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 5))
	for _, winograd := range []bool{false, true} {
		a := Array{Channels: 16, Kernels: 8, StripeOutputs: 32, WeightLoadCycles: 8, PipelineCycles: 7, Winograd: winograd}
		l := workload.Layer{Name: "l", Kind: workload.Conv, DType: dtype.Int8, H: 9, W: 10, C: 21, OutC: 19, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
		x, w := randomBytes(rnd, 9*10*21), randomBytes(rnd, l.WeightWords())
		mc := Machine{Array: a}
		sums, _, err := mc.Run(&l, x, w)
		if err != nil {
			t.Fatal(err)
		}
		compareKernels(t, &l, x, w, sums)
	}
}

// compareKernels runs a convolution without groups on every int8 kernel.
func compareKernels(t *testing.T, l *workload.Layer, x, w []int8, sums []int32) {
	t.Helper()
	for _, im := range kernels.Table() {
		if im.DType() != dtype.Int8 || !im.Available() {
			continue
		}
		conv, err := im.NewConv2DInt8(kernels.Conv2DShape{H: l.H, W: l.W, C: l.C, OutC: l.OutC, KH: l.KH, KW: l.KW, StrideH: l.StrideH, StrideW: l.StrideW,
			PadTop: l.PadTop, PadLeft: l.PadLeft, PadBottom: l.PadBottom, PadRight: l.PadRight}, w)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]int32, len(sums))
		conv.Int8(&kernels.Context{}, out, x)
		for i, v := range out {
			if sums[i] != v {
				t.Fatalf("%s: sum %d is %d, %v gives %d", l.Name, i, sums[i], im, v)
			}
		}
	}
}

func TestMachineRefuses(t *testing.T) {
	l := workload.Layer{Name: "l", Kind: workload.Gemm, M: 2, N: 2, K: 2}
	for _, a := range []Array{{}, {Channels: 8, Kernels: 1, StripeOutputs: 1, WeightLoadCycles: 1, Winograd: true}} {
		mc := Machine{Array: a}
		if _, _, err := mc.Run(&l, make([]int8, 4), make([]int8, 4)); err == nil {
			t.Errorf("core %+v accepted", a)
		}
	}
	mc := Machine{Array: Array{Channels: 1, Kernels: 1, StripeOutputs: 1, WeightLoadCycles: 1}}
	if _, _, err := mc.Run(&l, make([]int8, 3), make([]int8, 4)); err == nil {
		t.Error("3 inputs of 2×2 accepted")
	}
	if _, _, err := mc.Run(&workload.Layer{Name: "pool", Kind: workload.Other, Elements: 4}, nil, nil); err == nil {
		t.Error("a pool accepted")
	}
}
