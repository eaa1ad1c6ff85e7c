package bound

import (
	"fmt"
	"math/bits"
	"strings"

	"macroscope/dtype"
	"macroscope/kernels/arm64"
)

// Heading is what every table of predictions says of itself.
const Heading = "predicted, not measured"

// Prediction is what a core can reach at most with a micro-kernel's innermost
// loop.
type Prediction struct {
	Core        string      `json:"core"`
	DType       dtype.DType `json:"dtype"`
	Impl        string      `json:"impl"`
	NonNegative bool        `json:"non_negative"` // the tile for bytes of A within 0…127
	TileRows    int         `json:"tile_rows"`
	TileCols    int         `json:"tile_columns"` // of SVE as many as the core's vectors make

	// InstructionsPerMAC is of the loop, whatever the core but for its vectors of SVE.
	InstructionsPerMAC float64 `json:"instructions_per_mac"`
	// Missing names the instruction that the core does not have; "" if it has
	// all. Else the rest is 0, and not in JSON.
	Missing string `json:"missing,omitempty"`
	// MACPerCycle is the bound, PeakPerCycle that of the loop's multiplications
	// and additions alone: those of the Peak that measured percentages are percent
	// of (int8/neon's is of the tile for A ≥ 0).
	MACPerCycle  float64 `json:"mac_per_cycle,omitzero"`
	PeakPerCycle float64 `json:"peak_mac_per_cycle,omitzero"`
	// Limit is the resource that is busy longest.
	Limit string `json:"limit,omitzero"`
}

// Kernel is the micro-kernel's name, as Count.Kernel.
func (p Prediction) Kernel() string { return kernelName(p.DType, p.Impl, p.NonNegative) }

// OfPeak is the bound as a part of the peak, 0 where an instruction is missing.
func (p Prediction) OfPeak() float64 {
	if p.PeakPerCycle == 0 {
		return 0
	}
	return p.MACPerCycle / p.PeakPerCycle
}

// All predicts every arm64 micro-kernel on every core, core by core; SVE's only where
// there is SVE.
func All() (list []Prediction) {
	for i := range Cores {
		for _, m := range arm64.Mixes {
			list = append(list, Predict(&Cores[i], m))
		}
		if Cores[i].sve == nil {
			continue
		}
		for _, m := range arm64.SVEMixes {
			list = append(list, Predict(&Cores[i], m))
		}
	}
	return list
}

// Predict bounds a loop on a core, a loop of SVE with the core's vectors.
func Predict(c *Core, m arm64.Mix) Prediction {
	n := counts(m)
	if m.Impl == "sve" && c.sve != nil {
		m.NR *= c.sve.bits / 128
		m.MACs *= c.sve.bits / 128
		c = c.withSVE()
	}
	p := Prediction{
		Core: c.Name, DType: m.DType, Impl: m.Impl, NonNegative: m.NonNegative, TileRows: m.MR, TileCols: m.NR,
		InstructionsPerMAC: float64(n.sum()) / float64(m.MACs),
	}
	if m.Impl == "sve" && c.sve == nil {
		p.Missing = "SVE"
		return p
	}
	for o, n := range n {
		if n > 0 && c.uses[o].slots == 0 {
			p.Missing = opNames[o]
			return p
		}
	}
	cycles, limit := c.busiest(n)
	if wait := c.chain(n, m.Sums); wait > cycles {
		cycles, limit = wait, "latency of the sums"
	}
	p.MACPerCycle, p.Limit = float64(m.MACs)/cycles, limit

	alone, _ := c.busiest(n.arithmetic())
	p.PeakPerCycle = float64(m.MACs) / alone
	return p
}

// tally is how often each class occurs.
type tally [ops]int

func counts(m arm64.Mix) tally {
	return tally{
		loadQ: m.LoadQ, loadPair: m.LoadPair, loadLane: m.LoadLane, fmla: m.FMLA, sdot: m.SDOT, udot: m.UDOT, smmla: m.SMMLA, smull: m.SMULL,
		sadalp: m.SADALP, eor: m.EOR, cnt: m.CNT, uadalp: m.UADALP, add: m.Add, permute: m.Permute, scalar: m.Scalar, branch: m.Branch,
	}
}

func (n tally) sum() (s int) {
	for _, k := range n {
		s += k
	}
	return s
}

// arithmetic leaves the multiplications and additions.
func (n tally) arithmetic() tally {
	for _, o := range []op{loadQ, loadPair, loadLane, permute, scalar, branch} {
		n[o] = 0
	}
	return n
}

// busiest is the longest time, in cycles, that a resource is busy with the
// instructions, and its name.
//
// Vector pipes: instructions that can only go to the pipes of a set keep them
// busy for at least their cycles over the size of the set. The largest of that
// over all sets is reached by a suitable order (it is the max-flow min-cut
// theorem), so no smaller bound is missed.
func (c *Core) busiest(n tally) (cycles float64, limit string) {
	longest := func(work, width int, name string) {
		if t := float64(work) / float64(width); t > cycles {
			cycles, limit = t, name
		}
	}
	for set := c.all(); set > 0; set-- {
		work := 0
		for o, n := range n {
			if u := c.uses[o]; u.pipes&^set == 0 {
				work += n * u.vector
			}
		}
		longest(work, bits.OnesCount8(uint8(set)), c.pipeNames(set))
	}
	load, slots := 0, 0
	for o, n := range n {
		load += n * c.uses[o].load
		slots += n * c.uses[o].slots
	}
	longest(load, c.loads, "load pipes")
	longest(slots, c.front, "instructions a cycle")
	return cycles, limit
}

// pipeNames names a set of vector pipes.
func (c *Core) pipeNames(set pipes) string {
	if len(c.vectors) == 1 {
		return c.vectors[0]
	}
	if set == c.all() {
		return "vector pipes"
	}
	var names []string
	for i, name := range c.vectors {
		if set>>i&1 == 1 {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("vector %s", strings.Join(names, " and "))
}

// chain is the time, in cycles, of a trip's additions onto one of its sums, one
// after the other. Every accumulating instruction is taken to add onto one of
// the independent sums, and all sums to get as many.
func (c *Core) chain(n tally, sums int) float64 {
	wait := 0
	for o, n := range n {
		wait += n * c.uses[o].sum
	}
	return float64(wait) / float64(sums)
}
