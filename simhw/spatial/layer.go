package spatial

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/workload"
)

// Read makes a problem of a layer. A kernel of one column (or row) needs no input that
// a stride leaps over, so that its stride is taken as 1; a matrix product's rows are P.
func (p *Problem) Read(l *workload.Layer) error {
	*p = Problem{Bounds: Ones(), StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
	switch l.Kind {
	case workload.Conv:
		h, w := l.OutSize()
		g := l.GroupCount()
		p.Bounds = Factors{R: int64(l.KW), S: int64(l.KH), P: w, Q: h, C: int64(l.C) / g, K: int64(l.OutC) / g, N: int64(max(1, l.Batch)), G: g}
		if l.KW > 1 {
			p.StrideP, p.DilationR = int64(max(1, l.StrideW)), int64(max(1, l.DilationW))
		}
		if l.KH > 1 {
			p.StrideQ, p.DilationS = int64(max(1, l.StrideH)), int64(max(1, l.DilationH))
		}
	case workload.Gemm:
		p.Bounds[P], p.Bounds[K], p.Bounds[C] = l.M, l.N, l.K
	default:
		return fmt.Errorf("layer %q has no multiply-accumulates", l.Name)
	}
	p.Finished = l.OutputWords()
	if err := p.Check(); err != nil {
		return fmt.Errorf("layer %q: %w", l.Name, err)
	}
	return nil
}

// Prices are pJ per word of each level and dataspace and on the networks below it, per
// multiply-accumulate, and, for clock and control, per cycle of a multiplier that is
// clocked.
type Prices struct {
	Access  [MaxLevels][Spaces]float64
	Network [MaxLevels]float64
	MAC     float64

	Clock, Control float64
}

// PricesOf prices a design from the energy table, at one end of its ranges. DRAM's is
// zero where the design gives none.
func PricesOf(s *design.Spec, b energy.Bound) (Prices, error) {
	var p Prices
	sp := &s.Spatial
	bits := [Spaces]float64{float64(sp.OperandBits), float64(sp.OperandBits), float64(sp.SumBits)}
	for i := sp.Count; i >= 0; i-- { // DRAM's level first: it has the price of products
		all, err := energy.NewPrices(sp.EnergyConfig(s, i))
		if err != nil {
			return p, err
		}
		set := &all.PriceSet
		switch b {
		case energy.Low:
			set = &all.Low
		case energy.High:
			set = &all.High
		}
		if i == sp.Count {
			for s := range Spaces {
				p.Access[i][s] = set.DRAMBit * bits[s]
			}
			unit, parts := sp.Unit()
			p.MAC = parts*set.Product[unit] + set.Accumulate[unit]
			continue
		}
		l, at := &sp.Levels[i], sp.Count-1-i
		perBit := [Spaces]float64{set.FilterBit, set.IfmapBit, set.OfmapBit}
		for s := range Spaces {
			switch {
			case l.AccessMACs > 0:
				p.Access[at][s] = l.AccessMACs * p.MAC
			case l.Storage == design.Registers:
				p.Access[at][s] = set.RegisterBit * bits[s]
			default:
				p.Access[at][s] = perBit[s] * bits[s]
			}
		}
		p.Network[at] = l.NetworkMACs * p.MAC
	}
	p.Clock, p.Control = sp.Clock.At(b), sp.Control.At(b)
	return p, nil
}

// Narrow is the prices of words of inputs and weights of so many bits, in place of
// operandBits.
func (p *Prices) Narrow(inputBits, weightBits, operandBits int) Prices {
	n := *p
	for i := range n.Access {
		n.Access[i][Inputs] *= float64(inputBits) / float64(operandBits)
		n.Access[i][Weights] *= float64(weightBits) / float64(operandBits)
	}
	return n
}

// Narrow makes inputs and weights so many bits wide, at prices of such words.
func (a *Arch) Narrow(inputBits, weightBits int, prices *Prices) {
	a.Bits[Inputs], a.Bits[Weights] = int64(inputBits), int64(weightBits)
	for i := range a.Count {
		a.Levels[i].AccessPJ = prices.Access[i]
	}
}

// ArchOf makes an accelerator of a design, with DRAM as its outermost level.
func ArchOf(s *design.Spec, prices *Prices) (Arch, error) {
	sp := &s.Spatial
	operand, sum := int64(sp.OperandBits), int64(sp.SumBits)
	a := Arch{Count: sp.Count + 1, Bits: [Spaces]int64{operand, operand, sum}, MACPJ: prices.MAC,
		CyclePJ: prices.Clock + prices.Control, ClocksIdle: sp.ClocksIdle}
	for i := range sp.Levels[:sp.Count] {
		from, l := &sp.Levels[i], &a.Levels[sp.Count-1-i]
		*l = Level{Name: from.Name, Capacity: int64(from.SharedBytes) * 8,
			Part:    [Spaces]int64{int64(from.WeightBytes) * 8, int64(from.InputBytes) * 8, int64(from.OutputBytes) * 8},
			FanoutX: int64(from.Children), FanoutY: 1,
			ReadBandwidth: from.ReadWords, WriteBandwidth: from.WriteWords,
			Bus: [Spaces]float64{from.WeightBus, from.InputBus, from.SumBus}, Waits: from.ChildrenWait}
		for j, bytes := range from.Parts() {
			l.Keep[j] = bytes > 0
		}
		var err error
		if l.Time, err = ParseDims(from.Time); err != nil {
			return a, fmt.Errorf("level %s: time: %w", from.Name, err)
		}
		if l.AcrossX, err = ParseDims(from.Across); err != nil {
			return a, fmt.Errorf("level %s: across: %w", from.Name, err)
		}
	}
	a.Levels[sp.Count] = Level{Name: "DRAM", Keep: [Spaces]bool{true, true, true}, FanoutX: 1, FanoutY: 1, Time: AllDims, BitsPerCycle: s.BytesPerCycle() * 8, Alternates: sp.DRAMAlternates}
	for i := range a.Count {
		a.Levels[i].AccessPJ, a.Levels[i].NetworkPJ = prices.Access[i], prices.Network[i]
	}
	return a, a.Check()
}

// Spent is a result's energy by where it went, pJ.
type Spent struct {
	Access                       [MaxLevels][Spaces]float64
	MAC, Network, Clock, Control float64
}

// EnergyPJ prices a result anew. live is the share of the products that are made: for
// the others no weight is read for a multiplier and no sum read or updated.
func (p *Prices) EnergyPJ(a *Arch, r *Result, live float64) Spent {
	clocked := float64(r.Clocked(a)) * float64(r.Cycles)
	e := Spent{MAC: float64(r.MACs) * p.MAC * live, Clock: clocked * p.Clock, Control: clocked * p.Control}
	var inside [Spaces]bool // some level inside keeps it
	for i := range a.Count {
		l := &r.Levels[i]
		for s := range Space(Spaces) {
			c := l.Spaces[s]
			words := float64(c.Accesses(a.Levels[i].Block))
			if a.Levels[i].Keep[s] && !inside[s] {
				inside[s] = true
				switch s { // what the multipliers take and give
				case Weights:
					words -= float64(c.Reads) * (1 - live)
				case Outputs:
					words -= float64(c.Reads+c.Updates) * (1 - live)
				}
			}
			e.Access[i][s] = words * float64(l.Instances) * p.Access[i][s]
		}
		e.Network += float64(l.Network) * p.Network[i]
	}
	return e
}

// Layer is the inverse of Read: a convolution of the problem's shape over an image as
// large as it needs, without padding.
func (p *Problem) Layer(name string, d dtype.DType) (workload.Layer, error) {
	w, h := p.axes(&p.Bounds)
	b := &p.Bounds
	l := workload.Layer{Name: name, Kind: workload.Conv, DType: d, Batch: int(b[N]), H: int(h), W: int(w), C: int(b[C] * b[G]), OutC: int(b[K] * b[G]),
		KH: int(b[S]), KW: int(b[R]), StrideH: int(p.StrideQ), StrideW: int(p.StrideP), DilationH: int(p.DilationS), DilationW: int(p.DilationR), Groups: int(b[G])}
	one := workload.Workload{Name: name, Layers: []workload.Layer{l}}
	return l, one.Validate()
}
