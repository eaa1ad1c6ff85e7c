// Package systolic counts what a systolic array does for one matrix product:
// in closed form, cycle by cycle on a stepped machine that moves the real
// operands (Machine), and by the exact formulas of SCALE-Sim v3 (ScaleSim).
//
// A product has M outputs per channel, N channels and K products per output.
// The array has R rows and C columns of processing elements (PEs). A PE with L
// lanes forms L products along K in a cycle, so that the array sees
// K' = ⌈K/L⌉ steps of K. Rows and columns of the array hold, by dataflow,
//
//	                     rows (Sr)  columns (Sc)  stream (T)
//	output stationary       M           N            K'
//	weight stationary       K'          N            M
//	input stationary        K'          M            N
//
// and what does not fit is done in F = ⌈Sr/R⌉·⌈Sc/C⌉ folds.
package systolic

import "macroscope/simhw/design"

// Array is the part of a design that the closed forms need.
type Array struct {
	Rows, Cols int64
	Dataflow   design.Dataflow
	Drain      design.Drain
	WeightLoad design.WeightLoad
	Gated      bool
}

// ArrayOf takes an array out of a design.
func ArrayOf(s *design.Spec) Array {
	return Array{int64(s.Array.Rows), int64(s.Array.Cols), s.Dataflow, s.Array.Drain, s.Array.WeightLoad, s.Array.Gated}
}

// Mapping is one product on one array, or several equal ones in turn (the
// groups of a convolution). All fields are counts.
type Mapping struct {
	Array
	M, N, K, Lanes, Groups int64

	Sr, Sc, T  int64
	RowFolds   int64 // ⌈Sr/R⌉
	ColFolds   int64 // ⌈Sc/C⌉
	LastR      int64 // rows in use in the last row fold
	LastC      int64 // columns in use in the last column fold
	groupFolds int64

	Waits Waits // for narrow buffers, where Feed set them
}

