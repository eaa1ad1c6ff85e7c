package simhw

import (
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
)

// TestMoreLoopsFindAMapping gives the scratchpads of Eyeriss all loops: the space is so
// large then that a search comes upon no mapping by itself, though each of the design's own
// is one. However little it may look at, a layer is not refused, and with a share of
// what it may look at by default it takes no more cycles than without these loops.
func TestMoreLoopsFindAMapping(t *testing.T) {
	w := cifar(t, dtype.Int8)
	w.Layers = w.Layers[1:2]
	d := load(t, "eyeriss")
	s := d.Spec()
	few := evaluateSpec(t, s, &w)
	s.Spatial.Levels[1].Time = "RSPQCKNG"
	for _, limit := range []int64{1, 1 << 12, searchLimit / 8} {
		d, err := design.New(s)
		if err != nil {
			t.Fatal(err)
		}
		m, err := New(&d)
		if err != nil {
			t.Fatal(err)
		}
		m.machine.(*spatialMachine).search.Limit = limit
		e, err := m.Evaluate(&w)
		if err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		t.Logf("limit %d: %d cycles, %d with fewer loops", limit, e.Total.Cycles, few.Total.Cycles)
		if len(e.Warnings) == 0 {
			t.Errorf("limit %d: no warning", limit)
		}
		if limit == searchLimit/8 && e.Total.Cycles > few.Total.Cycles {
			t.Errorf("limit %d: %d cycles, %d with fewer loops", limit, e.Total.Cycles, few.Total.Cycles)
		}
	}
}
