package train

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"macroscope/graph"
	"macroscope/kernels"
)

// Config is how a network is trained; together with the graph, the data and the
// number of threads it decides the result. It is written into checkpoints as JSON.
type Config struct {
	Epochs      int
	Batch       int
	Seed        uint64
	Optimizer   string  // "sgd" or "adam"
	Rate        float64 // at the schedule's peak
	Momentum    float64 // of sgd
	Decay       float64
	Schedule    Schedule
	Smoothing   float64
	Average     float64 // share that the running average of the weights keeps each step; 0: none
	Augment     Augment
	Estimator   Estimator
	Share       float64 // of the teacher, if there is one
	Temperature float64
	Products    kernels.Products // Options.Products
}

func (c *Config) check() error {
	switch {
	case c.Epochs < 1 || c.Epochs > 100_000 || c.Batch < 1:
		return fmt.Errorf("train: %d epochs, batch %d: want at least 1 of each, at most 100000 epochs", c.Epochs, c.Batch)
	case c.Optimizer != "sgd" && c.Optimizer != "adam":
		return fmt.Errorf("train: optimizer %q: want sgd or adam", c.Optimizer)
	case !(c.Rate > 0) || !(c.Momentum >= 0 && c.Momentum < 1) || !(c.Decay >= 0):
		return fmt.Errorf("train: rate %v, momentum %v, decay %v: want above 0, 0 to below 1, at least 0", c.Rate, c.Momentum, c.Decay)
	case !(c.Average >= 0 && c.Average < 1):
		return fmt.Errorf("train: average %v: want 0 to below 1", c.Average)
	}
	if err := c.Schedule.check(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	return nil
}

// Progress is what a run reports, after each step and, with EpochEnds, after each
// epoch.
type Progress struct {
	Epoch, Epochs   int // Epoch counts from 1
	Step, Steps     int // of the epoch; Step counts from 1
	Loss            float64
	Accuracy        float64 // share of the epoch's training images classified rightly, on the way
	ImagesPerSecond float64 // of the epoch
	Left            time.Duration
	EpochEnds       bool
}

// Run is training that goes on epoch by epoch.
type Run struct {
	config    Config
	data      *Data
	net       *Net
	optimizer Optimizer
	average   State // nil: none
	epoch     int   // finished ones
}

// NewRun prepares to train g on data; the last images of an epoch that fill no batch
// are left out. teacher may be nil.
func NewRun(g *graph.Graph, data *Data, c Config, threads int, choice *kernels.Choice, teacher Teacher) (*Run, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := data.check(); err != nil {
		return nil, err
	}
	if want := (graph.Shape{data.Shape[0], data.Shape[1], data.Shape[2]}); !g.Input.Shape.Equal(want) {
		return nil, fmt.Errorf("train: network %s takes %v, the images are %v", g.Name, g.Input.Shape, want)
	}
	if err := c.Augment.check(data.Shape); err != nil {
		return nil, fmt.Errorf("train: %w", err)
	}
	if c.Batch > data.Len() {
		return nil, fmt.Errorf("train: batches of %d images: there are %d", c.Batch, data.Len())
	}
	net, err := New(g, Options{
		Batch: c.Batch, Threads: threads, Kernels: choice, Products: c.Products, Estimator: c.Estimator, Seed: c.Seed,
		Loss: Loss{Smoothing: c.Smoothing, Teacher: teacher, Share: c.Share, Temperature: c.Temperature},
	})
	if err != nil {
		return nil, err
	}
	r := &Run{config: c, data: data, net: net}
	if c.Optimizer == "sgd" {
		r.optimizer = &SGD{Momentum: c.Momentum, Decay: c.Decay}
	} else {
		r.optimizer = &Adam{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: c.Decay}
	}
	r.optimizer.Prepare(net.params)
	if c.Average > 0 {
		r.average = net.Snapshot()
	}
	return r, nil
}

// Close ends the run's threads.
func (r *Run) Close() { r.net.Close() }

// Epochs is how many epochs are done.
func (r *Run) Epochs() int { return r.epoch }

// Done says whether all epochs are.
func (r *Run) Done() bool { return r.epoch >= r.config.Epochs }

// Graph is the network as it is after the last finished epoch: the running average
// of the weights where there is one.
func (r *Run) Graph() *graph.Graph {
	if r.average != nil {
		return r.net.graphOf(r.average.clone())
	}
	return r.net.Graph()
}

// Epoch trains for one epoch and reports on the way. After an error, of the context
// or because numbers are not finite any more, the run is in the midst of an epoch:
// go on from a checkpoint.
func (r *Run) Epoch(ctx context.Context, report func(Progress)) error {
	c, start := &r.config, time.Now()
	order := rand.New(rand.NewPCG(c.Seed, uint64(r.epoch)<<1|1)).Perm(r.data.Len())
	steps := len(order) / c.Batch
	p := Progress{Epoch: r.epoch + 1, Epochs: c.Epochs, Steps: steps}
	sum, correct := 0.0, 0
	for step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch := order[step*c.Batch : (step+1)*c.Batch]
		r.net.SetRound(uint64(r.epoch*steps + step))
		loss, right, err := r.net.Step(c.Batch, func(i int, dst []float32) int {
			c.Augment.Image(dst, r.data, batch[i], c.Seed, r.epoch)
			return int(r.data.Labels[batch[i]])
		})
		if err != nil {
			return fmt.Errorf("epoch %d, step %d: %w", p.Epoch, step+1, err)
		}
		r.optimizer.Update(r.net.params, c.Rate*c.Schedule.At(r.epoch*steps+step, c.Epochs*steps))
		r.averageStep(r.epoch*steps + step)
		sum, correct = sum+loss, correct+right
		if report != nil {
			done := step + 1
			p.Step, p.Loss, p.Accuracy = done, sum/float64(done), float64(correct)/float64(done*c.Batch)
			spent := time.Since(start)
			p.ImagesPerSecond = float64(done*c.Batch) / spent.Seconds()
			left := steps*(c.Epochs-r.epoch) - done
			p.Left = time.Duration(float64(spent) / float64(done) * float64(left))
			p.EpochEnds = done == steps
			report(p)
		}
	}
	r.epoch++
	return nil
}

// averageStep moves the running average. It starts fast, so that the first weights
// do not weigh on it.
func (r *Run) averageStep(step int) {
	if r.average == nil {
		return
	}
	keep := min(r.config.Average, (1+float64(step))/(10+float64(step)))
	share := float32(1 - keep)
	for name, v := range r.net.tensors() {
		avg := r.average[name]
		for i, x := range v {
			avg[i] += share * (x - avg[i])
		}
	}
}

// Teacher is Loss.Teacher.
type Teacher = func(thread int, image, logits []float32) error
