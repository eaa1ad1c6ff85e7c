package design

import (
	"fmt"
	"slices"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// Limits of what a spatial design lists.
const (
	MaxSpatialLevels = 4  // below DRAM
	MaxMappings      = 24 // of layers
)

// Spatial is an array of multipliers below a tree of buffers, with a mapping for each
// layer: given, or searched.
type Spatial struct {
	// OperandBits and SumBits are the widths of a word of inputs and weights and of an
	// output as it is summed up, in every buffer. Integers of less bits take a whole
	// word, or, where Packed, their own width in buffers and at DRAM; a read or write
	// brings one either way.
	OperandBits, SumBits int
	Packed               bool

	Numbers Numbers

	Objective Objective

	// Clock and Control are pJ of each multiplier that has work and each cycle: the clock
	// network down to the pins, and what runs in an element whatever it computes. With
	// ClocksIdle multipliers without work cost them too.
	Clock, Control Ranged
	ClocksIdle     bool

	// GatesZeros says that nothing happens for inputs that are zero: no product, no
	// weight read, no sum read or written.
	GatesZeros bool

	// DRAMNonzeroBits is what an input or output that is not zero takes at DRAM where
	// zeros take nothing; 0: they are not coded. DRAMAlternates says that nothing is
	// computed while inputs and outputs move there.
	DRAMNonzeroBits float64
	DRAMAlternates  bool

	// Levels are the buffers from DRAM inwards, Count of them.
	Count  int
	Levels [MaxSpatialLevels]SpatialLevel

	// Mappings are those of layers by name, Mapped of them.
	Mapped   int
	Mappings [MaxMappings]LayerMapping
}

// SpatialLevel is a kind of buffer and what is below it.
type SpatialLevel struct {
	Name    string
	Storage Storage

	// WeightBytes, InputBytes and OutputBytes are parts for one dataspace each, and
	// Shared is what those named in Shares have together. What is in neither passes by.
	WeightBytes, InputBytes, OutputBytes, SharedBytes int
	Shares                                            string

	ReadWords, WriteWords float64 // per cycle; 0: no limit

	// AccessMACs is the energy of reading or writing a word and NetworkMACs that of a
	// word's way to one child, or a sum's to the next or back, in those of a
	// multiply-accumulate. 0: the energy table's for the storage; not modelled.
	AccessMACs, NetworkMACs float64

	Children int // below each instance: buffers of the next level, or multipliers

	// WeightBus, InputBus and SumBus are words per cycle on the network to the
	// children; 0: no limit.
	WeightBus, InputBus, SumBus float64
	ChildrenWait                bool

	Time, Across string // dimensions that a search may loop over here
}

// Ranged is a number and the range in which it is believed to lie; an end that is 0 is
// the number.
type Ranged struct{ Value, Low, High float64 }

// At is the number at one end of its range.
func (r *Ranged) At(b energy.Bound) float64 {
	switch {
	case b == energy.Low && r.Low > 0:
		return r.Low
	case b == energy.High && r.High > 0:
		return r.High
	}
	return r.Value
}

// check says what is wrong with the range of a key.
func (r *Ranged) check(key string) *checkError {
	switch {
	case r.Value == 0 && (r.Low > 0 || r.High > 0):
		return &checkError{key + "_pj_per_cycle", "is missing, and its range is given"}
	case r.Low > r.Value:
		return &checkError{key + "_low_pj_per_cycle", fmt.Sprintf("%g: want at most %g, the energy itself", r.Low, r.Value)}
	case r.High > 0 && r.High < r.Value:
		return &checkError{key + "_high_pj_per_cycle", fmt.Sprintf("%g: want at least %g, the energy itself", r.High, r.Value)}
	}
	return nil
}

// rangedKeys are the keys of such a number.
func rangedKeys(key, doc string, at func(*Spec) *Ranged) []field {
	return []field{
		optional(number(key+"_pj_per_cycle", doc, 1e-6, 1e6, func(s *Spec) *float64 { return &at(s).Value })),
		optional(number(key+"_low_pj_per_cycle", "low end of that energy's range; absent: no lower than it", 1e-6, 1e6, func(s *Spec) *float64 { return &at(s).Low })),
		optional(number(key+"_high_pj_per_cycle", "high end of that energy's range; absent: no higher than it", 1e-6, 1e6, func(s *Spec) *float64 { return &at(s).High })),
	}
}

// LayerMapping is one layer's loops, as EachLoop reads them.
type LayerMapping struct{ Layer, Loops string }

// Storage says what a buffer is made of, for its energy and area.
type Storage uint8

// The storages.
const (
	SRAM Storage = iota
	Registers
)

// Numbers is what multipliers take.
type Numbers uint8

// The kinds of numbers.
const (
	Integers Numbers = iota // of up to OperandBits
	Floats                  // float32
	Signs                   // ±1
)

// format is the number format of the multipliers; of integers of more than 8 bits, which
// are made of them, int8.
func (s *Spatial) format() dtype.DType {
	switch {
	case s.Numbers == Floats:
		return dtype.Float32
	case s.Numbers == Signs:
		return dtype.Binary
	case s.OperandBits > 8:
		return dtype.Int8
	}
	return dtype.Int(s.OperandBits)
}

// Unit is a multiplier for the energy table: so many parts of a format's, which need not be
// whole.
func (s *Spatial) Unit() (d dtype.DType, parts float64) {
	if d = s.format(); d == dtype.Int8 {
		return d, float64(s.OperandBits*s.OperandBits) / 64
	}
	return d, 1
}

var (
	storageNames = []string{"sram", "registers"}
	numbersNames = []string{"integers", "float32", "binary"}
)

// Multipliers is the number of them.
func (s *Spatial) Multipliers() int64 {
	n := int64(1)
	for _, l := range s.Levels[:s.Count] {
		n *= int64(l.Children)
	}
	return n
}

// Shared tells whether the level has weights, inputs or outputs (W, I, O) in its
// shared part.
func (l *SpatialLevel) Shared(space byte) bool { return strings.IndexByte(l.Shares, space) >= 0 }

// Parts are the bytes in which weights, inputs and outputs are, the shared part for
// those that are there; 0 for what passes by.
func (l *SpatialLevel) Parts() [3]int {
	parts := [3]int{l.WeightBytes, l.InputBytes, l.OutputBytes}
	for i := range parts {
		if l.Shared("WIO"[i]) {
			parts[i] = l.SharedBytes
		}
	}
	return parts
}

// EnergyConfig is what the prices of a level depend on: its three parts as buffers.
// Those that it has not are priced as 1 KiB, which nothing uses.
func (s *Spatial) EnergyConfig(spec *Spec, level int) energy.Config {
	kib := [3]float64{1, 1, 1}
	if level < s.Count {
		for i, bytes := range s.Levels[level].Parts() {
			if bytes > 0 {
				kib[i] = float64(bytes) / 1024
			}
		}
	}
	return energy.Config{NodeNM: spec.TechnologyNM, VoltageV: spec.VoltageV,
		AccumulatorBits: everyFormat(s.SumBits),
		FilterKiB:       kib[0], IfmapKiB: kib[1], OfmapKiB: kib[2],
		DRAMPJPerBit: spec.DRAM.EnergyPJPerBit, DRAMLowPJPerBit: spec.DRAM.EnergyLowPJPerBit, DRAMHighPJPerBit: spec.DRAM.EnergyHighPJPerBit,
		LeakageMWPerMM2: spec.LeakageMWPerMM2, Table: spec.EnergyTable}
}

const dimLetters = "RSPQCKNG"

// letters is a text of some of the letters of all, each once.
func letters(key, doc, all, fallback string, at func(*Spec) *string) field {
	fits := func(t string) bool {
		if t == "-" {
			return true
		}
		for i := range t {
			if strings.IndexByte(all, t[i]) < 0 || strings.IndexByte(t[:i], t[i]) >= 0 {
				return false
			}
		}
		return t != ""
	}
	return field{key: key, doc: fmt.Sprintf("%s: letters of %s, or - for none", doc, all), fallback: fallback,
		absent: never, ok: func(s *Spec) bool { return fits(*at(s)) },
		set: func(s *Spec, t string) error {
			if !fits(t) {
				return fmt.Errorf("want letters of %s, each once, or - for none", all)
			}
			*at(s) = t
			return nil
		},
		get: func(s *Spec) string { return *at(s) },
	}
}

const maxBytes = 1 << 31

var spatialKind = kind{
	fields: slices.Concat([]field{
		technology, voltage, leakage,
		integer("operand_bits", "width of a word of inputs and weights", 1, 32, func(s *Spec) *int { return &s.Spatial.OperandBits }),
		enum("numbers", "what is multiplied, integers of up to operand_bits", "integers", numbersNames, func(s *Spec) *Numbers { return &s.Spatial.Numbers }),
		flag("packed", "integers of less than operand_bits take no more than they need in buffers and at DRAM; else each takes a word", func(s *Spec) *bool { return &s.Spatial.Packed }),
		integer("sum_bits", "width of an output while it is summed up", 8, 64, func(s *Spec) *int { return &s.Spatial.SumBits }),
		searchFor("what the best mapping of a layer that has none has least of; cycles: of those as fast the least energy, and more bandwidth, larger buffers or a higher clock never take more time, but for parts of a cycle and where an estimate warns that the search stopped; energy_delay and energy give up time for energy, and with more of any may give up more", func(s *Spec) *Objective { return &s.Spatial.Objective }),
		flag("gates_zeros", "inputs that are zero are not multiplied: no weight is read, no sum read or written", func(s *Spec) *bool { return &s.Spatial.GatesZeros }),
		flag("clocks_idle", "multipliers without work are clocked too", func(s *Spec) *bool { return &s.Spatial.ClocksIdle }),
	}, rangedKeys("clock", "energy of the clock network down to the pins, for each multiplier that has work, at the design's technology and voltage; absent: not modelled", func(s *Spec) *Ranged { return &s.Spatial.Clock }),
		rangedKeys("control", "energy of what runs in an element whatever it computes, likewise; absent: not modelled", func(s *Spec) *Ranged { return &s.Spatial.Control }),
		[]field{
			dramBandwidth, dramEnergy, dramLow, dramHigh,
			optional(number("dram.nonzero_bits", "bits at DRAM of an input or output that is not zero, where zeros take none and the layer's share of them is known; absent: not coded", 1, 128, func(s *Spec) *float64 { return &s.Spatial.DRAMNonzeroBits })),
			flag("dram.alternates", "nothing is computed while inputs and outputs move at DRAM; weights come meanwhile", func(s *Spec) *bool { return &s.Spatial.DRAMAlternates }),
		}),
	lists: []*list{{
		key: "levels", doc: "buffers from DRAM to the multipliers", min: 1, max: MaxSpatialLevels,
		count: func(s *Spec) *int { return &s.Spatial.Count },
		entry: func(i int) []field {
			at := func(s *Spec) *SpatialLevel { return &s.Spatial.Levels[i] }
			return []field{
				text("name", "one word, for mappings", 32, true, func(s *Spec) *string { return &at(s).Name }),
				enum("storage", "what it is made of", "sram", storageNames, func(s *Spec) *Storage { return &at(s).Storage }),
				optional(integer("weights_bytes", "part for weights, of one instance; absent: none", 1, maxBytes, func(s *Spec) *int { return &at(s).WeightBytes })),
				optional(integer("inputs_bytes", "part for inputs; absent: none", 1, maxBytes, func(s *Spec) *int { return &at(s).InputBytes })),
				optional(integer("outputs_bytes", "part for outputs; absent: none", 1, maxBytes, func(s *Spec) *int { return &at(s).OutputBytes })),
				optional(integer("shared_bytes", "part that the dataspaces of shares have together; absent: none", 1, maxBytes, func(s *Spec) *int { return &at(s).SharedBytes })),
				letters("shares", "weights, inputs, outputs that the shared part is for", "WIO", "-", func(s *Spec) *string { return &at(s).Shares }),
				optional(number("read_words_per_cycle", "of one instance; absent: no limit", 1e-3, 1e6, func(s *Spec) *float64 { return &at(s).ReadWords })),
				optional(number("write_words_per_cycle", "of one instance; absent: no limit", 1e-3, 1e6, func(s *Spec) *float64 { return &at(s).WriteWords })),
				optional(number("access_macs", "energy of reading or writing a word, in multiply-accumulates; absent: the energy table's for the storage", 1e-3, 1e4, func(s *Spec) *float64 { return &at(s).AccessMACs })),
				optional(number("network_macs", "energy of a word's way to one child, or a sum's to the next or back, in multiply-accumulates; absent: not modelled", 1e-3, 1e4, func(s *Spec) *float64 { return &at(s).NetworkMACs })),
				integer("children", "buffers of the next level below one instance, or multipliers below the last", 1, maxSide, func(s *Spec) *int { return &at(s).Children }),
				optional(number("weights_words_per_cycle", "on the network to the children; absent: no limit", 1e-3, 1e6, func(s *Spec) *float64 { return &at(s).WeightBus })),
				optional(number("inputs_words_per_cycle", "likewise", 1e-3, 1e6, func(s *Spec) *float64 { return &at(s).InputBus })),
				optional(number("sums_words_per_cycle", "likewise, in each direction", 1e-3, 1e6, func(s *Spec) *float64 { return &at(s).SumBus })),
				flag("children_wait", "children have no second set of weights: when those change, all wait for them and the first inputs", func(s *Spec) *bool { return &at(s).ChildrenWait }),
				letters("time", "dimensions that a search may loop over here in time", dimLetters, dimLetters, func(s *Spec) *string { return &at(s).Time }),
				letters("across", "dimensions that a search may spread over the children", dimLetters, dimLetters, func(s *Spec) *string { return &at(s).Across }),
			}
		},
	}, {
		key: "mappings", doc: "loops of layers, by their names; others are searched", max: MaxMappings,
		count: func(s *Spec) *int { return &s.Spatial.Mapped },
		entry: func(i int) []field {
			at := func(s *Spec) *LayerMapping { return &s.Spatial.Mappings[i] }
			return []field{
				text("layer", "the layer's name", 64, true, func(s *Spec) *string { return &at(s).Layer }),
				text("loops", "levels from DRAM inwards with their loops, outermost first: DRAM C3; buffer K3 P55; across S11; spad K16 R11", 400, true, func(s *Spec) *string { return &at(s).Loops }),
			}
		},
	}},
	check: checkSpatial,
	has: func(s *Spec, d dtype.DType) bool {
		if s.Spatial.Numbers == Integers {
			return d.Integer() && d.Bits() <= s.Spatial.OperandBits
		}
		return d == s.Spatial.format()
	},
	same: func(a, b *Spec) bool { return a.Spatial.Count == b.Spatial.Count },
	structure: func(s *Spec) string {
		return fmt.Sprintf("%d multipliers below %d levels", s.Spatial.Multipliers(), s.Spatial.Count)
	},
}

// checkRoom wants room for a word in each part of a level, in a shared one for a word of
// each that is there: no layer's tile is smaller.
func (s *Spatial) checkRoom(level int) *checkError {
	l := &s.Levels[level]
	operand := s.OperandBits
	if s.Packed && s.Numbers == Integers {
		operand = 1 // of the narrowest layer
	}
	shared := 0
	for j, part := range [3]struct {
		name        string
		bytes, bits int
	}{{"weights_bytes", l.WeightBytes, operand}, {"inputs_bytes", l.InputBytes, operand}, {"outputs_bytes", l.OutputBytes, s.SumBits}} {
		if l.Shared("WIO"[j]) {
			shared += part.bits
		} else if part.bytes > 0 && 8*part.bytes < part.bits {
			return &checkError{fmt.Sprintf("levels[%d].%s", level, part.name), fmt.Sprintf("%d: does not hold a word of %d bits: want at least %d", part.bytes, part.bits, (part.bits+7)/8)}
		}
	}
	if 8*l.SharedBytes < shared {
		return &checkError{fmt.Sprintf("levels[%d].shared_bytes", level), fmt.Sprintf("%d: does not hold a word of each of %s, %d bits: want at least %d", l.SharedBytes, l.Shares, shared, (shared+7)/8)}
	}
	return nil
}

func checkSpatial(s *Spec) *checkError {
	sp := &s.Spatial
	if err := checkDRAMRange(s); err != nil {
		return err
	}
	if want := [...]int{Floats: 32, Signs: 1}; sp.Numbers != Integers && sp.OperandBits != want[sp.Numbers] {
		return &checkError{"operand_bits", fmt.Sprintf("%d: want %d where numbers are %s", sp.OperandBits, want[sp.Numbers], numbersNames[sp.Numbers])}
	}
	if err := sp.Clock.check("clock"); err != nil {
		return err
	}
	if err := sp.Control.check("control"); err != nil {
		return err
	}
	for i := range sp.Levels[:sp.Count] {
		l := &sp.Levels[i]
		key := func(name string) string { return fmt.Sprintf("levels[%d].%s", i, name) }
		if strings.ContainsAny(l.Name, " ;") || l.Name == "across" || l.Name == "DRAM" {
			return &checkError{key("name"), fmt.Sprintf("%q: want one word, not across or DRAM", l.Name)}
		}
		for j := range i {
			if sp.Levels[j].Name == l.Name {
				return &checkError{key("name"), fmt.Sprintf("%q: levels[%d] has the same", l.Name, j)}
			}
		}
		if l.SharedBytes > 0 != (l.Shares != "-") {
			return &checkError{key("shares"), fmt.Sprintf("%q: want it where shared_bytes is given, and only there", l.Shares)}
		}
		own := [3]int{l.WeightBytes, l.InputBytes, l.OutputBytes}
		for j, name := range [3]string{"weights_bytes", "inputs_bytes", "outputs_bytes"} {
			if own[j] > 0 && l.Shared("WIO"[j]) {
				return &checkError{key(name), fmt.Sprintf("\"%d\": they are in the shared part: want one of the two", own[j])}
			}
		}
		if err := sp.checkRoom(i); err != nil {
			return err
		}
		if _, err := energy.NewPrices(sp.EnergyConfig(s, i)); err != nil {
			return &checkError{"voltage_v", err.Error()}
		}
	}
	for i := range sp.Mappings[:sp.Mapped] {
		m := &sp.Mappings[i]
		if err := sp.checkLoops(m.Loops); err != nil {
			return &checkError{fmt.Sprintf("mappings[%d].loops", i), err.Error()}
		}
	}
	if n := sp.Multipliers(); n > 1<<24 {
		return &checkError{"levels[0].children", fmt.Sprintf("make %d multipliers in all: want %d at most", n, 1<<24)}
	}
	return nil
}
