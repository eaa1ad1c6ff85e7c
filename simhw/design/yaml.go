package design

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Limits on a design file. The YAML parser's time grows with the square of
// size and depth, so a hostile file is refused before it is parsed.
const (
	maxFile  = 32 << 10
	maxDepth = 16
)

// Parse reads a design in YAML. file is for messages, which have the form
// "file:line: key "value": what was expected". Every entry is a value, or a
// mapping {value: ..., source: ...}:
//
//	clock_mhz: {value: 700, source: "Jouppi et al., ISCA 2017"}
//
// Unknown and repeated keys, anchors, aliases, tags and further documents are
// errors.
func Parse(file string, r io.Reader) (Design, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return Design{}, fmt.Errorf("%s: %w", file, err)
	}
	if len(data) > maxFile {
		return Design{}, fmt.Errorf("%s:%d: more than %d bytes: want a design that takes less", file, 1+bytes.Count(data[:maxFile], []byte("\n")), maxFile)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte-order mark is no part of the text
	p := fileParser{file: file, lines: map[string]int{}, sources: map[string]string{}}
	body, err := p.body(data)
	if err != nil {
		return Design{}, err
	}
	if err := p.family(body); err != nil {
		return Design{}, err
	}
	if err := p.mapping(body, "", 0); err != nil {
		return Design{}, err
	}
	return p.finish()
}

// fileParser collects one file's entries.
type fileParser struct {
	file    string
	spec    Spec
	lines   map[string]int
	sources map[string]string
}

func (p *fileParser) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, line, fmt.Sprintf(format, args...))
}

// body parses the YAML text and returns its one document.
func (p *fileParser) body(data []byte) (node ast.Node, err error) {
	// A fault in the YAML library on a hostile file must be an error too.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: not readable as YAML: %v", p.file, r)
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if line := tooDeep(tokens); line > 0 {
		return nil, p.errorf(line, "nested more than %d deep", maxDepth)
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
			return nil, p.errorf(ye.GetToken().Position.Line, "%s", shorten(ye.GetMessage()))
		}
		return nil, fmt.Errorf("%s: not readable as YAML", p.file)
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d.Body != nil {
			docs = append(docs, d.Body)
		}
	}
	switch len(docs) {
	case 0:
		return nil, p.errorf(1, "empty: want a design, with keys %s", strings.Join(p.kind().children(""), ", "))
	case 1:
		return docs[0], nil
	}
	return nil, p.errorf(lineOf(docs[1]), "a second document: want one design a file")
}

// tooDeep returns the line where brackets, or the entries of sequences and keys
// on one line, nest deeper than maxDepth, or 0.
func tooDeep(tokens token.Tokens) int {
	depth, line, entries := 0, 0, 0
	for _, t := range tokens {
		if t.Position == nil {
			continue
		}
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
		}
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth = max(depth-1, 0)
		case token.SequenceEntryType, token.MappingKeyType:
			entries++
		}
		if depth > maxDepth || entries > maxDepth {
			return line
		}
	}
	return 0
}

func lineOf(n ast.Node) int {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}

func (p *fileParser) mapping(n ast.Node, parent string, line int) error {
	var entries []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		entries = m.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{m}
	default:
		where := parent
		if where == "" {
			where, line = "the file", lineOf(n)
		}
		return p.errorf(line, "%s is %s: want keys %s", where, describe(n), strings.Join(p.kind().children(parent), ", "))
	}
	for _, e := range entries {
		if err := p.entry(e, parent); err != nil {
			return err
		}
	}
	return nil
}

func (p *fileParser) entry(e *ast.MappingValueNode, parent string) error {
	line := lineOf(e.Key)
	name, ok := e.Key.(*ast.StringNode)
	if !ok {
		return p.errorf(line, "key is %s: want %s", describe(e.Key), strings.Join(p.kind().children(parent), ", "))
	}
	key := name.Value
	if parent != "" {
		key = parent + "." + name.Value
	}
	f, isParent, l := p.kind().find(key)
	if f == nil && !isParent && l == nil {
		if others := elsewhere(key); others != "" {
			return p.errorf(line, "key %q: applies to family %s only, and this design is %s", key, others, p.spec.Family)
		}
		return p.errorf(line, "unknown key %q: did you mean %q?", shorten(key), joinKey(parent, nearest(name.Value, p.kind().children(parent))))
	}
	if first, again := p.lines[key]; again {
		return p.errorf(line, "key %q again: first on line %d", key, first)
	}
	p.lines[key] = line
	if l != nil {
		return p.list(e.Value, l, line)
	}
	if isParent {
		return p.mapping(e.Value, key, line)
	}
	value, err := p.withSource(e.Value, f, line)
	if err != nil {
		return err
	}
	text, err := p.scalar(value, key, line)
	if err != nil {
		return err
	}
	if err := f.set(&p.spec, text); err != nil {
		return p.errorf(line, "%s %q: %v", key, shorten(text), err)
	}
	return nil
}

// list reads a sequence of mappings.
func (p *fileParser) list(n ast.Node, l *list, line int) error {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		return p.errorf(line, "%s is %s: want a list of %d to %d entries, each with %s", l.key, describe(n), l.min, l.max, strings.Join(p.kind().children(l.key+"[0]"), ", "))
	}
	if len(seq.Values) < l.min || len(seq.Values) > l.max {
		return p.errorf(line, "%s has %d entries: want %d to %d", l.key, len(seq.Values), l.min, l.max)
	}
	*l.count(&p.spec) = len(seq.Values)
	for i, v := range seq.Values {
		key := fmt.Sprintf("%s[%d]", l.key, i)
		p.lines[key] = lineOf(v)
		if err := p.mapping(v, key, lineOf(v)); err != nil {
			return err
		}
	}
	return nil
}

