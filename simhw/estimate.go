package simhw

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/simhw/memory"
	"macroscope/simhw/systolic"
	"macroscope/workload"
)

// Quantity is a number that may be unknown. In JSON an unknown one is null.
type Quantity struct {
	Value float64
	Known bool
}

// MarshalJSON writes the number or null.
func (q Quantity) MarshalJSON() ([]byte, error) {
	if !q.Known {
		return []byte("null"), nil
	}
	return json.Marshal(q.Value)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (q *Quantity) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*q = Quantity{}
		return nil
	}
	q.Known = true
	return json.Unmarshal(b, &q.Value)
}

// SRAM counts words between the array and the buffers.
type SRAM struct {
	IfmapReads  int64 `json:"sram_ifmap_reads"`
	FilterReads int64 `json:"sram_filter_reads"`
	PsumReads   int64 `json:"sram_psum_reads"`
	OfmapWrites int64 `json:"sram_ofmap_writes"`
}

// Count is a number of things, or Unknown. In JSON an unknown one is null.
type Count int64

// Unknown is a Count that is not modelled.
const Unknown Count = -1

// MarshalJSON writes the number or null.
func (c Count) MarshalJSON() ([]byte, error) {
	if c < 0 {
		return []byte("null"), nil
	}
	return strconv.AppendInt(nil, int64(c), 10), nil
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (c *Count) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*c = Unknown
		return nil
	}
	v, err := strconv.ParseInt(string(b), 10, 64)
	*c = Count(v)
	return err
}

// plus is the sum, unknown where one of the two is.
func (c Count) plus(o Count) Count {
	if c < 0 || o < 0 {
		return Unknown
	}
	return c + o
}

// DRAM counts words between the buffers and DRAM.
type DRAM struct {
	IfmapReads  Count `json:"dram_ifmap_reads"`
	FilterReads Count `json:"dram_filter_reads"`
	PsumReads   Count `json:"dram_psum_reads"`
	PsumWrites  Count `json:"dram_psum_writes"`
	OfmapWrites Count `json:"dram_ofmap_writes"`
	Bytes       Count `json:"dram_bytes"`
}

func (d *DRAM) add(o *DRAM) {
	d.IfmapReads = d.IfmapReads.plus(o.IfmapReads)
	d.FilterReads = d.FilterReads.plus(o.FilterReads)
	d.PsumReads = d.PsumReads.plus(o.PsumReads)
	d.PsumWrites = d.PsumWrites.plus(o.PsumWrites)
	d.OfmapWrites = d.OfmapWrites.plus(o.OfmapWrites)
	d.Bytes = d.Bytes.plus(o.Bytes)
}

// Stalls are waiting cycles by cause.
type Stalls [memory.Causes]int64

type namedStall struct {
	Cause  string `json:"cause"`
	Cycles int64  `json:"cycles"`
}

