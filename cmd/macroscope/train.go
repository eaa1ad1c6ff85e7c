package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"macroscope/bench"
	"macroscope/cifar10"
	"macroscope/dataset"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/atomicfile"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/onnx"
	"macroscope/ptq"
	"macroscope/tflite"
	"macroscope/train"
)

type trainCmd struct {
	Model      string  `default:"cifar10cnn" help:"The network: the built-in one, from random weights (int8: its float32 ones), or an ONNX file to go on from."`
	DType      string  `name:"dtype" enum:"float32,int8,binary" default:"float32" help:"Number format: ${enum}. int8 goes on from a float32 network."`
	Width      int     `default:"1" help:"Multiply the built-in network's channels." placeholder:"N"`
	Shortcuts  bool    `help:"binary: lead a real value around each binary convolution of the built-in network."`
	Dropout    float32 `help:"Share of the values before the built-in network's dense layer that training leaves out." placeholder:"X"`
	Data       string  `required:"" help:"Folder with the CIFAR-10 files." placeholder:"DIR"`
	Output     string  `short:"o" required:"" help:"ONNX file to write." placeholder:"FILE"`
	Epochs     int     `help:"Passes over the training images (default: float32 40, int8 5, binary 60)." placeholder:"N"`
	Batch      int     `default:"128" help:"Images a step." placeholder:"N"`
	Limit      int     `help:"Only the first N training images; 0 is all." placeholder:"N"`
	Seed       uint64  `default:"1" help:"Of weights, order and augmentation." placeholder:"N"`
	Threads    int     `help:"Threads (default: as many as there are cores)." placeholder:"N"`
	Rate       float64 `help:"Learning rate at its peak (default: float32 0.15 and int8 0.002 with SGD, binary 0.005 with Adam)." placeholder:"X"`
	Schedule   string  `help:"How the learning rate falls: linear, cosine or constant (default: binary cosine, others linear)." placeholder:"NAME"`
	Decay      float64 `default:"5e-4" help:"float32 and int8: weight decay." placeholder:"X"`
	Smoothing  float64 `default:"0.1" help:"Label smoothing." placeholder:"X"`
	Crop       *int    `help:"Shift images by up to N pixels (default: float32 4, int8 and binary 2)." placeholder:"N"`
	Cutout     *int    `help:"Blank a square of N pixels; 0 is none (default: float32 8, int8 and binary 0)." placeholder:"N"`
	Estimator  string  `enum:"straight-through,approxsign" default:"approxsign" help:"binary: what stands for the gradient of the sign: ${enum}." placeholder:"NAME"`
	Products   string  `enum:"float32,bfloat16,auto" default:"float32" help:"What the gradients of weights are multiplied in: ${enum}. Those by minimal filtering (3x3 convolutions whose shape suits) are in float32 all the same. bfloat16 takes a CPU with AVX-512 BF16; auto is bfloat16 where there is one. Sums are float32." placeholder:"NAME"`
	Teacher    string  `help:"ONNX file of a network whose outputs to learn from as well (distillation)." placeholder:"FILE"`
	Checkpoint string  `help:"Where to keep the state after each epoch (default: FILE.checkpoint)." placeholder:"FILE"`
	Resume     bool    `help:"Go on from the checkpoint."`
}

// Help is the longer text of macroscope train --help.
func (*trainCmd) Help() string {
	return `Trains on CIFAR-10's 50,000 training images with the float32 kernels and writes the network as ONNX. Binary weights and activations are the signs of float ones, taken on the fly; the file has the signs. A line an epoch says how it goes; the test images are only looked at. The result depends on the flags, the seed, the number of threads, the CPU and its float32 kernels alone, so that --resume gives what an unbroken run would have given. Gradients of 3x3 convolutions' weights are by minimal filtering, a quarter of the products, in float32, which is faster than all of them in bfloat16; so --products bfloat16 is for the layers that are left, little of the built-in networks. The default is what every CPU has.`
}

// distillation: of the loss with a teacher.
const (
	teacherShare       = 0.7
	teacherTemperature = 4
)

