package mutate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// EnvVar names the variable that says how long Run tries files (10m), or the number of the
// one file that it shall try again (case=17).
const EnvVar = "MACROSCOPE_FUZZ"

const (
	// hang is for how many seconds one file may be read: a thousand times what the largest
	// takes, so that a busy machine is no failure.
	hang = 10
	// batch is how many files are read between two looks at the memory allocated.
	batch = 64
	// failures is after how many Run gives up.
	failures = 10
)

// Allowed is the memory in bytes that reading a file of size bytes may allocate in all: 4
// times its size, of which the file itself is one, and 64 MiB.
func Allowed(size int) uint64 { return 3*uint64(size) + 64<<20 }

// Run reads files by all of steps, in their order, for a second or as long as EnvVar says:
// make(r) is a file that depends on r alone, valid till the next call. It fails where a step
// panics, takes longer than 10 seconds, allocates more than Allowed, or returns an error,
// which is what the caller checks besides; it does so with the file's number, which
// reproduces it.
func Run(t *testing.T, make func(r *rand.Rand) []byte, steps ...func(b []byte) error) {
	t.Helper()
	h := &harness{report: func(s string) { t.Helper(); t.Error(s) }, make: make, steps: steps}
	h.random = rand.New(&h.source)
	stop := h.watch()
	defer stop()
	first, length := uint64(0), time.Second
	if s, ok := strings.CutPrefix(os.Getenv(EnvVar), "case="); ok {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", EnvVar, err)
		}
		b := h.file(n)
		t.Logf("case %d, %d bytes: %.20000q", n, len(b), b)
		h.one(n)
		h.allocated(n)
		return
	} else if s := os.Getenv(EnvVar); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatalf("%s: %v", EnvVar, err)
		}
		first = rand.Uint64() // so that long runs are not all the same
	} else if testing.Short() {
		length /= 5
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	begun := time.Now()
	n := first
	for time.Since(begun) < length && h.failed < failures {
		n = h.batch(n)
	}
	took := time.Since(begun)
	t.Logf("%d files from case %d on in %v, %.0f a second, of %d bytes on average, the largest of %d; %d failures", n-first, first, took.Round(time.Millisecond),
		float64(n-first)/took.Seconds(), h.bytes/max(1, n-first), h.largest, h.failed)
}

type harness struct {
	report  func(string)
	make    func(r *rand.Rand) []byte
	steps   []func(b []byte) error
	source  rand.PCG
	random  *rand.Rand
	current atomic.Uint64 // the case being read
	begun   atomic.Uint64 // how many were begun
	bytes   uint64
	largest int
	failed  int
}

// file makes file n.
func (h *harness) file(n uint64) []byte {
	h.source.Seed(n, 0x6d7574617465)
	return h.make(h.random)
}

// batch reads some files from n on, and gives the number of the next.
func (h *harness) batch(n uint64) uint64 {
	before, least := allocations(), Allowed(0)
	for i := range uint64(batch) {
		h.one(n + i)
	}
	if allocations()-before > least { // all of them together: one may be the one
		for i := range uint64(batch) {
			h.allocated(n + i)
		}
	}
	return n + batch
}

// one reads file n.
func (h *harness) one(n uint64) {
	h.current.Store(n)
	h.begun.Add(1)
	b := h.file(n)
	h.bytes += uint64(len(b))
	h.largest = max(h.largest, len(b))
	defer func() {
		if p := recover(); p != nil {
			h.fail(n, len(b), fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
		}
	}()
	for _, step := range h.steps {
		if err := step(b); err != nil {
			h.fail(n, len(b), err.Error())
			return
		}
	}
}

func (h *harness) fail(n uint64, size int, why string) {
	h.failed++
	h.report(fmt.Sprintf("case %d of %d bytes (again: %s=case=%d): %s", n, size, EnvVar, n, why))
}

// allocated checks what each step of reading file n allocates.
func (h *harness) allocated(n uint64) {
	h.current.Store(n)
	h.begun.Add(1)
	b := append([]byte(nil), h.file(n)...)
	defer func() { _ = recover() }() // reported before
	for i, step := range h.steps {
		if took := exactly(func() { _ = step(b) }); took > Allowed(len(b)) {
			h.fail(n, len(b), fmt.Sprintf("step %d allocated %d bytes: want at most %d", i, took, Allowed(len(b))))
		}
	}
}

// exactly is how many bytes f allocates.
func exactly(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// Within runs read, which reads a file of size bytes, and fails where it allocates more than
// Allowed. That costs about a microsecond; read may be run a second time.
func Within(t testing.TB, size int, read func()) {
	t.Helper()
	before := allocations()
	read()
	if allocations()-before <= Allowed(size) {
		return
	}
	if took := exactly(read); took > Allowed(size) {
		t.Errorf("%d bytes: allocated %d: want at most %d", size, took, Allowed(size))
	}
}

// allocations is the memory allocated so far, but for some that is being given out in
// small pieces.
func allocations() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}

// watch ends the program, with all stacks, when one file has been read for too long. It
// counts its own seconds: those in which the program was stopped are none.
func (h *harness) watch() (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		last, seconds := uint64(0), 0
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			if now := h.begun.Load(); now != last || now == 0 {
				last, seconds = now, 0
			} else if seconds++; seconds > hang {
				debug.SetTraceback("all")
				panic(fmt.Sprintf("case %d has been read for %d seconds (again: %s=case=%d)", h.current.Load(), seconds, EnvVar, h.current.Load()))
			}
		}
	}()
	return func() { close(done) }
}
