package onnx

import (
	"fmt"
	"maps"
	"slices"

	"macroscope/internal/regular"
	"macroscope/onnx/internal/onnxpb"
)

// A Survey says what is in an ONNX file, whether or not Read understands it.
type Survey struct {
	IR        int64
	Opsets    map[string]int64 // by domain; ONNX's own is ""
	Producer  string           // with its version
	Metadata  map[string]string
	Inputs    []string // "name [N 3 32 32] FLOAT", but for initializers
	Outputs   []string
	Operators []OperatorCount // by name
	Weights   int64           // elements of initializers
}

// OperatorCount is how often an operator stands in a file, and where, if Read does not
// understand it: the first few nodes.
type OperatorCount struct {
	Operator  string
	Count     int
	Supported bool
	Where     []string // `node "c3" (LSTM, byte 1234)`
}

// SurveyFile reads what is in the file at path. It fails only where the file is no ONNX
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
	m, places, err := unmarshal(data, newBudget(len(data)))
	if err != nil {
		return nil, err
	}
	if m.Graph == nil {
		return nil, fmt.Errorf("not an ONNX model: it has no graph")
	}
	s := &Survey{IR: m.GetIrVersion(), Opsets: map[string]int64{}, Producer: m.GetProducerName(), Metadata: map[string]string{}}
	if v := m.GetProducerVersion(); v != "" {
		s.Producer += " " + v
	}
	for _, o := range m.OpsetImport {
		s.Opsets[domain(o.GetDomain())] = o.GetVersion()
	}
	for _, p := range m.MetadataProps {
		s.Metadata[p.GetKey()] = p.GetValue()
	}
	given := map[string]bool{}
	for _, t := range m.Graph.Initializer {
		given[t.GetName()] = true
		n := int64(1)
		for _, d := range t.Dims {
			if d < 0 || d > 0 && n > (1<<60)/d {
				n = 0
				break
			}
			n *= d
		}
		s.Weights += n
	}
	for _, v := range m.Graph.Input {
		if !given[v.GetName()] {
			s.Inputs = append(s.Inputs, valueString(v))
		}
	}
	for _, v := range m.Graph.Output {
		s.Outputs = append(s.Outputs, valueString(v))
	}
	r := &reader{g: m.Graph, places: places}
	counts := map[string]*OperatorCount{}
	for i, n := range m.Graph.Node {
		name := opName(n)
		c := counts[name]
		if c == nil {
			_, ok := operators[operatorKey(n)]
			c = &OperatorCount{Operator: name, Supported: ok}
			counts[name] = c
		}
		if c.Count++; !c.Supported && len(c.Where) < 8 {
			c.Where = append(c.Where, r.what(i))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		s.Operators = append(s.Operators, *counts[name])
	}
	return s, nil
}

// valueString is a value's name, dimensions and type; an open dimension by its name, or ?.
func valueString(v *onnxpb.ValueInfoProto) string {
	t := v.GetType().GetTensorType()
	if t == nil {
		return quote(v.GetName()) + " (no tensor)"
	}
	dims := ""
	for i, d := range t.GetShape().GetDim() {
		if i > 0 {
			dims += " "
		}
		switch {
		case i == maxRank:
			dims += "..."
		case d.GetDimParam() != "":
			dims += fmt.Sprintf("%.20s", d.GetDimParam())
		case d.GetDimValue() > 0:
			dims += fmt.Sprint(d.GetDimValue())
		default:
			dims += "?"
		}
		if i == maxRank {
			break
		}
	}
	name := v.GetName()
	if len(name) > 80 {
		name = name[:80] + "..."
	}
	return fmt.Sprintf("%s [%s] %s", name, dims, onnxpb.TensorProto_DataType(t.GetElemType()))
}
