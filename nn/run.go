package nn

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

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
	helpers []*helper
	batch   struct {
		out    []float32
		floats []float32
		pixels []uint8
		n      int
		next   atomic.Int64
	}
	done  sync.WaitGroup
	busy  atomic.Int64 // helpers that done waits for
	split splitter
}

// helper is a thread beside the caller's; helper i works with states[i+1].
type helper struct {
	wake   chan job
	parked atomic.Bool // it waits, or is about to wait, for wake
}

// job is what a helper is woken for.
type job int

const (
	wholeImages job = iota
	partsOfImages
)

// NewRunner prepares to run with a number of threads (at least 1). Of a batch of
// at least as many images, image i is one thread's work; smaller batches go image
// by image, and the threads share the tiles of each layer that is long enough.
// Results are the same either way. Close ends the threads.
func (p *Plan) NewRunner(threads int) *Runner {
	if p.observe {
		threads = 1
	}
	r := &Runner{plan: p}
	for range max(1, threads) {
		r.states = append(r.states, p.newState())
	}
	if threads > 1 {
		r.split.plan(p, r.states[0])
	}
	for _, s := range r.states[1:] {
		h := &helper{wake: make(chan job, 1)}
		h.parked.Store(true)
		r.helpers = append(r.helpers, h)
		go func() {
			for j := range h.wake {
				h.parked.Store(false)
				if j == partsOfImages {
					r.split.help(r.states[0], &s.ctx, h)
					h.parked.Store(true)
					continue
				}
				r.work(s)
				h.parked.Store(true)
				r.busy.Add(-1)
				r.done.Done()
				spinUntil(func() bool { return len(h.wake) > 0 })
			}
		}()
	}
	return r
}

// newState makes an arena, its halos filled.
func (p *Plan) newState() *state {
	s := &state{mem: kernels.Aligned(p.arena), scratch: make([]float32, p.scratch)}
	for _, b := range p.bufs {
		b.fill(s)
	}
	if !p.observe {
		p.warm(s)
	}
	return s
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
	s.unload()
}

// Close ends the runner's threads. The runner must not be used afterwards.
func (r *Runner) Close() {
	for _, h := range r.helpers {
		close(h.wake)
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
	if n < len(r.states) && r.split.worthwhile() {
		for i := range n {
			r.load(r.states[0], i)
			r.split.pass(r.states[0], r.helpers)
			r.states[0].unload()
		}
		b.out, b.floats, b.pixels = nil, nil, nil
		return
	}
	helpers := r.helpers[:min(len(r.helpers), max(0, n-1))]
	r.done.Add(len(helpers))
	r.busy.Store(int64(len(helpers)))
	for _, h := range helpers {
		h.wake <- wholeImages
	}
	r.work(r.states[0])
	spinUntil(func() bool { return r.busy.Load() == 0 })
	r.done.Wait()
	b.out, b.floats, b.pixels = nil, nil, nil // keep no caller's memory alive
}

// spinUntil waits for what is likely to happen soon, at most spinTime: sleeping and
// being woken costs as much, at the start of a batch and at its end. It does not
// wait where whoever it waits for needs this thread.
func spinUntil(happened func() bool) {
	if runtime.GOMAXPROCS(0) == 1 {
		return
	}
	start := time.Now()
	for spins := 1; !happened(); spins++ {
		if spins%64 == 0 && time.Since(start) > spinTime {
			return
		}
	}
}

// work takes images until the batch is empty.
func (r *Runner) work(s *state) {
	b := &r.batch
	for {
		i := int(b.next.Add(1)) - 1
		if i >= b.n {
			return
		}
		r.load(s, i)
		r.plan.pass(s)
	}
}

// load points s to image i of the batch.
func (r *Runner) load(s *state, i int) {
	b, p := &r.batch, r.plan
	size := p.InputSize()
	if b.pixels != nil {
		s.pixels = b.pixels[i*size : (i+1)*size]
	} else {
		s.floats = b.floats[i*size : (i+1)*size]
	}
	s.out = b.out[i*p.outSize : (i+1)*p.outSize]
}

// unload forgets the image, so that no caller's memory is kept alive.
func (s *state) unload() { s.floats, s.pixels, s.out = nil, nil, nil }
