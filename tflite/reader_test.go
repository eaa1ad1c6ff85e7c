package tflite

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/internal/mutate"
	"macroscope/internal/shared"
	"macroscope/nn"
)

// samples are small networks that hold every operator, float32 and int8.
func samples() map[string]*net {
	s := map[string]*net{}

	n := newNet()
	n.tensor("x", kindFloat32, []int32{1, 4, 4, 2}, nil, nil)
	w := n.tensor("w", kindFloat32, []int32{3, 3, 3, 2}, float32s(ramp(54)...), nil)
	b := n.tensor("b", kindFloat32, []int32{3}, float32s(1, -2, 3), nil)
	n.op(opConv, 1, tab{0: int8(0), 1: int32(2), 2: int32(1), 3: int8(1)}, n.tensor("c", kindFloat32, []int32{1, 4, 2, 3}, nil, nil), 0, w, b)
	half := n.tensor("h", kindFloat16, []int32{1, 2, 2, 6}, bytes.Repeat([]byte{0, 0x34, 0, 0x38, 0, 0xb0}, 8), nil) // 0.25, 0.5, −0.125
	wide := n.tensor("hw", kindFloat32, []int32{1, 2, 2, 6}, nil, nil)
	conv := n.out
	n.op(opDequantize, 0, nil, wide, half)
	n.op(opDepthwiseConv, 2, tab{0: int8(1), 1: int32(1), 2: int32(1), 3: int32(2), 4: int8(3)}, n.tensor("d", kindFloat32, []int32{1, 3, 1, 6}, nil, nil), conv, wide)
	k := n.tensor("k", kindFloat32, []int32{6}, float32s(ramp(6)...), nil)
	n.op(opMul, 21, tab{}, n.tensor("m", kindFloat32, []int32{1, 3, 1, 6}, nil, nil), n.out, k)
	k = n.tensor("k2", kindFloat32, []int32{3, 1, 1}, float32s(ramp(3)...), nil)
	n.op(opAdd, 11, tab{0: int8(2)}, n.tensor("a", kindFloat32, []int32{1, 3, 1, 6}, nil, nil), n.out, k)
	p := n.tensor("p", kindInt32, []int32{4, 2}, int32s(0, 0, 1, 0, 0, 1, 0, 0), nil)
	n.op(opPad, 0, nil, n.tensor("padded", kindFloat32, []int32{1, 4, 2, 6}, nil, nil), n.out, p)
	padded := n.out
	n.op(opMaxPool, 5, tab{1: int32(2), 2: int32(2), 3: int32(2), 4: int32(3)}, n.tensor("mp", kindFloat32, []int32{1, 2, 1, 6}, nil, nil), padded)
	mp := n.out
	n.op(opAveragePool, 5, tab{1: int32(2), 2: int32(2), 3: int32(2), 4: int32(3)}, n.tensor("ap", kindFloat32, []int32{1, 2, 1, 6}, nil, nil), padded)
	n.op(opConcatenation, 10, tab{0: int32(-1)}, n.tensor("cat", kindFloat32, []int32{1, 2, 1, 12}, nil, nil), mp, n.out)
	n.op(opReLU6, 0, nil, n.tensor("r6", kindFloat32, []int32{1, 2, 1, 12}, nil, nil), n.out)
	n.op(opReshape, 0, nil, n.tensor("flat", kindFloat32, []int32{1, 24}, nil, nil), n.out)
	w = n.tensor("fw", kindFloat32, []int32{2, 24}, float32s(ramp(48)...), nil)
	n.op(opFullyConnected, 8, tab{}, n.tensor("fc", kindFloat32, []int32{1, 2}, nil, nil), n.out, w, -1)
	n.op(opSoftmax, 9, tab{0: float32(1)}, n.tensor("s", kindFloat32, []int32{1, 2}, nil, nil), n.out)
	s["float32"] = n

	n = newNet()
	q := func(name string, scale float32, zero int64, dims ...int32) int32 {
		return n.tensor(name, kindInt8, dims, nil, scaled(scale, zero))
	}
	n.tensor("x", kindFloat32, []int32{1, 4, 4, 2}, nil, nil)
	n.op(opQuantize, 0, nil, q("q", 0.5, -3, 1, 4, 4, 2), 0)
	w = n.tensor("w", kindInt8, []int32{3, 3, 3, 2}, bytesOf(54), tab{2: []float32{0.01, 0.02, 0.03}, 3: []int64{0, 0, 0}})
	b = n.tensor("b", kindInt32, []int32{3}, int32s(100, -200, 300), scaled(0.005, 0))
	first := n.out
	n.op(opConv, 1, tab{0: int8(0), 1: int32(1), 2: int32(1), 3: int8(1)}, q("c", 0.25, -128, 1, 4, 4, 3), first, w, b)
	c1 := n.out
	w = n.tensor("dw", kindInt8, []int32{1, 3, 3, 3}, bytesOf(27), tab{2: []float32{0.01, 0.02, 0.03}, 3: []int64{0, 0, 0}, 6: int32(3)})
	n.op(opDepthwiseConv, 2, tab{0: int8(0), 1: int32(1), 2: int32(1), 3: int32(1)}, q("d", 0.2, 5, 1, 4, 4, 3), c1, w)
	n.op(opAdd, 11, tab{0: int8(3)}, q("a", 0.3, -100, 1, 4, 4, 3), c1, n.out)
	sum := n.out
	n.op(opMul, 21, tab{}, q("m", 1.5, -7, 1, 4, 4, 3), sum, c1)
	n.op(opReLU, 0, nil, q("r", 1.25, -128, 1, 4, 4, 3), n.out)
	n.op(opQuantize, 0, nil, q("again", 0.3, -100, 1, 4, 4, 3), n.out)
	n.op(opConcatenation, 10, tab{0: int32(3)}, q("cat", 0.3, -100, 1, 4, 4, 6), n.out, sum)
	p = n.tensor("p", kindInt32, []int32{4, 2}, int32s(0, 0, 1, 0, 0, 1, 0, 0), nil)
	n.op(opPad, 0, nil, q("padded", 0.3, -100, 1, 5, 5, 6), n.out, p)
	n.op(opMaxPool, 5, tab{1: int32(1), 2: int32(1), 3: int32(2), 4: int32(2)}, q("mp", 0.3, -100, 1, 5, 5, 6), n.out)
	n.op(opAveragePool, 5, tab{0: int8(1), 1: int32(2), 2: int32(2), 3: int32(2), 4: int32(2)}, q("ap", 0.3, -100, 1, 2, 2, 6), n.out)
	pooled := n.out
	n.op(opReshape, 0, nil, q("other", 0.3, -100, 1, 4, 1, 6), pooled)
	axes := n.tensor("axes", kindInt32, []int32{2}, int32s(1, 2), nil)
	n.op(opMean, 27, tab{}, q("mean", 0.2, -90, 1, 6), n.out, axes)
	w = n.tensor("fw", kindInt8, []int32{4, 6}, bytesOf(24), scaled(0.002, 0))
	b = n.tensor("fb", kindInt32, []int32{4}, int32s(1, 2, 3, -4), nil)
	n.op(opFullyConnected, 8, tab{}, q("fc", 0.05, 10, 1, 4), n.out, w, b)
	n.op(opSoftmax, 9, tab{0: float32(1)}, q("s", 1./256, -128, 1, 4), n.out)
	n.op(opDequantize, 0, nil, n.tensor("y", kindFloat32, []int32{1, 4}, nil, nil), n.out)
	s["int8"] = n
	return s
}

