package bench

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"macroscope/cifar10"
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
	Logits          []float32 // [Images][10], what the network gave
}

// Top1 is the share of images whose most likely class is the right one.
func (a Accuracy) Top1() float64 { return float64(a.Correct) / float64(a.Images) }

// evaluateBatch is how many images pass between two looks at the context.
const evaluateBatch = 64

// Evaluate runs the plan over a labelled set with the very kernels that the
// benchmarks time, and counts right answers (the first of equal maxima counts).
// More threads than evaluateBatch would have nothing to do and are not started.
// progress may be nil. It stops when ctx ends.
func Evaluate(ctx context.Context, p *nn.Plan, set *cifar10.Set, threads int, progress func(done, of int)) (Accuracy, error) {
	if p.InputSize() != cifar10.PixelBytes {
		return Accuracy{}, fmt.Errorf("the network reads %d values an image: a CIFAR-10 image has %d", p.InputSize(), cifar10.PixelBytes)
	}
	if p.OutputSize() != cifar10.Classes {
		return Accuracy{}, fmt.Errorf("the network gives %d values an image: CIFAR-10 has %d classes", p.OutputSize(), cifar10.Classes)
	}
	r := p.NewRunner(min(threads, evaluateBatch, set.Len()))
	defer r.Close()
	a := Accuracy{Images: set.Len(), Logits: make([]float32, set.Len()*cifar10.Classes)}
	for i := 0; i < set.Len(); i += evaluateBatch {
		if err := context.Cause(ctx); err != nil {
			return Accuracy{}, err
		}
		if progress != nil {
			progress(i, set.Len())
		}
		n := min(evaluateBatch, set.Len()-i)
		logits := a.Logits[i*cifar10.Classes : (i+n)*cifar10.Classes]
		start := time.Now()
		if err := r.RunPixels(logits, set.Pixels[i*cifar10.PixelBytes:(i+n)*cifar10.PixelBytes]); err != nil {
			return Accuracy{}, err
		}
		a.Seconds += time.Since(start).Seconds()
		for j := range n {
			if argmax(logits[j*cifar10.Classes:(j+1)*cifar10.Classes]) == int(set.Labels[i+j]) {
				a.Correct++
			}
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
