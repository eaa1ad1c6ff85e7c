package graph

import (
	"fmt"
	"runtime"
	"testing"
)

// Folding and joining cost what a network's constants do, not what its values would: a
// small file may name vectors that nobody can compute.
func TestFoldHugeValues(t *testing.T) {
	b := New("net", "x", Shape{1 << 27})
	v := b.Input()
	one := &Affine{Scale: []float32{2}, Shift: []float32{1}}
	for i, op := range []Op{one, one, &ReLU{}, one, &ReLU{}} {
		v = b.Add(fmt.Sprint(i), op, v)
	}
	g, err := b.Graph(v)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	folded := FoldBatchNorm(g)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 1<<16 {
		t.Errorf("took %d bytes", took)
	}
	if len(folded.Nodes) != 4 {
		t.Errorf("%d nodes: want 4, the first two joined", len(folded.Nodes))
	}
}
