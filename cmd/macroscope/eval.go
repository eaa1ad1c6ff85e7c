package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"macroscope/bench"
	"macroscope/dataset"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/ptq"
	"macroscope/tflite"
)

type evalCmd struct {
	Model     string `default:"cifar10cnn" help:"The network: a built-in name, an ONNX or a TFLite file (a file that is not quantized yet is calibrated on the training images of --data, or on its only ones)."`
	DType     string `name:"dtype" help:"Number format: float32, int8 or binary. Without it: int8 for a TFLite file of integers, else float32." placeholder:"D"`
	Data      string `help:"Images and labels: a folder with CIFAR-10's binary version or with images by class, a .npz file, or a .npy file with --labels. Without it: the built-in sample of 1,000 CIFAR-10 test images." placeholder:"PATH"`
	Impl      string `help:"Use this implementation (see macroscope kernels); all tries every one that can run here and fails unless int8 and binary give the same bits; tuned gives each layer the one that is fastest here, found by measuring once." placeholder:"NAME"`
	Limit     int    `help:"Only N images: of CIFAR-10 the first, of others, which may be sorted by class, those at even distances; 0 is all." placeholder:"N"`
	Threads   int    `default:"1" help:"Threads."`
	PerTensor bool   `help:"int8: one scale a layer's weights instead of one a channel."`
	Range     string `default:"max" help:"int8: how an activation's range is chosen: ${ranges}." placeholder:"METHOD"`
	Winograd  bool   `help:"float32: compute 3x3 convolutions by minimal filtering where their shape suits and this CPU gains: faster, less exact. (Int8 does so without, where it is faster: it is exact.)"`
	Integers  string `enum:"tflite,litert" default:"tflite" help:"Whose reference kernels an int8 TFLite file is computed by: tflite-runtime's or ai-edge-litert 2's, which round FULLY_CONNECTED differently: ${enum}."`
	fileFlags
	Output string `short:"o" enum:"text,json" default:"text" help:"Format: ${enum}." placeholder:"FORMAT"`
}

// evalResult is the JSON that eval prints.
type evalResult struct {
	Model      string  `json:"model"`
	DType      string  `json:"dtype"`
	Impl       string  `json:"impl"`
	Weights    string  `json:"weights,omitempty"` // per-channel or per-tensor scales; empty for float32
	Range      string  `json:"range,omitempty"`
	Source     string  `json:"source"`
	Images     int     `json:"images"`
	Correct    int     `json:"correct"`
	Accuracy   float64 `json:"accuracy"` // share, 0…1
	ModelBytes int     `json:"model_bytes"`
	Seconds    float64 `json:"seconds"`
	Threads    int     `json:"threads"`
}

func (c *evalCmd) Run(e *env) error {
	d, err := c.format()
	if err != nil {
		return err
	}
	if c.Limit < 0 || c.Threads < 1 {
		return usageError{fmt.Errorf("--limit %d, --threads %d: want a limit of at least 0 and at least one thread", c.Limit, c.Threads)}
	}
	if d == dtype.Float32 && (c.PerTensor || c.Range != "max") {
		return usageError{errors.New("--per-tensor and --range are about int8 scales: float32 has none")}
	}
	if err := c.check(c.Model, c.Data); err != nil {
		return err
	}
	bar := e.progress()
	defer bar.done()
	g, err := c.network(e, d, bar)
	if err != nil {
		return err
	}
	set, done, err := c.images(g)
	if err != nil {
		return err
	}
	defer done()
	names := []string{c.Impl}
	if c.Impl == "all" {
		names = nil
		for _, im := range bench.Available() {
			if im.DType() == d {
				names = append(names, im.Name())
			}
		}
		slices.Reverse(names) // the fastest first: what the others are held against
	}
	var first bench.Accuracy
	for i, name := range names {
		plan, impl, err := c.plan(e, d, g, name)
		if err != nil {
			return err
		}
		if err := c.checkFormat(d, plan); err != nil {
			return usageError{err}
		}
		acc, err := bench.Evaluate(e.ctx, plan, set, bench.EvaluateOptions{
			Threads: c.Threads, Logits: len(names) > 1, Progress: func(done, of int) { bar.set(done, of, impl) },
		})
		if err != nil {
			return err
		}
		bar.done()
		r := evalResult{
			Model: c.Model, DType: d.String(), Impl: impl, Source: set.Name(), Images: acc.Images, Correct: acc.Correct,
			Accuracy: acc.Top1(), ModelBytes: plan.WeightBytes(), Seconds: acc.Seconds, Threads: c.Threads,
		}
		if d != dtype.Float32 {
			r.Weights, r.Range = hyphened(bench.WeightScales(g)), c.Range
		}
		if err := c.print(e.stdout, r); err != nil {
			return err
		}
		if i == 0 {
			first = acc
			continue
		}
		if n := differing(first.Logits, acc.Logits); n > 0 && d != dtype.Float32 {
			return fmt.Errorf("%v: %d of %d logits of %s differ from those of %s: want none", d, n, len(acc.Logits), impl, names[0])
		}
	}
	if len(names) > 1 && d != dtype.Float32 {
		e.note("all %d logits are bit-equal on %s", len(first.Logits), strings.Join(names, ", "))
	}
	return nil
}

