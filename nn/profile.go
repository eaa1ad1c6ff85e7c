package nn

import (
	"fmt"
	"time"

	"macroscope/kernels"
)

// Profiler times the steps of a plan where they run: in whole inferences on one
// thread, one step after another, so that each finds in the caches what the others
// leave there. It must not be used by several goroutines at a time.
//
// A fused layer's parts cannot be seen from outside. They are told apart by twins
// of its kernel, which take its place in further inferences: one makes the same
// calls over the same tiles with sums of one word, another writes the same pixels
// without the pool (kernels.Conv.WithoutProducts, WithoutPool). So
//
//	Kernel   = the layer − its twin without products
//	Pool     = the twin without products − the one without pool as well
//	Epilogue = the twin without pool; starting tiles and calls is in it
//
// and they sum to the layer's time. A core overlaps one tile's epilogue with the
// next one's products, which the twin has not: Kernel is then too small by what is
// hidden, at most the twin's own time. On the other hand one word of each sum is
// in the twin. A Pool is an upper bound: the starts of the tiles whose sums it
// takes together are in it. Of Winograd's convolutions Packing is the input's
// transform, Kernel the products, Epilogue the transform of the sums with bias,
// ReLU and pool. A dense layer's twin has rows of 64 values.
type Profiler struct {
	s        *state
	size     int // of an image and of its result
	outSize  int
	steps    []Step
	variants [3][]step // the plan's; without products; without products and pools
	spent    [3][]time.Duration
	out      []float32
}

// StepTime is the nanoseconds that a step took of one image: the mean over the
// images of a call. Its Parts sum to Total.
type StepTime struct {
	Total float64
	Parts [Parts]float64
}

// NewProfiler prepares to time the plan's steps. Plans with an observer have
// none: it gives an error.
func (p *Plan) NewProfiler() (*Profiler, error) {
	if p.observe {
		return nil, fmt.Errorf("network %s: a plan with an observer cannot be timed by steps", p.name)
	}
	pr := &Profiler{s: p.newState(), size: p.InputSize(), outSize: p.outSize, out: make([]float32, p.outSize)}
	for _, st := range append([]step{p.first}, p.steps...) {
		bare, flat := twins(st)
		for i, v := range []step{st, bare, flat} {
			pr.variants[i] = append(pr.variants[i], v)
			pr.spent[i] = append(pr.spent[i], 0)
		}
		pr.steps = append(pr.steps, st.about())
	}
	return pr, nil
}

// Steps lists the plan's steps in order.
func (pr *Profiler) Steps() []Step { return append([]Step(nil), pr.steps...) }

// Profile passes n images, [][C][H][W] pixels taken in turn, through the plan and
// then through its twins, and sets times, one a step. It does no more than that:
// n says how long it takes. It panics if pixels is no whole number of images, or
// times not as long as Steps.
func (pr *Profiler) Profile(times []StepTime, pixels []uint8, n int) {
	pr.check(len(times), len(pixels), n)
	var reading [3]time.Duration
	for v := range pr.variants {
		reading[v] = pr.pass(v, pixels, n)
	}
	for j := range times {
		var ns [3]float64
		for v := range ns {
			ns[v] = pr.mean(v, j, n, reading[v])
		}
		if pr.variants[2][j] == pr.variants[1][j] {
			ns[2] = ns[1]
		}
		times[j] = pr.steps[j].split(ns, pr.variants[0][j] != pr.variants[1][j])
	}
}

// Totals is Profile without the parts: it sets ns to each step's nanoseconds.
func (pr *Profiler) Totals(ns []float64, pixels []uint8, n int) {
	pr.check(len(ns), len(pixels), n)
	reading := pr.pass(0, pixels, n)
	for j := range ns {
		ns[j] = pr.mean(0, j, n, reading)
	}
}

func (pr *Profiler) check(times, pixels, n int) {
	if pixels == 0 || pixels%pr.size != 0 || times != len(pr.steps) || n < 1 {
		panic(fmt.Sprintf("nn: %d pixels, %d times, %d images: want whole images of %d, %d times, at least 1", pixels, times, n, pr.size, len(pr.steps)))
	}
}

// pass times the steps of a variant over n images, and gives what reading the
// clock adds to each of them.
func (pr *Profiler) pass(v int, pixels []uint8, n int) time.Duration {
	reading := clockReading()
	spent, images := pr.spent[v], len(pixels)/pr.size
	clear(spent)
	for i := range n {
		pr.s.pixels, pr.s.out = pixels[i%images*pr.size:][:pr.size], pr.out
		last := time.Now()
		for j, st := range pr.variants[v] {
			st.run(pr.s)
			now := time.Now()
			spent[j] += now.Sub(last)
			last = now
		}
	}
	pr.s.unload()
	return reading
}

// mean is a step's nanoseconds of one image.
func (pr *Profiler) mean(v, step, n int, reading time.Duration) float64 {
	return max(0, float64(pr.spent[v][step]-time.Duration(n)*reading)) / float64(n)
}

// split tells the parts of a step apart by the times of itself and its twins. A
// twin that took longer than what it is a part of took as long.
func (st *Step) split(ns [3]float64, hasTwins bool) StepTime {
	t := StepTime{Total: ns[0]}
	if !hasTwins {
		t.Parts[st.part] = ns[0]
		return t
	}
	bare := min(ns[1], ns[0])
	flat := min(ns[2], bare)
	t.Parts[Kernel] = ns[0] - bare
	if st.part == Packing { // Winograd: what is left is the input's transform
		t.Parts[Packing], t.Parts[Epilogue] = flat, bare-flat
	} else {
		t.Parts[Epilogue], t.Parts[Pool] = flat, bare-flat
	}
	return t
}

// clockReading is what reading the clock adds to every time that is taken.
func clockReading() time.Duration {
	best := time.Second
	last := time.Now()
	for range 100 {
		now := time.Now()
		best = min(best, now.Sub(last))
		last = now
	}
	return best
}

// twins gives a step without its products, and without products and pool: itself
// where there is nothing to tell apart.
func twins(st step) (bare, flat step) {
	switch st := st.(type) {
	case *convStep:
		b, f := *st, *st
		switch conv := st.conv().(type) {
		case *kernels.Conv:
			b.conv = always(conv.WithoutProducts())
			c := conv.WithoutPool()
			if c == nil {
				return &b, &b
			}
			f.conv = always(c)
		case *kernels.Grouped, *kernels.Depthwise, *kernels.BitSerial:
			return st, st
		case *kernels.Winograd:
			b.conv, f.conv = always(conv.WithoutProducts()), always(conv.InputTransform())
		}
		return &b, &f
	case *denseFloat:
		b := *st
		b.rows = shortRows(st.rows())
		return &b, &b
	case *denseInt8:
		b := *st
		b.rows = shortRows(st.rows())
		return &b, &b
	}
	return st, st
}

func always(c convolver) func() convolver { return func() convolver { return c } }

// shortRows cuts rows to one block of every implementation's dot product.
func shortRows[T any](rows [][]T) func() [][]T {
	const block = 64
	var short [][]T
	for _, r := range rows {
		short = append(short, r[:min(block, len(r))])
	}
	return func() [][]T { return short }
}
