package design

import (
	"fmt"
	"strconv"
	"strings"

	"macroscope/dtype"
)

// field is one key of the design file: how to read it, what it may be, how to
// show it. The table below is the format's definition: the parser, the
// reference and the messages are made from it.
type field struct {
	key      string // full path
	doc      string
	required bool
	fallback string // text taken where the key is absent; empty: stays zero
	numeric  bool

	set func(s *Spec, text string) error // the error says what was wanted
	get func(s *Spec) string

	absent func(s *Spec) bool // the value is the zero that stands for none
	ok     func(s *Spec) bool // the value is in range

	only func(s *Spec) bool // nil: applies always
	why  string             // where it applies, for the message
}

func (f *field) applies(s *Spec) bool { return f.only == nil || f.only(s) }
func (f *field) text(s *Spec) string  { return f.get(s) }

// Limits of a design. They keep every product of theirs with a workload's
// numbers inside an int64.
const (
	maxSide = 1 << 14
	maxKiB  = 1 << 22
	maxMACs = 1 << 10
)

func isOS(s *Spec) bool    { return s.Dataflow == OS }
func isNotOS(s *Spec) bool { return s.Dataflow != OS }

var schema = []field{
	text("name", "name in reports", 64, true, func(s *Spec) *string { return &s.Name }),
	text("description", "one line about the design", 400, false, func(s *Spec) *string { return &s.Description }),
	enum("family", "kind of machine", "systolic", familyNames, func(s *Spec) *Family { return &s.Family }),
	required(enum("dataflow", "operand that stays in a processing element: outputs, weights or inputs", "", dataflowNames, func(s *Spec) *Dataflow { return &s.Dataflow })),
	number("technology_nm", "technology node; energy and area are scaled to it", 7, 180, func(s *Spec) *float64 { return &s.TechnologyNM }),
	number("voltage_v", "supply voltage; energy is scaled to it", 0.4, 1.8, func(s *Spec) *float64 { return &s.VoltageV }),
	number("clock_mhz", "clock of the array and the buffers", 1e-3, 1e5, func(s *Spec) *float64 { return &s.ClockMHz }),
	integer("array.rows", "rows of processing elements", 1, maxSide, func(s *Spec) *int { return &s.Array.Rows }),
	integer("array.cols", "columns of processing elements", 1, maxSide, func(s *Spec) *int { return &s.Array.Cols }),
	only(enum("array.drain", "how outputs leave: in_place (read where they stand), shift (after each fold), overlapped (during the next fold)", "in_place", drainNames, func(s *Spec) *Drain { return &s.Array.Drain }), isOS, "dataflow os"),
	only(enum("array.weight_load", "how stationary operands enter: serial (before each fold), chain or bus (during the fold before)", "serial", weightLoadNames, func(s *Spec) *WeightLoad { return &s.Array.WeightLoad }), isNotOS, "dataflow ws or is"),
	partialFolds,
	byDType("array.macs_per_pe_per_cycle", "products that a processing element forms in a cycle; a format that is absent cannot be computed", dtype.Float32, "1", maxMACs, func(s *Spec) *[3]int { return &s.Array.MACsPerPEPerCycle }),
	byDType("array.macs_per_pe_per_cycle", "", dtype.Int8, "1", maxMACs, func(s *Spec) *[3]int { return &s.Array.MACsPerPEPerCycle }),
	byDType("array.macs_per_pe_per_cycle", "", dtype.Binary, "1", maxMACs, func(s *Spec) *[3]int { return &s.Array.MACsPerPEPerCycle }),
	computed(dtype.Float32, byDType("array.accumulator_bits", "width of a partial sum", dtype.Float32, "32", 64, func(s *Spec) *[3]int { return &s.Array.AccumulatorBits })),
	computed(dtype.Int8, byDType("array.accumulator_bits", "", dtype.Int8, "32", 64, func(s *Spec) *[3]int { return &s.Array.AccumulatorBits })),
	computed(dtype.Binary, byDType("array.accumulator_bits", "", dtype.Binary, "16", 64, func(s *Spec) *[3]int { return &s.Array.AccumulatorBits })),
	integer("buffers.ifmap_kib", "input buffer, both halves", 1, maxKiB, func(s *Spec) *int { return &s.Buffers.IfmapKiB }),
	integer("buffers.filter_kib", "weight buffer, both halves", 1, maxKiB, func(s *Spec) *int { return &s.Buffers.FilterKiB }),
	integer("buffers.ofmap_kib", "output and partial-sum buffer, both halves", 1, maxKiB, func(s *Spec) *int { return &s.Buffers.OfmapKiB }),
	flag("buffers.keep_activations", "keep outputs on chip as the next layer's inputs where both fit the ifmap buffer", func(s *Spec) *bool { return &s.Buffers.KeepActivations }),
	number("dram.bandwidth_gb_s", "DRAM bandwidth, reads and writes together, 10⁹ bytes a second", 1e-3, 1e6, func(s *Spec) *float64 { return &s.DRAM.BandwidthGBs }),
	optional(number("dram.energy_pj_per_bit", "energy of moving a bit to or from DRAM; absent: not modelled", 1e-3, 1e4, func(s *Spec) *float64 { return &s.DRAM.EnergyPJPerBit })),
}

