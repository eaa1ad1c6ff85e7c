package design

import (
	"fmt"
	"strings"

	"macroscope/dtype"
)

// kind describes a family: its keys, the rules between them, and what all
// families can be asked.
type kind struct {
	fields    []field
	lists     []*list
	check     func(*Spec) *checkError                                          // rules between values, each of which is in its range
	has       func(*Spec, dtype.DType) bool                                    // units of a format
	unit      func(s *Spec, d dtype.DType, weightBits int) (dtype.DType, bool) // Spec.Unit; nil: by has
	structure func(*Spec) string
	same      func(a, b *Spec) bool // they differ in sizes and speeds alone
}

// list is a key below which stands a sequence of mappings, as many as *count
// says afterwards. entry makes the fields of entry i, their keys without what
// precedes them.
type list struct {
	key, doc string
	min, max int
	count    func(*Spec) *int
	entry    func(i int) []field

	entries [][]field // by entry, with whole keys: "levels[0].name"
}

// kinds are the families that there are.
var kinds = [families]*kind{
	FamilySystolic:  &systolicKind,
	FamilySpatial:   &spatialKind,
	FamilyStreaming: &streamingKind,
	FamilyXNOR:      &xnorKind,
	FamilyMACTree:   &macTreeKind,
	FamilyVector:    &vectorKind,
}

// common are the keys of every design.
var common = []field{
	text("name", "name in reports", 64, true, func(s *Spec) *string { return &s.Name }),
	text("description", "one line about the design", 400, false, func(s *Spec) *string { return &s.Description }),
	familyField,
	number("clock_mhz", "clock of the array and the buffers", 1e-3, 1e5, func(s *Spec) *float64 { return &s.ClockMHz }),
}

// Keys that most families have.
var (
	technology    = number("technology_nm", "technology node; energy and area are scaled to it", 7, 180, func(s *Spec) *float64 { return &s.TechnologyNM })
	voltage       = number("voltage_v", "supply voltage; energy is scaled to it", 0.4, 1.8, func(s *Spec) *float64 { return &s.VoltageV })
	leakage       = optional(number("leakage_mw_per_mm2", "leakage of the silicon at the design's voltage; absent: the energy table's, which is of a fast library", 1e-6, 1e3, func(s *Spec) *float64 { return &s.LeakageMWPerMM2 }))
	dramBandwidth = number("dram.bandwidth_gb_s", "DRAM bandwidth, reads and writes together, 10⁹ bytes a second", 1e-3, 1e6, func(s *Spec) *float64 { return &s.DRAM.BandwidthGBs })
	dramLow       = optional(number("dram.energy_low_pj_per_bit", "low end of that energy's range; absent: no lower than it", 1e-3, 1e4, func(s *Spec) *float64 { return &s.DRAM.EnergyLowPJPerBit }))
	dramHigh      = optional(number("dram.energy_high_pj_per_bit", "high end of that energy's range; absent: no higher than it", 1e-3, 1e4, func(s *Spec) *float64 { return &s.DRAM.EnergyHighPJPerBit }))
	dramEnergy    = optional(number("dram.energy_pj_per_bit", "energy of moving a bit to or from DRAM; absent: not modelled", 1e-3, 1e4, func(s *Spec) *float64 { return &s.DRAM.EnergyPJPerBit }))
)

// checkDRAMRange holds the ends of DRAM's price against the price.
func checkDRAMRange(s *Spec) *checkError {
	d := &s.DRAM
	if d.EnergyPJPerBit == 0 && (d.EnergyLowPJPerBit > 0 || d.EnergyHighPJPerBit > 0) {
		return &checkError{"dram.energy_pj_per_bit", "is missing, and its range is given"}
	}
	if d.EnergyLowPJPerBit > d.EnergyPJPerBit {
		return &checkError{"dram.energy_low_pj_per_bit", fmt.Sprintf("%g: want at most %g, the energy itself", d.EnergyLowPJPerBit, d.EnergyPJPerBit)}
	}
	if d.EnergyHighPJPerBit > 0 && d.EnergyHighPJPerBit < d.EnergyPJPerBit {
		return &checkError{"dram.energy_high_pj_per_bit", fmt.Sprintf("%g: want at least %g, the energy itself", d.EnergyHighPJPerBit, d.EnergyPJPerBit)}
	}
	return nil
}

// familyField chooses among the kinds that there are.
var familyField = newFamilyField()

