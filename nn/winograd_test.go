package nn_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

func compileWinograd(t testing.TB, g *graph.Graph, c *kernels.Choice) *nn.Plan {
	t.Helper()
	p, err := nn.Compile(g, nn.Options{Kernels: c, Winograd: nn.WinogradAll})
	if err != nil {
		t.Fatalf("%v\n%s", err, describe(g))
	}
	return p
}

// With the option, float32 convolutions whose shape suits run by minimal
// filtering and say so; the others run as ever. What the transforms add to
// rounding errors stays within the direct convolution's worst case on these
// shapes, of which a fifteenth was measured (the kernels' own tests hold each
// output to its exact bound).
func TestWinograd(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, c *kernels.Choice) {
		r := newRand(t)
		worst := 0.0
		for _, tc := range []struct {
			in         graph.Shape
			outC       int
			relu, pool bool
			edit       func(c *graph.Conv2D)
			want       string
		}{
			{graph.Shape{32, 8, 12}, 64, false, false, nil, "winograd4"},
			{graph.Shape{32, 8, 12}, 32, true, false, nil, "winograd4"},
			{graph.Shape{64, 16, 8}, 32, true, true, nil, "winograd4"},
			{graph.Shape{32, 6, 10}, 32, true, true, nil, "winograd2"},
			{graph.Shape{32, 7, 10}, 32, true, false, nil, "conv2d"},
			{graph.Shape{3, 8, 8}, 32, true, true, nil, "conv2d"},
			{graph.Shape{32, 8, 8}, 31, true, true, nil, "conv2d"},
			{graph.Shape{32, 9, 9}, 32, true, false, func(c *graph.Conv2D) { c.StrideH, c.StrideW = 2, 2 }, "conv2d"},
			{graph.Shape{32, 10, 10}, 32, true, false, func(c *graph.Conv2D) { c.DilationH, c.PadTop, c.PadBottom = 2, 1, 1 }, "conv2d"},
			{graph.Shape{32, 10, 10}, 32, true, false, func(c *graph.Conv2D) { c.PadTop, c.PadLeft, c.PadBottom, c.PadRight = 0, 0, 0, 0 }, "winograd4"},
			{graph.Shape{32, 7, 9}, 32, false, false, func(c *graph.Conv2D) { c.PadTop, c.PadLeft, c.PadBottom, c.PadRight = 2, 0, 1, 1 }, "winograd4"},
			{graph.Shape{32, 8, 8}, 32, false, false, func(c *graph.Conv2D) { c.PadValue = -1.5 }, "winograd4"},
		} {
			m := newMaker(r, tc.in)
			conv := same(tc.in, tc.outC)
			if tc.edit != nil {
				tc.edit(conv)
			}
			x := m.add(m.fill(conv), m.add(&graph.Affine{Scale: []float32{1.0 / 64}, Shift: []float32{-2}}, m.b.Input()))
			if tc.relu {
				x = m.add(&graph.ReLU{}, x)
			}
			if tc.pool {
				x = m.add(pool2, x)
			}
			g := m.graph(t, x)
			p := compileWinograd(t, g, c)
			if want := c.For(dtype.Float32).FullName(tc.want); p.Layers()[0].Impl != want {
				t.Errorf("%v to %d channels runs as %s: want %s", tc.in, tc.outC, p.Layers()[0].Impl, want)
			}
			_, in := pixels(r, p.InputSize())
			want, tol, _ := evaluate(t, g, in)
			got := run(t, p, in)
			for i := range want {
				worst = max(worst, math.Abs(float64(got[i])-want[i])/tol[i])
			}
			near(t, fmt.Sprintf("%v to %d channels", tc.in, tc.outC), g, got, want, tol)

			runner := p.NewRunner(1)
			out := make([]float32, p.OutputSize())
			if n := mallocs(func() { runner.Run(out, in) }); n != 0 {
				t.Errorf("an inference allocates %d times", n)
			}
			runner.Close()
		}
		t.Logf("at most %.2g of the direct convolution's bound away", worst)
	})
}

// The whole network by minimal filtering: its logits differ from the known ones
// by at most some ten times what was measured, 8.5e-6.
func TestWinogradLogits(t *testing.T) {
	const tolerance = 1e-4
	n := someFloatImages()
	in := sample(t, n)
	g := load(t, dtype.Float32)
	rows := readRows(t, filepath.Join("..", "models", "testdata", "cifar10cnn-float32-logits.csv"))
	eachImpl(t, dtype.Float32, func(t *testing.T, c *kernels.Choice) {
		p := compileWinograd(t, g, c)
		filtered := 0
		for _, l := range p.Layers() {
			if strings.HasPrefix(l.Impl, "winograd") {
				filtered++
			}
		}
		if filtered != 5 {
			t.Errorf("%d layers by minimal filtering: want 5 of the six convolutions, all but the first", filtered)
		}
		r := p.NewRunner(1)
		defer r.Close()
		out := make([]float32, n*p.OutputSize())
		if err := r.RunPixels(out, in); err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i, got := range out {
			want, err := strconv.ParseFloat(rows[i/10][i%10], 64)
			if err != nil {
				t.Fatal(err)
			}
			diff := math.Abs(float64(got) - want)
			worst = max(worst, diff)
			if !(diff <= tolerance) {
				t.Fatalf("image %d, logit %d: %v: want %v within %v", i/10, i%10, got, want, tolerance)
			}
		}
		t.Logf("largest difference on %d images: %.2g", n, worst)
	})
}