// MarshalJSON lists the causes that occur.
func (s Stalls) MarshalJSON() ([]byte, error) {
	list := []namedStall{}
	for c, n := range s {
		if n > 0 {
			list = append(list, namedStall{memory.Cause(c).String(), n})
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (s *Stalls) UnmarshalJSON(b []byte) error {
	var list []namedStall
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*s = Stalls{}
	for _, n := range list {
		i := -1
		for c := range memory.Causes {
			if c.String() == n.Cause {
				i = int(c)
			}
		}
		if i < 0 {
			return fmt.Errorf("cause %q of a stall is not known", n.Cause)
		}
		s[i] = n.Cycles
	}
	return nil
}

// Main is the cause of most waiting, "" where there is none.
func (s *Stalls) Main() string {
	best, most := "", int64(0)
	for c, n := range s {
		if n > most {
			best, most = memory.Cause(c).String(), n
		}
	}
	return best
}

// Layer is one layer's estimate. Cycles is the sum of ComputeCycles (operands
// stream), FillDrainCycles (the array is filled, loaded or emptied),
// StallCycles (it waits for DRAM between folds, or for narrow buffers) and
// PrefetchCycles (it waits for its first operands).
type Layer struct {
	Name  string      `json:"name"`
	Kind  string      `json:"kind"`  // "conv" or "gemm"; "maxpool" and the like where they are modelled
	DType dtype.DType `json:"dtype"` // of the operands

	// WeightBits is the width of integer weights that have another than the inputs; else 0.
	WeightBits int   `json:"weight_bits,omitempty"`
	MACs       int64 `json:"macs"`

	Cycles          int64  `json:"cycles"`
	ComputeCycles   int64  `json:"compute_cycles"`
	FillDrainCycles int64  `json:"fill_drain_cycles"`
	StallCycles     int64  `json:"stall_cycles"`
	PrefetchCycles  int64  `json:"prefetch_cycles"`
	Stalls          Stalls `json:"stalls"`

	Utilization        float64 `json:"utilization"`         // MACs over what the PEs could do in Cycles
	ComputeUtilization float64 `json:"compute_utilization"` // the same without stalls and prefetch
	MappingEfficiency  float64 `json:"mapping_efficiency"`  // PEs that have work, averaged over the folds

	Roofline Roofline `json:"roofline"` // of machines with a DRAM of their own

	// The folding of an engine that is the layer's own.
	PE   int64 `json:"pe,omitempty"`
	SIMD int64 `json:"simd,omitempty"`

	SRAM
	DRAM
	UniqueBytes int64 `json:"unique_bytes"` // inputs, weights and outputs, each once: the least traffic without reuse between layers

	TimeUS   Quantity         `json:"time_us"`
	EnergyPJ Quantity         `json:"energy_pj"`
	Energy   energy.Breakdown `json:"energy_breakdown"`

	NotModelled []string `json:"not_modelled"`

	onChip [2]bool // of systolic arrays: its inputs, its outputs stay there
	held   Held    // the zero value: as wide as the operands

	// In SCALE-Sim mode, what that program reports, for one of Groups equal
	// layers.
	ScaleSim *systolic.ScaleSimResult `json:"-"`
	Groups   int64                    `json:"-"`
}

// Held says that integers are held in memory in more bits than they have, and so cost
// what those do.
type Held struct {
	InputBits      int `json:"input_bits"`
	WeightBits     int `json:"weight_bits"`
	HeldInputBits  int `json:"held_input_bits"`
	HeldWeightBits int `json:"held_weight_bits"`
}

func (h Held) String() string {
	return operands(dtype.Int(h.InputBits), h.WeightBits) + " as " + operands(dtype.Int(h.HeldInputBits), h.HeldWeightBits)
}

// hold notes how wide a layer's integers are held.
func (l *Layer) hold(inputBits, weightBits int) {
	h := Held{l.DType.Bits(), l.WeightBits, inputBits, weightBits}
	if h.WeightBits == 0 {
		h.WeightBits = h.InputBits
	}
	if h.HeldInputBits > h.InputBits || h.HeldWeightBits > h.WeightBits {
		l.held = h
	}
}

// Total is the sum over the layers. Where they run one after another, the time
// from input to output and the time from output to output are the same;
// machines whose layers work at once differ in them. There Cycles is the latency,
// ComputeCycles of it the interval, FillDrainCycles the rest.
type Total struct {
	MACs            int64 `json:"macs"`
	Cycles          int64 `json:"cycles"`
	ComputeCycles   int64 `json:"compute_cycles"`
	FillDrainCycles int64 `json:"fill_drain_cycles"`
	StallCycles     int64 `json:"stall_cycles"`
	PrefetchCycles  int64 `json:"prefetch_cycles"`

	LatencyCycles  int64  `json:"latency_cycles"`  // of one workload, from its first operand to its last output
	IntervalCycles int64  `json:"interval_cycles"` // between the ends of one workload and the next
	Stalls         Stalls `json:"stalls"`

	Utilization float64 `json:"utilization"`

	SRAM
	DRAM
	UniqueBytes int64 `json:"unique_bytes"`

	TimeUS   Quantity         `json:"time_us"`
	EnergyPJ Quantity         `json:"energy_pj"`
	Energy   energy.Breakdown `json:"energy_breakdown"`

	// Partial says that the total leaves something out: NotModelled in some
	// layer, or the estimate's UnmodelledLayers.
	Partial     bool     `json:"partial"`
	NotModelled []string `json:"not_modelled"`

	busy float64 // cycles in which the whole array would have done the MACs
}

// Unmodelled is a layer that costs something unknown.
type Unmodelled struct {
	Name     string `json:"name"`
	Op       string `json:"op"`
	Elements int64  `json:"elements"` // number of outputs
}

// Estimate is what the simulator says of a workload on a design.
type Estimate struct {
	Design   string      `json:"design"`
	Workload string      `json:"workload"`
	DType    dtype.DType `json:"dtype"` // in which most of the multiply-accumulates are
	Method   string      `json:"method"`
	ClockMHz Quantity    `json:"clock_mhz"`
	Layers   []Layer     `json:"layers"`
	Total    Total       `json:"total"`

	UnmodelledLayers []Unmodelled `json:"not_modelled_layers"` // in no total

	Area energy.Area `json:"area"`

	FIFOs []FIFO `json:"fifos,omitempty"` // where somebody asked Model.FIFOs for them

	Held []Held `json:"held_wider,omitempty"` // each once, in the order of the layers

	Validated []design.Check `json:"validated"` // what such a design's cycles were compared with
	Assumed   []string       `json:"assumed"`   // entries of the design that no source backs
	Warnings  []string       `json:"warnings"`
	Limits    []string       `json:"limits"` // what the model leaves out of every estimate

	scaleSim bool
}

// outputsUnmodelled is the limit of machines that price no unit between a finished sum
// and the output that is stored.
const outputsUnmodelled = "biases, requantization, thresholds and activations of outputs"

// reset prepares e for a workload, keeping its memory.
func (e *Estimate) reset(m *Model, w *workload.Workload) {
	layers := slices.Grow(e.Layers[:0], len(w.Layers))
	*e = Estimate{Design: m.spec.Name, Workload: w.Name, Layers: layers, UnmodelledLayers: e.UnmodelledLayers[:0], Held: e.Held[:0],
		ClockMHz: Quantity{m.spec.ClockMHz, m.spec.ClockMHz > 0}, Validated: m.validated, Assumed: m.assumed, Warnings: m.warnings}
	e.Total.TimeUS.Known, e.Total.EnergyPJ.Known = true, true
	m.machine.describe(e)
}

// each fills in the layers that are computed, one after another.
func (e *Estimate) each(w *workload.Workload, layer func(*Layer, *workload.Layer) error) error {
	return e.eachOf(w, layer, nil)
}

// eachOf is each for a machine that has units for some layers without weights: other
// fills one in, or returns false where the machine has none for it.
func (e *Estimate) eachOf(w *workload.Workload, layer func(*Layer, *workload.Layer) error, other func(*Layer, *workload.Layer) (bool, error)) error {
	if other != nil {
		e.UnmodelledLayers = e.UnmodelledLayers[:0]
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Kind == workload.Other {
			if other == nil {
				continue // listed as not modelled already
			}
			out := e.open(l)
			out.Kind = l.Op
			ok, err := other(out, l)
			if err != nil {
				return err
			}
			if !ok {
				e.Layers = e.Layers[:len(e.Layers)-1]
				e.UnmodelledLayers = append(e.UnmodelledLayers, Unmodelled{l.Name, l.Op, l.Elements})
			} else if err := e.close(out); err != nil {
				return err
			}
			continue
		}
		out := e.open(l)
		if err := layer(out, l); err != nil {
			return err
		}
		if err := e.close(out); err != nil {
			return err
		}
	}
	return nil
}

// Operands names the formats of inputs and weights: "int8", or "int4×int2" where they differ.
func (l *Layer) Operands() string { return operands(l.DType, l.WeightBits) }

// open appends a layer to fill in.
func (e *Estimate) open(l *workload.Layer) *Layer {
	e.Layers = append(e.Layers, Layer{Name: l.Name, Kind: l.Kind.String(), DType: l.DType, WeightBits: l.WeightWidth, MACs: l.MACs()})
	return &e.Layers[len(e.Layers)-1]
}

// close adds a layer to the total.
func (e *Estimate) close(l *Layer) error {
	if l.held != (Held{}) && !slices.Contains(e.Held, l.held) {
		e.Held = append(e.Held, l.held)
	}
	if e.Total.add(l); e.Total.Cycles >= memory.MaxCycles {
		return fmt.Errorf("workload %q takes 2^60 cycles or more", e.Workload)
	}
	return nil
}

// The parts of energy that may have no price, shared by all estimates.
var (
	dramUnmodelled = []string{"dram energy"}
	leakUnmodelled = []string{"leakage"}
	bothUnmodelled = []string{"dram energy", "leakage"}
)

// unpriced names what the energy of a design with DRAM leaves out.
func unpriced(p *energy.Prices, a *energy.Area) []string {
	switch leaks := a.PEsKnown && a.SRAMKnown; {
	case !leaks && !p.HasDRAM():
		return bothUnmodelled
	case !leaks:
		return leakUnmodelled
	case !p.HasDRAM():
		return dramUnmodelled
	}
	return nil
}

// tooLong says that a layer's cycles cannot be counted.
func tooLong(layer string) error {
	return fmt.Errorf("layer %q takes 2^60 cycles or more", layer)
}

func (t *Total) add(l *Layer) {
	t.MACs += l.MACs
	t.Cycles += l.Cycles
	t.ComputeCycles += l.ComputeCycles
	t.FillDrainCycles += l.FillDrainCycles
	t.StallCycles += l.StallCycles
	t.PrefetchCycles += l.PrefetchCycles
	for c, n := range l.Stalls {
		t.Stalls[c] += n
	}
	t.SRAM.IfmapReads += l.SRAM.IfmapReads
	t.SRAM.FilterReads += l.SRAM.FilterReads
	t.SRAM.PsumReads += l.SRAM.PsumReads
	t.SRAM.OfmapWrites += l.SRAM.OfmapWrites
	t.DRAM.add(&l.DRAM)
	t.UniqueBytes += l.UniqueBytes
	t.busy += l.Utilization * float64(l.Cycles)
	t.TimeUS.Value += l.TimeUS.Value
	t.TimeUS.Known = t.TimeUS.Known && l.TimeUS.Known
	t.EnergyPJ.Known = t.EnergyPJ.Known && l.EnergyPJ.Known
	t.Energy.Add(&l.Energy)
}

// finish works out what follows from the sums. A machine that has not said
// otherwise works on one layer after another, so that the time from input to
// output is that from output to output.
func (e *Estimate) finish() {
	t := &e.Total
	if t.LatencyCycles == 0 {
		t.LatencyCycles, t.IntervalCycles = t.Cycles, t.Cycles
	}
	if t.Cycles > 0 {
		t.Utilization = t.busy / float64(t.Cycles)
	}
	t.EnergyPJ.Value = t.Energy.TotalPJ()
	t.Partial = len(t.NotModelled) > 0 || len(e.UnmodelledLayers) > 0
}
