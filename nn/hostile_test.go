package nn_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"macroscope/graph"
	"macroscope/nn"
)

// A plan takes little memory, whatever a network claims: who only looks at one need not be
// able to run it. No pixels are laid out, no weights packed, and of constants that layers
// share there are not many copies.
func TestPlanOfHugeNetworks(t *testing.T) {
	const mib = 1 << 20
	conv := func(in, out, k, groups int, w []float32) *graph.Conv2D {
		return &graph.Conv2D{
			Weights: graph.Weights{Float: w}, InC: in, OutC: out, KH: k, KW: k, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1,
			PadTop: k / 2, PadLeft: k / 2, PadBottom: k / 2, PadRight: k / 2, Groups: groups,
		}
	}
	some := make([]float32, 256*256*9) // 2.25 MiB
	many := slices.Repeat([]float32{1}, 60000)
	norm := func(n int) *graph.BatchNorm {
		return &graph.BatchNorm{Gamma: many[:n], Beta: many[:n], Mean: many[:n], Var: many[:n]}
	}
	for _, tt := range []struct {
		name   string
		in     graph.Shape
		layers int
		add    func(b *graph.Builder, i int, v *graph.Value) *graph.Value
		most   uint64
	}{
		{"pixels moved", graph.Shape{1 << 11, 1 << 6, 1 << 6}, 1, func(b *graph.Builder, _ int, v *graph.Value) *graph.Value {
			v = b.Add("turn", &graph.Transpose{View: []int{1 << 11, 1 << 6, 1 << 6}, Perm: []int{1, 0, 2}, To: graph.Shape{1 << 6, 1 << 11, 1 << 6}}, v)
			return b.Add("flat", &graph.Flatten{}, b.Add("relu", &graph.ReLU{}, v))
		}, mib},
		{"pixels of a convolution", graph.Shape{1, 4800, 4800}, 1, func(b *graph.Builder, _ int, v *graph.Value) *graph.Value {
			return b.Add("conv", conv(1, 1, 3, 1, some[:9]), v)
		}, mib},
		{"pixels of groups", graph.Shape{64, 1000, 1000}, 1, func(b *graph.Builder, _ int, v *graph.Value) *graph.Value {
			return b.Add("conv", conv(64, 128, 1, 64, some[:128]), v)
		}, mib},
		{"pixels of channels", graph.Shape{64, 1400, 1400}, 1, func(b *graph.Builder, _ int, v *graph.Value) *graph.Value {
			return b.Add("conv", conv(64, 64, 1, 64, some[:64]), v)
		}, mib},
		{"weights shared", graph.Shape{256, 4, 4}, 100, func(b *graph.Builder, i int, v *graph.Value) *graph.Value {
			return b.Add(fmt.Sprint("conv", i), conv(256, 256, 3, 1, some), v)
		}, 2 * mib},
		{"rows shared", graph.Shape{700}, 100, func(b *graph.Builder, i int, v *graph.Value) *graph.Value {
			return b.Add(fmt.Sprint("dense", i), &graph.Dense{Weights: graph.Weights{Float: some[:700*700]}, In: 700, Out: 700}, v)
		}, 2 * mib},
		{"weights shared before norms", graph.Shape{256, 4, 4}, 100, func(b *graph.Builder, i int, v *graph.Value) *graph.Value {
			return b.Add(fmt.Sprint("norm", i), norm(256), b.Add(fmt.Sprint("conv", i), conv(256, 256, 3, 1, some), v))
		}, 22 * mib},
		{"norms shared", graph.Shape{60000}, 300, func(b *graph.Builder, i int, v *graph.Value) *graph.Value {
			return b.Add(fmt.Sprint("norm", i), norm(60000), v)
		}, 4 * mib},
		{"affines shared", graph.Shape{60000}, 300, func(b *graph.Builder, i int, v *graph.Value) *graph.Value {
			return b.Add(fmt.Sprint("affine", i), &graph.Affine{Scale: many, Shift: many[:1]}, v)
		}, 20 * mib},
	} {
		b := graph.New("net", "x", tt.in)
		v := b.Input()
		for i := range tt.layers {
			v = tt.add(b, i, v)
		}
		g, err := b.Graph(v)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := nn.Compile(g, nn.Options{})
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		took := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d KiB", tt.name, took>>10)
		if took > tt.most {
			t.Errorf("a plan of %s took %d bytes: want at most %d", tt.name, took, tt.most)
		}
		if p.ArenaBytes() < 4*tt.in.Size() {
			t.Errorf("%s: an arena of %d bytes: want all elements of the input at least", tt.name, p.ArenaBytes())
		}
	}
}