func (c *trainCmd) config(d dtype.DType) train.Config {
	cfg := train.Config{
		Epochs: 40, Batch: c.Batch, Seed: c.Seed, Optimizer: "sgd", Rate: 0.15, Momentum: 0.9, Decay: c.Decay,
		Schedule: train.Schedule{Kind: "linear", Warmup: 0.2}, Smoothing: c.Smoothing, Average: 0.998,
		Augment: train.Augment{Crop: 4, Flip: true, Cutout: 8, Fill: 120},
	}
	switch d {
	case dtype.Int8:
		cfg.Epochs, cfg.Rate = 5, 0.002
		cfg.Augment.Crop, cfg.Augment.Cutout = 2, 0
	case dtype.Binary:
		cfg.Augment.Crop, cfg.Augment.Cutout = 2, 0
		cfg.Epochs, cfg.Optimizer, cfg.Rate, cfg.Decay, cfg.Average = 60, "adam", 0.005, 0, 0
		cfg.Schedule = train.Schedule{Kind: "cosine", Warmup: 0.05}
		if c.Estimator == "approxsign" {
			cfg.Estimator = train.ApproxSign
		}
	}
	if c.Epochs != 0 {
		cfg.Epochs = c.Epochs
	}
	if c.Crop != nil {
		cfg.Augment.Crop = *c.Crop
	}
	if c.Cutout != nil {
		cfg.Augment.Cutout = *c.Cutout
	}
	if c.Rate != 0 {
		cfg.Rate = c.Rate
	}
	if c.Schedule != "" {
		cfg.Schedule.Kind = c.Schedule
	}
	if c.Teacher != "" {
		cfg.Share, cfg.Temperature = teacherShare, teacherTemperature
	}
	return cfg
}

// products is what --products asks for, as far as the float32 kernels have it.
func (c *trainCmd) products() (kernels.Products, error) {
	choice, err := kernels.Default()
	if err != nil {
		return 0, usageError{err}
	}
	im := choice.For(dtype.Float32)
	if c.Products == "auto" {
		if im.CheckProducts(kernels.BFloat16Products) == nil {
			return kernels.BFloat16Products, nil
		}
		return kernels.Float32Products, nil
	}
	p, err := kernels.ParseProducts(c.Products)
	if err == nil {
		err = im.CheckProducts(p)
	}
	if err != nil {
		return 0, usageError{fmt.Errorf("--products %s: %w", c.Products, err)}
	}
	return p, nil
}

func (c *trainCmd) Run(e *env) error {
	d, err := dtype.Parse(c.DType)
	if err != nil {
		return usageError{err}
	}
	threads := c.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if c.Limit < 0 || c.Epochs < 0 || c.Rate < 0 || threads < 1 {
		return usageError{fmt.Errorf("--limit %d, --epochs %d, --rate %v, --threads %d: want none below 0, and at least one thread", c.Limit, c.Epochs, c.Rate, c.Threads)}
	}
	products, err := c.products()
	if err != nil {
		return err
	}
	set, err := cifar10.LoadTrain(c.Data)
	if err != nil {
		return err
	}
	if c.Limit > 0 {
		set = set.Head(c.Limit)
	}
	g, err := c.network(e, d, set)
	if err != nil {
		return err
	}
	test, err := cifar10.LoadTest(c.Data)
	if err != nil {
		return err
	}
	var teacher train.Teacher
	if c.Teacher != "" {
		t, err := onnx.ReadFile(c.Teacher)
		if err != nil {
			return err
		}
		if teacher, err = train.NewTeacher(t, threads, nil); err != nil {
			return err
		}
	}
	cfg := c.config(d)
	cfg.Products = products
	data := &train.Data{Shape: [3]int{3, 32, 32}, Pixels: set.Pixels, Labels: set.Labels}
	run, err := train.NewRun(g, data, cfg, threads, nil, teacher)
	if err != nil {
		return err
	}
	defer run.Close()
	if c.Checkpoint == "" {
		c.Checkpoint = c.Output + ".checkpoint"
	}
	if c.Resume {
		if err := c.resume(run); err != nil {
			return err
		}
	} else if _, err := os.Stat(c.Checkpoint); err == nil {
		return fmt.Errorf("%s is there already: go on from it with --resume, or remove it", c.Checkpoint)
	}
	return c.train(e, run, cfg, threads, test)
}

