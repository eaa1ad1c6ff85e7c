package main

import (
	"fmt"

	"macroscope/dataset"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/atomicfile"
	"macroscope/models"
)

type calibrateCmd struct {
	Model  string `default:"cifar10cnn" help:"The network to calibrate: a built-in name, an ONNX or a TFLite file."`
	DType  string `name:"dtype" enum:"int8,binary" default:"int8" help:"Of a built-in network, the version that is to be quantized: int8 (the float32 network) or binary (its first and last layer): ${enum}."`
	Data   string `required:"" help:"Training images: a folder with CIFAR-10's binary version or with images by class, a .npz file, or a .npy file with --labels." placeholder:"PATH"`
	Images int    `default:"2000" help:"How many training images to look at: the first ones, or, of images that are sorted by class, as many at even distances."`
	fileFlags
	Output string `short:"o" required:"" help:"File to write (JSON)." placeholder:"FILE"`
}

// Help is the longer text of macroscope calibrate --help.
func (*calibrateCmd) Help() string {
	return `Runs the float network over training images and records how large each activation becomes: the maximum, percentiles, and the limit of least squared error. Quantizing to int8 takes the scales from there. The calibration of the built-in networks is built in.`
}

func (c *calibrateCmd) Run(e *env) error {
	d, err := dtype.Parse(c.DType)
	if err != nil {
		return usageError{err}
	}
	if c.Images < 1 {
		return usageError{fmt.Errorf("--images %d: want at least 1", c.Images)}
	}
	if err := c.check(c.Model, c.Data); err != nil {
		return err
	}
	g, err := c.network(e, d)
	if err != nil {
		return err
	}
	file, err := atomicfile.Create(e.ctx, c.Output) // before the work: a bad path must not cost it
	if err != nil {
		return err
	}
	defer file.Abort()
	bar := e.progress()
	defer bar.done()
	cal, _, err := c.calibrate(e, g, c.Data, c.Images, bar)
	if err != nil {
		return err
	}
	if err := cal.Write(file); err != nil {
		return err
	}
	return file.Commit()
}

func (c *calibrateCmd) network(e *env, d dtype.DType) (*graph.Graph, error) {
	if !isFile(c.Model) {
		g, err := models.Load(c.Model, d)
		if err != nil {
			return nil, usageError{err}
		}
		return g, nil
	}
	return c.readPrepared(e, c.Model, c.Data, dataset.Train)
}
