package kernels

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"macroscope/dtype"
)

// EnvVar names the environment variable that overrides the choice; its syntax
// is that of Choose.
const EnvVar = "MACROSCOPE_KERNELS"

// Choice is one implementation for each dtype, and why. The zero value is not
// usable; Default and Choose make one.
type Choice struct {
	impl [3]*Impl
	why  [3]string
}

// For returns the implementation chosen for a dtype.
func (c *Choice) For(d dtype.DType) *Impl { return c.impl[d] }

// Why says how the choice for a dtype came about.
func (c *Choice) Why(d dtype.DType) string { return c.why[d] }

// Forced says whether the implementation of a dtype was asked for by name.
func (c *Choice) Forced(d dtype.DType) bool { return c.why[d] == askedFor }

const askedFor = "asked for"

// String is the choice in the syntax of Choose.
func (c *Choice) String() string {
	var parts []string
	for _, d := range dtype.All {
		parts = append(parts, d.String()+"="+c.impl[d].k.Name)
	}
	return strings.Join(parts, ",")
}

// With returns a copy of the choice that has im for its dtype.
func (c *Choice) With(im *Impl) *Choice {
	n := *c
	n.impl[im.k.DType], n.why[im.k.DType] = im, askedFor
	return &n
}

var fromEnv = sync.OnceValues(func() (*Choice, error) {
	c, err := Choose(os.Getenv(EnvVar))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", EnvVar, err)
	}
	return c, nil
})

// Default is Choose of the environment variable MACROSCOPE_KERNELS, decided
// once per process.
func Default() (*Choice, error) { return fromEnv() }

// Choose picks for each dtype the last available row of the table, which lists
// a dtype's rows slowest first: in measured order, but for rows that no machine
// at hand had (arm64's, and AMX), whose place is expected and Why says so. It is
// changed by a comma-separated list of terms:
//
//	avx2              use it for every dtype that has it
//	int8=avx512vnni   use it for that dtype
//	-avx512vnni       do without it, for every dtype
//	int8=-avx2        do without it for that dtype
//
// An unknown name is an error that lists the known ones. Asking for what is
// not available here is an error, never a silent fallback; so is leaving a
// dtype without any.
func Choose(spec string) (*Choice, error) {
	var forced [3]string
	var without [3][]string
	for _, term := range strings.Split(spec, ",") {
		if term = strings.TrimSpace(term); term == "" {
			continue
		}
		dtypes, name := dtype.All, term
		if left, right, ok := strings.Cut(term, "="); ok {
			d, err := dtype.Parse(left)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", term, err)
			}
			dtypes, name = []dtype.DType{d}, right
		}
		name, minus := strings.CutPrefix(name, "-")
		known := false
		for _, d := range dtypes {
			im, err := Lookup(d, name)
			if err != nil {
				continue
			}
			known = true
			switch {
			case minus:
				without[d] = append(without[d], name)
			case forced[d] != "" && forced[d] != name:
				return nil, fmt.Errorf("%q: %v is already %s", term, d, forced[d])
			case !im.Available():
				return nil, fmt.Errorf("%q: %v is not available here: %s", term, im, im.reason)
			default:
				forced[d] = name
			}
		}
		if !known {
			return nil, fmt.Errorf("%q: want one of %s", term, strings.Join(names(dtypes), ", "))
		}
	}

	c := &Choice{}
	for _, d := range dtype.All {
		if err := c.pick(d, forced[d], without[d]); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Choice) pick(d dtype.DType, forced string, without []string) error {
	var passed []string
	for _, im := range slices.Backward(table) {
		switch {
		case im.k.DType != d || forced != "" && im.k.Name != forced:
			continue
		case slices.Contains(without, im.k.Name):
			passed = append(passed, im.k.Name+" left out")
			continue
		case !im.Available():
			passed = append(passed, im.k.Name+": "+im.reason)
			continue
		}
		c.impl[d] = im
		switch {
		case forced != "":
			c.why[d] = askedFor
		case len(passed) > 0:
			c.why[d] = "best left (" + strings.Join(passed, "; ") + ")"
		case im.k.Unmeasured:
			c.why[d] = "first in expected order, not measured"
		case im.k.Name == "generic":
			c.why[d] = "the only one in this build"
		default:
			c.why[d] = "first in measured order"
		}
		return nil
	}
	return fmt.Errorf("%v: no implementation left (%s)", d, strings.Join(passed, "; "))
}

// names lists the implementations of some dtypes, each once.
func names(dtypes []dtype.DType) (list []string) {
	for _, im := range table {
		if slices.Contains(dtypes, im.k.DType) && !slices.Contains(list, im.k.Name) {
			list = append(list, im.k.Name)
		}
	}
	return list
}
