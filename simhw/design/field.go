package design

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"macroscope/dtype"
)

// field is one key of the design file: how to read it, what it may be, how to
// show it. The tables of fields are the format's definition: the parser, the
// reference and the messages are made from them.
type field struct {
	key      string // full path
	doc      string
	required bool
	fallback string // text taken where the key is absent; empty: stays zero
	numeric  bool

	// Of keys that stand beside one another below parent, fallbacks are taken
	// only where none of them is given: what is listed is all there is.
	parent string

	set func(s *Spec, text string) error // the error says what was wanted
	get func(s *Spec) string

	absent func(s *Spec) bool // the value is the zero that stands for none
	ok     func(s *Spec) bool // the value is in range

	hidden bool // from the reference, where another key's text speaks for it

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
	maxPort = 1 << 20 // bytes a cycle
)

func required(f field) field { f.required = true; return f }
func optional(f field) field { f.required = false; return f }
func only(f field, when func(*Spec) bool, why string) field {
	f.only, f.why = when, why
	return f
}

// listed marks a field whose fallback is not taken where a sibling is given.
func listed(f field) field {
	f.parent, _, _ = cutLast(f.key)
	return f
}

func never(*Spec) bool  { return false }
func always(*Spec) bool { return true }

func text(key, doc string, limit int, need bool, at func(*Spec) *string) field {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	oneLine := func(t string) bool {
		return t != "" && len(t) <= limit && utf8.ValidString(t) && !strings.ContainsFunc(t, unprintable)
	}
	return field{key: key, doc: doc, required: need,
		absent: func(s *Spec) bool { return *at(s) == "" },
		ok:     func(s *Spec) bool { return oneLine(*at(s)) },
		set: func(s *Spec, t string) error {
			if !oneLine(t) {
				return fmt.Errorf("want one line of 1 to %d bytes, all of it printable", limit)
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

// format is the name of a number format.
func format(key, doc string, at func(*Spec) *dtype.DType) field {
	return field{key: key, doc: fmt.Sprintf("%s; float32, binary or int1 to int%d", doc, dtype.MaxIntBits), required: true,
		absent: never, ok: func(s *Spec) bool { return at(s).Known() },
		set: func(s *Spec, t string) error {
			d, err := dtype.ParseAny(t)
			if err != nil {
				return fmt.Errorf("want float32, binary or int1 to int%d", dtype.MaxIntBits)
			}
			*at(s) = d
			return nil
		},
		get: func(s *Spec) string { return at(s).String() },
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

// ByFormat is a number for each dtype.DType.
type ByFormat = [dtype.Count]int

// byFormat makes a key below parent for each format, whose fallback, "" for none, is
// that of the format. The reference shows integers but int8 by one line.
func byFormat(parent, doc string, fallback func(dtype.DType) string, up int, at func(*Spec) *ByFormat) []field {
	var fields []field
	for i, d := range formats {
		f := integer(parent+"."+d.String(), doc, 1, up, func(s *Spec) *int { return &at(s)[d] })
		f.required, f.fallback = false, fallback(d)
		switch {
		case d == dtype.Int8:
			f.doc = fmt.Sprintf("likewise, and so each of int1 to int%d; 1 to %d", dtype.MaxIntBits, up)
		case i > 0:
			f.doc, f.hidden = fmt.Sprintf("likewise; 1 to %d", up), d.Integer()
		}
		fields = append(fields, f)
	}
	return fields
}

// formats lists all number formats in the order of the reference.
var formats = append(slices.Clone(dtype.All), slices.DeleteFunc(slices.Clone(dtype.Integers), func(d dtype.DType) bool { return d == dtype.Int8 })...)

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
