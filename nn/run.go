package nn

import (
	"fmt"
	"sync"
	"sync/atomic"

	"macroscope/kernels"
)

// state is what a step may use while one image passes: the thread's arena, its
// kernels' working memory, and where the image comes from and goes to.
type state struct {
	mem     []byte
	ctx     kernels.Context
	scratch []float32
	floats  []float32 // the image, [C H W]; or
	pixels  []uint8   // the image as bytes
	out     []float32
}

// Runner runs a plan; it owns one arena a thread. Its methods must not be
// called concurrently.
type Runner struct {
	plan    *Plan
	states  []*state
	helpers []chan struct{} // wakes helper i, which works with states[i+1]
	batch   struct {
		out    []float32
		floats []float32
		pixels []uint8
		n      int
		next   atomic.Int64
	}
	done sync.WaitGroup
}

// NewRunner prepares to run with a number of threads (at least 1); image i of
// a batch is one thread's work. Close ends the threads.
func (p *Plan) NewRunner(threads int) *Runner {
	if p.observe {
		threads = 1
	}
	r := &Runner{plan: p}
	for range max(1, threads) {
		s := &state{mem: kernels.Aligned(p.arena), scratch: make([]float32, p.scratch)}
		for _, b := range p.bufs {
			b.fill(s)
		}
		if !p.observe {
			p.warm(s)
		}
		r.states = append(r.states, s)
	}
	for _, s := range r.states[1:] {
		wake := make(chan struct{})
		r.helpers = append(r.helpers, wake)
		go func() {
			for range wake {
				r.work(s)
				r.done.Done()
			}
		}()
	}
	return r
}

// warm passes an image of zeros, so that the kernels' working memory has its
// size and no later image allocates.
func (p *Plan) warm(s *state) {
	s.floats, s.out = make([]float32, p.InputSize()), make([]float32, p.outSize)
	p.pass(s)
}

// pass computes the image that s points to.
func (p *Plan) pass(s *state) {
	p.first.run(s)
	for _, st := range p.steps {
		st.run(s)
	}
	s.floats, s.pixels, s.out = nil, nil, nil
}

// Close ends the runner's threads. The runner must not be used afterwards.
func (r *Runner) Close() {
	for _, wake := range r.helpers {
		close(wake)
	}
	r.helpers = nil
}

// Run computes a batch of images: in is [n][C][H][W] of the network's own input
// values, out is [n][OutputSize]. It allocates nothing.
func (r *Runner) Run(out, in []float32) error {
	n, err := r.check(len(out), len(in))
	if err != nil {
		return err
	}
	r.batch.floats = in
	r.run(out, n)
	return nil
}

// RunPixels is Run for images of bytes: each byte is the input value 0…255.
func (r *Runner) RunPixels(out []float32, in []uint8) error {
	n, err := r.check(len(out), len(in))
	if err != nil {
		return err
	}
	r.batch.pixels = in
	r.run(out, n)
	return nil
}

func (r *Runner) check(out, in int) (n int, err error) {
	size := r.plan.InputSize()
	if in%size != 0 || out != in/size*r.plan.outSize {
		return 0, fmt.Errorf("network %s: %d input and %d output values: want n·%d and n·%d", r.plan.name, in, out, size, r.plan.outSize)
	}
	return in / size, nil
}

func (r *Runner) run(out []float32, n int) {
	b := &r.batch
	b.out, b.n = out, n
	b.next.Store(0)
	helpers := r.helpers[:min(len(r.helpers), max(0, n-1))]
	r.done.Add(len(helpers))
	for _, wake := range helpers {
		wake <- struct{}{}
	}
	r.work(r.states[0])
	r.done.Wait()
	b.out, b.floats, b.pixels = nil, nil, nil // keep no caller's memory alive
}

// work takes images until the batch is empty.
func (r *Runner) work(s *state) {
	b, p := &r.batch, r.plan
	size := p.InputSize()
	for {
		i := int(b.next.Add(1)) - 1
		if i >= b.n {
			return
		}
		if b.pixels != nil {
			s.pixels = b.pixels[i*size : (i+1)*size]
		} else {
			s.floats = b.floats[i*size : (i+1)*size]
		}
		s.out = b.out[i*p.outSize : (i+1)*p.outSize]
		p.pass(s)
	}
}
