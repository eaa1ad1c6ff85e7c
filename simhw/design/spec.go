// Package design describes accelerators: a strict YAML file, units in every
// key, a source for every number; or a SCALE-Sim .cfg. Both give a Design, a
// checked value that does not change.
package design

import (
	"fmt"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw/energy"
)

// Family is the kind of machine; each is simulated by its own room.
type Family uint8

// The families. One that kinds does not describe cannot be chosen.
const (
	FamilySystolic  Family = iota // a grid of elements between which operands move
	FamilySpatial                 // elements below a tree of buffers, with a mapping
	FamilyMACTree                 // products of many channels summed by a tree
	FamilyStreaming               // an engine a layer, between which values stream
	FamilyVector                  // a core with an instruction for dot products
	FamilyXNOR                    // XNOR and popcount
	families
)

var familyNames = []string{"systolic", "spatial", "mac_tree", "streaming", "vector", "xnor"}

func (f Family) String() string { return enumName(familyNames, int(f)) }

func enumName(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("value(%d)", i)
}

// Spec holds a design's numbers: what all families have, and the part of its
// own, the others being zero. It is a plain value without references: copy it,
// change it, and New checks it again.
type Spec struct {
	Name        string
	Description string
	Family      Family

	// ScaleSim selects SCALE-Sim v3's exact formulas, its quirks included, in
	// place of this project's own. The design then has no technology, clock or
	// DRAM: its cycles and traffic are known, its time and energy are not.
	ScaleSim bool

	TechnologyNM float64
	VoltageV     float64
	ClockMHz     float64

	// LeakageMWPerMM2 is what the silicon leaks at its voltage; 0: what the
	// energy table says, scaled.
	LeakageMWPerMM2 float64

	DRAM DRAM

	// EnergyTable has the prices; nil: the table that comes with the program.
	// It is no part of a design's file.
	EnergyTable *energy.Table

	Systolic
	Spatial   Spatial
	Streaming Streaming
	XNOR      XNOR
	MACTree
	Vector Vector
}

// DRAM is one channel, shared by reads and writes. 1 GB is 10⁹ bytes.
type DRAM struct {
	BandwidthGBs   float64
	EnergyPJPerBit float64 // 0: not given, DRAM energy is not modelled

	// The range in which that price is believed to lie; 0: as EnergyPJPerBit.
	EnergyLowPJPerBit, EnergyHighPJPerBit float64
}

// BytesPerCycle is what DRAM moves in one cycle of the array's clock.
func (s *Spec) BytesPerCycle() float64 { return s.DRAM.BandwidthGBs * 1e3 / s.ClockMHz }

// Has tells whether the design has units of a number format.
func (s *Spec) Has(d dtype.DType) bool { return kinds[s.Family].has(s, d) }

// Unit is the format of the units that compute inputs of format d with weights of
// weightBits: d's own, or of integers the narrowest that both fit; false where there are none.
func (s *Spec) Unit(d dtype.DType, weightBits int) (dtype.DType, bool) {
	if unit := kinds[s.Family].unit; unit != nil {
		return unit(s, d, weightBits)
	}
	if !d.Integer() {
		return d, s.Has(d)
	}
	for bits := max(d.Bits(), weightBits); bits <= dtype.MaxIntBits; bits++ {
		if unit := dtype.Int(bits); s.Has(unit) {
			return unit, true
		}
	}
	return d, false
}

// FormatNames lists the number formats that the design has units of, integers of all
// widths up to one as "int1 to int16", of inputs with other weights as "int8×int4".
func (s *Spec) FormatNames() []string {
	var names []string
	upTo := 0 // all integers of fewer bits too
	for _, d := range dtype.Integers {
		if !s.Has(d) {
			break
		}
		upTo = d.Bits()
	}
	for _, d := range formats {
		switch {
		case !s.Has(d) || upTo > 1 && d.Integer() && d.Bits() < upTo:
		case upTo > 1 && d == dtype.Int(upTo):
			names = append(names, "int1 to "+d.String())
		default:
			names = append(names, d.String())
		}
	}
	for i := range s.Vector.LoopCount {
		if l := &s.Vector.Loops[i]; l.WeightBits > 0 {
			names = append(names, l.DType.String()+"×"+dtype.Int(l.WeightBits).String())
		}
	}
	return names
}