var partialFolds = func() field {
	return field{
		key: "array.partial_folds", doc: "full: a fold at the edge takes as long as any; gated: it does not wait for idle rows and columns",
		fallback: "full", absent: never, ok: always,
		set: func(s *Spec, t string) error {
			i, err := enumValue(foldNames, t)
			s.Array.Gated = i == 1
			return err
		},
		get: func(s *Spec) string {
			if s.Array.Gated {
				return foldNames[1]
			}
			return foldNames[0]
		},
	}
}()

func required(f field) field { f.required = true; return f }
func optional(f field) field { f.required = false; return f }
func only(f field, when func(*Spec) bool, why string) field {
	f.only, f.why = when, why
	return f
}

// computed limits a field to arrays that compute format d.
func computed(d dtype.DType, f field) field {
	return only(f, func(s *Spec) bool { return s.Lanes(d) > 0 }, "arrays that compute "+d.String())
}

func never(*Spec) bool  { return false }
func always(*Spec) bool { return true }

func text(key, doc string, limit int, need bool, at func(*Spec) *string) field {
	oneLine := func(t string) bool { return t != "" && len(t) <= limit && !strings.ContainsAny(t, "\n\r\t\x00") }
	return field{key: key, doc: doc, required: need,
		absent: func(s *Spec) bool { return *at(s) == "" },
		ok:     func(s *Spec) bool { return oneLine(*at(s)) },
		set: func(s *Spec, t string) error {
			if !oneLine(t) {
				return fmt.Errorf("want one line of 1 to %d bytes", limit)
			}
			*at(s) = t
			return nil
		},
		get: func(s *Spec) string { return *at(s) },
	}
}

func enumValue(names []string, t string) (int, error) {
	for i, n := range names {
		if n == t {
			return i, nil
		}
	}
	return 0, fmt.Errorf("want %s", orList(names))
}

func enum[T ~uint8](key, doc, fallback string, names []string, at func(*Spec) *T) field {
	return field{key: key, doc: doc + "; " + orList(names), fallback: fallback,
		absent: never,
		ok:     func(s *Spec) bool { return int(*at(s)) < len(names) },
		set: func(s *Spec, t string) error {
			i, err := enumValue(names, t)
			*at(s) = T(i)
			return err
		},
		get: func(s *Spec) string { return enumName(names, int(*at(s))) },
	}
}

