package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"macroscope/models"
)

var update = flag.Bool("update", false, "write what scripts compare with anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"macroscope": main})
}

// TestScripts runs every testdata/script/*.txtar: commands, files and what must
// come out. New verbs add scripts named after them.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			// The race detector sleeps a second before each exit otherwise.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			networks, err := filepath.Abs(filepath.Join("..", "..", "models"))
			e.Setenv("NETWORKS", networks) // the shipped ONNX files
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exitcode":  cmdExitCode,
			"cifardata": cmdCIFARData,
			"pictures":  cmdPictures,

			"samecorrect": cmdSameCorrect,
		},
	})
}

// cmdExitCode runs a program and checks its exit code and that it complained in
// a single line:
//
//	exitcode 2 macroscope nonsense
func cmdExitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE PROGRAM [ARGUMENT...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = "signal"
		var exit interface{ ExitCode() int }
		if errors.As(err, &exit) {
			code = string(rune('0' + exit.ExitCode()))
		}
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
	if text := strings.TrimSuffix(ts.ReadFile("stderr"), "\n"); strings.Contains(text, "\n") && code != "0" {
		ts.Fatalf("more than one line on stderr")
	}
}

// cmdCIFARData writes a folder of CIFAR-10 files that all hold the built-in sample:
//
//	cifardata DIR
func cmdCIFARData(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: cifardata DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o777))
	for _, name := range []string{"test_batch", "data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"} {
		ts.Check(os.WriteFile(filepath.Join(dir, name+".bin"), models.Sample(), 0o666))
	}
}

func TestRunWithCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	dir := t.TempDir()
	var stdout, stderr strings.Builder
	if code := run(ctx, &stdout, &stderr, []string{"data", dir}); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if got := stderr.String(); !strings.HasPrefix(got, "macroscope: ") || strings.Count(got, "\n") != 1 {
		t.Errorf("stderr %q, want one line", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("folder holds %v (%v), want nothing", entries, err)
	}
}

func TestReportIsOneLine(t *testing.T) {
	tests := []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{errors.New("a:\n\tb"), 1, "macroscope: a: b\n"},
		{usageError{errors.New("no")}, 2, "macroscope: no\n"},
	}
	for _, tt := range tests {
		var b strings.Builder
		if code := report(&b, tt.err); code != tt.code || b.String() != tt.want {
			t.Errorf("%v: code %d, %q; want %d, %q", tt.err, code, b.String(), tt.code, tt.want)
		}
	}
}

func TestWarningsAreBounded(t *testing.T) {
	var b strings.Builder
	(&env{stderr: &b}).warn(make([]string, 1000)...)
	if n := strings.Count(b.String(), "\n"); n != maxWarnings+1 {
		t.Errorf("%d lines, want %d and one that counts the rest", n, maxWarnings)
	}
}

func TestProgressDraws(t *testing.T) {
	var b strings.Builder
	p := &progress{w: &b, width: 60}
	p.set(5, 20, "round 1 of 10"+strings.Repeat("µ", 100))
	p.done()
	if got := b.String(); !strings.Contains(got, "25 %") || !strings.Contains(got, "round 1 of 10") || strings.Contains(got, strings.Repeat("µ", 30)) {
		t.Errorf("drew %q", got)
	}
	p.done()
}

func TestProgressIsSilentOffATerminal(t *testing.T) {
	var b strings.Builder
	p := (&env{stderr: &b}).progress()
	p.set(1, 2, "x")
	p.done()
	if b.Len() != 0 {
		t.Errorf("wrote %q to something that is no terminal", b.String())
	}
}
