package train

import (
	"sync"

	"macroscope/kernels"
)

// op is a step of the network. Images are independent of one another in it, so
// that threads share them, and the next op can follow on an image while it is in
// the cache.
type op interface {
	forward(t *thread, img int)
	// backward turns the gradient of what forward wrote into that of what it read,
	// and adds to the thread's gradients of weights.
	backward(t *thread, img int)
	// touches lists the values whose gradients backward reads or writes.
	touches() []*value
}

// An op may also be a
//
//   - preparer, called before each batch: its weights may have changed;
//   - forwardReducer or backwardReducer, called after all images of a batch have
//     passed: what follows needs sums over the batch;
//   - finisher, called after each batch, for what its threads have gathered.
//
// Preparers run at the same time, and so do finishers.
type (
	preparer        interface{ prepare() }
	forwardReducer  interface{ reduceForward() }
	backwardReducer interface{ reduceBackward() }
	finisher        interface{ finish() }
)

// thread is what one goroutine works with.
type thread struct {
	id          int
	first, last int // its images of the batch
	ctx         kernels.Context
	pixels      *kernels.Pixels
}

// pool is goroutines that run a function together with the caller's.
type pool struct {
	threads []*thread
	work    []chan func(*thread)
	done    sync.WaitGroup
}

func newPool(threads int, im *kernels.Impl) *pool {
	p := &pool{}
	for i := range threads {
		p.threads = append(p.threads, &thread{id: i, pixels: im.NewPixels()})
		if i == 0 {
			continue // the caller's
		}
		ch := make(chan func(*thread))
		p.work = append(p.work, ch)
		go func(t *thread) {
			for f := range ch {
				f(t)
				p.done.Done()
			}
		}(p.threads[i])
	}
	return p
}

// run calls f on every thread and returns when all are done.
func (p *pool) run(f func(t *thread)) {
	p.done.Add(len(p.work))
	for _, ch := range p.work {
		ch <- f
	}
	f(p.threads[0])
	p.done.Wait()
}

func (p *pool) close() {
	for _, ch := range p.work {
		close(ch)
	}
	p.work = nil
}
