// Package energy prices what an accelerator does. Energy is action counts
// times prices, and leakage is area times time, and nothing else; a price comes
// from a Table, in which every number names its source and its range, is
// fitted to a buffer's capacity and scaled to the design's technology node and
// voltage. What has no price is reported as not modelled, never as zero.
//
// Not modelled here: the clock tree, control, wiring between blocks; a design may give
// their energy itself.
package energy

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"macroscope/dtype"
)

// Constant is one published or assumed number of a table.
type Constant struct {
	Name     string  `json:"name" yaml:"-"` // its key, with the unit at the end
	Value    float64 `json:"value" yaml:"value"`
	Low      float64 `json:"low" yaml:"low"` // the range in which it is believed to lie
	High     float64 `json:"high" yaml:"high"`
	NodeNM   float64 `json:"node_nm" yaml:"node_nm"`     // technology at which it holds; 0 where that does not matter
	VoltageV float64 `json:"voltage_v" yaml:"voltage_v"` // supply at which it holds; 0 where that does not matter
	Source   string  `json:"source" yaml:"source"`       // "assumed: ..." where the choice is ours
	Range    string  `json:"range" yaml:"range"`         // where Low and High are from
}

// Table holds every constant that a result rests on. It is not changed after
// it was read.
type Table struct {
	Int8Add   Constant `yaml:"int8_add_pj"`
	Int16Add  Constant `yaml:"int16_add_pj"`
	Int32Add  Constant `yaml:"int32_add_pj"`
	Int8Mul   Constant `yaml:"int8_multiply_pj"`
	FP32Add   Constant `yaml:"float32_add_pj"`
	FP32Mul   Constant `yaml:"float32_multiply_pj"`
	FullAdder Constant `yaml:"full_adder_pj"`
	XNOR      Constant `yaml:"xnor_pj"`
	Register  Constant `yaml:"register_pj_per_bit"`
	SRAM8K    Constant `yaml:"sram_8kib_64_bits_pj"`
	SRAM32K   Constant `yaml:"sram_32kib_64_bits_pj"`
	SRAM1M    Constant `yaml:"sram_1mib_64_bits_pj"`

	Int8AddArea   Constant `yaml:"int8_add_um2"`
	Int16AddArea  Constant `yaml:"int16_add_um2"`
	Int32AddArea  Constant `yaml:"int32_add_um2"`
	Int8MulArea   Constant `yaml:"int8_multiply_um2"`
	FP32AddArea   Constant `yaml:"float32_add_um2"`
	FP32MulArea   Constant `yaml:"float32_multiply_um2"`
	FullAdderArea Constant `yaml:"full_adder_um2"`
	XNORArea      Constant `yaml:"xnor_um2"`
	RegisterArea  Constant `yaml:"register_um2_per_bit"`
	SRAMArea      Constant `yaml:"sram_square_lambda_per_bit"`

	Leakage Constant `yaml:"leakage_mw_per_mm2"`
}

// Bound says at which end of their ranges constants are taken.
type Bound int

// The three that results are given at.
const (
	Nominal Bound = iota
	Low
	High
	bounds
)

// At is the constant at one end of its range.
func (c *Constant) At(b Bound) float64 {
	switch b {
	case Low:
		return c.Low
	case High:
		return c.High
	}
	return c.Value
}

//go:embed table.yaml
var defaultYAML []byte

// DefaultYAML is the table that comes with the program, to copy and change.
func DefaultYAML() []byte { return bytes.Clone(defaultYAML) }

// Default is the table that comes with the program.
var Default = sync.OnceValue(func() *Table {
	t, err := ParseTable("table.yaml", bytes.NewReader(defaultYAML))
	if err != nil {
		panic(err) // the file is embedded, and tested
	}
	return t
})

const maxTable = 32 << 10

