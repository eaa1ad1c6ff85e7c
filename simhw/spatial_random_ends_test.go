package simhw

import (
	"math/rand/v2"
	"testing"

	"macroscope/workload"
)

// TestRandomSearchesEnd searches a small layer on each of random designs by the default
// limit and tells of how many the best is not proven: few. None is refused, as a tile of a
// word fits everywhere.
func TestRandomSearchesEnd(t *testing.T) {
	designs := 200
	if testing.Short() {
		designs = 20
	}
	rng := rand.New(rand.NewPCG(21, 22))
	fewest, least := 0, 0
	for range designs {
		s := randomSpatial(rng)
		slow, dear := unknown(t, &s, []workload.Layer{randomSpatialLayer(rng)})
		fewest, least = fewest+slow, least+dear
	}
	t.Logf("of %d random designs %d with unknown fewest cycles, %d with unknown least energy", designs, fewest, least)
	if fewest+least > designs/20 {
		t.Errorf("%d searches stopped at their limit", fewest+least)
	}
}
