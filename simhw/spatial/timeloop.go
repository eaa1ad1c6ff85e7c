package spatial

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"macroscope/dtype"
)

// maxProblem bounds a problem's file, in bytes.
const maxProblem = 32 << 10

// instanceKeys are what an instance of Timeloop's cnn-layer can have besides the
// dimensions.
var instanceKeys = map[string]func(*Problem) *int64{
	"Wstride":   func(p *Problem) *int64 { return &p.StrideP },
	"Hstride":   func(p *Problem) *int64 { return &p.StrideQ },
	"Wdilation": func(p *Problem) *int64 { return &p.DilationR },
	"Hdilation": func(p *Problem) *int64 { return &p.DilationS },
}

// ReadProblem reads a Timeloop problem in YAML: the dimensions, strides and dilations of
// a cnn-layer below "problem", or below "instance" in it. What is absent is 1; "version"
// and "name" are skipped. "shape", where it is there, is cnn-layer, or a mapping with that
// name, which is not looked at further. Problem.Layer makes a layer of what is read. file is
// for messages, "file:line: what was expected"; of what is too large the line is the first
// that makes it so.
func ReadProblem(file string, r io.Reader) (p Problem, err error) {
	p = Problem{Bounds: Ones(), StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
	data, err := io.ReadAll(io.LimitReader(r, maxProblem+1))
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	if len(data) > maxProblem {
		return p, fmt.Errorf("%s: more than %d bytes", file, maxProblem)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte-order mark is no part of the text
	if line := tooDeep(data); line > 0 {
		return p, fmt.Errorf("%s:%d: anchors, aliases and nesting beyond 32 levels have no place in a problem", file, line)
	}
	defer func() { // a fault of the library's on a hostile file
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: not readable as YAML: %v", file, r)
		}
	}()
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
			return p, fmt.Errorf("%s:%d: %s", file, ye.GetToken().Position.Line, ye.GetMessage())
		}
		return p, fmt.Errorf("%s: not readable as YAML", file)
	}
	if len(tree.Docs) != 1 {
		return p, fmt.Errorf("%s:1: %d documents: want one with a problem", file, len(tree.Docs))
	}
	problem := child(tree.Docs[0].Body, "problem")
	if problem == nil {
		return p, fmt.Errorf("%s:1: no problem: want problem: {instance: {R: 3, ...}}", file)
	}
	if shape := child(problem, "shape"); shape != nil {
		name := shape
		if len(entries(shape)) > 0 {
			name = child(shape, "name")
		}
		if text, ok := name.(*ast.StringNode); !ok || !strings.EqualFold(strings.ReplaceAll(text.Value, "_", "-"), "cnn-layer") {
			return p, fmt.Errorf("%s:%d: shape: want cnn-layer, or a mapping with name: cnn-layer: the dimensions of others mean something else", file, shape.GetToken().Position.Line)
		}
	}
	instance := problem
	if at := child(problem, "instance"); at != nil {
		instance = at
	}
	if len(entries(instance)) == 0 {
		return p, fmt.Errorf("%s:%d: no dimensions: want such as R: 3", file, instance.GetToken().Position.Line)
	}
	seen := map[string]bool{}
	for _, e := range entries(instance) {
		key, line := e.Key.String(), e.Key.GetToken().Position.Line
		if instance == problem && (key == "shape" || key == "version" || key == "name") {
			continue
		}
		var at *int64
		if d := strings.Index(dimNames, key); len(key) == 1 && d >= 0 {
			at = &p.Bounds[d]
		} else if f := instanceKeys[key]; f != nil {
			at = f(&p)
		} else {
			return p, fmt.Errorf("%s:%d: key %q: want a letter of %s, Wstride, Hstride, Wdilation or Hdilation", file, line, key, dimNames)
		}
		v, err := strconv.ParseInt(e.Value.String(), 10, 64)
		if err != nil || v < 1 || v > MaxMACs {
			return p, fmt.Errorf("%s:%d: %s %q: want a whole number from 1", file, line, key, e.Value.String())
		}
		if seen[key] {
			return p, fmt.Errorf("%s:%d: %s twice", file, line, key)
		}
		seen[key], *at = true, v
		if err := p.Check(); err != nil { // with this one; it only grows with the others
			return p, fmt.Errorf("%s:%d: with %s %d: %w", file, line, key, v, err)
		}
		if _, err := p.Layer("problem", dtype.Int8); err != nil {
			return p, fmt.Errorf("%s:%d: with %s %d: %w", file, line, key, v, err)
		}
	}
	return p, nil
}

// tooDeep is the first line with an anchor, an alias or deep nesting, 0 where there is
// none.
func tooDeep(data []byte) int {
	n, depth := 0, 0
	for line := range bytes.Lines(data) {
		n++
		line, _, _ = bytes.Cut(line, []byte("#"))
		for i, b := range line {
			switch b {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
			starts := i == 0 || strings.IndexByte(" [{,:", line[i-1]) >= 0
			if depth > 32 || starts && (b == '&' || b == '*') || i > 64 && len(bytes.TrimSpace(line[:i])) == 0 {
				return n
			}
		}
	}
	return 0
}

// entries are a mapping's, none where n is something else.
func entries(n ast.Node) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	return nil
}

