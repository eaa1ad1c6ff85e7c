package tflite

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/nn"
)

// floatOnly says that a maker's operators are read of float32 alone.
func (m *maker) floatOnly() bool { return strings.HasPrefix(m.name, "float") }

// A maker adds one operator with random attributes to a network whose input, an image of
// the given extents, is tensor 0.
type maker struct {
	name string
	add  func(r *rand.Rand, n *net, h, w, c int32, f formats)
}

// formats makes tensors and constants of float32 or of int8.
type formats struct {
	r    *rand.Rand
	n    *net
	int8 bool
}

func (f formats) kind() int8 {
	if f.int8 {
		return kindInt8
	}
	return kindFloat32
}

// format is a random one, for a value that reaches about to.
func (f formats) format(to float64) tab {
	if !f.int8 {
		return nil
	}
	return scaled(float32(to/128*math.Exp(f.r.Float64()-0.5)), int64(f.r.IntN(256)-128))
}

func (f formats) value(name string, q tab, dims ...int32) int32 {
	return f.n.tensor(name, f.kind(), dims, nil, q)
}

// weights are a constant with a scale for each index of axis, or one.
func (f formats) weights(name string, axis int, each bool, dims ...int32) (t int32, scales []float32) {
	size := int32(1)
	for _, d := range dims {
		size *= d
	}
	if !f.int8 {
		v := make([]float32, size)
		for i := range v {
			v[i] = float32(f.r.NormFloat64())
		}
		return f.n.tensor(name, kindFloat32, dims, float32s(v...), nil), nil
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(int8(f.r.IntN(255) - 127))
	}
	count := int32(1)
	if each {
		count = dims[axis]
	}
	for range count {
		scales = append(scales, float32(math.Exp(f.r.Float64()-5)))
	}
	return f.n.tensor(name, kindInt8, dims, b, tab{2: scales, 3: make([]int64, count), 6: int32(axis)}), scales
}

// bias is a constant of n, in steps of the input's scale times the weights', or −1 for none.
func (f formats) bias(n int32, in float32, scales []float32, must bool) int32 {
	if !must && f.r.IntN(4) == 0 {
		return -1
	}
	if !f.int8 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(f.r.NormFloat64())
		}
		return f.n.tensor("b", kindFloat32, []int32{n}, float32s(v...), nil)
	}
	v := make([]int32, n)
	for i := range v {
		v[i] = f.r.Int32N(20001) - 10000
	}
	each := make([]float32, len(scales))
	for i, s := range scales {
		each[i] = s * in
	}
	return f.n.tensor("b", kindInt32, []int32{n}, int32s(v...), tab{2: each, 3: make([]int64, len(each))})
}

// same is the input's format.
func same(n *net) tab {
	q, _ := n.tensors[0][4].(tab)
	return q
}

func scaleOf(q tab) float32 {
	if q == nil {
		return 1
	}
	return q[2].([]float32)[0]
}

func activation(r *rand.Rand) int8 { return []int8{0, 0, 1, 2, 3}[r.IntN(5)] }

// extent is the output's along one axis.
func extent(n, size, stride, dilation int32, padding int8) int32 {
	if padding == 0 {
		return (n + stride - 1) / stride
	}
	return (n - (size-1)*dilation - 1 + stride) / stride
}

