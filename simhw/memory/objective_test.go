package memory

import (
	"math"
	"math/rand/v2"

	"macroscope/simhw/design"
)

// randomPrices has some that are nothing, and others of all magnitudes.
func randomPrices(rnd *rand.Rand) Prices {
	price := func() float64 {
		if rnd.IntN(4) == 0 {
			return 0
		}
		return rnd.ExpFloat64() * math.Exp2(float64(rnd.IntN(12)))
	}
	return Prices{Fixed: 1 + 100*price(), Chunk: 100 * price(), Ifmap: price(), Filter: price(), Psum: price(), Ofmap: price(), Cycle: price()}
}

// costs is what an objective has least of, from what Prices says.
func costs(p *Problem, time float64, chunks int64, w *words) float64 {
	spent := p.Prices.Fixed + p.Prices.Cycle*time
	for range chunks - 1 {
		spent += p.Prices.Chunk
	}
	spent += w.ifmap*p.Prices.Ifmap + w.filter*p.Prices.Filter + w.psumIn*p.Prices.Psum + w.psumOut*p.Prices.Psum + w.out*p.Prices.Ofmap
	return map[design.Objective]float64{design.LeastCycles: time, design.LeastEnergy: spent, design.EnergyDelay: spent * time}[p.Objective]
}
