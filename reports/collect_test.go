package reports

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/kernels"
)

// quick is a report of few cases.
func quick(filter string) Options {
	return Options{Rounds: 1, BenchTime: time.Millisecond, Limit: 20, Filter: regexp.MustCompile(filter), Command: "macroscope report"}
}

func TestCollect(t *testing.T) {
	last := 0
	r, err := Collect(t.Context(), quick(`Dot/dtype=int8`), func(done, total int, what string) {
		if done < last || done > total || what == "" {
			t.Errorf("progress %d of %d, %q, after %d", done, total, what, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if last < progressMeasure {
		t.Errorf("progress ended at %d", last)
	}
	if len(r.Ops) == 0 || r.Ops[0].Impl != "generic" || r.Ops[0].DType != dtype.Int8 || !(r.Ops[0].GMACs.Median > 0) || r.Ops[0].Speedup != nil {
		t.Errorf("ops %+v", r.Ops)
	}
	for _, m := range r.Ops[1:] {
		if m.Speedup == nil || m.Speedup.Lo.known() {
			t.Errorf("%s: speed-up %v: want one, without an interval", m.Impl, m.Speedup)
		}
	}
	if r.Rounds != 1 || len(r.Runs) != 0 || len(r.Convs) != 0 {
		t.Errorf("%d rounds, %d networks, %d layers: want 1, 0, 0", r.Rounds, len(r.Runs), len(r.Convs))
	}
	if len(r.Networks) != 4 {
		t.Fatalf("%d networks", len(r.Networks))
	}
	for _, n := range r.Networks {
		bytes, macs := 0, int64(0)
		for _, l := range n.Layers {
			bytes += l.WeightBytes
			macs += l.MACs
		}
		if bytes != n.WeightBytes || macs != n.MACs || n.Timed() {
			t.Errorf("%s: layers have %d bytes, %d MACs, the network %d, %d; timed %v", n.title(), bytes, macs, n.WeightBytes, n.MACs, n.Timed())
		}
		if a := n.Accuracy; a == nil || a.Images != 20 || a.Correct < 8 || a.Hi < a.Top1 || a.Lo > a.Top1 {
			t.Errorf("%s: accuracy %+v", n.title(), n.Accuracy)
		}
	}
	if r.FloatBytesWithBN != 4*309290 {
		t.Errorf("%d bytes of float32 with batch norm, want 1,237,160", r.FloatBytesWithBN)
	}
	if im := r.Images; im.Count != 20 || im.Of != 1000 || !strings.Contains(im.Note, "20 of 1,000") {
		t.Errorf("images %+v", im)
	}

	dir := filepath.Join(t.TempDir(), "report")
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	checkFiles(t, dir, r)
}

// checkFiles reads back what was written.
func checkFiles(t *testing.T, dir string, r *Report) {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	checkPage(t, read("report.html"))
	var again Report
	if err := json.Unmarshal([]byte(read("report.json")), &again); err != nil {
		t.Fatal(err)
	}
	if render(t, again.WriteMarkdown) != read("report.md") {
		t.Error("report.json does not hold all that report.md says")
	}
	c, err := bench.Compare([]string{filepath.Join(dir, "bench.txt")}, bench.CompareOptions{})
	if err != nil || len(c.Warnings) > 0 || len(c.Tables) == 0 {
		t.Errorf("bench.txt: %v, %v", c, err)
	}
	for _, name := range fileNames {
		for _, bad := range []string{"NaN", "%!"} {
			if strings.Contains(read(name), bad) {
				t.Errorf("%s holds %q", name, bad)
			}
		}
	}
	if r.Seconds <= 0 || !strings.HasSuffix(r.Time, "Z") {
		t.Errorf("took %v s at %s", r.Seconds, r.Time)
	}
}

// A whole network and its layers: what is left of the one after the others.
func TestCollectNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("times whole networks in plain Go")
	}
	o := quick(`Network|Layers`)
	o.Rounds = 6
	o.Impls = []string{"generic"}
	r, err := Collect(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dtype.All {
		n := r.Network(d, "")
		// Without assembly nothing has a peak to be compared with.
		peaks := slices.ContainsFunc(kernels.Table(), func(im *kernels.Impl) bool { return im.DType() == d && im.Available() && im.Peak() != nil })
		if !n.Timed() || n.KernelPart == nil || n.MaxSpeedup == nil || (n.TimesPeak != nil) != peaks || !(n.stepsSeconds() > 0) {
			t.Fatalf("%v: latency %v, kernel %v %%, at most %v, of peaks %v, steps %v", d, n.Latency, n.KernelPart, n.MaxSpeedup, n.TimesPeak, n.Steps)
		}
		layers := 0
		for _, st := range n.Steps {
			if st.Layer {
				layers++
			}
			if st.Seconds == nil || st.Moved == nil || st.Layer != (st.GMACs != nil) {
				t.Errorf("%v: step %+v", d, st)
			}
		}
		if layers != len(n.Layers) {
			t.Errorf("%v: %d layers timed of %d", d, layers, len(n.Layers))
		}
		if !n.Latency.Lo.known() || n.Latency.Lo > n.Latency.Median || n.Latency.Hi < n.Latency.Median {
			t.Errorf("%v: latency %+v", d, *n.Latency)
		}
		if (n.VsFloat == nil) != (d == dtype.Float32) {
			t.Errorf("%v: over float32 %v", d, n.VsFloat)
		}
	}
	gains := 0
	for _, design := range r.Designs {
		for _, e := range design.Estimates {
			switch {
			case (e.Detail == nil) != (e.Refused != ""):
				t.Errorf("%s, %v: %v, %q", design.Name, e.DType, e.Detail, e.Refused)
			case e.Detail != nil:
				gains++
				cpu := float64(r.timed(e.DType).Median) * 1e6
				if e.Gain == nil || e.CPUImpl != r.chosen(e.DType) || float64(e.Gain.Ratio) < 0.999*cpu/e.Detail.Total.TimeUS.Value || float64(e.Gain.Ratio) > 1.001*cpu/e.Detail.Total.TimeUS.Value {
					t.Errorf("%s, %v: gain %v, want %v µs over %v µs", design.Name, e.DType, e.Gain, cpu, e.Detail.Total.TimeUS.Value)
				}
			}
		}
	}
	if gains < 7 {
		t.Errorf("%d estimates, want those of three designs", gains)
	}
	checkPage(t, render(t, r.WriteHTML))
}

func TestCollectStops(t *testing.T) {
	stop := errors.New("stop")
	points := []int{0, progressMeasure / 2, progressMeasure}
	if testing.Short() {
		points = points[2:]
	}
	for _, at := range points {
		ctx, cancel := context.WithCancelCause(t.Context())
		r, err := Collect(ctx, quick(`Dot/dtype=int8`), func(done, total int, what string) {
			if done >= at {
				cancel(stop)
			}
		})
		if r != nil || !errors.Is(err, stop) {
			t.Errorf("stopped at %d: %v, %v", at, r, err)
		}
	}
}

// What is wrong is found out before anything is measured.
func TestCollectRefuses(t *testing.T) {
	progress := func(_, _ int, what string) { t.Errorf("measured %s", what) }
	for _, tt := range []struct {
		o      Options
		option bool
		want   string
	}{
		{Options{Impls: []string{"nonsense"}}, true, `implementation "nonsense": want generic`},
		{Options{Filter: regexp.MustCompile("nothing at all")}, true, "no case matches"},
		{Options{Model: "none"}, false, `model "none"`},
	} {
		_, err := Collect(t.Context(), tt.o, progress)
		var option *OptionError
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, &option) != tt.option {
			t.Errorf("%+v: %v, want %q", tt.o, err, tt.want)
		}
	}
}

func TestAffordable(t *testing.T) {
	slow := func(seconds float64) *Report {
		r := &Report{}
		for _, d := range dtype.All {
			r.Networks = append(r.Networks, Network{DType: d, Latency: bare(seconds)})
		}
		return r
	}
	if n := slow(1e-3).affordable(1000); n != 1000 {
		t.Errorf("fast kernels: %d images", n)
	}
	if n := slow(0.5).affordable(10000); n < 100 || n >= 10000 || n%100 != 0 {
		t.Errorf("slow kernels: %d images", n)
	}
	if n := slow(1e6).affordable(1000); n != minImages {
		t.Errorf("very slow kernels: %d images", n)
	}
	if n := slow(1e6).affordable(20); n != 20 {
		t.Errorf("few images: %d", n)
	}
	if n := (&Report{}).affordable(1000); n != 1000 {
		t.Errorf("nothing timed: %d images", n)
	}
}
