package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"macroscope/bench"
	"macroscope/dataset"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/ptq"
	"macroscope/reports"
)

type reportCmd struct {
	Output    string        `short:"o" default:"out/report" help:"Folder for report.html, report.md, report.json and bench.txt; it is made if need be." placeholder:"DIR"`
	Model     string        `default:"cifar10cnn" help:"The network: a built-in name, an ONNX or a TFLite file."`
	Data      string        `help:"Images and labels to count right answers on, and for a float32 file to choose int8 scales on (its training images, or its only ones): a folder with CIFAR-10's binary version or with images by class, a .npz file, or a .npy file with --labels. Without it: the built-in sample of 1,000 CIFAR-10 test images, where the network takes those." placeholder:"PATH"`
	Count     int           `default:"30" help:"How often each case is measured; 6 or more give a confidence interval."`
	Benchtime time.Duration `default:"20ms" help:"How long one measurement lasts."`
	Impl      []string      `help:"Measure only these implementations, beside generic and the chosen ones." placeholder:"NAME"`
	Filter    string        `help:"Measure only cases whose name matches; the rest is shown as not measured." placeholder:"REGEXP"`
	Limit     int           `help:"Count right answers on N images only: of CIFAR-10 the first, of others those at even distances; 0 is all." placeholder:"N"`
	fileFlags
}

// Help is the longer text of macroscope report --help.
func (*reportCmd) Help() string {
	return `Measures this CPU's kernels and the CIFAR-10 network in float32, int8 and binary, estimates the same network on the shipped accelerator designs, and writes one self-contained HTML page, the same as Markdown, every number as JSON, and the measurements in the Go benchmark format. It takes about a minute and a half. Ctrl-C leaves nothing half-written.

With --model FILE it does so for your network: a float32 one also in int8, with scales chosen on the training images of --data (without --data on random pixels: times are the same, answers are not counted); one that is quantized or binary as it is.`
}

func (c *reportCmd) Run(e *env) error {
	switch {
	case c.Count < 1 || c.Benchtime <= 0:
		return usageError{fmt.Errorf("--count %d, --benchtime %v: want at least 1 and more than 0", c.Count, c.Benchtime)}
	case c.Limit < 0:
		return usageError{fmt.Errorf("--limit %d: want at least 0", c.Limit)}
	}
	if err := c.check(c.Model, c.Data); err != nil {
		return err
	}
	options := reports.Options{
		Model: c.Model, Limit: c.Limit, Rounds: c.Count, BenchTime: c.Benchtime, Impls: c.Impl, Command: c.command(),
	}
	options.FileFlags, options.DataFlags = c.flags()
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
	var g *graph.Graph
	var err error
	if isFile(c.Model) {
		if o.Networks, o.Missing, err = c.networks(e, bar); err == nil {
			g = o.Networks[0].Graph
		}
	} else if g, err = models.Load(c.Model, dtype.Float32); err != nil {
		err = usageError{err}
	}
	if err != nil {
		return nil, nil, err
	}
	if c.Data != "" {
		set, done, err := c.set(c.Data, dataset.Test, g)
		if err != nil {
			return nil, nil, err
		}
		defer done()
		o.Set = set
	}
	r, err := reports.Collect(e.ctx, o, bar.set)
	if err != nil {
		return nil, nil, err
	}
	paths, err := folder.Write(e.ctx, r)
	return r, paths, err
}

// networks are a file's in the formats that there are, and why one is not there.
func (c *reportCmd) networks(e *env, bar *progress) ([]*bench.Network, []reports.Missing, error) {
	g, err := c.readPrepared(e, c.Model, c.Data, dataset.Test)
	if err != nil {
		return nil, nil, err
	}
	n, err := bench.NewNetwork(g)
	if err != nil {
		return nil, nil, err
	}
	if n.DType == dtype.Float32 {
		more, missing, err := c.int8Networks(e, g, bar)
		return append([]*bench.Network{n}, more...), missing, err
	}
	if ptq.Done(g) || c.Data == "" {
		return []*bench.Network{n}, nil, nil
	}
	// Layers in float32 beside others: as int8 too, where that can be.
	cal, err := c.calibrateFor(e, g, c.Data, bar)
	if err != nil {
		return nil, nil, err
	}
	q, err := ptq.Quantize(g, cal, ptq.Options{})
	if err == nil {
		var whole *bench.Network
		if whole, err = bench.NewNetwork(q); err == nil {
			n = whole
		}
	}
	if err != nil {
		e.note("%s: its float32 layers stay so: %v", c.Model, err)
	}
	return []*bench.Network{n}, nil, nil
}

// int8Networks are the float32 network g in int8, with a scale a channel and, if there are
// images to judge it by, one a layer.
func (c *reportCmd) int8Networks(e *env, g *graph.Graph, bar *progress) (list []*bench.Network, missing []reports.Missing, err error) {
	refused := func(err error) ([]*bench.Network, []reports.Missing, error) {
		return nil, []reports.Missing{{DType: dtype.Int8, Reason: err.Error()}}, nil
	}
	var cal *ptq.Calibration
	if c.Data != "" {
		if cal, err = c.calibrateFor(e, g, c.Data, bar); err != nil {
			return nil, nil, err
		}
	} else if cal, err = ptq.Calibrate(e.ctx, g, bench.RandomPixels(8*g.Input.Shape.Size()), "random pixels", nil); err != nil {
		if e.ctx.Err() != nil {
			return nil, nil, err
		}
		return refused(err)
	}
	for _, perTensor := range []bool{false, true} {
		q, err := ptq.Quantize(g, cal, ptq.Options{PerTensor: perTensor})
		if err != nil {
			return refused(err)
		}
		n, err := bench.NewNetwork(q)
		if err != nil {
			return refused(err)
		}
		n.Uncalibrated = c.Data == ""
		if list = append(list, n); n.Uncalibrated {
			break
		}
	}
	return list, nil, nil
}

// flags are those given that reading the network takes, and those that its images take.
func (c *reportCmd) flags() (file, data string) {
	var words [2][]string
	add := func(flag, value string) {
		i := 1
		if ofFile(flag) {
			i = 0
		}
		words[i] = append(words[i], flag, reports.Quoted(value))
	}
	if c.Data != "" {
		add("--data", c.Data)
	}
	c.addTo(add)
	return strings.Join(words[0], " "), strings.Join(words[1], " ")
}

// command is what makes the same report again.
func (c *reportCmd) command() string {
	words := []string{"macroscope", "report"}
	if env := os.Getenv(kernels.EnvVar); env != "" {
		words = append([]string{kernels.EnvVar + "=" + reports.Quoted(env)}, words...)
	}
	add := func(flag, value string) { words = append(words, flag, reports.Quoted(value)) }
	if c.Output != "out/report" {
		add("-o", c.Output)
	}
	if isFile(c.Model) {
		add("--model", c.Model)
	}
	if c.Data != "" {
		add("--data", c.Data)
	}
	c.addTo(add)
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
