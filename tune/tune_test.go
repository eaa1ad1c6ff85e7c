package tune

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
)

// twoLayers is a float32 convolution and a dense layer.
func twoLayers(t *testing.T) *graph.Graph {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	values := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	b := graph.New("two", "in", graph.Shape{16, 8, 8})
	conv := &graph.Conv2D{InC: 16, OutC: 32, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1}
	conv.Float = values(32 * 16 * 9)
	dense := &graph.Dense{In: 32 * 64, Out: 10}
	dense.Float = values(10 * dense.In)
	x := b.Add("conv", conv, b.Input())
	g, err := b.Graph(b.Add("dense", dense, b.Add("flat", &graph.Flatten{}, x)))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// others lists the float32 implementations that can run here, and the usual one.
func others(t *testing.T) (list []*kernels.Impl, usual *kernels.Impl) {
	t.Helper()
	for _, im := range kernels.Table() {
		if im.Available() && im.DType() == dtype.Float32 {
			list = append(list, im)
		}
	}
	if len(list) < 2 {
		t.Skip("one implementation of float32: nothing to pick")
	}
	return list, list[len(list)-1]
}

func choose(t *testing.T, spec string) *kernels.Choice {
	t.Helper()
	c, err := kernels.Choose(spec)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clock is a measure that says what each implementation takes.
type clock struct {
	calls int
	ns    map[string]float64 // by full name; 100 where it is silent
}

func (c *clock) measure(_ context.Context, plans []*nn.Plan) (times [][]float64, _ error) {
	c.calls++
	for _, p := range plans {
		var ns []float64
		for _, l := range p.Layers() {
			v, ok := c.ns[l.Impl]
			if !ok {
				v = 100
			}
			ns = append(ns, v)
		}
		times = append(times, ns)
	}
	return times, nil
}

func TestPickByTime(t *testing.T) {
	list, usual := others(t)
	slow := list[0]
	for _, c := range []struct {
		name        string
		ns          map[string]float64
		conv, dense string
	}{
		{"alike", nil, usual.FullName("conv2d"), usual.FullName("dot")},
		{"usual wins", map[string]float64{usual.FullName("conv2d"): 50}, usual.FullName("conv2d"), usual.FullName("dot")},
		{"another wins", map[string]float64{slow.FullName("conv2d"): 50}, slow.FullName("conv2d"), usual.FullName("dot")},
		{"wins by noise", map[string]float64{slow.FullName("conv2d"): 97.2, slow.FullName("dot"): 96.5}, usual.FullName("conv2d"), slow.FullName("dot")},
	} {
		clock := &clock{ns: c.ns}
		r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{measure: clock.measure})
		if err != nil {
			t.Fatal(err)
		}
		if got := []string{r.Layers[0].Picked, r.Layers[1].Picked}; got[0] != c.conv || got[1] != c.dense || clock.calls != 1 || !r.Measured {
			t.Errorf("%s: %v by %d measurements: want %s, %s by one", c.name, got, clock.calls, c.conv, c.dense)
		}
		plan, err := nn.Compile(twoLayers(t), nn.Options{Kernels: choose(t, ""), Picks: r.Picks})
		if err != nil {
			t.Fatal(err)
		}
		if l := plan.Layers(); l[0].Impl != c.conv || l[1].Impl != c.dense {
			t.Errorf("%s: the plan has %s, %s", c.name, l[0].Impl, l[1].Impl)
		}
		if n := len(r.Picks); (c.conv == usual.FullName("conv2d")) != (r.Picks["conv"].Impl == nil) || n > 1 {
			t.Errorf("%s: picks %v", c.name, r.Picks)
		}
	}
}

// The gain is the usual one's time over the picked one's, and is told.
func TestResultText(t *testing.T) {
	list, usual := others(t)
	clock := &clock{ns: map[string]float64{list[0].FullName("conv2d"): 50}}
	r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{measure: clock.measure})
	if err != nil {
		t.Fatal(err)
	}
	want := "conv by " + list[0].FullName("conv2d") + " (2.00 times as fast as " + usual.FullName("conv2d") + ")"
	if got := r.Text(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (&Result{Layers: r.Layers[1:]}).Text(); !strings.HasPrefix(got, "every layer is fastest") {
		t.Errorf("nothing picked: %q", got)
	}
}

func TestWinogradIsACandidateWhereAllowed(t *testing.T) {
	_, usual := others(t)
	name := usual.FullName("winograd4")
	for _, allowed := range []bool{false, true} {
		winograd := nn.WinogradExact
		if allowed {
			winograd = nn.WinogradAll
		}
		clock := &clock{ns: map[string]float64{name: 10}}
		r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, ""), Winograd: winograd}, Options{measure: clock.measure})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Layers[0].Picked == name; got != allowed {
			t.Errorf("winograd allowed %v: picked %s", allowed, r.Layers[0].Picked)
		}
	}
	// Direct beats Winograd, which is then the usual one.
	clock := &clock{ns: map[string]float64{usual.FullName("conv2d"): 10}}
	r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, ""), Winograd: nn.WinogradAll}, Options{measure: clock.measure})
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := r.Picks["conv"]; !ok || p.Winograd != 0 || r.Layers[0].Usual != name {
		t.Errorf("picks %v, usual %s: want the direct convolution instead of %s", r.Picks, r.Layers[0].Usual, name)
	}
}