// network is where training starts: the built-in topology or a file's network, for
// int8 quantized on training images.
func (c *trainCmd) network(e *env, d dtype.DType, set *cifar10.Set) (*graph.Graph, error) {
	builtIn := c.Model == "cifar10cnn"
	if (c.Width != 1 || c.Shortcuts || c.Dropout != 0) && !(builtIn && d != dtype.Int8) {
		return nil, usageError{errors.New("--width, --shortcuts and --dropout are about the built-in network with random weights")}
	}
	if builtIn && d != dtype.Int8 {
		g, err := train.CIFAR10CNN(train.Topology{DType: d, Width: c.Width, Shortcuts: c.Shortcuts, Dropout: c.Dropout}, c.Seed)
		if err != nil {
			return nil, usageError{err}
		}
		return g, nil
	}
	if builtIn {
		return bench.LoadNetwork(c.Model, d, ptq.Options{})
	}
	if tflite.IsFile(c.Model) {
		return nil, usageError{fmt.Errorf("--model %s: want an ONNX file to go on from, not TFLite", c.Model)}
	}
	g, err := onnx.ReadFile(c.Model)
	if err != nil || d != dtype.Int8 {
		return g, err
	}
	cal, err := ptq.Calibrate(e.ctx, g, set.Head(calibrationImages).Pixels, "training images of "+c.Data, nil)
	if err != nil {
		return nil, err
	}
	return ptq.Quantize(g, cal, ptq.Options{})
}

func (c *trainCmd) resume(run *train.Run) error {
	f, err := os.Open(c.Checkpoint)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := run.ReadCheckpoint(f); err != nil {
		return fmt.Errorf("%s: %w", c.Checkpoint, err)
	}
	return nil
}

func (c *trainCmd) train(e *env, run *train.Run, cfg train.Config, threads int, test *cifar10.Set) error {
	// A path that cannot be written must not cost the work.
	if err := atomicfile.Write(e.ctx, c.Checkpoint, run.WriteCheckpoint); err != nil {
		return err
	}
	bar := e.progress()
	defer bar.done()
	start := time.Now()
	var last bench.Accuracy
	for !run.Done() {
		var p train.Progress
		err := run.Epoch(e.ctx, func(now train.Progress) {
			p = now
			bar.set(p.Step, p.Steps, fmt.Sprintf("epoch %d of %d, loss %.3f, %.0f images/s, %s left", p.Epoch, p.Epochs, p.Loss, p.ImagesPerSecond, p.Left.Round(time.Second)))
		})
		bar.done()
		if err == nil { // an epoch that is done is kept, also if Ctrl-C came since
			err = atomicfile.Write(context.WithoutCancel(e.ctx), c.Checkpoint, run.WriteCheckpoint)
		}
		if err == nil {
			last, err = c.evaluate(e, run, threads, test)
		}
		if e.ctx.Err() != nil {
			return fmt.Errorf("stopped: --resume goes on from %s, after epoch %d", c.Checkpoint, run.Epochs())
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "epoch %3d/%d  loss %.4f  train %5.2f%%  test %5.2f%%  %5.0f images/s  %s left\n",
			p.Epoch, p.Epochs, p.Loss, 100*p.Accuracy, 100*last.Top1(), p.ImagesPerSecond, p.Left.Round(time.Second))
	}
	if last.Images == 0 { // resumed after the last epoch
		var err error
		if last, err = c.evaluate(e, run, threads, test); err != nil {
			return err
		}
	}
	g := run.Graph()
	err := atomicfile.Write(e.ctx, c.Output, func(w io.Writer) error {
		return onnx.Write(w, g, onnx.WriteOptions{Version: bench.DescribeMachine().Commit, Metadata: map[string]string{
			"training": fmt.Sprintf("%+v, %d threads", cfg, threads),
			"test":     fmt.Sprintf("%d of %d", last.Correct, last.Images),
		}})
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: %d of %d test images right (%.2f%%), trained in %s\n", c.Output, last.Correct, last.Images, 100*last.Top1(), time.Since(start).Round(time.Second))
	return os.Remove(c.Checkpoint)
}

// evaluate counts the test images that the network gets right as it is now.
func (c *trainCmd) evaluate(e *env, run *train.Run, threads int, test *cifar10.Set) (bench.Accuracy, error) {
	plan, err := nn.Compile(run.Graph(), nn.Options{Winograd: nn.WinogradAll})
	if err != nil {
		return bench.Accuracy{}, err
	}
	set, err := dataset.FromCIFAR10("the test images", test, run.Graph().Input.Shape, plan.OutputSize())
	if err != nil {
		return bench.Accuracy{}, err
	}
	return bench.Evaluate(e.ctx, plan, set, bench.EvaluateOptions{Threads: threads})
}
