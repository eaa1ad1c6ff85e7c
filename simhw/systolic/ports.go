package systolic

import "macroscope/simhw/design"

// Ports are how wide the buffers are towards the array, in bytes a cycle; 0: as wide
// as the array's edge. A narrow buffer gives the words of one step of the array in
// several cycles, and all elements wait for them. DRAM fills the other half of a buffer
// by ports of its own.
//
// Lines cross an edge whole: operands when the first row (column) takes its word, sums
// when the last column gives its own; registers skew the rest. Each operand has a port of its
// own, so that what streams, what is loaded for the next fold and what the fold before
// drains cross in the same step side by side. Partial sums that leave and those that they
// are added to take turns where they share a port.
type Ports struct {
	Ifmap, Filter, Ofmap int64
	OfmapShared          bool // partial sums are read and written by one port, not by two
}

// PortsOf takes the ports out of a design.
func PortsOf(s *design.Spec) Ports {
	b := &s.Buffers
	return Ports{int64(b.IfmapBytesPerCycle), int64(b.FilterBytesPerCycle), int64(b.OfmapBytesPerCycle), b.OfmapPorts == 1}
}

// Waits are the cycles that a step of the array takes beyond one, by what crosses its
// edges. All steps of a layer wait alike: as long as those of its largest fold.
type Waits struct {
	In    int64 // a step's operands that stream in
	Out   int64 // WS and IS: a line of sums on its way out, and of those that it is added to, zeros at first
	Load  int64 // WS and IS: a line of operands to be held
	Drain int64 // OS: a line of finished sums
}

// access is the cycles beyond one that so many bits take.
func access(bits, bytesPerCycle int64) int64 {
	if bytesPerCycle == 0 {
		return 0
	}
	return ceil(bits, 8*bytesPerCycle) - 1
}

// Bits are the widths of words in the buffers.
type Bits struct{ Input, Weight, Sum int64 }

// Feed makes the array wait for its buffers.
func (p *Mapping) Feed(b Ports, w Bits) {
	rows, cols := min(p.Sr, p.Rows), min(p.Sc, p.Cols)
	inputs, weights, sums := p.Lanes*w.Input, p.Lanes*w.Weight, access(cols*w.Sum, b.Ofmap)
	switch p.Dataflow {
	case design.OS:
		p.Waits = Waits{In: max(access(rows*inputs, b.Ifmap), access(cols*weights, b.Filter)), Drain: sums}
		return
	case design.WS:
		p.Waits = Waits{In: access(rows*inputs, b.Ifmap), Out: sums, Load: access(cols*weights, b.Filter)}
	default:
		p.Waits = Waits{In: access(rows*weights, b.Filter), Out: sums, Load: access(cols*inputs, b.Ifmap)}
	}
	if b.OfmapShared && p.RowFolds > 1 {
		p.Waits.Out += 1 + sums // read after write
	}
}

// stream is the time of a WS or IS fold from its first operand to its last sum, latency
// steps after the last operand: a step waits for what enters, for what leaves, or for
// the slower of both.
func (p *Mapping) stream(latency int64) int64 {
	in, out := 1+p.Waits.In, 1+p.Waits.Out
	return min(p.T, latency)*(in+out) + max(p.T-latency, 0)*max(in, out) + max(latency-p.T, 0)
}
