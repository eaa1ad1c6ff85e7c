package nn

import (
	"runtime"
	"sync/atomic"
	"time"

	"macroscope/kernels"
)

// unitStep is a step that threads can share: its units may run in any order and
// at the same time, each goroutine with its own Context.
type unitStep interface {
	step
	units() int
	runUnits(s *state, ctx *kernels.Context, from, to int)
}

// splitter shares the steps of one image between threads. Each long step is cut
// into chunks of about chunkTime. The caller's thread goes through the steps and
// takes chunk after chunk; helpers take chunks too if they are there. Nobody
// waits for a helper that is late: only chunks that one has taken are waited for,
// so that a busy machine costs little.
//
// The ticket holds, from the top, 32 bits that count steps begun, 16 bits of the
// step's index and 16 of its next chunk. A chunk is taken by adding 1, a helper
// does so by compare-and-swap: if that succeeds, the step that it read is still
// the one that runs, and it stays so until the helper has counted its chunk done.
type splitter struct {
	steps  []splitStep
	ticket atomic.Uint64
	done   atomic.Int64 // chunks of the step at hand
	begun  uint64
	trial  trial
}

type splitStep struct {
	whole  step
	parts  unitStep // nil: only the caller's thread runs it
	units  int
	chunks int
}

const (
	// chunkTime is long beside the 0.1–0.2 µs that passing a cache line between
	// cores takes, and short beside a layer.
	chunkTime = 2 * time.Microsecond
	// spinTime is how long a helper looks for the next chunk before it sleeps: more
	// than the gap between inferences that follow each other, less than a wake-up
	// costs.
	spinTime = 50 * time.Microsecond
	// stallTime is a wait for a taken chunk that only a helper without a core
	// explains: then its core may be this one.
	stallTime = 100 * time.Microsecond

	maxChunks = 1 << 10
	maxSteps  = 1 << 16
)

// plan measures the steps on an idle arena and decides which of them are cut.
func (sp *splitter) plan(p *Plan, s *state) {
	if runtime.GOMAXPROCS(0) == 1 || len(p.steps) >= maxSteps {
		return
	}
	s.floats, s.out = make([]float32, p.InputSize()), make([]float32, p.outSize)
	defer s.unload()
	for _, st := range append([]step{p.first}, p.steps...) {
		x := splitStep{whole: st}
		if u, ok := st.(unitStep); ok {
			best := time.Hour
			for range 3 {
				start := time.Now()
				st.run(s)
				best = min(best, time.Since(start))
			}
			x.units = u.units()
			if x.chunks = min(int(best/chunkTime), x.units, maxChunks); x.chunks > 1 {
				x.parts = u
			}
		}
		sp.steps = append(sp.steps, x)
	}
}

// worthwhile says whether any step is cut.
func (sp *splitter) worthwhile() bool {
	for i := range sp.steps {
		if sp.steps[i].parts != nil {
			return true
		}
	}
	return false
}

// pass computes the image that s points to, with helpers where that has proved
// faster.
func (sp *splitter) pass(s *state, helpers []*helper) {
	start := time.Now()
	shared := sp.trial.shared()
	if shared {
		sp.share(s, helpers)
	} else {
		for i := range sp.steps {
			sp.steps[i].whole.run(s)
		}
	}
	sp.trial.took(shared, time.Since(start))
}

// trial finds out by trying whether sharing pays: a second thread may be half of
// the same core, or be busy with other programs. It tries trialImages each way and
// keeps to the faster for settledImages.
type trial struct {
	images int // since the trial began
	spent  [2]time.Duration
}

const (
	trialImages   = 16
	settledImages = 1000
)

func (t *trial) shared() bool {
	switch {
	case t.images < trialImages:
		return true
	case t.images < 2*trialImages:
		return false
	}
	return t.spent[1] < t.spent[0]
}

func (t *trial) took(shared bool, d time.Duration) {
	if t.images < 2*trialImages {
		way := 0
		if shared {
			way = 1
		}
		t.spent[way] += d
	}
	if t.images++; t.images == 2*trialImages+settledImages {
		*t = trial{}
	}
}

// share computes the image that s points to, with those helpers that come.
func (sp *splitter) share(s *state, helpers []*helper) {
	for _, h := range helpers {
		if h.parked.CompareAndSwap(true, false) {
			h.wake <- partsOfImages
		}
	}
	for i := range sp.steps {
		st := &sp.steps[i]
		if st.parts == nil {
			st.whole.run(s)
			continue
		}
		sp.done.Store(0)
		sp.begun++
		sp.ticket.Store(sp.begun<<32 | uint64(i)<<16)
		own := int64(0)
		for {
			chunk := int(sp.ticket.Add(1)&0xffff) - 1
			if chunk >= st.chunks {
				break
			}
			st.run(s, &s.ctx, chunk)
			own++
		}
		if sp.done.Load() < int64(st.chunks)-own {
			sp.wait(int64(st.chunks) - own)
		}
	}
}

// wait returns when helpers have counted n chunks done.
func (sp *splitter) wait(n int64) {
	start := time.Now()
	for spins := 1; sp.done.Load() < n; spins++ {
		if spins%64 == 0 && time.Since(start) > stallTime {
			runtime.Gosched()
		}
	}
}

// help takes chunks until there have been none for spinTime, or until the helper
// is wanted for something else.
func (sp *splitter) help(s *state, ctx *kernels.Context, h *helper) {
	idle := time.Now()
	for spins := 1; ; spins++ {
		t := sp.ticket.Load()
		st := &sp.steps[t>>16&0xffff]
		if chunk := int(t & 0xffff); t != 0 && chunk < st.chunks {
			if sp.ticket.CompareAndSwap(t, t+1) {
				st.run(s, ctx, chunk)
				sp.done.Add(1)
				idle, spins = time.Now(), 0
			}
			continue
		}
		if spins%64 == 0 && (len(h.wake) > 0 || time.Since(idle) > spinTime) {
			return
		}
	}
}

// run computes one of the step's chunks.
func (st *splitStep) run(s *state, ctx *kernels.Context, chunk int) {
	st.parts.runUnits(s, ctx, chunk*st.units/st.chunks, (chunk+1)*st.units/st.chunks)
}