func open(t *testing.T, dir string, id Identity, notice string) *Cache {
	t.Helper()
	c, got := OpenCache(dir, id)
	if (got == "") != (notice == "") || !strings.Contains(got, notice) {
		t.Errorf("notice %q, want %q", got, notice)
	}
	return c
}

// What the cache knows is not measured again; another machine or program is.
func TestCache(t *testing.T) {
	list, _ := others(t)
	dir, id := filepath.Join(t.TempDir(), "made"), Identity{"v1", "a CPU", "avx2"}
	clock := &clock{ns: map[string]float64{list[0].FullName("conv2d"): 50}}
	pick := func(c *Cache) Result {
		t.Helper()
		r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{Cache: c, measure: clock.measure})
		if err != nil || len(r.Notices) > 0 {
			t.Fatalf("%v, %q", err, r.Notices)
		}
		if r.Layers[0].Picked != list[0].FullName("conv2d") || r.Picks["conv"].Impl != list[0] {
			t.Errorf("picked %s", r.Layers[0].Picked)
		}
		return r
	}
	pick(open(t, dir, id, ""))
	if r := pick(open(t, dir, id, "")); clock.calls != 1 || r.Measured || !strings.Contains(r.Text(), "instead of") {
		t.Errorf("%d measurements, %q: want one, kept", clock.calls, r.Text())
	}
	pick(open(t, dir, Identity{"v2", "a CPU", "avx2"}, "another build"))
	if clock.calls != 2 {
		t.Errorf("another program: %d measurements, want 2", clock.calls)
	}
	pick(open(t, dir, Identity{"v2", "a CPU", "avx2 avx512"}, "")) // a file of its own
	if clock.calls != 3 {
		t.Errorf("another CPU: %d measurements, want 3", clock.calls)
	}
	pick(open(t, dir, Identity{"v2", "a CPU", "avx2"}, ""))
	if files, err := os.ReadDir(dir); clock.calls != 3 || err != nil || len(files) != 2 {
		t.Errorf("%d measurements, %d files, %v: want 3 and 2", clock.calls, len(files), err)
	}
}

