package ptq

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/nn"
	"macroscope/quant"
)

// small is a float network of a convolution with batch norm, ReLU, pool and a
// dense layer behind a Flatten, with weights that are easy to follow.
func small(t testing.TB) *graph.Graph {
	t.Helper()
	b := graph.New("small", "image", graph.Shape{1, 2, 2})
	conv := &graph.Conv2D{InC: 1, OutC: 2, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	conv.Float, conv.Bias = []float32{2, -0.5}, []float32{1, 0}
	x := b.Add("conv", conv, b.Input())
	x = b.Add("norm", &graph.BatchNorm{Gamma: []float32{2, 1}, Beta: []float32{0, 0.25}, Mean: []float32{0, 0}, Var: []float32{0.75, 0.75}, Epsilon: 0.25}, x)
	x = b.Add("relu", &graph.ReLU{}, x)
	x = b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
	x = b.Add("flat", &graph.Flatten{}, x)
	dense := &graph.Dense{In: 2, Out: 3}
	dense.Float, dense.Bias = []float32{1, -4, 0, 0, 0.5, 0.25}, []float32{1, 2, 3}
	g, err := b.Graph(b.Add("dense", dense, x))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func smallCalibration() *Calibration {
	return &Calibration{Network: "small", Images: 1, Values: map[string]Range{
		"image": {Max: 254, MSE: 127, Percentiles: map[string]float32{"99.9": 63.5, "99.99": 200, "99.999": 250}},
		"pool":  {Max: 63.5, MSE: 12.7, Percentiles: map[string]float32{"99.9": 25.4, "99.99": 50, "99.999": 60}},
	}}
}

func node(t testing.TB, g *graph.Graph, name string) *graph.Node {
	t.Helper()
	for _, n := range g.Nodes {
		if n.Name == name {
			return n
		}
	}
	t.Fatalf("no node %q", name)
	return nil
}

func quantize(t testing.TB, g *graph.Graph, c *Calibration, o Options) *graph.Graph {
	t.Helper()
	q, err := Quantize(g, c, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Check(); err != nil {
		t.Fatal(err)
	}
	return q
}

func TestActivationScales(t *testing.T) {
	for method, want := range map[string][2]float32{
		"": {2, 0.5}, "max": {2, 0.5}, "mse": {1, 12.7 / 127}, "p99.9": {0.5, 25.4 / 127}, "p99.99": {float32(200) / 127, float32(50) / 127},
	} {
		q := quantize(t, small(t), smallCalibration(), Options{Method: method})
		conv, dense := node(t, q, "conv"), node(t, q, "dense")
		if got := conv.In[0].Scale; got != want[0] {
			t.Errorf("%q: the image's scale is %v: want %v", method, got, want[0])
		}
		// Flattening changes no number: the value before it has the scale as well.
		if got, before := dense.In[0].Scale, node(t, q, "flat").In[0].Scale; got != want[1] || before != want[1] {
			t.Errorf("%q: scales %v and, before the flattening, %v: want %v", method, got, before, want[1])
		}
		if q.Output.Scale != 0 || node(t, q, "relu").Out.Scale != 0 {
			t.Errorf("%q: values that no layer reads have scales %v and %v", method, q.Output.Scale, node(t, q, "relu").Out.Scale)
		}
	}
	if want := []string{"max", "p99.9", "p99.99", "p99.999", "mse"}; !slices.Equal(Methods(), want) {
		t.Errorf("methods %v: want %v", Methods(), want)
	}
}

// Batch norm is folded first: the convolution's weights are 2·2/1 and −0.5·1/1.
func TestWeights(t *testing.T) {
	perChannel := quantize(t, small(t), smallCalibration(), Options{})
	perTensor := quantize(t, small(t), smallCalibration(), Options{PerTensor: true})
	for _, c := range []struct {
		rule  string
		g     *graph.Graph
		layer string
		int8  []int8
		scale []float32
	}{
		{"per channel", perChannel, "conv", []int8{127, -127}, []float32{4.0 / 127, 0.5 / 127}},
		// −0.5/4·127 = −15.875
		{"per tensor", perTensor, "conv", []int8{127, -16}, []float32{4.0 / 127}},
		// 1/4·127 = 31.75; a row of zeros has scale 1; 0.25/0.5·127 = 63.5 (63.499998 or 63.500002 would be 63 or 64)
		{"per channel", perChannel, "dense", []int8{32, -127, 0, 0, 127, 64}, []float32{4.0 / 127, 1, 0.5 / 127}},
		// 0.5/4·127 = 15.875, 0.25/4·127 = 7.9375
		{"per tensor", perTensor, "dense", []int8{32, -127, 0, 0, 16, 8}, []float32{4.0 / 127}},
	} {
		w := floatsOf(node(t, c.g, c.layer))
		if !slices.Equal(w.Int8, c.int8) || !slices.Equal(w.Scale, c.scale) {
			t.Errorf("%s, %s: %v with scales %v: want %v with %v", c.rule, c.layer, w.Int8, w.Scale, c.int8, c.scale)
		}
	}
	if w := floatsOf(node(t, perChannel, "conv")); !slices.Equal(w.Bias, []float32{2, 0.25}) || !slices.Equal(w.Float, []float32{4, -0.5}) {
		t.Errorf("weights %v and biases %v: want the folded ones kept, [4 -0.5] and [2 0.25]", w.Float, w.Bias)
	}
}

func floatsOf(n *graph.Node) *graph.Weights {
	switch op := n.Op.(type) {
	case *graph.Conv2D:
		return &op.Weights
	case *graph.Dense:
		return &op.Weights
	}
	return nil
}

// Every rounded weight is the nearest multiple of its scale, which its row's (or
// the layer's) largest magnitude decides.
func TestNetworkWeights(t *testing.T) {
	g := load(t, dtype.Int8)
	for _, perTensor := range []bool{false, true} {
		layers := 0
		for _, n := range quantize(t, g, fixed(t, dtype.Int8), Options{PerTensor: perTensor}).Nodes {
			w := floatsOf(n)
			if w == nil {
				continue
			}
			layers++
			rows := n.Out.Shape.Channels()
			if want := map[bool]int{false: rows, true: 1}[perTensor]; len(w.Scale) != want {
				t.Fatalf("%s: %d scales: want %d", n.Name, len(w.Scale), want)
			}
			k := len(w.Float) / len(w.Scale)
			for i, s := range w.Scale {
				most := 0.0
				for j, x := range w.Float[i*k : (i+1)*k] {
					most = max(most, math.Abs(float64(x)))
					if q := w.Int8[i*k+j]; !(math.Abs(float64(x)-float64(s)*float64(q)) <= 0.5001*float64(s)) || q == -128 {
						t.Fatalf("%s: weight %v is %d steps of %v", n.Name, x, q, s)
					}
				}
				if want, err := quant.Scale(float32(most)); err != nil || s != want {
					t.Fatalf("%s: scale %v: want %v", n.Name, s, want)
				}
			}
		}
		if layers != 7 {
			t.Errorf("%d layers: want 7", layers)
		}
	}
}

func TestQuantizeKeepsItsInput(t *testing.T) {
	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		g, same := load(t, d), load(t, d)
		quantize(t, g, fixed(t, d), Options{})
		if !reflect.DeepEqual(g, same) {
			t.Errorf("the %v network is another after quantization", d)
		}
	}
	g, same := small(t), small(t)
	quantize(t, g, smallCalibration(), Options{})
	if !reflect.DeepEqual(g, same) {
		t.Error("the small network is another after quantization")
	}
	// Layers that nothing was folded into, whose ops the folded graph shares.
	fold := func() *graph.Graph { return graph.FoldBatchNorm(small(t)) }
	g, same = fold(), fold()
	quantize(t, g, smallCalibration(), Options{})
	if !reflect.DeepEqual(g, same) {
		t.Error("the folded network is another after quantization")
	}
}

// What is int8 already stays as it is.
func TestQuantizeTwice(t *testing.T) {
	once := quantize(t, small(t), smallCalibration(), Options{})
	twice := quantize(t, once, &Calibration{Network: "small"}, Options{PerTensor: true})
	if !reflect.DeepEqual(once, twice) {
		t.Error("quantizing an int8 network changes it")
	}
}

// Values that a file rounds already keep their scales: its layers' weights alone become
// int8, as those of unsigned bytes with a zero point, which an importer reads as floats.
func TestQuantizeRoundedValues(t *testing.T) {
	g := small(t)
	g.Input.Scale, g.Input.Zero = 0.5, -128
	for _, n := range g.Nodes {
		if n.Name == "pool" { // the flattening takes it over
			n.Out.Scale, n.Out.Zero = 0.25, 7
		}
	}
	q := quantize(t, g, &Calibration{Network: "small"}, Options{})
	if !Done(q) {
		t.Error("a layer is still float")
	}
	if q.Input.Scale != 0.5 || q.Input.Zero != -128 {
		t.Errorf("input: scale %v, zero point %d", q.Input.Scale, q.Input.Zero)
	}
	if flat := node(t, q, "flat").Out; flat.Scale != 0.25 || flat.Zero != 7 {
		t.Errorf("flattened: scale %v, zero point %d", flat.Scale, flat.Zero)
	}
	if w := node(t, q, "dense").Op.(*graph.Dense).Int8; !slices.Equal(w[:2], []int8{32, -127}) {
		t.Errorf("weights %v", w)
	}
	if _, err := nn.Compile(q, nn.Options{}); err != nil {
		t.Error(err)
	}
}

// Only the first and the last layer of the binary network become int8; the ±1
// layers between them, their batch norms and signs stay.
func TestBinaryNetwork(t *testing.T) {
	g := graph.FoldBatchNorm(load(t, dtype.Binary))
	q := quantize(t, load(t, dtype.Binary), fixed(t, dtype.Binary), Options{})
	if len(q.Nodes) != len(g.Nodes) {
		t.Fatalf("%d nodes: want %d", len(q.Nodes), len(g.Nodes))
	}
	var layers []*graph.Node
	scaled := 0
	for i, n := range q.Nodes {
		w := floatsOf(n)
		if w != nil {
			layers = append(layers, n)
		}
		if n.Out.Scale != 0 {
			scaled++
		}
		if (w == nil || w.Binary) && !reflect.DeepEqual(n.Op, g.Nodes[i].Op) {
			t.Errorf("%s has changed", n.Name)
		}
	}
	if len(layers) != 7 {
		t.Fatalf("%d layers: want 7", len(layers))
	}
	for i, n := range layers {
		w, ends := floatsOf(n), i == 0 || i == 6
		if w.Binary == ends || (w.Int8 != nil) != ends {
			t.Errorf("%s: binary %v, int8 %v", n.Name, w.Binary, w.Int8 != nil)
		}
	}
	// The normalized image has a scale; what signs give needs none, flattened or not.
	if scaled != 1 || layers[0].In[0].Scale == 0 || layers[6].In[0].Scale != 0 {
		t.Errorf("%d values with a scale, %v of the first layer's input and %v of the last one's", scaled, layers[0].In[0].Scale, layers[6].In[0].Scale)
	}
}

func TestQuantizeErrors(t *testing.T) {
	missing := smallCalibration()
	delete(missing.Values, "pool")
	change := func(f func(r *Range)) *Calibration {
		c := smallCalibration()
		r := c.Values["image"]
		f(&r)
		c.Values["image"] = r
		return c
	}
	weight := func(x float32) *graph.Graph {
		g := small(t)
		floatsOf(node(t, g, "dense")).Float[3] = x
		return g
	}
	for _, c := range []struct {
		g    *graph.Graph
		cal  *Calibration
		o    Options
		want string
	}{
		{small(t), missing, Options{}, `node "dense": no calibration of its input "pool": calibrate this network`},
		{small(t), smallCalibration(), Options{Method: "p99"}, `method "p99": want max, p99.9, p99.99, p99.999, mse`},
		{small(t), smallCalibration(), Options{Method: "average"}, `method "average": want max, p99.9, p99.99, p99.999, mse`},
		{small(t), change(func(r *Range) { r.Percentiles = nil }), Options{Method: "p99.99"}, `node "conv": its calibration has no percentile 99.99`},
		{small(t), change(func(r *Range) { r.Max = -1 }), Options{}, `node "conv": input "image": range -1: want a finite number ≥ 0`},
		{small(t), change(func(r *Range) { r.MSE = float32(math.NaN()) }), Options{Method: "mse"}, `node "conv": input "image": range NaN: want a finite number ≥ 0`},
		{small(t), &Calibration{Network: "other"}, Options{}, `calibration is of network "other": want "small"`},
		{weight(float32(math.NaN())), smallCalibration(), Options{}, `node "dense": a weight is NaN`},
		{weight(float32(math.Inf(-1))), smallCalibration(), Options{}, `node "dense": weights: range +Inf: want a finite number ≥ 0`},
	} {
		if _, err := Quantize(c.g, c.cal, c.o); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// What Calibrate records is what Quantize looks for, whatever the network: here
// the small one by hand, below the built-in ones.
func TestCalibrateThenQuantize(t *testing.T) {
	// The convolution with its norm gives 4x+2 and 0.25−0.5x; their largest are 802 and 0.25.
	cal := calibrate(t, small(t), []uint8{0, 100, 200, 3})
	if got := cal.Values["image"].Max; got != 200 {
		t.Errorf("the image's maximum is %v: want 200", got)
	}
	if got := cal.Values["pool"].Max; got != 802 {
		t.Errorf("the pool's maximum is %v: want 802", got)
	}
	q := quantize(t, small(t), cal, Options{})
	p, err := nn.Compile(q, nn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Layers() {
		if l.DType != dtype.Int8 {
			t.Errorf("%s runs as %v: want int8", l.Name, l.DType)
		}
	}
	r := p.NewRunner(1)
	defer r.Close()
	out := make([]float32, 3)
	if err := r.RunPixels(out, []uint8{0, 100, 200, 3}); err != nil {
		t.Fatal(err)
	}
	// 802·1 − 4·0.25 + 1, 2, 0.5·802 + 0.25·0.25 + 3; steps of 802/127 = 6.3 in, so that 0.25 is lost.
	for i, want := range []float64{802, 2, 404.0625} {
		if !(math.Abs(float64(out[i])-want) <= 10) {
			t.Errorf("output %d is %v: want about %v", i, out[i], want)
		}
	}

	for _, d := range []dtype.DType{dtype.Int8, dtype.Binary} {
		g := load(t, d)
		recorded := calibrate(t, g, sample(t, 2).Pixels)
		for _, method := range Methods() {
			quantize(t, g, recorded, Options{Method: method})
			quantize(t, g, fixed(t, d), Options{Method: method})
		}
	}
}