var makers = []maker{
	{"conv", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		kh, kw, sh, sw, o, p := 1+r.Int32N(3), 1+r.Int32N(3), 1+r.Int32N(2), 1+r.Int32N(2), 1+r.Int32N(9), int8(r.IntN(2))
		d := int32(1)
		if sh == 1 && sw == 1 {
			d += r.Int32N(2)
		}
		if p == 1 && ((kh-1)*d >= h || (kw-1)*d >= w) {
			p = 0
		}
		t, s := f.weights("w", 0, r.IntN(4) > 0, o, kh, kw, c)
		b := f.bias(o, scaleOf(same(n)), s, true)
		y := f.value("y", f.format(4), 1, extent(h, kh, sh, d, p), extent(w, kw, sw, d, p), o)
		n.op(opConv, 1, tab{0: p, 1: sw, 2: sh, 3: activation(r), 4: d, 5: d}, y, 0, t, b)
	}},
	{"depthwise", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		kh, kw, s, m, p := 1+r.Int32N(3), 1+r.Int32N(3), 1+r.Int32N(2), 1+r.Int32N(2), int8(r.IntN(2))
		if p == 1 && (kh > h || kw > w) {
			p = 0
		}
		t, sc := f.weights("w", 3, true, 1, kh, kw, c*m)
		b := f.bias(c*m, scaleOf(same(n)), sc, false)
		y := f.value("y", f.format(2), 1, extent(h, kh, s, 1, p), extent(w, kw, s, 1, p), c*m)
		n.op(opDepthwiseConv, 2, tab{0: p, 1: s, 2: s, 3: m, 4: activation(r)}, y, 0, t, b)
	}},
	{"dense", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		flat := f.value("flat", same(n), 1, h*w*c)
		n.op(opReshape, 0, nil, flat, 0, n.tensor("to", kindInt32, []int32{2}, int32s(1, -1), nil))
		o := 1 + r.Int32N(9)
		t, s := f.weights("w", 0, false, o, h*w*c)
		b := f.bias(o, scaleOf(same(n)), s, false)
		n.op(opFullyConnected, 8, tab{0: activation(r)}, f.value("y", f.format(4), 1, o), flat, t, b)
	}},
	{"add", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		n.op(opReLU, 0, nil, f.value("other", f.format(1), 1, h, w, c), 0)
		in := [2]int32{0, n.out}
		if r.IntN(2) == 0 {
			in[0], in[1] = in[1], in[0]
		}
		n.op(opAdd, 11, tab{0: activation(r)}, f.value("y", f.format(2), 1, h, w, c), in[0], in[1])
	}},
	{"add constant", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		k, _ := f.weights("k", 0, false, [][]int32{{c}, {1}, {h, w, c}, {1, h, 1, 1}}[r.IntN(4)]...)
		n.op(opAdd, 11, tab{0: activation(r)}, f.value("y", f.format(1), 1, h, w, c), 0, k)
	}},
	{"mul", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		n.op(opReLU6, 0, nil, f.value("other", f.format(1), 1, h, w, c), 0)
		n.op(opMul, 21, tab{0: activation(r)}, f.value("y", f.format(1), 1, h, w, c), 0, n.out)
	}},
	{"mul constant", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		k, _ := f.weights("k", 0, false, [][]int32{{c}, {1}, {h, w, c}, {1, 1, w, 1}}[r.IntN(4)]...)
		n.op(opMul, 21, tab{0: activation(r)}, f.value("y", f.format(1), 1, h, w, c), k, 0)
	}},
	{"max pool", func(r *rand.Rand, n *net, h, w, c int32, f formats) { addPool(r, n, opMaxPool, h, w, c, f) }},
	{"average pool", func(r *rand.Rand, n *net, h, w, c int32, f formats) { addPool(r, n, opAveragePool, h, w, c, f) }},
	{"mean", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		axes := n.tensor("axes", kindInt32, []int32{2}, int32s([][]int32{{1, 2}, {2, 1}, {-3, -2}}[r.IntN(3)]...), nil)
		q := f.format(0.5)
		if r.IntN(3) == 0 {
			q = same(n)
		}
		if r.IntN(2) == 0 {
			n.op(opMean, 27, tab{0: int8(1)}, f.value("y", q, 1, 1, 1, c), 0, axes)
		} else {
			n.op(opMean, 27, tab{}, f.value("y", q, 1, c), 0, axes)
		}
	}},
	{"pad", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		p := make([]int32, 8)
		for i := 2; i < 8; i++ {
			p[i] = r.Int32N(3)
		}
		n.op(opPad, 0, nil, f.value("y", same(n), 1, h+p[2]+p[3], w+p[4]+p[5], c+p[6]+p[7]), 0, n.tensor("p", kindInt32, []int32{4, 2}, int32s(p...), nil))
	}},
	{"reshape", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		to := func(dims ...int32) int32 {
			return n.tensor("to", kindInt32, []int32{int32(len(dims))}, int32s(dims...), nil)
		}
		n.op(opReshape, 0, nil, f.value("turned", same(n), 1, c, h, w), 0, to(1, c, h, w))
		n.op(opReshape, 0, nil, f.value("y", same(n), 1, h*w*c), n.out, to(1, -1))
	}},
	{"concat", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		n.op(opMaxPool, 5, tab{0: int8(0), 1: int32(1), 2: int32(1), 3: int32(2), 4: int32(2)}, f.value("other", same(n), 1, h, w, c), 0)
		n.op(opConcatenation, 10, tab{0: int32([]int32{3, -1}[r.IntN(2)])}, f.value("y", same(n), 1, h, w, 3*c), n.out, 0, n.out)
	}},
	{"softmax", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		var q tab
		if f.int8 {
			q = scaled(1./256, -128)
		}
		n.op(opSoftmax, 9, tab{0: float32(1)}, f.value("y", q, 1, h, w, c), 0)
	}},
	{"relu", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		n.op([]int32{opReLU, opReLU6, opReLUN1To1}[r.IntN(3)], 0, nil, f.value("y", f.format(2), 1, h, w, c), 0)
	}},
	{"transpose", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		p := [][]int32{{0, 1, 2, 3}, {0, 3, 1, 2}, {0, 2, 3, 1}, {0, 2, 1, 3}, {0, 3, 2, 1}, {0, 1, 3, 2}}[r.IntN(6)]
		from, to := [4]int32{1, h, w, c}, [4]int32{}
		for i := range to {
			to[i] = from[p[i]]
		}
		n.op(opTranspose, 26, tab{}, f.value("y", same(n), to[:]...), 0, n.tensor("p", kindInt32, []int32{4}, int32s(p...), nil))
	}},
	{"dilated", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		kh, kw := 1+r.Int32N(3), 1+r.Int32N(3)
		block, at := [2]int32{1 + r.Int32N(3), 1 + r.Int32N(3)}, [4]int32{}
		var crop [4]int32
		var padded, out [2]int32
		for i, size := range [2]int32{h, w} {
			k := [2]int32{kh, kw}[i]
			at[2*i], at[2*i+1] = r.Int32N(3), r.Int32N(3)
			for (size+at[2*i]+at[2*i+1])%block[i] != 0 || size+at[2*i]+at[2*i+1] < block[i]*k {
				at[2*i+1]++
			}
			padded[i] = (size + at[2*i] + at[2*i+1]) / block[i]
			out[i] = (padded[i] - k + 1) * block[i]
			if out[i] > 1 { // cut off some of what was added
				crop[2*i+1] = min(r.Int32N(2), at[2*i+1], out[i]-1)
				crop[2*i] = min(r.Int32N(2), at[2*i], out[i]-1-crop[2*i+1])
			}
		}
		images := block[0] * block[1]
		ints := func(name string, dims []int32, v ...int32) int32 {
			return n.tensor(name, kindInt32, dims, int32s(v...), nil)
		}
		dealt := f.value("dealt", same(n), images, padded[0], padded[1], c)
		n.op(opSpaceToBatch, 25, tab{}, dealt, 0, ints("block", []int32{2}, block[:]...), ints("pads", []int32{2, 2}, at[:]...))
		q := f.format(4)
		if r.IntN(2) == 0 {
			o := 1 + r.Int32N(5)
			t, s := f.weights("w", 0, true, o, kh, kw, c)
			b := f.bias(o, scaleOf(same(n)), s, true)
			sums := f.value("sums", q, images, padded[0]-kh+1, padded[1]-kw+1, o)
			n.op(opConv, 1, tab{0: int8(1), 1: int32(1), 2: int32(1), 3: activation(r)}, sums, dealt, t, b)
			c = o
		} else {
			t, s := f.weights("w", 3, true, 1, kh, kw, c)
			b := f.bias(c, scaleOf(same(n)), s, true)
			sums := f.value("sums", q, images, padded[0]-kh+1, padded[1]-kw+1, c)
			n.op(opDepthwiseConv, 2, tab{0: int8(1), 1: int32(1), 2: int32(1), 3: int32(1), 4: activation(r)}, sums, dealt, t, b)
		}
		y := f.value("y", q, 1, out[0]-crop[0]-crop[1], out[1]-crop[2]-crop[3], c)
		n.op(opBatchToSpace, 24, tab{}, y, n.out, ints("block", []int32{2}, block[:]...), ints("crops", []int32{2, 2}, crop[:]...))
	}},
	{"float", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		y := f.value("y", nil, 1, h, w, c)
		switch code := []int32{opLogistic, opTanh, opHardSwish, opLeakyReLU, opPReLU}[r.IntN(5)]; code {
		case opLeakyReLU:
			n.op(code, 75, tab{0: r.Float32()}, y, 0)
		case opPReLU:
			t, _ := f.weights("slopes", 0, false, 1, 1, c)
			n.op(code, 0, nil, y, 0, t)
		default:
			n.op(code, 0, nil, y, 0)
		}
	}},
	{"float differences", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		code, options := opSub, int8(28)
		if r.IntN(2) == 0 {
			code, options = opDiv, 29
		}
		other, _ := f.weights("k", 0, false, [][]int32{{c}, {1}, {h, w, c}, {1, h, 1, 1}}[r.IntN(4)]...)
		if code == opSub && r.IntN(3) == 0 {
			other = f.value("other", nil, 1, h, w, c)
			n.op(opReLU, 0, nil, other, 0)
		}
		in := [2]int32{0, other}
		if code == opSub && r.IntN(2) == 0 {
			in[0], in[1] = in[1], in[0]
		}
		n.op(int32(code), options, tab{0: activation(r)}, f.value("y", nil, 1, h, w, c), in[0], in[1])
	}},
	{"quantize", func(r *rand.Rand, n *net, h, w, c int32, f formats) {
		y := n.tensor("q", kindInt8, []int32{1, h, w, c}, nil, scaled(float32(math.Exp(r.Float64()-5)), int64(r.IntN(256)-128)))
		n.op(opQuantize, 0, nil, y, 0)
		n.op(opDequantize, 0, nil, n.tensor("y", kindFloat32, []int32{1, h, w, c}, nil, nil), y)
	}},
}