// SameKind tells whether two designs differ in sizes and speeds alone, so that
// what one was compared with speaks for the other.
func (s *Spec) SameKind(o *Spec) bool {
	return s.Family == o.Family && s.ScaleSim == o.ScaleSim && kinds[s.Family].same(s, o)
}

// Structure says in a few words what the design is made of: "32×32 ws".
func (s *Spec) Structure() string { return kinds[s.Family].structure(s) }

// Check says what a design's estimates were compared with.
type Check struct {
	What    string `json:"what"`    // the compared quantity
	Against string `json:"against"` // with what
	Result  string `json:"result"`

	// Published tells that the figures compared with are among those that package
	// simhw/validate has beside ours, one by one.
	Published bool `json:"-"`
}

// Value is one entry of a design and where it came from.
type Value struct {
	Key    string // "array.rows"
	Text   string // "256"
	Source string // as in the file; empty where none was given
	Line   int    // in the file; 0 for a default
}

// Assumed tells whether nothing outside this project backs the value.
func (v Value) Assumed() bool {
	return v.Source == "" || len(v.Source) >= 7 && v.Source[:7] == "assumed"
}

// Design is a checked, unchangeable Spec with the sources of its values.
type Design struct {
	spec     Spec
	values   []Value
	warnings []string

	file  string         // that it was read from
	lines map[string]int // of its keys there
}

// KeyError is a fault of one entry of a design that only a workload brings to light,
// such as a buffer that holds no tile of a layer.
type KeyError struct {
	Key string
	Err error
}

func (e *KeyError) Error() string { return e.Err.Error() }

// Unwrap returns the fault without its key.
func (e *KeyError) Unwrap() error { return e.Err }

// Place says where a key stands, or what it is part of: "file:line"; empty for a design
// that was not read from a file.
func (d *Design) Place(key string) string {
	if d.file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", d.file, lineFor(d.lines, key))
}

// Spec returns a copy of the design's numbers.
func (d *Design) Spec() Spec { return d.spec }

// Name is the design's name.
func (d *Design) Name() string { return d.spec.Name }

// Values lists every entry in the order of the reference, defaults included.
func (d *Design) Values() []Value { return append([]Value(nil), d.values...) }

// Assumed lists the keys whose values nothing outside this project backs.
// What merely names the design does not count.
func (d *Design) Assumed() []string {
	var keys []string
	for _, v := range d.values {
		if v.Assumed() && !v.label() {
			keys = append(keys, v.Key)
		}
	}
	return keys
}

// Sourced counts the values that a source backs.
func (d *Design) Sourced() int {
	n := 0
	for _, v := range d.values {
		if !v.Assumed() && !v.label() {
			n++
		}
	}
	return n
}

// label tells a value that says what the design is called, not what it is.
func (v Value) label() bool {
	return v.Key == "name" || v.Key == "description" || v.Key == "family" || strings.HasSuffix(v.Key, "].layer") ||
		strings.HasSuffix(v.Key, "].dtype") || strings.HasSuffix(v.Key, "].kernel")
}

// WithEnergyTable is the design with other prices than those that come with
// the program. The error names a price that does not scale to the design.
func (d *Design) WithEnergyTable(t *energy.Table) (Design, error) {
	priced := *d
	priced.spec.EnergyTable = t
	return priced, priced.spec.Check()
}

// Warnings lists what a reader noticed and did not use.
func (d *Design) Warnings() []string { return append([]string(nil), d.warnings...) }

// New checks a Spec made in code. Its values have no sources.
func New(s Spec) (Design, error) {
	if err := s.Check(); err != nil {
		return Design{}, err
	}
	d := Design{spec: s}
	for f := range s.fields {
		if f.applies(&s) {
			if text := f.text(&s); text != "" {
				d.values = append(d.values, Value{Key: f.key, Text: text})
			}
		}
	}
	return d, nil
}
