package streaming

import "testing"

// What a variant costs once memory has grown to its size: the chain, its interval, and
// the walk that gives the first image's latency.
func BenchmarkPipeline(b *testing.B) {
	layers, folds := cnv(64), cnvFolds()
	var p Pipeline
	var s Schedule
	run := func() {
		if err := p.Build(layers, folds, 5); err != nil {
			b.Fatal(err)
		}
		s.First(&p)
	}
	run()
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}

func TestNoAllocation(t *testing.T) {
	layers, folds := cnv(64), cnvFolds()
	var p Pipeline
	var s Schedule
	run := func() {
		if err := p.Build(layers, folds, 5); err != nil {
			t.Fatal(err)
		}
		s.First(&p)
	}
	run()
	run() // the two arrays of arrivals change places
	if n := testing.AllocsPerRun(5, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