func newFamilyField() field {
	var names []string
	for f, k := range kinds {
		if k != nil {
			names = append(names, Family(f).String())
		}
	}
	f := enum("family", "kind of machine", "systolic", names, func(s *Spec) *Family { return &s.Family })
	f.ok = func(s *Spec) bool { return s.Family < families && kinds[s.Family] != nil }
	f.set = func(s *Spec, t string) error {
		if _, err := enumValue(names, t); err != nil {
			return err
		}
		i, err := enumValue(familyNames, t)
		s.Family = Family(i)
		return err
	}
	f.get = func(s *Spec) string { return s.Family.String() }
	return f
}

func init() {
	for _, k := range kinds {
		if k != nil {
			makeLists(k)
		}
	}
}

// makeLists makes the fields of a family's lists.
func makeLists(k *kind) {
	for _, l := range k.lists {
		l.entries = make([][]field, l.max)
		for i := range l.entries {
			l.entries[i] = l.entry(i)
			for j := range l.entries[i] {
				f := &l.entries[i][j]
				f.key = fmt.Sprintf("%s[%d].%s", l.key, i, f.key)
				if f.parent != "" {
					f.parent = fmt.Sprintf("%s[%d].%s", l.key, i, f.parent)
				}
			}
		}
	}
}

// fields goes over the fields that a design of this family can have, entries
// of lists as far as they are counted.
func (s *Spec) fields(yield func(*field) bool) {
	for i := range common {
		if !yield(&common[i]) {
			return
		}
	}
	k := kinds[s.Family]
	for i := range k.fields {
		if !yield(&k.fields[i]) {
			return
		}
	}
	for _, l := range k.lists {
		for i := range min(*l.count(s), l.max) {
			for j := range l.entries[i] {
				if !yield(&l.entries[i][j]) {
					return
				}
			}
		}
	}
}

// all goes over every field that the family could have.
func (k *kind) all(yield func(*field) bool) {
	for i := range common {
		if !yield(&common[i]) {
			return
		}
	}
	for i := range k.fields {
		if !yield(&k.fields[i]) {
			return
		}
	}
	for _, l := range k.lists {
		for _, e := range l.entries {
			for j := range e {
				if !yield(&e[j]) {
					return
				}
			}
		}
	}
}

// find returns the field of a key, or nil; isParent tells that the key has
// keys below it, and l is set where it has a sequence of them.
func (k *kind) find(key string) (found *field, isParent bool, l *list) {
	for _, l := range k.lists {
		if l.key == key {
			return nil, false, l
		}
	}
	for f := range k.all {
		if f.key == key {
			return f, false, nil
		}
		if strings.HasPrefix(f.key, key+".") {
			isParent = true
		}
	}
	return nil, isParent, nil
}

// children lists the names allowed below a parent ("" for the top), in order.
func (k *kind) children(parent string) []string {
	var keys []string
	seen := map[string]bool{}
	for f := range k.all {
		rest := f.key
		if parent != "" {
			if !strings.HasPrefix(rest, parent+".") {
				continue
			}
			rest = rest[len(parent)+1:]
		}
		name, _, _ := strings.Cut(rest, ".")
		if name, _, _ = strings.Cut(name, "["); !seen[name] {
			seen[name] = true
			keys = append(keys, name)
		}
	}
	return keys
}

// elsewhere names the families that have a key, "" where none has.
func elsewhere(key string) string {
	var names []string
	for f, k := range kinds {
		if k == nil {
			continue
		}
		if found, isParent, l := k.find(key); found != nil || isParent || l != nil {
			names = append(names, Family(f).String())
		}
	}
	return strings.Join(names, ", ")
}

// Key is a key of the design file: Family is "" where all families have it.
type Key struct{ Family, Key, Doc, Default string }

// Reference returns the format's keys in order, each with what it means and
// what it may be. The entries of a list are shown once, as "levels[].name".
func Reference() []Key {
	var ref []Key
	add := func(family string, f *field, key string) {
		def := f.fallback
		if f.required {
			def = "required"
		}
		ref = append(ref, Key{family, key, f.doc, def})
	}
	for i := range common {
		add("", &common[i], common[i].key)
	}
	for f, k := range kinds {
		if k == nil {
			continue
		}
		family := Family(f).String()
		for i := range k.fields {
			if !k.fields[i].hidden {
				add(family, &k.fields[i], k.fields[i].key)
			}
		}
		for _, l := range k.lists {
			ref = append(ref, Key{family, l.key, fmt.Sprintf("%s; a list of %d to %d", l.doc, l.min, l.max), "required"})
			for j := range l.entries[0] {
				e := &l.entries[0][j]
				add(family, e, strings.Replace(e.key, "[0]", "[]", 1))
			}
		}
	}
	return ref
}
