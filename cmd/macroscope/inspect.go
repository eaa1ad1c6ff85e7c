package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/table"
	"macroscope/models"
	"macroscope/nn"
	"macroscope/onnx"
	"macroscope/tflite"
)

type inspectCmd struct {
	Model     string `arg:"" optional:"" help:"The network: a built-in name, an ONNX or a TFLite file."`
	DType     string `name:"dtype" help:"Which version of a built-in network: float32 (without it), int8 or binary." placeholder:"D"`
	Operators bool   `help:"Instead: list the ONNX operators that are read, then TFLite's."`
	shapeFlags
	Output string `short:"o" enum:"text,json,md" default:"text" help:"Format: ${enum}." placeholder:"FORMAT"`
}

// Help is the longer text of macroscope inspect --help.
func (*inspectCmd) Help() string {
	return `Shows a network layer by layer: shapes, parameters, bytes, multiply-accumulates, number format, and which implementation would run each layer here and why. Of a file that is not understood it lists the operators, which of them are not supported, and where they stand.`
}

// inspectFile is what the file says of itself, in JSON.
type inspectFile struct {
	Format    string            `json:"format"`     // ONNX or TFLite
	IR        int64             `json:"ir_version"` // of TFLite the schema's version
	Opsets    map[string]int64  `json:"opsets,omitempty"`
	Producer  string            `json:"producer"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Inputs    []string          `json:"inputs"`
	Outputs   []string          `json:"outputs"`
	Operators []inspectOperator `json:"operators"`
}

type inspectOperator struct {
	Operator  string   `json:"operator"`
	Count     int      `json:"count"`
	Supported bool     `json:"supported"`
	Where     []string `json:"where,omitempty"`
}

type inspectLayer struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Input  []int  `json:"input"`
	Output []int  `json:"output"`
	Detail string `json:"detail,omitempty"`
	DType  string `json:"dtype,omitempty"` // that it computes in, or of its output; none of what goes with another
	Params int    `json:"parameters"`
	Bytes  int    `json:"bytes"`
	MACs   int64  `json:"macs"`
	Impl   string `json:"impl,omitempty"` // a layer's kernel, or "step"
	With   string `json:"with,omitempty"` // the layer that takes the node in
	Why    string `json:"why,omitempty"`
}

// inspectResult is the JSON that inspect prints.
type inspectResult struct {
	Model  string         `json:"model"`
	File   *inspectFile   `json:"file,omitempty"` // nil of a built-in network
	Error  string         `json:"error,omitempty"`
	Layers []inspectLayer `json:"layers,omitempty"`
	Params int            `json:"parameters"`
	Bytes  int            `json:"bytes"`
	MACs   int64          `json:"macs"`
	Absent bool           `json:"weights_absent,omitempty"` // they lie in a file that is not there
	Run    string         `json:"cannot_run,omitempty"`     // why the runtime refuses it
	Arena  int            `json:"activation_bytes,omitempty"`
}

func (c *inspectCmd) Run(e *env) error {
	if c.Operators {
		return c.operators(e)
	}
	if c.Model == "" {
		return usageError{fmt.Errorf("no model: want %s or a file", strings.Join(models.Names(), ", "))}
	}
	r := inspectResult{Model: c.Model}
	g, err := c.network(&r)
	var usage usageError
	if errors.As(err, &usage) || err != nil && r.File == nil {
		return err
	}
	if err == nil {
		r.layers(g)
	} else {
		r.Error = err.Error()
	}
	if perr := r.print(e, c.Output); perr != nil {
		return perr
	}
	return err
}

func (c *inspectCmd) operators(e *env) error {
	names := onnx.Operators()
	for _, name := range tflite.Operators() {
		names = append(names, "TFLite "+name)
	}
	if c.Output == "json" {
		return e.writeJSON(names)
	}
	_, err := fmt.Fprintln(e.stdout, strings.Join(names, "\n"))
	return err
}

// network reads the model, after what its file says of itself.
func (c *inspectCmd) network(r *inspectResult) (*graph.Graph, error) {
	if !isFile(c.Model) {
		d, err := dtype.Parse(cmp.Or(c.DType, dtype.Float32.String()))
		if err != nil {
			return nil, usageError{err}
		}
		g, err := models.Load(c.Model, d)
		if err != nil {
			return nil, usageError{err}
		}
		return g, nil
	}
	if c.DType != "" {
		return nil, usageError{fmt.Errorf("--dtype %s: %s is shown as the file has it", c.DType, c.Model)}
	}
	if tflite.IsFile(c.Model) {
		s, err := tflite.SurveyFile(c.Model)
		if err != nil {
			return nil, err
		}
		r.File = &inspectFile{Format: "TFLite", IR: int64(s.Version), Producer: s.Description, Inputs: s.Inputs, Outputs: s.Outputs}
		for _, o := range s.Operators {
			r.File.Operators = append(r.File.Operators, inspectOperator(o))
		}
		return c.readShapes(c.Model)
	}
	s, err := onnx.SurveyFile(c.Model)
	if err != nil {
		return nil, err
	}
	r.File = &inspectFile{Format: "ONNX", IR: s.IR, Opsets: s.Opsets, Producer: s.Producer, Metadata: s.Metadata, Inputs: s.Inputs, Outputs: s.Outputs}
	for _, o := range s.Operators {
		r.File.Operators = append(r.File.Operators, inspectOperator(o))
	}
	return c.readShapes(c.Model)
}

// layers describes g's nodes and how they would run.
func (r *inspectResult) layers(g *graph.Graph) {
	r.Params, r.Bytes, r.MACs, r.Absent = g.Params(), g.Bytes(), g.MACs(), g.Weightless
	how := map[string]nn.How{}
	plan, err := nn.Compile(g, nn.Options{})
	formats := map[string]string{}
	if err != nil {
		r.Run = err.Error()
	} else {
		r.Arena = plan.ArenaBytes()
		for _, h := range plan.Nodes() {
			how[h.Node] = h
		}
		for _, l := range plan.Layers() {
			formats[l.Name] = l.DType.String()
		}
	}
	for _, n := range g.Nodes {
		h := how[n.Name]
		l := inspectLayer{
			Name: n.Name, Kind: n.Op.Kind(), Input: n.In[0].Shape, Output: n.Out.Shape, Detail: detail(n.Op), DType: formats[n.Name],
			Params: n.Params(), Bytes: n.Bytes(), MACs: n.MACs(), Impl: h.Impl, With: h.With, Why: h.Note,
		}
		if l.DType == "" && h.With == "" {
			l.DType = carriedAs(n)
		}
		r.Layers = append(r.Layers, l)
	}
}

// carriedAs is the format of a node's weights, or of its output.
func carriedAs(n *graph.Node) string {
	var w *graph.Weights
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		w = &op.Weights
	case *graph.Dense:
		w = &op.Weights
	case *graph.Sign:
		return dtype.Binary.String()
	}
	switch {
	case w != nil && w.Binary:
		return dtype.Binary.String()
	case w != nil && w.Int8 != nil || n.Out.Scale != 0:
		return dtype.Int8.String()
	}
	return dtype.Float32.String()
}

// detail is what a reader of the table wants to know of an op beyond its shapes.
func detail(op graph.Op) string {
	var words []string
	add := func(show bool, format string, args ...any) {
		if show {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	window := func(kh, kw, sh, sw, dh, dw int, pads ...int) {
		add(true, "%dx%d", kh, kw)
		add(sh > 1 || sw > 1, "stride %d,%d", sh, sw)
		add(dh > 1 || dw > 1, "dilation %d,%d", dh, dw)
		add(slices.Max(pads) > 0, "pad %s", strings.Trim(strings.ReplaceAll(fmt.Sprint(pads), " ", ","), "[]"))
	}
	switch o := op.(type) {
	case *graph.Conv2D:
		window(o.KH, o.KW, o.StrideH, o.StrideW, o.DilationH, o.DilationW, o.PadTop, o.PadLeft, o.PadBottom, o.PadRight)
		add(o.PadValue != 0, "of %g", o.PadValue)
		add(o.Groups > 1 && o.Groups == o.InC && o.InC == o.OutC, "depthwise")
		add(o.Groups > 1 && (o.Groups != o.InC || o.InC != o.OutC), "%d groups", o.Groups)
	case *graph.MaxPool:
		window(o.KH, o.KW, o.StrideH, o.StrideW, o.DilationH, o.DilationW, o.PadTop, o.PadLeft, o.PadBottom, o.PadRight)
	case *graph.AveragePool:
		window(o.KH, o.KW, o.StrideH, o.StrideW, o.DilationH, o.DilationW, o.PadTop, o.PadLeft, o.PadBottom, o.PadRight)
	case *graph.Clip:
		add(true, "%g to %g", o.Lo, o.Hi)
	case *graph.Func:
		add(o.Parameters() > 0, "%g", o.Alpha)
		add(o.Parameters() > 1, "%g", o.Beta)
	}
	return strings.Join(words, " ")
}

func (r *inspectResult) print(e *env, format string) error {
	if format == "json" {
		return e.writeJSON(r)
	}
	title := r.Model
	if format == "md" {
		title = "# " + title
	}
	fmt.Fprintf(e.stdout, "%s\n\n", title) // an error comes back with the tables
	if f := r.File; f != nil {
		var sets []string
		for _, d := range slices.Sorted(maps.Keys(f.Opsets)) {
			name := d
			if name == "" {
				name = "ai.onnx"
			}
			sets = append(sets, fmt.Sprintf("%s %d", name, f.Opsets[d]))
		}
		versions := fmt.Sprintf("IR %d, operators of %s", f.IR, strings.Join(sets, ", "))
		if f.Format == "TFLite" {
			versions = fmt.Sprintf("schema %d", f.IR)
		}
		fmt.Fprintf(e.stdout, "%s, %s, by %s; input %s; output %s\n\n", f.Format, versions, cmp.Or(f.Producer, "no producer named"),
			strings.Join(f.Inputs, ", "), strings.Join(f.Outputs, ", "))
		if r.Error != "" {
			return r.printOperators(e, format)
		}
	}
	t := table.Table{Head: []string{"layer", "op", "detail", "input", "output", "dtype", "parameters", "bytes", "MACs", "runs as", "why"},
		Right: []bool{false, false, false, false, false, false, true, true, true}}
	for _, l := range r.Layers {
		as := l.Impl
		if l.With != "" {
			as = "with " + l.With
		}
		t.Add(l.Name, l.Kind, l.Detail, shapeCell(l.Input), shapeCell(l.Output), l.DType, count(int64(l.Params)), count(int64(l.Bytes)), count(l.MACs), as, l.Why)
	}
	t.Add("total", "", "", "", "", "", strconv.Itoa(r.Params), strconv.Itoa(r.Bytes), strconv.FormatInt(r.MACs, 10))
	if err := e.writeTable(format, &t); err != nil {
		return err
	}
	if r.Absent {
		fmt.Fprint(e.stdout, "\nweights are not at hand, in the file or beside it: sizes are right, and sim can cost the network, but nothing can compute it\n")
	}
	if r.Run != "" {
		_, err := fmt.Fprintf(e.stdout, "\nthe runtime cannot run it: %s\n", r.Run)
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "\nactivations of one image: %d bytes\n", r.Arena)
	return err
}

// printOperators lists a file's operators where the network is refused.
func (r *inspectResult) printOperators(e *env, format string) error {
	t := table.Table{Head: []string{"operator", "nodes", "supported", "where"}, Right: []bool{false, true}}
	for _, o := range r.File.Operators {
		where := strings.Join(o.Where, ", ")
		if len(o.Where) > 0 && o.Count > len(o.Where) {
			where += ", ..."
		}
		t.Add(o.Operator, strconv.Itoa(o.Count), yes(o.Supported), where)
	}
	return e.writeTable(format, &t)
}

func shapeCell(s []int) string {
	words := make([]string, len(s))
	for i, d := range s {
		words[i] = strconv.Itoa(d)
	}
	return strings.Join(words, "x")
}

// count is a number, nothing for 0.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
