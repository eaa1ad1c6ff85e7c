package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"macroscope/dtype"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/ptq"
)

// A tuned network is planned from what is kept; what is forced is not measured.
func TestTune(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	t.Setenv("HOME", dir)
	t.Setenv("LocalAppData", dir)
	t.Setenv(kernels.EnvVar, "int8=generic")
	g, err := LoadNetwork("cifar10cnn", dtype.Int8, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tune := func(want string) {
		t.Helper()
		plan, notices, err := Tune(t.Context(), "net", g, nn.Options{})
		if err != nil || plan == nil || len(notices) != 1 || !strings.HasPrefix(notices[0], want) {
			t.Errorf("%v, %q, %v: want one notice, %q", plan, notices, err, want)
		}
	}
	tune("net is not tuned: MACROSCOPE_KERNELS=int8=generic forces")
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("forced, and %d files written, %v", len(files), err)
	}
	t.Setenv(kernels.EnvVar, "")
	tune("net tuned: ")
	tune("net tuned: ")
	files, err := filepath.Glob(filepath.Join(dir, "macroscope", "tuning-*.json"))
	several := 0
	for _, im := range Available() {
		if im.DType() == dtype.Int8 {
			several++
		}
	}
	if runtime.GOOS == "linux" && several > 1 && (err != nil || len(files) != 1) {
		t.Errorf("kept in %v, %v: want one file", files, err)
	}
}

func TestBuild(t *testing.T) {
	clean := Machine{Commit: "0123", GoVersion: "go1"}
	other := Machine{Commit: "0124", GoVersion: "go1"}
	dirty := Machine{Commit: "0123+dirty", GoVersion: "go1"}
	if clean.build() == other.build() || clean.build() == dirty.build() || dirty.build() != (Machine{}).build() {
		t.Errorf("builds %q, %q, %q, %q: want a commit's own name, else the file's", clean.build(), other.build(), dirty.build(), Machine{}.build())
	}
}

// A case is prepared once, before it is measured; notices come once each, and an
// error ends the run.
func TestRunPrepares(t *testing.T) {
	f := &fake{}
	var prepared, failing int
	lazy := func(name string) Case {
		c := f.constant(name, time.Microsecond)
		run := c.Run
		c.Run = nil
		ready := &c
		measured := func(n int) { ready.Run(n) }
		return Case{Name: name, Run: measured, Prepare: func(context.Context) ([]string, error) {
			prepared++
			ready.Run = run
			return []string{"ready"}, nil
		}}
	}
	rep, err := Run(t.Context(), []Case{lazy("BenchmarkA/impl=x"), lazy("BenchmarkB/impl=x")}, RunOptions{Rounds: 2, BenchTime: time.Millisecond, now: f.now})
	if err != nil || prepared != 2 || len(rep.Notices) != 1 || rep.Notices[0] != "ready" || len(rep.Results) != 4 {
		t.Errorf("%v, %d prepared, notices %q, %d results: want 2, one, 4", err, prepared, rep.Notices, len(rep.Results))
	}
	stop := errors.New("stop")
	c := f.constant("BenchmarkC/impl=x", time.Microsecond)
	c.Prepare = func(context.Context) ([]string, error) { failing++; return nil, stop }
	if _, err := Run(t.Context(), []Case{c}, RunOptions{now: f.now}); !errors.Is(err, stop) || failing != 1 {
		t.Errorf("%v after %d preparations: want the first one's error", err, failing)
	}
}
