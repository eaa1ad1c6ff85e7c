package simhw

import (
	"reflect"
	"slices"
	"sync"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// One model serves many goroutines, whatever the family keeps between layers: networks
// of different sizes get the estimates that they get alone.
func TestOneModelForManyGoroutines(t *testing.T) {
	seen := map[design.Family]bool{}
	for _, name := range design.Shipped() {
		d := load(t, name)
		if s := d.Spec(); seen[s.Family] {
			continue
		} else {
			seen[s.Family] = true
		}
		m, err := New(&d)
		if err != nil {
			t.Fatal(err)
		}
		var nets []workload.Workload
		var want []Estimate
		for _, full := range []workload.Workload{cifar(t, dtype.Int8), cifar(t, dtype.Binary)} {
			for n := 1; n <= 3; n++ {
				w := full
				w.Layers = slices.Clone(w.Layers[:n])
				e, err := Evaluate(&d, &w)
				if err != nil {
					continue // a format that the design has not
				}
				nets, want = append(nets, w), append(want, e)
			}
		}
		if len(nets) < 3 {
			t.Fatalf("%s: %d networks", name, len(nets))
		}
		var group sync.WaitGroup
		for i := range nets {
			group.Go(func() {
				for range 20 {
					e, err := m.Evaluate(&nets[i])
					if err != nil || !reflect.DeepEqual(e, want[i]) {
						t.Errorf("%s, network %d: error %v, or another estimate than alone", name, i, err)
						return
					}
				}
			})
		}
		group.Wait()
	}
	if len(seen) < 6 {
		t.Errorf("families %v", seen)
	}
}