// kind describes the family of the design that is being read.
func (p *fileParser) kind() *kind { return kinds[p.spec.Family] }

// family looks for the family, on which it depends what the other keys are.
// Where it is not readable, the entry itself will say so.
func (p *fileParser) family(n ast.Node) error {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		return nil
	}
	for _, e := range m.Values {
		if name, ok := e.Key.(*ast.StringNode); !ok || name.Value != "family" {
			continue
		}
		line := lineOf(e.Key)
		value, err := p.withSource(e.Value, &familyField, line)
		if err != nil {
			return err
		}
		text, err := p.scalar(value, "family", line)
		if err != nil {
			return err
		}
		if err := familyField.set(&p.spec, text); err != nil {
			return p.errorf(line, "family %q: %v", shorten(text), err)
		}
		return nil
	}
	return nil
}

func joinKey(parent, name string) string {
	if parent == "" {
		return name
	}
	return parent + "." + name
}

// withSource takes {value: v, source: s} apart, notes the source and returns
// the node of v; any other node is returned as it is.
func (p *fileParser) withSource(n ast.Node, f *field, line int) (ast.Node, error) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		if v, single := n.(*ast.MappingValueNode); single {
			m = &ast.MappingNode{Values: []*ast.MappingValueNode{v}}
		} else {
			return n, nil
		}
	}
	var value ast.Node
	seen := map[string]bool{}
	for _, e := range m.Values {
		k, ok := e.Key.(*ast.StringNode)
		if !ok || k.Value != "value" && k.Value != "source" {
			return nil, p.errorf(lineOf(e.Key), "%s: unknown key %q: want value and source", f.key, shorten(e.Key.String()))
		}
		if seen[k.Value] {
			return nil, p.errorf(lineOf(e.Key), "%s: %s again", f.key, k.Value)
		}
		seen[k.Value] = true
		if k.Value == "value" {
			value = e.Value
			continue
		}
		s, err := p.scalar(e.Value, f.key+": source", lineOf(e.Key))
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(s) == "" || len(s) > 1000 {
			return nil, p.errorf(lineOf(e.Key), "%s: source: want text of at most 1000 bytes", f.key)
		}
		p.sources[f.key] = s
	}
	if value == nil {
		return nil, p.errorf(line, "%s: no value: want {value: ..., source: ...}", f.key)
	}
	return value, nil
}

// scalar returns the text of a plain value; whether it is a number or a word
// is the field's to judge.
func (p *fileParser) scalar(n ast.Node, key string, line int) (string, error) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, nil
	case *ast.LiteralNode:
		if v.Value != nil {
			return strings.TrimRight(v.Value.Value, "\n"), nil
		}
	}
	if n == nil {
		return "", p.errorf(line, "%s has no value", key)
	}
	return "", p.errorf(line, "%s is %s: want a plain value", key, describe(n))
}

func describe(n ast.Node) string {
	switch n.(type) {
	case nil:
		return "nothing"
	case *ast.NullNode:
		return "empty"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode:
		return "an anchor"
	case *ast.AliasNode, *ast.MergeKeyNode:
		return "an alias"
	case *ast.TagNode:
		return "a tagged value"
	}
	return "a plain value"
}

// shorten keeps what a message quotes of a file to a few lines.
func shorten(s string) string {
	const most = 120
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// finish fills in defaults, checks the whole and builds the Design.
func (p *fileParser) finish() (Design, error) {
	s := &p.spec
	for f := range s.fields {
		line, given := p.lines[f.key]
		if given && !f.applies(s) {
			return Design{}, p.errorf(line, "%s: applies to %s only", f.key, f.why)
		}
		if given || !f.applies(s) {
			continue
		}
		if f.required {
			return Design{}, p.errorf(p.lineFor(f.key), "%s is missing: want %s", f.key, f.doc)
		}
		if _, siblings := p.lines[f.parent]; siblings && f.parent != "" {
			continue
		}
		if f.fallback != "" {
			if err := f.set(s, f.fallback); err != nil {
				return Design{}, p.errorf(1, "%s %q: %v", f.key, f.fallback, err)
			}
		}
	}
	if err := s.check(); err != nil {
		return Design{}, p.errorf(p.lineFor(err.key), "%s %s", err.key, err.msg)
	}
	d := Design{spec: *s, file: p.file, lines: p.lines}
	for f := range s.fields {
		if t := f.text(s); t != "" && f.applies(s) {
			d.values = append(d.values, Value{Key: f.key, Text: t, Source: p.sources[f.key], Line: p.lines[f.key]})
		}
	}
	return d, nil
}

// lineFor finds the line of a key, or of its parent where it is a default.
func (p *fileParser) lineFor(key string) int { return lineFor(p.lines, key) }

func lineFor(lines map[string]int, key string) int {
	for key != "" {
		if line, ok := lines[key]; ok {
			return line
		}
		key, _, _ = cutLast(key)
	}
	return 1
}

func cutLast(key string) (before, after string, found bool) {
	i := strings.LastIndexByte(key, '.')
	if i < 0 {
		return "", key, false
	}
	return key[:i], key[i+1:], true
}
