package nn_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

// mixture compiles a network with an implementation drawn for each int8 and
// binary layer, and says which.
func mixture(t testing.TB, r *rand.Rand, g *graph.Graph) (*nn.Plan, string) {
	t.Helper()
	picks, names := map[string]nn.Pick{}, []string{}
	for _, l := range compile(t, g, nil).Layers() {
		if l.DType == dtype.Float32 {
			continue
		}
		var list []*kernels.Impl
		for _, im := range kernels.Table() {
			if im.Available() && im.DType() == l.DType {
				list = append(list, im)
			}
		}
		im := list[r.IntN(len(list))]
		picks[l.Name] = nn.Pick{Impl: im}
		names = append(names, l.Name+" by "+im.String())
	}
	p, err := nn.Compile(g, nn.Options{Picks: picks})
	if err != nil {
		t.Fatalf("%v\n%s", err, describe(g))
	}
	for _, l := range p.Layers() {
		// A depthwise convolution is generic's where the implementation has no loop for it.
		generic := strings.HasPrefix(l.Impl, "depthwise/") && l.Kernel.Name() == "generic"
		if pick, ok := picks[l.Name]; ok && l.Kernel != pick.Impl && !generic {
			t.Fatalf("%s is computed by %v: want %v", l.Name, l.Kernel, pick.Impl)
		}
	}
	return p, strings.Join(names, ", ")
}

// The networks give the same bits by any mixture of implementations: what one
// writes is in the form that the next one reads.
func TestMixturesAgree(t *testing.T) {
	r := newRand(t)
	const n = 4 // a form that two layers do not share shows on the first
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		g := quantized(t, d)
		in := sample(t, n)
		var want []float32
		for i := range rounds(30) + 1 {
			p, names := mixture(t, r, g)
			runner := p.NewRunner(1)
			got := make([]float32, n*p.OutputSize())
			if err := runner.RunPixels(got, in); err != nil {
				t.Fatal(err)
			}
			runner.Close()
			if i == 0 {
				want = logits(t, g, generic(t), in)
			}
			sameBits(t, names, g, got, want)
		}
	}
}

// generic is plain Go for every dtype.
func generic(t testing.TB) *kernels.Choice {
	t.Helper()
	c, err := kernels.Choose("generic")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWinogradPicks(t *testing.T) {
	im := defaults(t).For(dtype.Float32)
	g := load(t, dtype.Float32)
	for m, want := range map[int]string{0: "conv2d/", 2: "winograd2/", 4: "winograd4/"} {
		others := nn.WinogradNone
		if m == 0 {
			others = nn.WinogradAll
		}
		p, err := nn.Compile(g, nn.Options{Winograd: others, Picks: map[string]nn.Pick{"conv2": {Impl: im, Winograd: m}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range p.Layers() {
			if l.Name == "conv2" && im.Name() != "generic" && l.Impl != want+im.String() {
				t.Errorf("winograd %d: conv2 is computed by %s, want %s", m, l.Impl, want+im.String())
			}
		}
	}
}

func TestPicksAreChecked(t *testing.T) {
	g := quantized(t, dtype.Int8)
	im := func(d dtype.DType) *kernels.Impl { return generic(t).For(d) }
	var missing *kernels.Impl
	for _, x := range kernels.Table() {
		if x.DType() == dtype.Int8 && !x.Available() {
			missing = x
		}
	}
	for _, c := range []struct {
		picks map[string]nn.Pick
		want  string
	}{
		{map[string]nn.Pick{"conv9": {Impl: im(dtype.Int8)}}, `a pick for "conv9": want the name of`},
		{map[string]nn.Pick{"relu1": {Impl: im(dtype.Int8)}}, `a pick for "relu1": want the name of`},
		{map[string]nn.Pick{"conv1": {Impl: im(dtype.Float32)}}, `node "conv1": picked float32/generic: want an implementation of int8`},
		{map[string]nn.Pick{"conv1": {}}, `node "conv1": picked`},
		{map[string]nn.Pick{"conv1": {Impl: im(dtype.Int8), Winograd: 3}}, `node "conv1": picked winograd 3 for int8`},
		{map[string]nn.Pick{"conv1": {Impl: missing}}, `node "conv1":`},
	} {
		if _, err := nn.Compile(g, nn.Options{Picks: c.picks}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.picks, err, c.want)
		}
	}
}

// A layer's problem tells layers apart that cost differently, and nothing else.
func TestProblems(t *testing.T) {
	seen := map[string]string{}
	for _, l := range compile(t, quantized(t, dtype.Int8), generic(t)).Layers() {
		if l.Problem == "" || seen[l.Problem] != "" {
			t.Errorf("%s and %s: problem %q", l.Name, seen[l.Problem], l.Problem)
		}
		seen[l.Problem] = l.Name
	}
	for _, l := range compile(t, quantized(t, dtype.Int8), nil).Layers() {
		if seen[l.Problem] != l.Name {
			t.Errorf("%s: problem %q with the chosen implementations, another with generic", l.Name, l.Problem)
		}
	}
	const conv2 = "conv2d int8 32x32x32 to int8 16x16x32, kernel 3x3, stride 1,1, dilation 1,1, padding 1,1, halo 1, clamp 0,127, non-negative, pool"
	if seen[conv2] != "conv2" {
		t.Errorf("no problem %q in %v", conv2, fmt.Sprint(seen))
	}
}
