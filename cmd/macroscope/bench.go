package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/internal/atomicfile"
	"macroscope/kernels"
)

type benchCmd struct {
	Filter    string        `help:"Only cases whose name matches, for example 'Network|impl=avx2'; the peaks that they need come along." placeholder:"REGEXP"`
	Model     string        `default:"cifar10cnn" help:"The network whose layers are measured: a built-in name, an ONNX or a TFLite file, which is measured alone, as it is."`
	Count     int           `default:"10" help:"How often each case is measured; 6 or more give a confidence interval."`
	Benchtime time.Duration `default:"20ms" help:"How long one measurement lasts."`
	Seed      uint64        `default:"1" help:"Decides the order of cases within the rounds."`
	Layers    bool          `help:"Show where the time of one inference goes: layer by layer, kernel, epilogue, pool and packing, bytes moved."`
	DType     string        `name:"dtype" help:"With --layers: only this number format." placeholder:"FORMAT"`
	Impl      string        `help:"With --layers: by this implementation instead of the chosen one." placeholder:"NAME"`
	shapeFlags
	List   bool   `help:"Print the names of the cases and measure nothing."`
	Output string `short:"o" help:"File to write in the Go benchmark format; the table goes to the standard output." placeholder:"FILE"`
}

// Help is the longer text of macroscope bench --help.
func (*benchCmd) Help() string {
	return `Every round measures every case once, in a shuffled order, after a warm-up. On a terminal, or with -o, it shows a table: the median with its 95% confidence interval, the best run, and the percentage of the peak measured in the same round. Else, and in the file, it writes the Go benchmark format with the machine's description, which macroscope compare and benchstat read. After Ctrl-C the complete rounds are kept.

--layers shows a table a format, and of float32 and int8 also one by Winograd's algorithm, where it suits a layer: each step of one inference on one thread, timed among the others; of a layer also what goes into its kernel (products and sums), its epilogue (bias, ReLU, requantization, thresholds, storing), its pool, and the packing of values for their reader. With Winograd the packing is the transform of the input, the epilogue that of the sums. Parts are told apart by twins of the kernel that leave one out. Weights are packed once, before. B moved counts each byte of input, weights and output once.`
}

func (c *benchCmd) Run(e *env) error {
	if c.Count < 1 || c.Benchtime <= 0 {
		return usageError{fmt.Errorf("--count %d, --benchtime %v: want at least 1 and more than 0", c.Count, c.Benchtime)}
	}
	if !c.Layers && (c.DType != "" || c.Impl != "") {
		return usageError{errors.New("--dtype and --impl go with --layers: for other cases take --filter 'dtype=int8/impl=avx2'")}
	}
	cases, err := c.cases()
	if err != nil {
		return err
	}
	if c.List {
		for _, k := range withParts(cases) {
			if _, err := fmt.Fprintln(e.stdout, k.Name); err != nil {
				return err
			}
		}
		return nil
	}
	choice, err := kernels.Default()
	if err != nil {
		return usageError{err}
	}
	m := bench.DescribeMachine()
	m.Kernels = choice.String()
	e.warn(m.Warnings()...)
	var file *atomicfile.File // made before measuring: a bad path must not cost the results
	if c.Output != "" {
		if file, err = atomicfile.Create(context.WithoutCancel(e.ctx), c.Output); err != nil {
			return err
		}
		defer file.Abort()
	}
	bar := e.progress()
	report, err := bench.Run(e.ctx, cases, bench.RunOptions{
		Rounds: c.Count, BenchTime: c.Benchtime, Seed: c.Seed,
		Progress: func(p bench.Progress) { bar.set(p.Done, p.Total, p.Case) },
	})
	bar.done()
	e.warn(report.Warnings...)
	for _, n := range report.Notices {
		e.note("%s", n)
	}
	if err != nil && report.Rounds == 0 {
		return err
	}
	write := func(w io.Writer) error {
		return bench.NewWriter(w, m.Settings()).Write(report.Results...)
	}
	if file != nil {
		if werr := write(file); werr != nil {
			return werr
		}
		if werr := file.Commit(); werr != nil {
			return werr
		}
	}
	show := write
	if file != nil || terminalWidth(e.stdout) > 0 {
		show = func(w io.Writer) error { return bench.WriteSummary(w, report.Results) }
	}
	if c.Layers {
		show = func(w io.Writer) error { return bench.WriteLayers(w, report.Results) }
	}
	if werr := show(e.stdout); werr != nil {
		return werr
	}
	if err != nil {
		return fmt.Errorf("%d of %d rounds kept: %w", report.Rounds, c.Count, err)
	}
	return nil
}

// cases are those that the filter keeps, and the peaks that these refer to.
func (c *benchCmd) cases() ([]bench.Case, error) {
	re, err := regexp.Compile(c.Filter)
	if err != nil {
		return nil, usageError{fmt.Errorf("--filter: %w", err)}
	}
	all, err := c.candidates()
	if err != nil {
		return nil, usageError{err}
	}
	needed := map[string]bool{}
	for _, k := range all {
		matches := func(k bench.Case) bool { return re.MatchString(k.Name) }
		whole := !c.Layers || len(k.Parts) > 0 // of layers, peaks only come along
		if whole && matches(k) || slices.ContainsFunc(k.Parts, matches) {
			needed[k.Name] = true
			for _, part := range withParts([]bench.Case{k}) {
				needed[part.Peak] = true
			}
		}
	}
	kept := slices.DeleteFunc(all, func(k bench.Case) bool { return !needed[k.Name] })
	if len(kept) == 0 {
		return nil, usageError{fmt.Errorf("--filter %q: no case matches; macroscope bench --list shows their names", c.Filter)}
	}
	return kept, nil
}

// candidates are the cases that there are.
func (c *benchCmd) candidates() ([]bench.Case, error) {
	file := isFile(c.Model)
	if !file && !c.Layers {
		return bench.AllCases(c.Model)
	}
	networks, err := c.networks()
	if err != nil {
		return nil, err
	}
	var cases []bench.Case
	if c.Layers {
		cases, err = bench.LayerCases(networks, c.Impl)
	} else {
		cases, err = bench.NetworkCases(networks)
	}
	if err != nil {
		return nil, err
	}
	return append(bench.PeakCases(), cases...), nil
}

// networks are those to measure, of --dtype where it is given.
func (c *benchCmd) networks() ([]*bench.Network, error) {
	var networks []*bench.Network
	if isFile(c.Model) {
		g, err := c.readModel(c.Model)
		if err != nil {
			return nil, err
		}
		n, err := bench.NewNetwork(g)
		if err != nil {
			return nil, err
		}
		networks = append(networks, n)
	} else {
		var err error
		if networks, err = bench.BuiltinNetworks(c.Model); err != nil {
			return nil, err
		}
	}
	if c.DType == "" {
		return networks, nil
	}
	d, err := dtype.Parse(c.DType)
	if err != nil {
		return nil, err
	}
	kept := slices.DeleteFunc(slices.Clone(networks), func(n *bench.Network) bool { return n.DType != d })
	if len(kept) == 0 {
		return nil, fmt.Errorf("--dtype %v: %s is %v as it is; macroscope quantize makes int8 of a float32 network", d, c.Model, networks[0].DType)
	}
	return kept, nil
}

// withParts lists cases with their parts before them, as their results come.
func withParts(cases []bench.Case) (list []bench.Case) {
	for _, k := range cases {
		list = append(append(list, k.Parts...), k)
	}
	return list
}