// Map lays a product out. All arguments are at least 1.
func (a Array) Map(m, n, k, lanes, groups int64) Mapping {
	p := Mapping{Array: a, M: m, N: n, K: k, Lanes: lanes, Groups: groups}
	steps := ceil(k, lanes)
	switch a.Dataflow {
	case design.OS:
		p.Sr, p.Sc, p.T = m, n, steps
	case design.WS:
		p.Sr, p.Sc, p.T = steps, n, m
	default:
		p.Sr, p.Sc, p.T = steps, m, n
	}
	p.RowFolds, p.ColFolds = ceil(p.Sr, a.Rows), ceil(p.Sc, a.Cols)
	p.LastR = p.Sr - (p.RowFolds-1)*a.Rows
	p.LastC = p.Sc - (p.ColFolds-1)*a.Cols
	p.groupFolds = p.RowFolds * p.ColFolds
	return p
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

// overlaps tells whether folds overlap: one drains, or the next is loaded,
// while another computes.
func (a *Array) overlaps() bool {
	if a.Dataflow == design.OS {
		return a.Drain == design.DrainOverlapped
	}
	return a.WeightLoad != design.LoadSerial
}

// Folds is the number of folds of all groups.
func (p *Mapping) Folds() int64 { return p.Groups * p.groupFolds }

// FoldCycles is the time from the start of a fold to the start of the next
// one, for a fold that uses r rows and c columns. Arrays that are not gated
// take their full size whatever the fold uses.
func (p *Mapping) FoldCycles(r, c int64) int64 {
	if p.overlaps() {
		switch {
		case p.Waits != (Waits{}):
			return p.foldInBeat()
		case p.Dataflow == design.OS:
			return max(p.T, 2*p.Rows-2)
		case p.WeightLoad == design.LoadChain:
			return max(p.T, 2*p.Rows-1)
		}
		return max(p.T, p.Rows)
	}
	if !p.Gated {
		r, c = p.Rows, p.Cols
	}
	in, latency := 1+p.Waits.In, r+c-2
	if p.Dataflow != design.OS {
		return r*(1+p.Waits.Load) + p.stream(latency)
	}
	drain := r * (1 + p.Waits.Drain)
	if p.Drain == design.DrainInPlace {
		return max(p.T*in+latency, drain)
	}
	return p.T*in + latency + drain
}

// LastFoldCycles is what the last fold of all takes: no other overlaps its
// end. Where buffers are narrow and folds overlap, the layer's first folds take less
// than FoldCycles, as no sums leave yet; that is taken off here.
func (p *Mapping) LastFoldCycles(r, c int64) int64 {
	if !p.overlaps() {
		return p.FoldCycles(r, c)
	}
	if p.Waits != (Waits{}) {
		return p.cyclesInBeat() - p.LeadCycles() - (p.Folds()-1)*p.foldInBeat()
	}
	last := p.T + p.Rows + p.Cols - 2
	if p.Dataflow == design.OS {
		last += p.Rows
	}
	return last
}

// LeadCycles is what passes before the first fold starts: loading the first
// weights where later ones are loaded during the fold before.
func (p *Mapping) LeadCycles() int64 {
	if p.Dataflow == design.OS {
		return 0
	}
	switch p.WeightLoad {
	case design.LoadChain:
		return p.Rows * (1 + p.Waits.Load)
	case design.LoadBus:
		// Further rows' words come while the first operands are on their way.
		return 1 + p.Waits.Load
	}
	return 0
}

// Feasible tells whether the counts below fit an int64: whether the layer
// takes fewer than limit cycles at least.
func (p *Mapping) Feasible(limit float64) bool {
	longest := (float64(p.T) + 2*float64(p.Rows) + float64(p.Cols)) * (1 + float64(p.Waits.In+p.Waits.Out+p.Waits.Load+p.Waits.Drain))
	return float64(p.Groups)*float64(p.RowFolds)*float64(p.ColFolds)*longest < limit
}

// Cycles is the whole layer's time with operands always at hand:
//
//	OS in place    F·(T+R+C−2)
//	OS shift       F·(T+2R+C−2)
//	OS overlapped  (F−1)·max(T, 2R−2) + T+2R+C−2
//	WS, IS serial  F·(2R+C+T−2)
//	WS, IS chain   R + (F−1)·max(T, 2R−1) + T+R+C−2
//	WS, IS bus     1 + (F−1)·max(T, R) + T+R+C−2
//
// Gated arrays (in place, shift and serial only) use each fold's own rows and
// columns for R and C. Where buffers are narrow (Feed), a step takes i cycles for
// operands that enter, o for sums that leave, l for operands to be held and d for finished
// sums, s being the larger of i and o and L = R+C−2 the steps from an operand to its sum:
//
//	OS in place    F·max(T·i+L, R·d)
//	OS shift       F·(T·i+L+R·d)
//	WS, IS serial  F·(R·l + min(T,L)·(i+o) + max(T−L,0)·s + max(L−T,0))
//
// The others take the steps that they take cycles with wide buffers, each for as long as
// the slowest of what crosses the edges in it (beat).
func (p *Mapping) Cycles() int64 {
	if p.Gated {
		// Every fold is of one of four sizes.
		full, lastCol := p.FoldCycles(p.Rows, p.Cols), p.FoldCycles(p.Rows, p.LastC)
		lastRow, corner := p.FoldCycles(p.LastR, p.Cols), p.FoldCycles(p.LastR, p.LastC)
		return p.Groups * ((p.RowFolds-1)*(p.ColFolds-1)*full + (p.RowFolds-1)*lastCol + (p.ColFolds-1)*lastRow + corner)
	}
	if p.Waits != (Waits{}) && p.overlaps() {
		return p.cyclesInBeat()
	}
	return p.LeadCycles() + (p.Folds()-1)*p.FoldCycles(p.Rows, p.Cols) + p.LastFoldCycles(p.Rows, p.Cols)
}

// LeastCycles is no more than Cycles, nor than those of the same products with their
// streams cut into parts, which are more folds. Cycles itself is, but where folds
// overlap and buffers are narrow: parts enter at intervals there, so that the sums of the
// first may leave in the same steps as operands of the last enter, and not after them.
func (p *Mapping) LeastCycles() int64 {
	if p.Waits == (Waits{}) || !p.overlaps() {
		return p.Cycles()
	}
	wide, w := *p, &p.Waits
	wide.Waits = Waits{}
	return wide.Cycles() + p.Folds()*max(p.T*max(w.In, w.Out), p.Rows*w.Load)
}

// ComputeCycles is the part of Cycles in which operands stream: T a fold. The
// rest is filling, loading and draining.
func (p *Mapping) ComputeCycles() int64 { return p.Folds() * p.T }

// MACs is the number of multiply-accumulates.
func (p *Mapping) MACs() int64 { return p.Groups * p.M * p.N * p.K }

// PECycles is the number of cycles in which a PE works, summed over PEs: the
// MACs over the lanes, those of an incomplete last step counted whole.
func (p *Mapping) PECycles() int64 { return p.Groups * p.Sr * p.Sc * p.T }

// MappingEfficiency is the share of PEs that a fold gives work, averaged over
// the folds.
func (p *Mapping) MappingEfficiency() float64 {
	return float64(p.Sr) * float64(p.Sc) / (float64(p.groupFolds) * float64(p.Rows) * float64(p.Cols))
}

// Accesses counts words that cross the array's edge to and from the buffers.
type Accesses struct {
	IfmapReads, FilterReads int64 // operand words
	PsumReads               int64 // partial sums read back to be added to
	OfmapWrites             int64 // partial or finished sums
}

// BufferAccesses counts the words between array and buffers. Every fold reads
// its operands again; WS and IS read a partial sum back in every row fold but
// the first. Words of padding count as reads.
func (p *Mapping) BufferAccesses() Accesses {
	a, b, o := p.Groups*p.M*p.K, p.Groups*p.K*p.N, p.Groups*p.M*p.N
	switch p.Dataflow {
	case design.OS:
		return Accesses{IfmapReads: a * p.ColFolds, FilterReads: b * p.RowFolds, OfmapWrites: o}
	case design.WS:
		return Accesses{IfmapReads: a * p.ColFolds, FilterReads: b, OfmapWrites: o * p.RowFolds, PsumReads: o * (p.RowFolds - 1)}
	}
	return Accesses{IfmapReads: a, FilterReads: b * p.ColFolds, OfmapWrites: o * p.RowFolds, PsumReads: o * (p.RowFolds - 1)}
}

// RegisterBits counts the bits written to the registers of working PEs:
// operandBits a lane for an operand that moves, accBits for a partial sum, and
// the stationary operands on their way down the columns (or across, by bus,
// straight to their place).
func (p *Mapping) RegisterBits(operandBits, accBits int64) float64 {
	operand := float64(p.Lanes * operandBits)
	acc, work := float64(accBits), float64(p.PECycles())
	if p.Dataflow == design.OS {
		bits := work * (2*operand + acc)
		if p.Drain != design.DrainInPlace {
			bits += p.columnHops() * acc
		}
		return bits
	}
	return work*(operand+acc) + p.HeldBits(operandBits)
}

// HeldBits is the part of RegisterBits that WS and IS write when the operands that stay
// go to their places; 0 in OS.
func (p *Mapping) HeldBits(operandBits int64) float64 {
	if p.Dataflow == design.OS {
		return 0
	}
	load := float64(p.Groups) * float64(p.Sr) * float64(p.Sc)
	if p.WeightLoad != design.LoadBus {
		load = p.columnHops()
	}
	return load * float64(p.Lanes*operandBits)
}

// columnHops counts register writes when every working PE's word moves up or
// down its column to the edge: 1 + 2 + … + r for a column of r.
func (p *Mapping) columnHops() float64 {
	tri := func(r int64) float64 { return float64(r) * float64(r+1) / 2 }
	return float64(p.Groups) * float64(p.Sc) * (float64(p.RowFolds-1)*tri(p.Rows) + tri(p.LastR))
}
