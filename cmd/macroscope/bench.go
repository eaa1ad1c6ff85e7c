package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"macroscope/bench"
	"macroscope/internal/atomicfile"
	"macroscope/kernels"
)

type benchCmd struct {
	Filter    string        `help:"Only cases whose name matches, for example 'Network|impl=avx2'; the peaks that they need come along." placeholder:"REGEXP"`
	Model     string        `default:"cifar10cnn" help:"The built-in network whose layers are measured."`
	Count     int           `default:"10" help:"How often each case is measured; 6 or more give a confidence interval."`
	Benchtime time.Duration `default:"20ms" help:"How long one measurement lasts."`
	Seed      uint64        `default:"1" help:"Decides the order of cases within the rounds."`
	List      bool          `help:"Print the names of the cases and measure nothing."`
	Output    string        `short:"o" help:"File to write in the Go benchmark format; the table goes to the standard output." placeholder:"FILE"`
}

// Help is the longer text of macroscope bench --help.
func (*benchCmd) Help() string {
	return `Every round measures every case once, in a shuffled order, after a warm-up. On a terminal, or with -o, it shows a table: the median with its 95% confidence interval, the best run, and the percentage of the peak measured in the same round. Else, and in the file, it writes the Go benchmark format with the machine's description, which macroscope compare and benchstat read. After Ctrl-C the complete rounds are kept.`
}

func (c *benchCmd) Run(e *env) error {
	if c.Count < 1 || c.Benchtime <= 0 {
		return usageError{fmt.Errorf("--count %d, --benchtime %v: want at least 1 and more than 0", c.Count, c.Benchtime)}
	}
	cases, err := c.cases()
	if err != nil {
		return err
	}
	if c.List {
		for _, k := range cases {
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
	all, err := bench.AllCases(c.Model)
	if err != nil {
		return nil, usageError{err}
	}
	needed := map[string]bool{}
	for _, k := range all {
		if re.MatchString(k.Name) {
			needed[k.Name], needed[k.Peak] = true, true
		}
	}
	kept := slices.DeleteFunc(all, func(k bench.Case) bool { return !needed[k.Name] })
	if len(kept) == 0 {
		return nil, usageError{fmt.Errorf("--filter %q: no case matches; macroscope bench --list shows their names", c.Filter)}
	}
	return kept, nil
}
