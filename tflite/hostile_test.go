package tflite

import (
	"archive/zip"
	"io/fs"
	"maps"
	"runtime"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/graph/graphtest"
	"macroscope/internal/mutate"
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
	files := keptSeeds(t, 5100)
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

var underTest = graphtest.Reader{
	Read:   func(b []byte) (*graph.Graph, error) { return Read(b, "m") },
	Survey: func(b []byte) error { _, err := survey(b); return err },
}

// Files made of valid ones by changing numbers, lengths and offsets, exchanging what offsets
// lead to, and joining two.
func TestMutated(t *testing.T) { underTest.Hostile(t, mutator(t).Mutate) }

func TestMutatedShort(t *testing.T) { underTest.Starved(t, &spare, mutator(t).Mutate) }

// Very many operators are read within the memory that their file may take, or refused.
func TestManyOperators(t *testing.T) {
	read := 0
	for n := 8000; n <= 64000; n *= 2 {
		for _, code := range []int32{opReLU, opAdd} {
			net := newNet()
			at := net.tensor("", kindFloat32, []int32{1, 2, 2, 1}, nil, nil)
			for range n {
				to := net.tensor("", kindFloat32, []int32{1, 2, 2, 1}, nil, nil)
				if code == opAdd {
					net.op(opAdd, 0, nil, to, at, 0)
				} else {
					net.op(opReLU, 0, nil, to, at)
				}
				net.codes = net.codes[:1]
				net.operators[len(net.operators)-1][0] = int32(0)
				at = to
			}
			data := net.file()
			net = nil
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read(data, "m")
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > mutate.Allowed(len(data)) {
				t.Errorf("%d × %s, %d bytes: took %d: want at most %d", n, builtins[code], len(data), took, mutate.Allowed(len(data)))
			}
			if err == nil {
				read++
			} else if !strings.Contains(err.Error(), "more memory than") {
				t.Errorf("%d × %s: %v", n, builtins[code], err)
			}
		}
	}
	if read < 2 {
		t.Errorf("%d files were read: want those of 8,000 operators at least", read)
	}
	t.Logf("%d files were read", read)
}
