package tflite

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/mutate"
	"macroscope/nn"
)

// schema is what schema.fbs says of the tables that are read.
func schema() *mutate.Table {
	type fields = map[int]mutate.Field
	number := func(size int) mutate.Field { return mutate.Field{Size: size} }
	list := func(size int) mutate.Field { return mutate.Field{Size: size, Vector: true} }
	of := func(t fields) *mutate.Table { return &mutate.Table{Fields: t} }
	tables := func(t fields) mutate.Field { return mutate.Field{Vector: true, Table: of(t)} }
	text := list(1)
	quantization := of(fields{0: list(4), 1: list(4), 2: list(4), 3: list(8), 4: number(1), 6: number(4)})
	// Options are of many types; what matters of most is numbers of one byte or four.
	options := of(fields{0: number(1), 1: number(4), 2: number(4), 3: number(4), 4: number(4), 5: number(4), 6: number(4)})
	tensor := fields{0: list(4), 1: number(1), 2: number(4), 3: text, 4: {Table: quantization}, 5: number(1), 7: list(4)}
	operator := fields{0: number(4), 1: list(4), 2: list(4), 3: number(1), 4: {Table: options}, 5: list(1), 6: number(1), 8: list(4)}
	return of(fields{
		0: number(4),
		1: tables(fields{0: number(1), 1: text, 2: number(4), 3: number(4)}),
		2: tables(fields{0: tables(tensor), 1: list(4), 2: list(4), 3: tables(operator), 4: text}),
		3: text,
		4: tables(fields{0: list(1), 1: number(8), 2: number(8)}),
		5: list(4),
	})
}

// keptSeeds are the kept networks of at most limit bytes.
func keptSeeds(tb testing.TB, limit uint64) (files [][]byte) {
	tb.Helper()
	z, err := zip.OpenReader("testdata/zoo/keras.zip")
	if err != nil {
		tb.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ".tflite") || f.UncompressedSize64 > limit {
			continue
		}
		b, err := fs.ReadFile(z, f.Name)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, b)
	}
	return files
}

// alone is a network of one of n's operators. All values that it reads are the network's
// input.
func alone(n *net, o tab) []byte {
	one := newNet()
	x := int32(-1)
	add := func(i int32) int32 {
		t := maps.Clone(n.tensors[i])
		if b := t[2].(int32); b > 0 {
			t[2] = int32(len(one.buffers))
			one.buffers = append(one.buffers, n.buffers[b])
		} else if x >= 0 {
			return x
		}
		one.tensors = append(one.tensors, t)
		at := int32(len(one.tensors) - 1)
		if t[2] == int32(0) {
			x = at
		}
		return at
	}
	o = maps.Clone(o)
	var in []int32
	for _, i := range o[1].([]int32) {
		in = append(in, add(i))
	}
	one.in, x = max(x, 0), -1
	one.out = add(o[2].([]int32)[0])
	one.codes = append(one.codes, n.codes[o[0].(int32)])
	o[0], o[1], o[2] = int32(0), in, []int32{one.out}
	one.operators = append(one.operators, o)
	return one.file()
}

func mutator(t *testing.T) *mutate.Flat {
	t.Helper()
	files := keptSeeds(t, 4000)
	for _, name := range []string{"float32", "int8"} {
		n := samples()[name]
		files = append(files, n.file())
		for _, o := range n.operators {
			files = append(files, alone(n, o))
		}
	}
	f, err := mutate.NewFlat(schema(), files)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Files made of valid ones by changing numbers, lengths and offsets, exchanging what offsets
// lead to, and joining two, are read or refused: without a panic, soon, within the memory
// that they may take, and what is read can be planned as inspect does.
func TestMutated(t *testing.T) {
	f := mutator(t)
	read, planned := 0, 0
	var g *graph.Graph
	mutate.Run(t, f.Mutate, surveyed, func(b []byte) (err error) {
		if g, err = readWhole(b); g != nil {
			read++
		}
		return err
	}, func([]byte) error {
		if g == nil || !plannable(g) {
			return nil
		}
		if _, err := nn.Compile(g, nn.Options{}); err == nil {
			planned++
		}
		return nil
	})
	t.Logf("%d files were read, %d planned", read, planned)
	if read == 0 || planned == 0 {
		t.Errorf("%d read, %d planned: the files are too broken to show anything", read, planned)
	}
}

// The same where memory runs out soon, and sometimes at once: somewhere in the middle of
// whatever the reader does.
func TestMutatedShort(t *testing.T) {
	defer func(was int64) { spare = was }(spare)
	m := mutator(t)
	mutate.Run(t, func(r *rand.Rand) []byte {
		spare = r.Int64N(1 << (4 + r.IntN(16)))
		return m.Mutate(r)
	}, surveyed, func(b []byte) error {
		_, err := readWhole(b)
		return err
	})
}

// surveyed looks at what some files say of themselves.
func surveyed(b []byte) error {
	if len(b)/8%4 > 0 { // it decodes them, as reading does
		return nil
	}
	if _, err := survey(b); err != nil && strings.Contains(err.Error(), "\n") {
		return fmt.Errorf("survey: %q", err)
	}
	return nil
}

// readWhole reads a file and what inspect says of its graph, but for the plan: a graph and no
// error, or neither where the file is refused as it should be.
func readWhole(b []byte) (*graph.Graph, error) {
	g, err := Read(b, "m")
	if err != nil {
		if g != nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 2000 {
			return nil, fmt.Errorf("graph %v, error %q", g, err)
		}
		return nil, nil
	}
	if err := g.Check(); err != nil {
		return nil, err
	}
	if g.Params() < 0 || g.Bytes() < 0 || g.MACs() < 0 {
		return nil, fmt.Errorf("%d parameters, %d bytes, %d MACs", g.Params(), g.Bytes(), g.MACs())
	}
	if w, err := g.Workload(dtype.Int8); err == nil && len(w.Layers) > 0 {
		if err := w.Validate(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// plannable says whether a plan of g takes little memory: package nn has tables of a few
// numbers for each pixel that a convolution gives, whatever the file's size.
func plannable(g *graph.Graph) bool {
	n := g.Input.Shape.Size()
	for _, node := range g.Nodes {
		if n += node.Out.Shape.Size(); n > 1<<18 {
			return false
		}
	}
	return true
}
