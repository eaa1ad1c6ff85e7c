package simhw

import (
	"testing"

	"macroscope/simhw/design"
	"macroscope/workload"
)

// TestSearchesEnd searches mappings for layers of three networks on designs with one
// buffer and with two inside one another, with wide and with very narrow networks, with
// and without waits, and tells of how many the fewest cycles, and the least energy within
// them, are proven.
func TestSearchesEnd(t *testing.T) {
	layers := append(networkLayers(t, "cifar10_cnn", "Conv1", "Conv2", "Conv3", "Conv4", "Conv5", "Conv6", "FC"),
		append(networkLayers(t, "alexnet", "Conv1", "Conv2", "Conv3", "Conv4", "Conv5"), networkLayers(t, "Resnet18", "Conv2_1a")...)...)
	if testing.Short() {
		layers = layers[:2]
	}
	w := workload.Workload{Name: "w", Layers: layers}
	d := load(t, "eyeriss")
	one := d.Spec()
	one.Spatial.Mapped = 0
	narrow := one
	narrow.Spatial.Levels[0].InputBus = 0.001
	slow, waits := clusters(), clusters()
	for i := range slow.Spatial.Count {
		l := &slow.Spatial.Levels[i]
		l.ReadWords, l.WriteWords = l.ReadWords/10, l.WriteWords/10
	}
	for i := range waits.Spatial.Count - 1 {
		l := &waits.Spatial.Levels[i]
		l.ChildrenWait, l.WeightBus, l.InputBus, l.SumBus = true, 4, 2, 4
	}
	for _, c := range []struct {
		name string
		spec design.Spec
	}{
		{"one buffer", one},
		{"one buffer, a word of inputs in 1000 cycles", narrow},
		{"two buffers", clusters()},
		{"two buffers at a tenth of the bandwidth", slow},
		{"two buffers, waits at both, DRAM alternates", columns(t)},
		{"two buffers, waits at both", waits},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := design.New(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			m, err := New(&d)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Evaluate(&w); err != nil {
				t.Fatal(err)
			}
			fewest, least := 0, 0
			outcomes := m.machine.(*spatialMachine).outcomes
			for i := range outcomes {
				switch o := &outcomes[i]; {
				case !o.fastest:
					fewest++
				case !o.complete:
					least++
				}
			}
			t.Logf("of %d layers %d with unknown fewest cycles, %d with unknown least energy", len(outcomes), fewest, least)
			if fewest+least > 0 {
				t.Errorf("%d searches stopped at their limit", fewest+least)
			}
		})
	}
}