// A cache that is no good is as if there were none, and is written anew.
func TestBrokenCache(t *testing.T) {
	list, _ := others(t)
	id := Identity{"v1", "a CPU", "avx2"}
	for name, c := range map[string]struct {
		content func(path string) error
		notice  string
	}{
		"empty":   {func(p string) error { return os.WriteFile(p, nil, 0o600) }, "ignored"},
		"no JSON": {func(p string) error { return os.WriteFile(p, []byte("{\"picks\": {"), 0o600) }, "ignored"},
		"wrong":   {func(p string) error { return os.WriteFile(p, []byte(`{"picks": [1, 2]}`), 0o600) }, "ignored"},
		"null":    {func(p string) error { return os.WriteFile(p, []byte(`null`), 0o600) }, "another CPU"},
		"foreign": {func(p string) error { return os.WriteFile(p, []byte(`{"cpu": "another"}`), 0o600) }, "another CPU"},
		"no picks": {func(p string) error {
			return os.WriteFile(p, []byte(`{"program":"v1","cpu":"a CPU","features":"avx2","picks":null}`), 0o600)
		}, ""},
		"huge":      {func(p string) error { return os.WriteFile(p, make([]byte, maxCacheBytes+1), 0o600) }, "more than"},
		"no folder": {func(p string) error { return nil }, ""},
	} {
		dir := t.TempDir()
		path := open(t, dir, id, "").path
		if err := c.content(path); err != nil {
			t.Fatal(err)
		}
		clock := &clock{}
		for i := range 2 {
			notice := c.notice
			if i == 1 {
				notice = ""
			}
			cache := open(t, dir, id, notice)
			if r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{Cache: cache, measure: clock.measure}); err != nil || len(r.Notices) > 0 {
				t.Errorf("%s: %v, %q", name, err, r.Notices)
			}
		}
		if clock.calls != 1 {
			t.Errorf("%s: %d measurements, want one", name, clock.calls)
		}
	}

	// An implementation that is not known: measured, not believed.
	dir := t.TempDir()
	cache := open(t, dir, id, "")
	clock := &clock{}
	for range 2 {
		for k := range cache.picks {
			cache.picks[k] = "conv2d/float32/nonsense"
		}
		if r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{Cache: cache, measure: clock.measure}); err != nil || r.Layers[0].Picked == "conv2d/float32/nonsense" {
			t.Errorf("%v, %v", err, r.Layers)
		}
	}
	if clock.calls != 2 {
		t.Errorf("%d measurements, want two", clock.calls)
	}

	// A folder that cannot be made: told, and picked all the same.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cache, _ = OpenCache(filepath.Join(file, "below"), id)
	clock.ns = map[string]float64{list[0].FullName("conv2d"): 50}
	r, err := Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{Cache: cache, measure: clock.measure})
	if err != nil || len(r.Notices) != 1 || r.Picks["conv"].Impl != list[0] {
		t.Errorf("%v, notices %q, picks %v", err, r.Notices, r.Picks)
	}

	// What is no file is not written to: a pipe without a reader would wait for ever.
	dir = t.TempDir()
	path := open(t, dir, id, "").path
	if err := os.Symlink(os.DevNull, path); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	cache = open(t, dir, id, "not a regular file")
	r, err = Pick(t.Context(), twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{Cache: cache, measure: clock.measure})
	if err != nil || len(r.Notices) != 1 || !strings.Contains(r.Notices[0], "not a regular file") {
		t.Errorf("%v, notices %q", err, r.Notices)
	}
}

// The real measurement times every layer of every plan that is not hopeless, and
// stops with its context.
func TestPasses(t *testing.T) {
	list, _ := others(t)
	var plans []*nn.Plan
	for _, im := range list {
		p, err := nn.Compile(twoLayers(t), nn.Options{Kernels: choose(t, "").With(im)})
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, p)
	}
	times, err := passes(t.Context(), plans)
	if err != nil {
		t.Fatal(err)
	}
	timed := 0
	for k, ns := range times {
		if ns == nil {
			continue
		}
		timed++
		for layer, v := range ns {
			if !(v > 0) || v > 1e9 {
				t.Errorf("%v, layer %d: %v ns", list[k], layer, v)
			}
		}
	}
	if timed == 0 {
		t.Error("no plan was timed to the end")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := Pick(ctx, twoLayers(t), nn.Options{Kernels: choose(t, "")}, Options{}); !errors.Is(err, stop) {
		t.Errorf("after the end of its context: %v", err)
	}
}

func TestHopelessPlans(t *testing.T) {
	best := [][]float64{{100, 100}, {301, 301}, {301, 299}, nil}
	for k, want := range []bool{false, true, false, false} {
		if got := slow(best, k); got != want {
			t.Errorf("plan %d: hopeless %v, want %v", k, got, want)
		}
	}
}