func number(key, doc string, low, up float64, at func(*Spec) *float64) field {
	return field{key: key, doc: fmt.Sprintf("%s; %g to %g", doc, low, up), required: true, numeric: true,
		absent: func(s *Spec) bool { return *at(s) == 0 },
		ok:     func(s *Spec) bool { return *at(s) >= low && *at(s) <= up },
		set: func(s *Spec, t string) error {
			v, err := strconv.ParseFloat(t, 64)
			if err != nil || !(v >= low && v <= up) {
				return fmt.Errorf("want a number from %g to %g", low, up)
			}
			*at(s) = v
			return nil
		},
		get: func(s *Spec) string {
			if *at(s) == 0 {
				return ""
			}
			return strconv.FormatFloat(*at(s), 'g', -1, 64)
		},
	}
}

func integer(key, doc string, low, up int, at func(*Spec) *int) field {
	return field{key: key, doc: fmt.Sprintf("%s; %d to %d", doc, low, up), required: true, numeric: true,
		absent: func(s *Spec) bool { return *at(s) == 0 },
		ok:     func(s *Spec) bool { return *at(s) >= low && *at(s) <= up },
		set: func(s *Spec, t string) error {
			v, err := strconv.Atoi(t)
			if err != nil || v < low || v > up {
				return fmt.Errorf("want a whole number from %d to %d", low, up)
			}
			*at(s) = v
			return nil
		},
		get: func(s *Spec) string {
			if *at(s) == 0 {
				return ""
			}
			return strconv.Itoa(*at(s))
		},
	}
}

func byDType(parent, doc string, d dtype.DType, fallback string, up int, at func(*Spec) *[3]int) field {
	f := integer(parent+"."+d.String(), doc, 1, up, func(s *Spec) *int { return &at(s)[d] })
	f.required, f.fallback = false, fallback
	if doc == "" {
		f.doc = fmt.Sprintf("likewise; 1 to %d", up)
	}
	return f
}

func flag(key, doc string, at func(*Spec) *bool) field {
	return field{key: key, doc: doc + "; true or false", fallback: "false", absent: never, ok: always,
		set: func(s *Spec, t string) error {
			if t != "true" && t != "false" {
				return fmt.Errorf("want true or false")
			}
			*at(s) = t == "true"
			return nil
		},
		get: func(s *Spec) string { return strconv.FormatBool(*at(s)) },
	}
}

func orList(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// findField returns the field of a key, or nil; isParent tells that the key
// has keys below it.
func findField(key string) (f *field, isParent bool) {
	for i := range schema {
		if schema[i].key == key {
			return &schema[i], false
		}
		if strings.HasPrefix(schema[i].key, key+".") {
			isParent = true
		}
	}
	return nil, isParent
}

// childKeys lists the names allowed below a parent ("" for the top), in order.
func childKeys(parent string) []string {
	var keys []string
	seen := map[string]bool{}
	for i := range schema {
		rest := schema[i].key
		if parent != "" {
			if !strings.HasPrefix(rest, parent+".") {
				continue
			}
			rest = rest[len(parent)+1:]
		}
		name, _, _ := strings.Cut(rest, ".")
		if !seen[name] {
			seen[name] = true
			keys = append(keys, name)
		}
	}
	return keys
}

// Reference returns the format's keys in order, each with what it means and
// what it may be.
func Reference() []struct{ Key, Doc, Default string } {
	ref := make([]struct{ Key, Doc, Default string }, len(schema))
	for i := range schema {
		def := schema[i].fallback
		if schema[i].required {
			def = "required"
		}
		ref[i] = struct{ Key, Doc, Default string }{schema[i].key, schema[i].doc, def}
	}
	return ref
}

// nearest returns the name that takes the fewest single-letter changes to
// reach from s.
func nearest(s string, names []string) string {
	best, dist := "", 1<<30
	for _, n := range names {
		if d := editDistance(s, n); d < dist {
			best, dist = n, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	if len(a) > 64 { // no key is that long
		a = a[:64]
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