// ramp are n numbers around 0.
func ramp(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(i*7%13-6) / 8
	}
	return v
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(int8(i*37%255 - 127))
	}
	return b
}

// What is read runs, and the runtime gives what the plain evaluation does: of integers the
// same bytes.
func TestSamples(t *testing.T) {
	for name, n := range samples() {
		g, err := Read(n.file(), name)
		if err != nil {
			t.Fatal(err)
		}
		if integer := g.Integer != graph.NotInteger; integer != (name == "int8") {
			t.Errorf("%s: integers %v", name, g.Integer)
		}
		plan, err := nn.Compile(g, nn.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := plan.NewRunner(1)
		defer r.Close()
		out := make([]float32, plan.OutputSize())
		distinct := map[string]bool{}
		for seed := range 20 {
			image := make([]float32, plan.InputSize())
			for i := range image {
				image[i] = float32((i*31+seed*17)%97-48) / 16
			}
			if err := r.Run(out, image); err != nil {
				t.Fatal(err)
			}
			distinct[fmt.Sprint(out)] = true
			if name == "int8" {
				want, err := reference.RunInteger(g, image, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range want {
					if want[i] != out[i] {
						t.Fatalf("seed %d: element %d is %g: want %g", seed, i, out[i], want[i])
					}
				}
				continue
			}
			want, err := reference.Run(g, image, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if d := float64(out[i]) - want[i]; !(math.Abs(d) <= 1e-5) {
					t.Fatalf("seed %d: element %d is %g: want %g", seed, i, out[i], want[i])
				}
			}
		}
		if len(distinct) < 3 {
			t.Errorf("%s: only %d different answers to 20 images", name, len(distinct))
		}
	}
}

// list is a constant list of integers.
func list(n *net, v ...int32) int32 {
	return n.tensor("k", kindInt32, []int32{int32(len(v))}, int32s(v...), nil)
}

// Errors are one line that says where and what was expected.
func TestErrors(t *testing.T) {
	one := func(change func(n *net)) []byte {
		n := newNet()
		n.tensor("x", kindFloat32, []int32{1, 4, 4, 2}, nil, nil)
		change(n)
		return n.file()
	}
	y := func(n *net, dims ...int32) int32 { return n.tensor("y", kindFloat32, dims, nil, nil) }
	for _, c := range []struct {
		name string
		data []byte
		want []string
	}{
		{"empty", nil, []string{"TFL3"}},
		{"no flatbuffer", []byte("\xff\xff\xff\x7fTFL3"), []string{"offset 0", "leaves the file of 8 bytes"}},
		{"operator", one(func(n *net) { n.op(16, 0, nil, y(n, 1, 4), 0) }), []string{`operator 0 LSTM (gives "y") at offset`, "not supported"}},
		{"type", one(func(n *net) { n.op(opReLU, 0, nil, n.tensor("y", 3, []int32{1, 4, 4, 2}, nil, nil), 0) }), []string{"operator 0 RELU", `"y" is UINT8`}},
		{"shape", one(func(n *net) { n.op(opReLU, 0, nil, y(n, 1, 4, 4, 3), 0) }), []string{`"y"`, "[1 4 4 3]", "want [2 4 4]"}},
		{"input", one(func(n *net) { n.op(opReLU, 0, nil, y(n, 1, 4, 4, 2), 1) }), []string{"operator 0 RELU", `"y"`, "neither"}},
		{"tensor number", one(func(n *net) { n.op(opReLU, 0, nil, y(n, 1, 4, 4, 2), 7) }), []string{"operator 0", "offset", "tensor 7: there are 2"}},
		{"stride", one(func(n *net) {
			n.op(opMaxPool, 5, tab{1: int32(0), 2: int32(1), 3: int32(2), 4: int32(2)}, y(n, 1, 4, 4, 2), 0)
		}), []string{"MAX_POOL_2D", "width stride 0"}},
		{"weights", one(func(n *net) {
			w := n.tensor("w", kindFloat32, []int32{3, 3, 3, 2}, float32s(1, 2), nil)
			n.op(opConv, 1, tab{1: int32(1), 2: int32(1)}, y(n, 1, 4, 4, 3), 0, w)
		}), []string{"CONV_2D", `tensor "w" at offset`, "8 bytes of data: want a constant of 216"}},
		{"negative", one(func(n *net) { n.op(opReLU, 0, nil, y(n, 1, -4, 4, 2), 0) }), []string{"extent -4"}},
		{"activation", one(func(n *net) {
			n.op(opAdd, 11, tab{0: int8(4)}, y(n, 1, 4, 4, 2), 0, 0)
		}), []string{"ADD", "fused activation 4"}},
		{"dealt out to no convolution", one(func(n *net) {
			n.op(opSpaceToBatch, 0, nil, n.tensor("s", kindFloat32, []int32{4, 2, 2, 2}, nil, nil), 0, list(n, 2, 2), list(n, 0, 0, 0, 0))
			n.op(opReLU, 0, nil, y(n, 4, 2, 2, 2), n.out)
		}), []string{"operator 0 SPACE_TO_BATCH_ND", `operator 1 RELU (gives "y")`, "want a convolution alone"}},
		{"dealt out and in otherwise", one(func(n *net) {
			n.op(opSpaceToBatch, 0, nil, n.tensor("s", kindFloat32, []int32{4, 2, 2, 2}, nil, nil), 0, list(n, 2, 2), list(n, 0, 0, 0, 0))
			w := n.tensor("w", kindFloat32, []int32{1, 1, 1, 2}, float32s(1, 2), nil)
			n.op(opConv, 1, tab{0: int8(1), 1: int32(1), 2: int32(1)}, n.tensor("c", kindFloat32, []int32{4, 2, 2, 1}, nil, nil), n.out, w)
			n.op(opBatchToSpace, 0, nil, y(n, 1, 4, 3, 1), n.out, list(n, 2, 2), list(n, 0, 0, 0, 1))
		}), []string{"operator 2 BATCH_TO_SPACE_ND", "cut off [0 0] and [0 1]", "and no more"}},
		{"dealt in alone", one(func(n *net) { n.op(opBatchToSpace, 0, nil, y(n, 1, 4, 4, 2), 0, list(n, 1, 1), list(n, 0, 0, 0, 0)) }),
			[]string{"BATCH_TO_SPACE_ND", "want what a convolution makes of SPACE_TO_BATCH_ND"}},
		{"batch turned", one(func(n *net) { n.op(opTranspose, 0, nil, y(n, 4, 1, 4, 2), 0, list(n, 1, 0, 2, 3)) }), []string{"TRANSPOSE", "[1 0 2 3]", "the batch first"}},
		{"slopes", one(func(n *net) {
			n.op(opPReLU, 0, nil, y(n, 1, 4, 4, 2), 0, n.tensor("k", kindFloat32, []int32{4}, float32s(1, 2, 3, 4), nil))
		}),
			[]string{"PRELU", `tensor "k" at offset`, "one for each of 2 channels"}},
		{"bytes", one(func(n *net) {
			n.op(opQuantize, 0, nil, n.tensor("q", kindInt8, []int32{1, 4, 4, 2}, nil, scaled(0.5, 0)), 0)
			n.op(opLogistic, 0, nil, n.tensor("y", kindInt8, []int32{1, 4, 4, 2}, nil, scaled(0.5, 0)), n.out)
		}), []string{"operator 1 LOGISTIC", `input "q" is INT8: want FLOAT32`}},
	} {
		_, err := Read(c.data, "m.tflite")
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range append(c.want, "m.tflite: ") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q: want %q in it", c.name, err, want)
			}
		}
	}
}