func addPool(r *rand.Rand, n *net, code, h, w, c int32, f formats) {
	kh, kw, sh, sw, p := 1+r.Int32N(3), 1+r.Int32N(3), 1+r.Int32N(2), 1+r.Int32N(2), int8(r.IntN(2))
	if p == 1 && (kh > h || kw > w) {
		p = 0
	}
	n.op(code, 5, tab{0: p, 1: sw, 2: sh, 3: kw, 4: kh, 5: activation(r)}, f.value("y", same(n), 1, extent(h, kh, sh, 1, p), extent(w, kw, sw, 1, p), c), 0)
}

// A sample is a network with inputs as bytes.
type sample struct {
	name, path string
	int8       bool
	g          *graph.Graph
	in         []byte
}

// Networks of one operator, or two, with random attributes and inputs: int8 outputs are the
// interpreter's bytes, float32 within 1e-5 of the largest, or of 1.
func TestOperatorsInterpreter(t *testing.T) {
	python, by := findPython(t)
	const inputs = 4
	each := 60 // of each operator and type
	if testing.Short() {
		each = 5
	}
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(1, 2))
	var all []sample
	for _, m := range makers {
		for i := range 2 * each {
			h, w, c := 1+rng.Int32N(6), 1+rng.Int32N(6), 1+rng.Int32N(9)
			n := newNet()
			f := formats{rng, n, i%2 == 1 && !m.floatOnly()}
			f.value("x", f.format(1), 1, h, w, c)
			m.add(rng, n, h, w, c, f)
			s := sample{name: m.name, path: filepath.Join(dir, fmt.Sprintf("%s-%d", m.name, i)), int8: f.int8}
			for range inputs * h * w * c {
				if f.int8 {
					s.in = append(s.in, byte(rng.IntN(256)))
				} else {
					s.in = append(s.in, float32s(float32(rng.NormFloat64()))...)
				}
			}
			data := n.file()
			var err error
			if s.g, err = Read(data, s.path); err != nil {
				t.Fatal(err)
			}
			if s.g.Integer != graph.NotInteger {
				s.g.Integer = rules[by]
			}
			for ext, b := range map[string][]byte{".tflite": data, ".in": s.in} {
				if err := os.WriteFile(s.path+ext, b, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, s)
		}
	}
	if out, err := exec.Command(python, "testdata/run.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	compared, bad := map[string]int{}, map[string]int{}
	for _, s := range all {
		want, err := os.ReadFile(s.path + ".out")
		if err != nil {
			why, err := os.ReadFile(s.path + ".err")
			if err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s: the interpreter refuses it: %s", s.path, why)
			continue
		}
		plan, err := nn.Compile(s.g, nn.Options{})
		if err != nil {
			t.Fatalf("%s: %v", s.path, err)
		}
		r := plan.NewRunner(1)
		image, out := make([]float32, plan.InputSize()), make([]float32, plan.OutputSize())
		off := 0
		for i := range inputs {
			s.image(image, i)
			if err := r.Run(out, image); err != nil {
				t.Fatal(err)
			}
			off += s.differ(out, want, i)
		}
		r.Close()
		compared[s.name] += len(out) * inputs
		if off > 0 {
			if bad[s.name]++; bad[s.name] == 1 {
				t.Errorf("%s (int8 %v): %d of %d elements differ from the interpreter's", filepath.Base(s.path), s.int8, off, len(out)*inputs)
			}
		}
	}
	t.Logf("rules of %s; %d networks; elements compared: %v", by, len(all), compared)
}

// image sets dst, in the graph's order, to what input i of the file's bytes stands for.
func (s *sample) image(dst []float32, i int) {
	v := s.g.Input
	for j := range dst {
		k := i*len(dst) + j
		x := float32(0)
		if v.Scale != 0 {
			x = float32(int(int8(s.in[k]))-int(v.Zero)) * v.Scale
		} else {
			x = math.Float32frombits(binary.LittleEndian.Uint32(s.in[4*k:]))
		}
		dst[place(v.Shape, j)] = x
	}
}

// differ counts the elements of output i that are not the interpreter's.
func (s *sample) differ(out []float32, want []byte, i int) (n int) {
	v := s.g.Output
	largest := 1.0
	for _, x := range out {
		largest = max(largest, math.Abs(float64(x)))
	}
	for j := range out {
		k, x := i*len(out)+j, out[place(v.Shape, j)]
		if v.Scale != 0 {
			if y := float32(int(int8(want[k]))-int(v.Zero)) * v.Scale; x != y {
				n++
			}
		} else if y := math.Float32frombits(binary.LittleEndian.Uint32(want[4*k:])); !(math.Abs(float64(x-y)) <= 1e-5*largest) {
			n++
		}
	}
	return n
}

// place is where element j of the file's order, channels last, is in the graph's.
func place(s graph.Shape, j int) int {
	c, plane := s[0], s.Plane()
	return j%c*plane + j/c
}
