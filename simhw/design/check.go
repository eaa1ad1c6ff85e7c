package design

import "fmt"

// checkError is a broken rule between values; key is the entry to point at.
type checkError struct {
	key, msg string
}

func (e *checkError) plain(where string) error {
	return fmt.Errorf("%s: %s %s", where, e.key, e.msg)
}

// Check reports the first rule that the numbers break. It allocates nothing
// where they break none.
func (s *Spec) Check() error {
	if err := s.check(); err != nil {
		return err.plain("design " + s.Name)
	}
	return nil
}

// check applies every rule: each value's range, then the rules between them.
func (s *Spec) check() *checkError {
	if !familyField.ok(s) {
		return &checkError{"family", fmt.Sprintf("%q: %v", s.Family, familyField.set(&Spec{}, s.Family.String()))}
	}
	k := kinds[s.Family]
	for _, l := range k.lists {
		if n := *l.count(s); n < l.min || n > l.max {
			return &checkError{l.key, fmt.Sprintf("has %d entries: want %d to %d", n, l.min, l.max)}
		}
	}
	for f := range s.fields {
		if s.ScaleSim && (f.key == "technology_nm" || f.key == "voltage_v" || f.key == "clock_mhz" || f.key == "dram.bandwidth_gb_s") {
			continue
		}
		if err := f.check(s); err != nil {
			return err
		}
	}
	return k.check(s)
}

// check applies one field's range.
func (f *field) check(s *Spec) *checkError {
	applies := f.applies(s)
	switch {
	case f.absent(s):
		if f.required && applies {
			return &checkError{f.key, "is missing: want " + f.doc}
		}
	case !f.ok(s):
		t := f.get(s)
		return &checkError{f.key, fmt.Sprintf("%q: %v", t, f.set(&Spec{}, t))}
	case !applies && f.fallback != f.get(s):
		return &checkError{f.key, fmt.Sprintf("%q: applies to %s only", f.get(s), f.why)}
	}
	return nil
}
