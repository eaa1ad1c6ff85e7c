// Package onnx reads ONNX files into graphs and writes graphs as ONNX files.
//
// It understands float32 networks of one input and one output with the operators
// that [Operators] lists, in opsets 7 to 28, on values of any rank whose first dimension is
// the batch; what does not keep images apart is refused; int8 networks as QDQ, where
// QuantizeLinear and DequantizeLinear stand around each value that is a byte, or as
// operators on bytes (QLinearConv, ...); and binary networks in the QONNX dialect, where BipolarQuant (domain
// qonnx.custom_op.general) marks ±1 values, or with plain operators alone; int16
// streams are quantization annotations on float32 values. Networks of doubles and of half
// precision are computed in float32.
// Everything else is refused by name. A file is not trusted: whatever it holds,
// reading ends with a graph that graph.Check accepts or with one error that says
// where, having taken at most 4 times the file's size and 64 MiB of memory.
//
// [Write] writes what Read reads: reading back gives the same graph, but for what
// its comment lists.
//
// It does not run networks; package nn does.
package onnx

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/internal/regular"
	"macroscope/onnx/internal/onnxpb"
)

const (
	// MaxFileSize is the largest file that is read, protobuf's own limit.
	MaxFileSize = 1<<31 - 1

	// The versions understood: IR 3 is the first with operator sets (2017), 14
	// the newest of onnx 1.23, whose newest operator set is 28. Opset 7 brought
	// today's broadcasting.
	minIR, maxIR       = 3, 14
	minOpset, maxOpset = 7, 28
)

// ReadOptions say how to read; the zero value reads a file as it is.
type ReadOptions struct {
	// Batch, if not 0, is the batch of an input that leaves it open: the number that
	// arithmetic on shapes finds.
	Batch int
	// Inputs gives inputs a shape by name, the batch first, in place of the file's.
	Inputs map[string][]int
	// Weightless reads weights that are not there (external data whose file is missing,
	// tensors without data, those that ConstantOfShape makes up) as 0, for who wants
	// shapes alone.
	Weightless bool
}

// ReadFile reads the ONNX file at path, which must be a regular file.
func ReadFile(path string) (*graph.Graph, error) { return ReadFileWith(path, ReadOptions{}) }

// ReadFileWith is ReadFile with options. External data must lie in the model's folder, or
// folders in that.
func ReadFileWith(path string, o ReadOptions) (*graph.Graph, error) {
	data, err := regular.ReadFile(path, MaxFileSize)
	if err != nil {
		return nil, err
	}
	f, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	g, err := read(data, f, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}

// Read reads an ONNX file's bytes; name stands for the file in errors. The
// graph shares no memory with data. Weights that the file gives to several nodes
// are shared between these, so treat them as read-only.
func Read(data []byte, name string) (*graph.Graph, error) { return ReadWith(data, name, ReadOptions{}) }

// ReadWith is Read with options. External data are an error, but that Weightless does
// without them.
func ReadWith(data []byte, name string, o ReadOptions) (*graph.Graph, error) {
	g, err := read(data, nil, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

func read(data []byte, f *folder, o ReadOptions) (*graph.Graph, error) {
	if len(data) == 0 {
		return nil, errors.New("an empty file: want an ONNX model")
	}
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("%d bytes: want at most %d", len(data), MaxFileSize)
	}
	bud := newBudget(len(data))
	m, places, err := unmarshal(data, bud)
	if err != nil {
		return nil, err
	}
	opsets, err := versions(m)
	if err != nil {
		return nil, err
	}
	r := &reader{g: m.GetGraph(), opsets: opsets, places: places, bud: bud, folder: f, options: o}
	for _, p := range m.MetadataProps {
		r.symmetric = r.symmetric || p.GetKey() == lowestKey && p.GetValue() == lowestSymmetric
	}
	return r.read()
}

// unmarshal checks what the bytes claim, within the budget, before it makes the
// model of them.
func unmarshal(data []byte, bud *budget) (*onnxpb.ModelProto, places, error) {
	at, err := scan(data, bud)
	if err != nil {
		return nil, places{}, fmt.Errorf("not an ONNX model: %w", err)
	}
	m := &onnxpb.ModelProto{}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m); err != nil {
		return nil, places{}, fmt.Errorf("not an ONNX model: %w", err)
	}
	return m, at, nil
}

// versions checks the IR version and gives the operator set of each domain.
func versions(m *onnxpb.ModelProto) (map[string]int64, error) {
	if m.Graph == nil {
		return nil, errors.New("not an ONNX model: it has no graph")
	}
	if m.IrVersion == nil {
		return nil, errors.New("not an ONNX model: it has no IR version")
	}
	if v := m.GetIrVersion(); v < minIR || v > maxIR {
		return nil, fmt.Errorf("IR version %d: want %d to %d", v, minIR, maxIR)
	}
	opsets := map[string]int64{}
	for _, o := range m.OpsetImport {
		d := domain(o.GetDomain())
		if _, ok := opsets[d]; ok {
			return nil, fmt.Errorf("operator set of domain %s: imported twice", quote(d))
		}
		opsets[d] = o.GetVersion()
	}
	v, ok := opsets[""]
	if !ok {
		return nil, fmt.Errorf("no operator set imported: want ai.onnx %d to %d", minOpset, maxOpset)
	}
	if v < minOpset || v > maxOpset {
		return nil, fmt.Errorf("opset %d: want %d to %d", v, minOpset, maxOpset)
	}
	return opsets, nil
}

// domain is d with the standard operators' long name made the short one.
func domain(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// quote is s in quotes, cut where a hostile file made it long.
func quote(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q...", s[:80])
	}
	return fmt.Sprintf("%q", s)
}