// ParseTable reads a table in YAML. file is for messages, which have the form
// "file:line: what was expected". Keys that are unknown, repeated or missing
// are errors, and so is a range that does not hold its value.
func ParseTable(file string, r io.Reader) (t *Table, err error) {
	data, err := io.ReadAll(io.LimitReader(r, maxTable+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(data) > maxTable {
		return nil, fmt.Errorf("%s: more than %d bytes", file, maxTable)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte-order mark is no part of the text
	// The YAML library's time grows with the square of the depth, and a fault
	// of its on a hostile file must be an error too.
	defer func() {
		if r := recover(); r != nil {
			t, err = nil, fmt.Errorf("%s: not readable as YAML: %v", file, r)
		}
	}()
	if line := structured(data); line > 0 {
		return nil, fmt.Errorf("%s:%d: lists, anchors, tags, text blocks and mappings in mappings have no place in a table", file, line)
	}
	t = &Table{}
	err = yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(t)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file misses every key
		return nil, located(file, err)
	}
	v := reflect.ValueOf(t).Elem()
	for i := range v.NumField() {
		c := v.Field(i).Addr().Interface().(*Constant)
		c.Name = v.Type().Field(i).Tag.Get("yaml")
		if msg := c.check(); msg != "" {
			return nil, fmt.Errorf("%s:%d: %s: %s", file, lineOf(data, c.Name), c.Name, msg)
		}
	}
	return t, nil
}

// structured is the first line with a structure that a table does not have, 0
// where there is none. Structures inside quotes and comments are none.
func structured(data []byte) int {
	n, depth := 0, 0
	for line := range bytes.Lines(data) {
		n++
		quoted := false
		for i, b := range line {
			switch {
			case b == '"':
				quoted = !quoted
			case quoted:
			case b == '{':
				depth++
			case b == '}':
				depth--
			case b == '#' && (i == 0 || line[i-1] == ' '):
				line = line[:i]
			}
			if i >= len(line) {
				break
			}
			if !quoted && (strings.IndexByte("[&*!?|>%@`", b) >= 0 || !quoted && b == '-' && bytes.HasPrefix(line[i+1:], []byte(" ")) || depth > 1) || i > 64 && len(bytes.TrimSpace(line[:i])) == 0 {
				return n
			}
		}
	}
	return 0
}

func (c *Constant) check() string {
	switch {
	case c.Source == "" && c.Value == 0:
		return "is missing: want {value, low, high, source, range} and, where they matter, node_nm and voltage_v"
	case !(c.Value > 0 && c.Value < 1e9):
		return fmt.Sprintf("value %g: want more than 0 and less than 1e9", c.Value)
	case !(c.Low > 0 && c.Low <= c.Value && c.Value <= c.High && c.High < 1e9):
		return fmt.Sprintf("low %g, value %g, high %g: want 0 < low ≤ value ≤ high", c.Low, c.Value, c.High)
	case strings.TrimSpace(c.Source) == "":
		return "has no source"
	case strings.TrimSpace(c.Range) == "":
		return "range does not say where low and high are from"
	case c.NodeNM != 0 && !(c.NodeNM >= MinNodeNM && c.NodeNM <= MaxNodeNM):
		return fmt.Sprintf("node_nm %g: want %g to %g", c.NodeNM, MinNodeNM, MaxNodeNM)
	case c.VoltageV != 0 && !(c.VoltageV >= MinV && c.VoltageV <= MaxV):
		return fmt.Sprintf("voltage_v %g: want %g to %g", c.VoltageV, MinV, MaxV)
	}
	unit := c.Name[strings.LastIndexByte(c.Name, '_')+1:]
	switch {
	case (unit == "pj" || strings.Contains(c.Name, "_pj_") || unit == "mm2") && (c.NodeNM == 0 || c.VoltageV == 0):
		return "want node_nm and voltage_v, at which the value holds"
	case (unit == "um2" || strings.Contains(c.Name, "_um2_")) && c.NodeNM == 0:
		return "want node_nm, at which the value holds"
	}
	return ""
}

// lineOf is the line of a key of the file's top, 1 where it is not there.
func lineOf(data []byte, key string) int {
	n := 0
	for line := range bytes.Lines(data) {
		if n++; bytes.HasPrefix(line, []byte(key+":")) {
			return n
		}
	}
	return 1
}

// located gives the YAML library's errors the form of ours.
func located(file string, err error) error {
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
		return fmt.Errorf("%s:%d: %s", file, ye.GetToken().Position.Line, ye.GetMessage())
	}
	return fmt.Errorf("%s: not readable as YAML", file)
}

// Constants lists the table in its order.
func (t *Table) Constants() []Constant {
	v := reflect.ValueOf(t).Elem()
	list := make([]Constant, v.NumField())
	for i := range list {
		list[i] = v.Field(i).Interface().(Constant)
	}
	return list
}

// multiplier is an integer multiplier's cost in those of one of 8×8 bits: it has a row of
// adders for each bit of one operand, as long as the other.
func multiplier(d dtype.DType) float64 { return float64(d.Bits()*d.Bits()) / 64 }

// addInt is an integer adder's cost by width: straight lines through the
// widths that the table has, in proportion to the width outside them.
func addInt(bits int, at8, at16, at32 float64) float64 {
	b := float64(bits)
	switch {
	case bits <= 8:
		return at8 * b / 8
	case bits <= 16:
		return at8 + (at16-at8)*(b-8)/8
	case bits <= 32:
		return at16 + (at32-at16)*(b-16)/16
	}
	return at32 * b / 32
}