// format is the number format asked for, or that of the network.
func (c *evalCmd) format() (dtype.DType, error) {
	if c.DType != "" {
		d, err := dtype.Parse(c.DType)
		if err != nil {
			err = usageError{err}
		}
		return d, err
	}
	if tflite.IsFile(c.Model) {
		g, err := c.readModel(c.Model)
		if err == nil && g.Integer != graph.NotInteger {
			return dtype.Int8, nil
		}
		return dtype.Float32, err
	}
	return dtype.Float32, nil
}

// plan compiles the network with the implementation of a name, and says which
// that is: empty is the chosen one.
func (c *evalCmd) plan(e *env, d dtype.DType, g *graph.Graph, name string) (*nn.Plan, string, error) {
	if name == bench.TunedImpl {
		if _, err := kernels.Default(); err != nil {
			return nil, "", usageError{err}
		}
		p, notices, err := bench.Tune(e.ctx, d.String(), g, nn.Options{Winograd: c.winograd()})
		for _, n := range notices {
			e.note("%s", n)
		}
		return p, name, err
	}
	choice, err := bench.ForceImpl(d, name)
	if err != nil {
		return nil, "", usageError{err}
	}
	p, err := nn.Compile(g, nn.Options{Kernels: choice, Winograd: c.winograd()})
	return p, choice.For(d).Name(), err
}

func (c *evalCmd) winograd() nn.Winograd {
	if c.Winograd {
		return nn.WinogradAll
	}
	return nn.WinogradExact
}

// checkFormat refuses to call a network what it is not: a binary one has at
// least one binary layer, the others none, and a float32 one no int8 layer.
func (c *evalCmd) checkFormat(d dtype.DType, p *nn.Plan) error {
	layers := map[dtype.DType]int{}
	for _, l := range p.Layers() {
		layers[l.DType]++
	}
	binary := layers[dtype.Binary] > 0
	if d == dtype.Binary && !binary || d != dtype.Binary && binary {
		have, want := "no binary layer", "float32 or int8"
		if binary {
			have, want = "binary layers", "binary"
		}
		return fmt.Errorf("--dtype %v: %s has %s: want %s", d, c.Model, have, want)
	}
	if d == dtype.Float32 && layers[dtype.Int8] > 0 {
		return fmt.Errorf("--dtype %v: %s has int8 layers: want int8", d, c.Model)
	}
	return nil
}

// differing counts the values whose bits differ.
func differing(a, b []float32) (n int) {
	for i, x := range a {
		if math.Float32bits(x) != math.Float32bits(b[i]) {
			n++
		}
	}
	return n
}

func (c *evalCmd) print(w io.Writer, r evalResult) error {
	if c.Output == "json" {
		return json.NewEncoder(w).Encode(r)
	}
	_, err := fmt.Fprintf(w, "%s %s by %s: %d of %d right, %.2f %% (%s); %d bytes of weights; %.1f µs an image\n",
		r.Model, r.DType, r.Impl, r.Correct, r.Images, 100*r.Accuracy, r.Source, r.ModelBytes, 1e6*r.Seconds/float64(r.Images))
	return err
}

// images are those to count right answers on.
func (c *evalCmd) images(g *graph.Graph) (*dataset.Set, func(), error) {
	set, done, err := c.set(c.Data, dataset.Test, g)
	if err == nil && c.Limit > 0 {
		set = set.Some(c.Limit)
	}
	return set, done, err
}

// network loads a built-in network, or reads a file and quantizes it.
func (c *evalCmd) network(e *env, d dtype.DType, bar *progress) (*graph.Graph, error) {
	o := ptq.Options{Method: c.Range, PerTensor: c.PerTensor}
	if !isFile(c.Model) {
		g, err := bench.LoadNetwork(c.Model, d, o)
		if err != nil {
			return nil, usageError{err}
		}
		return g, nil
	}
	g, err := c.readPrepared(e, c.Model, c.Data, dataset.Test)
	if err == nil && g.Integer != graph.NotInteger && c.Integers == "litert" {
		g.Integer = graph.LiteRT
	}
	if err != nil || d == dtype.Float32 {
		return g, err
	}
	if ptq.Done(g) {
		if c.PerTensor || c.Range != "max" {
			return nil, usageError{fmt.Errorf("%s is quantized already: --per-tensor and --range choose the scales of a network that is not", c.Model)}
		}
		c.Range = "" // not known
		return g, nil
	}
	if c.Data == "" {
		return nil, usageError{fmt.Errorf("--model %s as %v needs calibration: give --data with the training images, or take %s", c.Model, d, strings.Join(models.Names(), ", "))}
	}
	cal, err := c.calibrateFor(e, g, c.Data, bar)
	if err != nil {
		return nil, err
	}
	return ptq.Quantize(g, cal, o)
}

// calibrationImages is how many images calibrate a file's network.
const calibrationImages = 2000

// calibrateFor calibrates g for who will judge it by images of the same path.
func (f *dataFlags) calibrateFor(e *env, g *graph.Graph, path string, bar *progress) (*ptq.Calibration, error) {
	cal, on, err := f.calibrate(e, g, path, calibrationImages, bar)
	if err == nil && !on.Apart() {
		e.note("calibrated on %s: %s does not tell training from test images, so that the accuracy is a little too good", cal.Source, path)
	}
	return cal, err
}
