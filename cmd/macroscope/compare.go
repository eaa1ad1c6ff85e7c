package main

import "macroscope/bench"

type compareCmd struct {
	Files  []string `arg:"" name:"file" help:"Files in the Go benchmark format; label=path names one; - is the standard input."`
	By     string   `help:"What the columns are: machine (each file is one) or a key of the benchmarks' names such as impl or dtype. Default: machine for several files, impl for one." placeholder:"KEY"`
	Base   string   `help:"The column that the others are held against. Default: the first, or generic among impls." placeholder:"COLUMN"`
	Filter string   `help:"Keep only these results, in benchstat's syntax, for example '/dtype:int8 .unit:GMAC/s'." placeholder:"EXPR"`
	Output string   `short:"o" enum:"text,csv,md,json" default:"text" help:"Format: text, csv, md or json." placeholder:"FORMAT"`
}

// Help is the longer text of macroscope compare --help.
func (*compareCmd) Help() string {
	return `Shown are the median with its 95% confidence interval, the ratio to the base (x 2.00 is twice as fast, or half the bytes), the p-value of the Mann-Whitney U test with the number of measurements on both sides, and a verdict. A ~ stands where the difference is no more than noise, a ! where the median is more than 1.1 times worse than the best run. The geometric mean covers only cases that both sides have. Lines that cannot be read give a warning.`
}

func (c *compareCmd) Run(e *env) error {
	cmp, err := bench.Compare(c.Files, bench.CompareOptions{By: c.By, Base: c.Base, Filter: c.Filter})
	if err != nil {
		return err
	}
	e.warn(cmp.Warnings...)
	return cmp.Write(e.stdout, c.Output)
}