// Int8 by minimal filtering gives the bits of direct convolutions, and is the default where
// a row was found faster so; to binary layers the option is nothing.
func TestWinogradLeavesIntegers(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		g := quantized(t, d)
		in := sample(t, 2)
		var want []float32
		for _, winograd := range []nn.Winograd{nn.WinogradNone, nn.WinogradExact, nn.WinogradAll} {
			for _, c := range choices(t, d) {
				p, err := nn.Compile(g, nn.Options{Kernels: c, Winograd: winograd})
				if err != nil {
					t.Fatal(err)
				}
				filtered := 0
				for _, l := range p.Layers() {
					if strings.Contains(l.Impl, "winograd") {
						filtered++
					}
				}
				wanted := 0
				if d == dtype.Int8 && winograd != nn.WinogradNone && c.For(d).WinogradPays(64) > 0 {
					wanted = 5 // all but the first, which has three channels
				}
				if filtered != wanted {
					t.Errorf("%v, option %d: %d layers by minimal filtering, want %d", c.For(d), winograd, filtered, wanted)
				}
				said := 0
				for _, h := range p.Nodes() {
					if strings.HasSuffix(h.Note, "by minimal filtering on this CPU") {
						said++
					}
				}
				if said != filtered {
					t.Errorf("%v, option %d: minimal filtering is the reason of %d layers of %d", c.For(d), winograd, said, filtered)
				}
				r := p.NewRunner(1)
				out := make([]float32, 2*p.OutputSize())
				if err := r.RunPixels(out, in); err != nil {
					t.Fatal(err)
				}
				r.Close()
				if want == nil {
					want = out
				}
				sameBits(t, c.For(d).String(), g, out, want)
			}
		}
	}
}

// Random int8 layers of shapes that suit and of some that do not, with zero points, halos,
// pools and clamps: the bits of direct convolutions by all that is picked.
func TestRandomWinogradInt8(t *testing.T) {
	r := newRand(t)
	filtered := 0
	for i := range rounds(30) {
		m := newMaker(r, graph.Shape{16 * (1 + r.IntN(6)), 4 + r.IntN(9), 4 + r.IntN(9)})
		if m.one(4) {
			m = newMaker(r, graph.Shape{240, 4, 4})
		}
		x := m.b.Input()
		for range 2 {
			c := same(x.Shape, 16*(1+r.IntN(6)))
			if m.one(3) {
				c.PadTop, c.PadBottom, c.PadLeft, c.PadRight = r.IntN(3), r.IntN(3), r.IntN(3), r.IntN(3)
			}
			if _, err := c.OutShape([]graph.Shape{x.Shape}); err != nil {
				break
			}
			if x = m.add(m.fill(c), x); m.one(3) {
				x = m.add(&graph.Clip{Lo: -1.5, Hi: 2.25}, x)
			}
			if m.one(3) && x.Shape[1] > 1 && x.Shape[2] > 1 {
				x = m.add(pool2, x)
			}
		}
		if x == m.b.Input() {
			continue
		}
		g := m.graph(t, x)
		_, image := pixels(r, g.Input.Shape.Size())
		quantize(t, r, g, image)
		if m.one(2) {
			x.Scale = float32(math.Exp(r.NormFloat64()))
			x.Zero, x.Full = []int8{0, -128, 5}[r.IntN(3)], m.one(2)
		}
		direct, err := nn.Compile(g, nn.Options{Winograd: nn.WinogradNone})
		if err != nil {
			t.Fatal(err)
		}
		want := run(t, direct, image)
		for _, c := range choices(t, dtype.Int8) {
			picks := map[string]nn.Pick{}
			for k, l := range direct.Layers() {
				picks[l.Name] = nn.Pick{Impl: c.For(dtype.Int8), Winograd: 2 + 2*((i+k)%2)}
			}
			p, err := nn.Compile(g, nn.Options{Kernels: c, Picks: picks})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range p.Layers() {
				if strings.Contains(l.Impl, "winograd") {
					filtered++
				}
			}
			sameBits(t, c.String(), g, run(t, p, image), want)
		}
	}
	if filtered == 0 {
		t.Error("no layer was computed by minimal filtering")
	}
	t.Logf("%d layers by minimal filtering", filtered)
}