// Reading takes at most 4 times the file's size, of which the file is one, and 64 MiB; also
// where it is large and all of int8 weights.
func TestMemory(t *testing.T) {
	files := map[string][]byte{}
	for name, n := range samples() {
		files[name] = n.file()
	}
	// Many operators that share one large constant, and many tables that are one.
	n := newNet()
	n.tensor("x", kindFloat32, []int32{1, 1024}, nil, nil)
	w := n.tensor("w", kindInt8, []int32{1024, 1024}, make([]byte, 1<<20), scaled(1, 0))
	for i := range 200 {
		n.op(opFullyConnected, 8, tab{}, n.tensor(fmt.Sprint("y", i), kindFloat32, []int32{1, 1024}, nil, nil), n.out, w)
	}
	files["shared weights"] = n.file()
	// As many int8 weights as would be too much as float32.
	n = newNet()
	n.tensor("x", kindFloat32, []int32{1, 1 << 12}, nil, nil)
	w = n.tensor("w", kindInt8, []int32{10 << 10, 1 << 12}, make([]byte, 10<<22), scaled(1, 0))
	n.op(opFullyConnected, 8, tab{}, n.tensor("y", kindFloat32, []int32{1, 10 << 10}, nil, nil), 0, w)
	files["large"] = n.file()
	files["many tables"] = build(tab{0: int32(3), 2: []tab{{0: make([]tab, 1<<18)}}})
	for name, data := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(data, name)
		runtime.ReadMemStats(&after)
		took, limit := after.TotalAlloc-before.TotalAlloc, mutate.Allowed(len(data))
		t.Logf("%s: %d bytes, took %d, error %v", name, len(data), took, err)
		if name == "large" && err != nil {
			t.Error(err)
		}
		if took > limit {
			t.Errorf("%s: took %d bytes for a file of %d: want at most %d", name, took, len(data), limit)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, n := range samples() {
		f.Add(n.file())
	}
	f.Add([]byte("\x08\x00\x00\x00TFL3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := survey(b); err != nil && strings.Contains(err.Error(), "\n") {
			t.Fatalf("survey: %q", err)
		}
		var g *graph.Graph
		var err error
		mutate.Within(t, len(b), func() { g, err = Read(b, "m") })
		if err != nil {
			if g != nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 2000 {
				t.Fatalf("graph %v, error %q", g, err)
			}
			return
		}
		if err := g.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// Every byte of a file changed in turn, and every end cut off, is read or refused.
func TestDamaged(t *testing.T) {
	for name, n := range samples() {
		whole := n.file()
		for i := range whole {
			for _, v := range []byte{0, 0x80, 0xff} {
				damaged := append([]byte(nil), whole...)
				damaged[i] = v
				Read(damaged, name)
			}
			Read(whole[:i], name)
			if i+4 <= len(whole) {
				damaged := append([]byte(nil), whole...)
				binary.LittleEndian.PutUint32(damaged[i:], uint32(len(whole)-i))
				Read(damaged, name)
			}
		}
	}
}

// The shared files' bytes, cut off anywhere, are refused.
func TestTruncated(t *testing.T) {
	data, err := os.ReadFile(shared.File(t, "models/mlperf-tiny-resnet8-int8.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(data); n += 997 {
		if _, err := Read(data[:n], "m"); err == nil {
			t.Fatalf("the first %d of %d bytes were read", n, len(data))
		}
	}
}