// Whatever the file holds, there is a cache, and picks are implementations that
// there are.
func FuzzCache(f *testing.F) {
	for _, s := range []string{"", "null", "{}", `{"program":"v1","cpu":"a CPU","features":"avx2","picks":{"a":"b"}}`, `{"picks":{"a":1}}`, "[[[[", `{"picks":null}`} {
		f.Add([]byte(s))
	}
	id := Identity{"v1", "a CPU", "avx2"}
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		c, _ := OpenCache(dir, id)
		if err := os.WriteFile(c.path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c, _ = OpenCache(dir, id)
		c.set("key", "name")
		if c.get("key") != "name" {
			t.Error("the cache forgets")
		}
		if err := c.save(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// fewBits is a convolution of weights ±1 on inputs of two bits, and one of int8.
func fewBits(t *testing.T) *graph.Graph {
	t.Helper()
	b := graph.New("few bits", "in", graph.Shape{32, 8, 8})
	x := b.Add("clip", &graph.Clip{Hi: 3}, b.Input())
	x.Scale = 1
	for _, name := range []string{"narrow", "wide"} {
		conv := &graph.Conv2D{InC: 32, OutC: 32, KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1, Groups: 1}
		conv.Int8, conv.Float, conv.Scale = make([]int8, 32*32*9), make([]float32, 32*32*9), []float32{1}
		for i := range conv.Int8 {
			conv.Int8[i] = int8(i*i%3&1)*2 - 1
			if name == "wide" {
				conv.Int8[i] = int8(i*i%101 - 50)
			}
			conv.Float[i] = float32(conv.Int8[i])
		}
		x = b.Add(name, conv, x)
		x = b.Add(name+"clip", &graph.Clip{Hi: 3}, x)
		x.Scale = 1
	}
	g, err := b.Graph(x)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Bits are a candidate where they are few, on both sides: whoever is faster is picked.
func TestBitSerialIsACandidate(t *testing.T) {
	choice := choose(t, "")
	serial, bytewise := choice.For(dtype.Binary).FullName("bitserial"), choice.For(dtype.Int8).FullName("conv2d")
	usual, err := nn.Compile(fewBits(t), nn.Options{Kernels: choice})
	if err != nil {
		t.Fatal(err)
	}
	for _, faster := range []string{serial, bytewise} {
		clock := &clock{ns: map[string]float64{faster: 10}}
		wide := bytewise
		if faster == serial {
			wide = usual.Layers()[1].Impl // nothing is faster
		}
		dir := t.TempDir()
		for turn := range 2 { // the second time from the cache
			r, err := Pick(t.Context(), fewBits(t), nn.Options{Kernels: choice}, Options{Cache: open(t, dir, Identity{"v1", "a CPU", "all"}, ""), measure: clock.measure})
			if err != nil || clock.calls != 1 {
				t.Fatal(err, clock.calls)
			}
			if r.Layers[0].Picked != faster || r.Layers[1].Picked != wide {
				t.Errorf("turn %d, %s is faster: picked %s, %s", turn, faster, r.Layers[0].Picked, r.Layers[1].Picked)
			}
			plan, err := nn.Compile(fewBits(t), nn.Options{Kernels: choice, Picks: r.Picks})
			if err != nil {
				t.Fatal(err)
			}
			if l := plan.Layers(); l[0].Impl != faster || l[1].Impl != wide {
				t.Errorf("turn %d, %s is faster: the plan has %s, %s", turn, faster, l[0].Impl, l[1].Impl)
			}
		}
	}
}

// A layer's time has in it that its input is taken apart into bits.
func TestPassesCountPlanes(t *testing.T) {
	choice := choose(t, "")
	p, err := nn.Compile(fewBits(t), nn.Options{Kernels: choice, Picks: map[string]nn.Pick{"narrow": {Impl: choice.For(dtype.Int8), BitSerial: choice.For(dtype.Binary)}}})
	if err != nil {
		t.Fatal(err)
	}
	profiler, err := p.NewProfiler()
	if err != nil {
		t.Fatal(err)
	}
	var readers []int
	for _, st := range profiler.Steps() {
		if st.Kind == "planes" {
			readers = append(readers, st.Reader)
		} else if st.Reader != -1 {
			t.Errorf("%s %s feeds layer %d", st.Kind, st.Name, st.Reader)
		}
	}
	if len(readers) != 1 || readers[0] != 0 {
		t.Errorf("planes are read by %v: want layer 0", readers)
	}
}
