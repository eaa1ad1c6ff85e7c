package bench

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"macroscope/cifar10"
	"macroscope/dataset"
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/ptq"
)

// LoadNetwork gives a built-in network ready to compile in the format d: int8
// quantized after training by its built-in calibration, binary with its first
// and last layer as int8.
func LoadNetwork(name string, d dtype.DType, o ptq.Options) (*graph.Graph, error) {
	g, err := models.Load(name, d)
	if err != nil || d == dtype.Float32 {
		return g, err
	}
	data, err := models.Calibration(name, d)
	if err != nil {
		return nil, err
	}
	cal, err := ptq.ReadCalibration(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("model %q: %w", name, err)
	}
	return ptq.Quantize(g, cal, o)
}

// ForceImpl chooses kernels as the environment says, but name for the dtype;
// the other dtypes get the implementation of that name too where they have it
// (so that "generic" is generic throughout). Empty changes nothing.
func ForceImpl(d dtype.DType, name string) (*kernels.Choice, error) {
	choice, err := kernels.Default()
	if err != nil || name == "" {
		return choice, err
	}
	if _, err := kernels.Lookup(d, name); err != nil {
		return nil, err
	}
	for _, other := range dtype.All {
		im, err := kernels.Lookup(other, name)
		switch {
		case err != nil || other != d && !im.Available():
			continue
		case !im.Available():
			return nil, fmt.Errorf("%v is not available here: %s", im, im.Reason())
		}
		choice = choice.With(im)
	}
	return choice, nil
}

// Accuracy is what Evaluate counted.
type Accuracy struct {
	Images, Correct int
	Seconds         float64   // of inference alone
	Logits          []float32 // [Images][OutputSize], what the network gave; nil unless asked for
}

// Top1 is the share of images whose most likely class is the right one.
func (a Accuracy) Top1() float64 { return float64(a.Correct) / float64(a.Images) }

// evaluateBatch is how many images pass between two looks at the context.
const evaluateBatch = 64

// EvaluateOptions say how to evaluate; the zero value is good.
type EvaluateOptions struct {
	Threads  int                // 0 is 1; more than evaluateBatch would have nothing to do
	Logits   bool               // keep them
	Progress func(done, of int) // may be nil
}

// Evaluate runs the plan over a labelled set with the very kernels that the
// benchmarks time, and counts right answers (the first of equal maxima counts; a network
// that ends in an ArgMax gives the class itself).
// It stops when ctx ends.
func Evaluate(ctx context.Context, p *nn.Plan, set *dataset.Set, o EvaluateOptions) (Accuracy, error) {
	if p.InputSize() != set.Size() {
		return Accuracy{}, fmt.Errorf("the network reads %d values an image: those of %s have %d", p.InputSize(), set.Name(), set.Size())
	}
	if p.Classes() != set.Classes() {
		return Accuracy{}, fmt.Errorf("the network tells %d classes apart: %s has %d", p.Classes(), set.Name(), set.Classes())
	}
	r := p.NewRunner(max(1, min(o.Threads, evaluateBatch, set.Len())))
	defer r.Close()
	a, size := Accuracy{Images: set.Len()}, p.OutputSize()
	answer := argmax
	if size != p.Classes() {
		answer = func(v []float32) int { return int(v[0]) }
	}
	all := make([]float32, evaluateBatch*size)
	var b dataset.Batch
	for i := 0; i < set.Len(); i += evaluateBatch {
		if err := context.Cause(ctx); err != nil {
			return Accuracy{}, err
		}
		if o.Progress != nil {
			o.Progress(i, set.Len())
		}
		n := min(evaluateBatch, set.Len()-i)
		if err := set.Read(&b, i, n); err != nil {
			return Accuracy{}, err
		}
		logits := all[:n*size]
		start := time.Now()
		var err error
		if set.Floats() {
			err = r.Run(logits, b.Floats)
		} else {
			err = r.RunPixels(logits, b.Bytes)
		}
		if err != nil {
			return Accuracy{}, err
		}
		a.Seconds += time.Since(start).Seconds()
		for j, label := range b.Labels {
			if answer(logits[j*size:(j+1)*size]) == int(label) {
				a.Correct++
			}
		}
		if o.Logits {
			a.Logits = append(a.Logits, logits...)
		}
	}
	return a, nil
}

func argmax(v []float32) (best int) {
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return best
}

// Sample gives the built-in test images: 100 of each class.
func Sample() (*cifar10.Set, error) {
	return cifar10.Read(bytes.NewReader(models.Sample()), "the built-in sample")
}

// SampleSet is Sample for a network, which must take such images.
func SampleSet(g *graph.Graph) (*dataset.Set, error) {
	set, err := Sample()
	if err != nil {
		return nil, err
	}
	return dataset.FromCIFAR10("the built-in sample of the test images", set, g.Input.Shape, g.Classes())
}
