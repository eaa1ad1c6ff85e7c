package tflite

import (
	"fmt"
	"maps"
	"slices"

	"macroscope/internal/regular"
)

// A Survey says what is in a TFLite file, whether or not Read understands it.
type Survey struct {
	Version     int
	Description string
	Inputs      []string // "name [1 32 32 3] INT8, scale 1, zero point -128"
	Outputs     []string
	Operators   []OperatorCount // by name
}

// OperatorCount is how often an operator stands in a file, and where, if Read does not
// understand it: the first few.
type OperatorCount struct {
	Operator  string
	Count     int
	Supported bool
	Where     []string // "operator 3 (gives "x") at offset 1234"
}

// SurveyFile reads what is in the file at path. It fails only where the file is no TFLite
// model.
func SurveyFile(path string) (*Survey, error) {
	data, err := regular.ReadFile(path, MaxFileSize)
	if err != nil {
		return nil, err
	}
	s, err := survey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func survey(data []byte) (*Survey, error) {
	m, err := parse(data)
	if err != nil {
		return nil, err
	}
	s := &Survey{Version: m.version, Description: m.about}
	for _, l := range []struct {
		from []int
		to   *[]string
	}{{m.in, &s.Inputs}, {m.out, &s.Outputs}} {
		for _, i := range l.from[:min(len(l.from), 100)] {
			*l.to = append(*l.to, m.tensors[i].String())
		}
	}
	counts := map[string]*OperatorCount{}
	for i := range m.operators {
		o := &m.operators[i]
		c := counts[o.String()]
		if c == nil {
			c = &OperatorCount{Operator: o.String(), Supported: known(o.code) != nil}
			counts[o.String()] = c
		}
		if c.Count++; !c.Supported && len(c.Where) < 8 {
			c.Where = append(c.Where, m.place(o))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		s.Operators = append(s.Operators, *counts[name])
	}
	return s, nil
}

// place says where in the file an operator stands and what it gives.
func (m *model) place(o *operator) string {
	gives := ""
	if len(o.out) > 0 && o.out[0] >= 0 {
		gives = fmt.Sprintf(" (gives %s)", quote(m.tensors[o.out[0]].name))
	}
	return fmt.Sprintf("operator %d %s%s at offset %d", o.index, o, gives, o.at)
}

// String is the tensor's name, dimensions, type and, if it has one, its format.
func (t *tensor) String() string {
	s := fmt.Sprintf("%.80s %v %s", t.name, t.dims, kindName(t.kind))
	if len(t.scale) == 1 {
		s += fmt.Sprintf(", scale %g, zero point %d", t.scale[0], t.zero[0])
	}
	return s
}
