package simhw

import (
	"fmt"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// clusters is 256 multipliers in 16 clusters, each below a buffer of its own.
func clusters() design.Spec {
	s := design.Spec{Name: "clusters", Family: design.FamilySpatial, TechnologyNM: 45, VoltageV: 0.9, ClockMHz: 200,
		DRAM: design.DRAM{BandwidthGBs: 0.8, EnergyPJPerBit: 10}}
	s.Spatial = design.Spatial{OperandBits: 8, SumBits: 24, Count: 3}
	s.Spatial.Levels[0] = design.SpatialLevel{Name: "buffer", SharedBytes: 128 << 10, Shares: "WIO", Children: 16, ReadWords: 16, WriteWords: 16, Time: "RSPQCKNG", Across: "QCK"}
	s.Spatial.Levels[1] = design.SpatialLevel{Name: "cluster", SharedBytes: 4 << 10, Shares: "WIO", Children: 16, ReadWords: 16, WriteWords: 16, Time: "RSPQCKNG", Across: "SCK"}
	s.Spatial.Levels[2] = design.SpatialLevel{Name: "pe", Storage: design.Registers, WeightBytes: 64, InputBytes: 16, OutputBytes: 48, Shares: "-", Children: 1, Time: "RCKP", Across: "-"}
	return s
}

// columns is Eyeriss with a buffer of 8 KiB for each of 14 columns: buses, waits for
// weights, DRAM that alternates.
func columns(t testing.TB) design.Spec {
	d := load(t, "eyeriss")
	s := d.Spec()
	sp := &s.Spatial
	s.Name, sp.Mapped, sp.Count = "columns", 0, 4
	sp.Levels[1], sp.Levels[2], sp.Levels[3] = sp.Levels[0], sp.Levels[1], sp.Levels[2]
	sp.Levels[0].Children = 14
	sp.Levels[1].Name, sp.Levels[1].Children, sp.Levels[1].SharedBytes = "column", 12, 8<<10
	return s
}

// networkLayers are those of the named layers of a topology.
func networkLayers(t testing.TB, topology string, names ...string) []workload.Layer {
	w, err := workload.LoadSCALESim("golden/topologies/" + topology + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	w = w.WithDType(dtype.Int8)
	var layers []workload.Layer
	for i := range w.Layers {
		for _, name := range names {
			if w.Layers[i].Name == name {
				layers = append(layers, w.Layers[i])
			}
		}
	}
	if len(layers) != len(names) {
		t.Fatalf("%s has %d of the layers %q", topology, len(layers), names)
	}
	return layers
}

// TestThreeLevelsAreProven: where a tree has buffers between DRAM's and the elements' too,
// the fewest cycles of real layers are known, and more bandwidth takes none.
func TestThreeLevelsAreProven(t *testing.T) {
	alexnet := networkLayers(t, "alexnet", "Conv1", "Conv2", "Conv3")
	cifar := networkLayers(t, "cifar10_cnn", "Conv5", "FC")
	resnet := networkLayers(t, "Resnet18", "Conv1", "Conv4_1a", "Conv5_1b")
	cases := []struct {
		spec   design.Spec
		layers []workload.Layer
	}{{clusters(), alexnet}, {clusters(), cifar[1:]}, {columns(t), alexnet[1:]}, {columns(t), cifar}, {columns(t), resnet}}
	if testing.Short() {
		cases = cases[:2]
	}
	for _, c := range cases {
		for i := range c.layers {
			l := c.layers[i]
			w := workload.Workload{Name: "w", Layers: []workload.Layer{l}}
			t.Run(fmt.Sprintf("%s/%s", c.spec.Name, l.Name), func(t *testing.T) {
				last := int64(0)
				for by := 0.5; by <= 4; by *= 2 {
					s := c.spec
					s.DRAM.BandwidthGBs *= by
					for i := range s.Spatial.Count {
						b := &s.Spatial.Levels[i]
						for _, width := range [...]*float64{&b.ReadWords, &b.WriteWords, &b.WeightBus, &b.InputBus, &b.SumBus} {
							*width *= max(1, by)
						}
					}
					d, err := design.New(s)
					if err != nil {
						t.Fatal(err)
					}
					m, err := New(&d)
					if err != nil {
						t.Fatal(err)
					}
					e, err := m.Evaluate(&w)
					if err != nil {
						t.Fatal(err)
					}
					if u := m.machine.(*spatialMachine).outcomes[0]; !u.fastest {
						t.Errorf("bandwidths ×%g: there may be fewer than %d cycles: %q", by, e.Total.Cycles, e.Warnings)
					}
					if last > 0 && e.Total.Cycles > last {
						t.Errorf("bandwidths ×%g take %d cycles, half as much %d", by, e.Total.Cycles, last)
					}
					last = e.Total.Cycles
				}
			})
		}
	}
}
