// Package rtl has the accelerators in Verilog (folder verilog) and runs them
// through Icarus Verilog: the tier of the simulator that computes nothing by a
// formula. A run takes operands, and returns the sums and the clock cycles that
// the machine took; tests hold both against the closed forms and the stepped
// machine of package systolic.
//
// Icarus and not Verilator, because most of the work is many small arrays, each
// with parameters of its own: Icarus elaborates one in some 30 ms, where
// Verilator writes C++ that then has to be compiled. It simulates about a
// million element cycles in three seconds.
package rtl

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed verilog/*.v
var sources embed.FS

// ErrAbsent says that there is no Icarus Verilog.
var ErrAbsent = errors.New("no Icarus Verilog: want iverilog and vvp in the PATH (package iverilog)")

// Icarus is an installed Icarus Verilog.
type Icarus struct {
	compiler, runner string // paths of iverilog and vvp
}

// Find looks for Icarus Verilog in the PATH; the error is ErrAbsent where it
// is not.
func Find() (*Icarus, error) {
	compiler, err := exec.LookPath("iverilog")
	if err != nil {
		return nil, ErrAbsent
	}
	runner, err := exec.LookPath("vvp")
	if err != nil {
		return nil, ErrAbsent
	}
	return &Icarus{compiler, runner}, nil
}

// parameter is a parameter of a test bench.
type parameter struct {
	name  string
	value int64
}

// simulate compiles the test bench top with its parameters, runs it on the
// input that write produces and hands its output to read.
func (ic *Icarus) simulate(ctx context.Context, top string, params []parameter, write func(io.Writer) error, read func(io.Reader) error) error {
	dir, err := os.MkdirTemp("", "macroscope-rtl-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	names, err := unpack(dir)
	if err != nil {
		return err
	}
	args := []string{"-g2005", "-s", top, "-o", "bench"}
	for _, p := range params {
		args = append(args, fmt.Sprintf("-P%s.%s=%d", top, p.name, p.value))
	}
	if err := command(ctx, dir, ic.compiler, append(args, names...)...); err != nil {
		return err
	}
	in, err := os.Create(filepath.Join(dir, "in"))
	if err != nil {
		return err
	}
	if err := errors.Join(write(in), in.Close()); err != nil {
		return err
	}
	if err := command(ctx, dir, ic.runner, "-n", "bench", "+in=in", "+out=out"); err != nil {
		return err
	}
	out, err := os.Open(filepath.Join(dir, "out"))
	if err != nil {
		return err
	}
	defer out.Close()
	return read(out)
}

// unpack writes the Verilog files into dir and returns their names.
func unpack(dir string) ([]string, error) {
	entries, err := sources.ReadDir("verilog")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		text, err := sources.ReadFile("verilog/" + e.Name())
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), text, 0o600); err != nil {
			return nil, err
		}
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names, nil
}

// command runs a program in dir. The test benches print only what went wrong,
// so anything printed is an error.
func command(ctx context.Context, dir, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	var printed bytes.Buffer
	c.Stdout, c.Stderr = &printed, &printed
	err := c.Run()
	text := strings.TrimSpace(printed.String())
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, text)
	case text != "":
		return fmt.Errorf("%s: %s", filepath.Base(name), text)
	}
	return nil
}
