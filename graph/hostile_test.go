package graph

import (
	"fmt"
	"math"
	"runtime"
	"strings"
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

// A row of many norms behind a layer is folded in part, and means the same; who shares
// constants that are not finite is refused though others were looked at.
func TestFoldManyNorms(t *testing.T) {
	d := &Dense{In: 1, Out: 2, Weights: Weights{Float: []float32{1, 3}}}
	b := New("net", "x", Shape{1})
	v := b.Add("d", d, b.Input())
	for i := range 20 {
		v = b.Add(fmt.Sprint(i), &Affine{Scale: []float32{2}, Shift: []float32{1}}, v)
	}
	g, err := b.Graph(v)
	if err != nil {
		t.Fatal(err)
	}
	folded := FoldBatchNorm(g)
	// 8 into the layer, 9 into the one that stays, and the other three into each other.
	if len(folded.Nodes) != 3 {
		t.Fatalf("%d nodes: want 3", len(folded.Nodes))
	}
	w := folded.Nodes[0].Op.(*Dense).Weights
	scale, shift := float32(1), float32(0)
	for _, n := range folded.Nodes[1:] {
		a := n.Op.(*Affine)
		scale, shift = scale*a.Scale[0], shift*a.Scale[0]+a.Shift[0]
	}
	if w.Float[1]*scale != 3<<20 || w.Bias[1]*scale+shift != 1<<20-1 {
		t.Errorf("weight %g, bias %g, then times %g plus %g: want 2^20 times the first, and 2^20−1", w.Float[1], w.Bias[1], scale, shift)
	}
}

func TestSharedConstantsAreChecked(t *testing.T) {
	bad := make([]float32, 200)
	good := bad[:100]
	bad[150] = float32(math.Inf(1))
	b := New("net", "x", Shape{100})
	v := b.Add("a", &Affine{Scale: good, Shift: good}, b.Input())
	v = b.Add("b", &Affine{Scale: good, Shift: bad[100:]}, v)
	if _, err := b.Graph(v); err == nil || !strings.Contains(err.Error(), "shift 50 is +Inf") {
		t.Errorf("got %v", err)
	}
	b = New("net", "x", Shape{100})
	norm := func(epsilon float32) *BatchNorm {
		return &BatchNorm{Gamma: good, Beta: good, Mean: good, Var: good, Epsilon: epsilon}
	}
	v = b.Add("b", norm(0), b.Add("a", norm(1), b.Input()))
	if _, err := b.Graph(v); err == nil || !strings.Contains(err.Error(), "variance 0 is 0 with epsilon 0") {
		t.Errorf("got %v", err)
	}
}
