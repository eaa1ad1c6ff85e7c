package main

import (
	"fmt"
	"slices"
	"strings"

	"macroscope/bench"
	"macroscope/dataset"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/atomicfile"
	"macroscope/models"
	"macroscope/onnx"
	"macroscope/ptq"
)

type quantizeCmd struct {
	Model     string `arg:"" help:"The network: an ONNX or TFLite file that is not quantized yet, or a built-in name."`
	DType     string `name:"dtype" enum:"int8,binary" default:"int8" help:"Of a built-in name, the version to quantize: int8 (the float32 network) or binary (its first and last layer): ${enum}."`
	Data      string `help:"Training images to calibrate on: a folder with CIFAR-10's binary version or with images by class, a .npz file, or a .npy file with --labels. A built-in network's calibration is built in." placeholder:"PATH"`
	Images    int    `default:"2000" help:"How many training images to look at: the first ones, or, of images that are sorted by class, as many at even distances."`
	PerTensor bool   `help:"One scale a layer's weights instead of one a channel."`
	Range     string `default:"max" help:"How an activation's range is chosen: ${ranges}." placeholder:"METHOD"`
	Plain     bool   `help:"Write binary layers by ONNX's own operators, which ONNX Runtime runs, instead of QONNX's BipolarQuant."`
	fileFlags
	Output string `short:"o" required:"" help:"File to write (ONNX)." placeholder:"FILE"`
}

// Help is the longer text of macroscope quantize --help.
func (*quantizeCmd) Help() string {
	return `Quantizes a float network to int8 after training and writes it as ONNX in the QDQ form: QuantizeLinear and DequantizeLinear with zero point 0 around each int8 value, int8 weights, float32 biases. Layers with weights of -1 and 1 stay binary; what shortcuts carry around them becomes int16, which the file says in annotations beside float32 tensors. macroscope eval --dtype int8 --model FILE runs what is written.`
}

func (c *quantizeCmd) Run(e *env) error {
	d, err := dtype.Parse(c.DType)
	if err != nil {
		return usageError{err}
	}
	if c.Images < 1 {
		return usageError{fmt.Errorf("--images %d: want at least 1", c.Images)}
	}
	if !slices.Contains(ptq.Methods(), c.Range) {
		return usageError{fmt.Errorf("--range %q: want %s", c.Range, strings.Join(ptq.Methods(), ", "))}
	}
	if isFile(c.Model) && c.Data == "" {
		return usageError{fmt.Errorf("%s needs calibration: give --data with the training images", c.Model)}
	}
	if err := c.check(c.Model, c.Data); err != nil {
		return err
	}
	file, err := atomicfile.Create(e.ctx, c.Output) // before the work: a bad path must not cost it
	if err != nil {
		return err
	}
	defer file.Abort()
	g, source, err := c.network(e, d)
	if err != nil {
		return err
	}
	weights := hyphened(bench.WeightScales(g))
	o := onnx.WriteOptions{Version: bench.DescribeMachine().Commit, Metadata: map[string]string{
		"weights": "int8 " + weights, "range": c.Range, "calibration": source,
	}}
	if c.Plain {
		o.Binary = onnx.Plain
	}
	if err := onnx.Write(file, g, o); err != nil {
		return err
	}
	if err := file.Commit(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %s with int8 layers (%s weights, range %s, calibrated on %s)\n", c.Output, c.Model, weights, c.Range, source)
	return err
}

// network is the quantized network and the words for what it was calibrated on.
func (c *quantizeCmd) network(e *env, d dtype.DType) (g *graph.Graph, source string, err error) {
	o := ptq.Options{Method: c.Range, PerTensor: c.PerTensor}
	switch {
	case isFile(c.Model):
		g, err = c.readModel(c.Model)
	case c.Data == "":
		if g, err = bench.LoadNetwork(c.Model, d, o); err != nil {
			err = usageError{err}
		}
		return g, "the images of its built-in calibration", err
	default:
		if g, err = models.Load(c.Model, d); err != nil {
			err = usageError{err}
		}
	}
	if err != nil {
		return nil, "", err
	}
	if ptq.Done(g) {
		return nil, "", fmt.Errorf("%s: every layer is int8 or binary already", c.Model)
	}
	if isFile(c.Model) {
		if g, err = c.prepared(e, g, c.Model, c.Data, dataset.Train); err != nil {
			return nil, "", err
		}
	}
	bar := e.progress()
	defer bar.done()
	cal, _, err := c.calibrate(e, g, c.Data, c.Images, bar)
	if err != nil {
		return nil, "", err
	}
	g, err = ptq.Quantize(g, cal, o)
	return g, cal.Source, err
}

// hyphened is "per channel" as results have it.
func hyphened(s string) string { return strings.ReplaceAll(s, " ", "-") }