func child(n ast.Node, key string) ast.Node {
	for _, e := range entries(n) {
		if e.Key.String() == key {
			return e.Value
		}
	}
	return nil
}

// WriteProblem writes a problem as an instance of Timeloop's cnn-layer, which has no
// groups.
func WriteProblem(w io.Writer, p *Problem) error {
	if p.Bounds[G] != 1 {
		return fmt.Errorf("%d groups: Timeloop's cnn-layer has none: want 1", p.Bounds[G])
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "problem:\n  version: 0.4\n  shape: cnn-layer\n  instance:\n")
	for d := range Dim(Dims) {
		if d != G {
			fmt.Fprintf(b, "    %v: %d\n", d, p.Bounds[d])
		}
	}
	fmt.Fprintf(b, "    Wstride: %d\n    Hstride: %d\n    Wdilation: %d\n    Hdilation: %d\n", p.StrideP, p.StrideQ, p.DilationR, p.DilationS)
	return b.Flush()
}

// WriteERT writes what accesses cost as an energy reference table of Accelergy's: a
// component for each level and dataspace that it keeps, its actions read, fill and
// update in pJ per word, and the multiplier's compute. Networks that cost something have
// a transfer per word, clock and control of a multiplier a cycle.
func (a *Arch) WriteERT(w io.Writer, name string) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "ERT:\n  version: 0.4\n  tables:\n")
	a.components(name, func(component string, level int, s Space) {
		fmt.Fprintf(b, "  - name: %s\n    actions:\n", component)
		if level < 0 {
			fmt.Fprintf(b, "    - {name: compute, arguments: {}, energy: %s}\n", decimal(a.MACPJ))
			return
		}
		for _, action := range actions {
			fmt.Fprintf(b, "    - {name: %s, arguments: {}, energy: %s}\n", action, decimal(a.Levels[level].AccessPJ[s]))
		}
	})
	a.others(name, func(component, action string, level int) {
		pj := a.CyclePJ
		if level >= 0 {
			pj = a.Levels[level].NetworkPJ
		}
		fmt.Fprintf(b, "  - name: %s\n    actions:\n    - {name: %s, arguments: {}, energy: %s}\n", component, action, decimal(pj))
	})
	return b.Flush()
}

// WriteCounts writes a result as Accelergy's action counts, those of all instances
// together, for the components of WriteERT. Accesses that come in blocks are rounded up
// to whole ones.
func (a *Arch) WriteCounts(w io.Writer, name string, r *Result) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "action_counts:\n  version: 0.4\n  local:\n")
	a.components(name, func(component string, level int, s Space) {
		fmt.Fprintf(b, "  - name: %s\n    action_counts:\n", component)
		if level < 0 {
			fmt.Fprintf(b, "    - {name: compute, counts: %d}\n", r.MACs)
			return
		}
		c, block := &r.Levels[level].Spaces[s], max(1, a.Levels[level].Block)
		for i, n := range [...]int64{c.Reads, c.Fills, c.Updates} {
			fmt.Fprintf(b, "    - {name: %s, counts: %d}\n", actions[i], (n+block-1)/block*block*r.Levels[level].Instances)
		}
	})
	a.others(name, func(component, action string, level int) {
		n := r.Clocked(a) * r.Cycles
		if level >= 0 {
			n = r.Levels[level].Network
		}
		fmt.Fprintf(b, "  - name: %s\n    action_counts:\n    - {name: %s, counts: %d}\n", component, action, n)
	})
	return b.Flush()
}

var actions = [...]string{"read", "fill", "update"}

func decimal(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// components goes over the components of a machine from DRAM inwards; the multipliers
// come last, as level -1.
func (a *Arch) components(name string, yield func(component string, level int, s Space)) {
	for i := a.Count - 1; i >= 0; i-- {
		for s := range Space(Spaces) {
			if a.Levels[i].Keep[s] {
				yield(fmt.Sprintf("%s.%s.%v", name, a.Levels[i].Name, s), i, s)
			}
		}
	}
	yield(name+".multiplier", -1, 0)
}

// others goes over what costs beside accesses and products: the networks below the
// levels, and as level -1 what a clocked multiplier does each cycle.
func (a *Arch) others(name string, yield func(component, action string, level int)) {
	for i := a.Count - 1; i >= 0; i-- {
		if a.Levels[i].NetworkPJ > 0 {
			yield(fmt.Sprintf("%s.%s.network", name, a.Levels[i].Name), "transfer", i)
		}
	}
	if a.CyclePJ > 0 {
		yield(name+".clock", "cycle", -1)
	}
}
