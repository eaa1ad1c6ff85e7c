package kernels

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"testing"

	"macroscope/dtype"
)

// Peak loops say how much they did, and end.
func TestPeak(t *testing.T) {
	for _, d := range dtype.All {
		eachImpl(t, d, func(t *testing.T, im *Impl) {
			peak := im.Peak()
			if peak == nil {
				if im.Name() != "generic" {
					t.Error("no peak loop")
				}
				return
			}
			for _, n := range []int{0, 1, im.k.PeakMACs, im.k.PeakMACs + 1} {
				if did := peak(n); did < n || did >= n+im.k.PeakMACs && n > 0 || did%im.k.PeakMACs != 0 {
					t.Errorf("asked for %d, did %d, %d a round", n, did, im.k.PeakMACs)
				}
			}
		})
	}
}

// Registers and tiles must survive what happens to a goroutine: others on its
// thread, garbage collections, signals, a stack that is moved. With AMX this is
// what could go wrong, since tiles are a state that no Go code knows of.
func TestStress(t *testing.T) {
	eachImpl(t, dtype.Int8, func(t *testing.T, im *Impl) {
		if testing.Short() && !emulated[im] || slow(im) {
			t.Skip("takes a while")
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // threads that take turns
		r := newRand(t)
		const goroutines = 24
		rounds := 30
		switch {
		case emulated[im]:
			rounds = 10
		case im.k.Usable != nil: // a state that the system must keep
			rounds = 5000
		}
		type job struct {
			c         convCase
			conv      *Conv
			in, right []byte
		}
		var jobs [4]job
		for i := range jobs {
			j := &jobs[i]
			j.c = filledConv(r, ConvSpec{KH: 3, KW: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Pool: i%2 == 1}, dtype.Int8, 8+16*i, 32, 2, 16)
			conv, err := NewConv(im, j.c.spec, j.c.weights())
			if err != nil {
				t.Fatal(err)
			}
			j.conv, j.in, j.right = conv, Aligned(j.c.spec.In.Bytes()), Aligned(j.c.spec.Out.Bytes())
			j.c.image(im, j.in)
			conv.Run(&Context{}, j.right, j.in)
			if err := j.c.check(j.right); err != nil {
				t.Fatal(err)
			}
		}

		signals := make(chan os.Signal, 1)
		signal.Notify(signals)
		defer signal.Stop(signals)
		done, wrong := make(chan struct{}), make(chan error, goroutines)
		var workers, others sync.WaitGroup
		disturb := func(f func()) {
			others.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						f()
						runtime.Gosched()
					}
				}
			})
		}
		disturb(runtime.GC)
		disturb(func() { disturbBySignal(t) })
		disturb(func() {
			select {
			case <-signals:
			default:
			}
		})
		for g := range goroutines {
			workers.Go(func() {
				var ctx Context
				for i := range rounds {
					j := &jobs[(g+i)%len(jobs)]
					out := Aligned(j.c.spec.Out.Bytes())
					// A new goroutine's stack is small and is moved by what needs more.
					run := make(chan struct{})
					go func() {
						j.conv.Run(&ctx, out, j.in)
						close(run)
					}()
					<-run
					if !bytes.Equal(out, j.right) {
						wrong <- fmt.Errorf("goroutine %d, round %d: another result than before", g, i)
						return
					}
				}
			})
		}
		workers.Wait()
		close(done)
		others.Wait()
		select {
		case err := <-wrong:
			t.Error(err)
		default:
		}
	})
}
