package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"macroscope/kernels"
	"macroscope/reports"
)

type reportCmd struct {
	Output    string        `short:"o" default:"out/report" help:"Folder for report.html, report.md, report.json and bench.txt; it is made if need be." placeholder:"DIR"`
	Data      string        `help:"Folder with the CIFAR-10 test file. Without it: the built-in sample of 1,000 test images." placeholder:"DIR"`
	Count     int           `default:"30" help:"How often each case is measured; 6 or more give a confidence interval."`
	Benchtime time.Duration `default:"20ms" help:"How long one measurement lasts."`
	Impl      []string      `help:"Measure only these implementations, beside generic and the chosen ones." placeholder:"NAME"`
	Filter    string        `help:"Measure only cases whose name matches; the rest is shown as not measured." placeholder:"REGEXP"`
	Limit     int           `help:"Count right answers on the first N images only; 0 is all." placeholder:"N"`
}

// Help is the longer text of macroscope report --help.
func (*reportCmd) Help() string {
	return `Measures this CPU's kernels and the CIFAR-10 network in float32, int8 and binary, estimates the same network on the shipped accelerator designs, and writes one self-contained HTML page, the same as Markdown, every number as JSON, and the measurements in the Go benchmark format. It takes about a minute. Ctrl-C leaves nothing half-written.`
}

func (c *reportCmd) Run(e *env) error {
	switch {
	case c.Count < 1 || c.Benchtime <= 0:
		return usageError{fmt.Errorf("--count %d, --benchtime %v: want at least 1 and more than 0", c.Count, c.Benchtime)}
	case c.Limit < 0:
		return usageError{fmt.Errorf("--limit %d: want at least 0", c.Limit)}
	}
	options := reports.Options{
		Data: c.Data, Limit: c.Limit, Rounds: c.Count, BenchTime: c.Benchtime, Impls: c.Impl, Command: c.command(),
	}
	if c.Filter != "" {
		var err error
		if options.Filter, err = regexp.Compile(c.Filter); err != nil {
			return usageError{fmt.Errorf("--filter: %w", err)}
		}
	}
	folder, err := reports.OpenFolder(c.Output)
	if err != nil {
		return err
	}
	r, paths, err := c.collect(e, folder, options)
	if err != nil {
		folder.Discard()
		var option *reports.OptionError
		if errors.As(err, &option) {
			return usageError{err}
		}
		if e.ctx.Err() != nil {
			return fmt.Errorf("no report written: %w", err)
		}
		return err
	}
	e.warn(r.Warnings...)
	if err := r.WriteSummary(e.stdout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "\nreport: %s (in %.0f s)\n", strings.Join(paths, ", "), r.Seconds)
	return err
}

func (c *reportCmd) collect(e *env, folder *reports.Folder, o reports.Options) (*reports.Report, []string, error) {
	bar := e.progress()
	defer bar.done()
	r, err := reports.Collect(e.ctx, o, bar.set)
	if err != nil {
		return nil, nil, err
	}
	paths, err := folder.Write(e.ctx, r)
	return r, paths, err
}

// command is what makes the same report again.
func (c *reportCmd) command() string {
	words := []string{"macroscope", "report"}
	if env := os.Getenv(kernels.EnvVar); env != "" {
		words = append([]string{kernels.EnvVar + "=" + quoted(env)}, words...)
	}
	add := func(flag, value string) { words = append(words, flag, quoted(value)) }
	if c.Output != "out/report" {
		add("-o", c.Output)
	}
	if c.Data != "" {
		add("--data", c.Data)
	}
	if c.Count != 30 {
		add("--count", fmt.Sprint(c.Count))
	}
	if c.Benchtime != 20*time.Millisecond {
		add("--benchtime", c.Benchtime.String())
	}
	if len(c.Impl) > 0 {
		add("--impl", strings.Join(c.Impl, ","))
	}
	if c.Filter != "" {
		add("--filter", c.Filter)
	}
	if c.Limit != 0 {
		add("--limit", fmt.Sprint(c.Limit))
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell takes it.
func quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\"'\\$`*?[]{}()|&;<>#~!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
