package simhw

import (
	"testing"

	"macroscope/simhw/design"
	"macroscope/workload"
)

// TestSearchesEnd searches mappings for layers of three networks on designs with one
// buffer and with two inside one another, with wide and with very narrow networks, with
// and without waits, and tells of how many the fewest cycles, and the least energy within
// them, are proven. The least energy and the least product of the two are searched for
// some of the layers: for others they take up to minutes on two buffers.
func TestSearchesEnd(t *testing.T) {
	layers := append(networkLayers(t, "cifar10_cnn", "Conv1", "Conv2", "Conv3", "Conv4", "Conv5", "Conv6", "FC"),
		append(networkLayers(t, "alexnet", "Conv1", "Conv2", "Conv3", "Conv4", "Conv5"), networkLayers(t, "Resnet18", "Conv2_1a")...)...)
	if testing.Short() {
		layers = layers[:2]
	}
	some := layers[:1]
	if len(layers) > 12 {
		some = []workload.Layer{layers[0], layers[6], layers[8], layers[9], layers[11]}
	}
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
		for _, o := range []struct {
			name string
			design.Objective
			layers []workload.Layer
		}{{"cycles", design.LeastCycles, layers}, {"energy", design.LeastEnergy, some}, {"energy_delay", design.EnergyDelay, some}} {
			t.Run(c.name+"/"+o.name, func(t *testing.T) {
				c.spec.Spatial.Objective = o.Objective
				fewest, least := unknown(t, &c.spec, o.layers)
				t.Logf("of %d layers %d with unknown fewest cycles, %d with another unknown best", len(o.layers), fewest, least)
				if fewest+least > 0 {
					t.Errorf("%d searches stopped at their limit", fewest+least)
				}
			})
		}
	}
}

// unknown is of how many layers the search of a design stops at its limit, by objective
// cycles before it knows the fewest, and after that or by another objective.
func unknown(t *testing.T, s *design.Spec, layers []workload.Layer) (fewest, least int) {
	d, err := design.New(*s)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Evaluate(&workload.Workload{Name: "w", Layers: layers}); err != nil {
		t.Fatal(err)
	}
	outcomes := m.machine.(*spatialMachine).outcomes
	for i := range outcomes {
		switch o := &outcomes[i]; {
		case o.complete:
		case s.Spatial.Objective == design.LeastCycles && !o.fastest:
			fewest++
		default:
			least++
		}
	}
	return fewest, least
}
