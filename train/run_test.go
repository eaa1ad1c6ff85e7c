package train

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/nn"
)

// patterns are noisy images of 8×8 whose class is the place of a bright square: what
// a small network learns in seconds and guessing does not.
func patterns(r *rand.Rand, n int) *Data {
	d := &Data{Shape: [3]int{1, 8, 8}}
	for range n {
		class := r.IntN(4)
		img := make([]uint8, 64)
		for i := range img {
			img[i] = uint8(r.IntN(160))
		}
		for y := range 3 {
			for x := range 3 {
				img[(class/2*4+y)*8+class%2*4+x] = uint8(160 + r.IntN(96))
			}
		}
		d.Pixels, d.Labels = append(d.Pixels, img...), append(d.Labels, uint8(class))
	}
	return d
}

func patternNet(t testing.TB, binary bool) *graph.Graph {
	r := rand.New(rand.NewPCG(3, 3))
	b := graph.New("patterns", "image", graph.Shape{1, 8, 8})
	x := b.Add("scale", &graph.Affine{Scale: []float32{1. / 64}, Shift: []float32{-2}}, b.Input())
	x = b.Add("conv1", randomConv(r, 1, 8, 3, 1), x)
	x = b.Add("norm1", norm(8), x)
	if binary {
		x = b.Add("sign1", &graph.Sign{}, x)
		x = b.Add("conv2", binaryConv(r, 8, 8, 3, 1, -1), x)
	} else {
		x = b.Add("relu1", &graph.ReLU{}, x)
		x = b.Add("conv2", randomConv(r, 8, 8, 3, 1), x)
	}
	x = b.Add("pool", &graph.MaxPool{KH: 2, KW: 2, StrideH: 2, StrideW: 2}, x)
	x = b.Add("norm2", norm(8), x)
	x = b.Add("flatten", &graph.Flatten{}, x)
	g, err := b.Graph(b.Add("dense", randomDense(r, 128, 4), x))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func patternConfig(binary bool) Config {
	c := Config{
		Epochs: 4, Batch: 32, Seed: 5, Optimizer: "sgd", Rate: 0.05, Momentum: 0.9, Decay: 5e-4,
		Schedule: Schedule{Kind: "linear", Warmup: 0.2}, Smoothing: 0.1, Average: 0.9, Augment: Augment{Crop: 1},
	}
	if binary {
		c.Optimizer, c.Rate, c.Average, c.Schedule.Kind, c.Estimator = "adam", 0.01, 0, "cosine", ApproxSign
	}
	return c
}

func newRun(t testing.TB, binary bool, threads int) *Run {
	t.Helper()
	r, err := NewRun(patternNet(t, binary), patterns(rand.New(rand.NewPCG(1, 1)), 640), patternConfig(binary), threads, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func finish(t testing.TB, r *Run) {
	t.Helper()
	for !r.Done() {
		if err := r.Epoch(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// right is the share of images that a graph classifies rightly with the inference
// kernels.
func right(t testing.TB, g *graph.Graph, d *Data) float64 {
	t.Helper()
	p, err := nn.Compile(g, nn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, d.Len()*p.OutputSize())
	if err := p.NewRunner(1).RunPixels(out, d.Pixels); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, label := range d.Labels {
		if argmax(out[i*p.OutputSize():(i+1)*p.OutputSize()]) == int(label) {
			n++
		}
	}
	return float64(n) / float64(d.Len())
}

// TestRunLearns trains from random weights and asks for what guessing cannot reach
// on images that training has not seen, 25 %.
func TestRunLearns(t *testing.T) {
	test := patterns(rand.New(rand.NewPCG(2, 2)), 400)
	for name, binary := range map[string]bool{"float32": false, "binary": true} {
		t.Run(name, func(t *testing.T) {
			r := newRun(t, binary, 2)
			before := right(t, r.Graph(), test)
			var first, last float64
			for !r.Done() {
				err := r.Epoch(context.Background(), func(p Progress) {
					if p.EpochEnds {
						if first == 0 {
							first = p.Loss
						}
						last = p.Loss
					}
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			after := right(t, r.Graph(), test)
			t.Logf("loss %.3f to %.3f, right %.1f%% to %.1f%%", first, last, 100*before, 100*after)
			if !(last < 0.8*first) || !(after > 0.9) {
				t.Errorf("loss %v to %v, %v right: want it to fall by a fifth, and 0.9", first, last, after)
			}
		})
	}
}

// TestRunIsDeterministic holds two runs with the same seed and threads bit-equal,
// and one that goes on from a checkpoint.
func TestRunIsDeterministic(t *testing.T) {
	for name, binary := range map[string]bool{"float32": false, "binary": true} {
		t.Run(name, func(t *testing.T) {
			a, b, c := newRun(t, binary, 3), newRun(t, binary, 3), newRun(t, binary, 3)
			finish(t, a)
			finish(t, b)
			sameState(t, "second run", b.net.Snapshot(), a.net.Snapshot())
			for range 2 {
				if err := c.Epoch(context.Background(), nil); err != nil {
					t.Fatal(err)
				}
			}
			var file bytes.Buffer
			if err := c.WriteCheckpoint(&file); err != nil {
				t.Fatal(err)
			}
			d := newRun(t, binary, 3)
			if err := d.ReadCheckpoint(&file); err != nil {
				t.Fatal(err)
			}
			if d.Epochs() != 2 {
				t.Errorf("%d epochs done: want 2", d.Epochs())
			}
			finish(t, d)
			sameState(t, "resumed run", d.net.Snapshot(), a.net.Snapshot())
			sameState(t, "resumed run's average", d.average, a.average)
		})
	}
}

func sameState(t *testing.T, what string, got, want State) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d tensors, want %d", what, len(got), len(want))
	}
	for name, v := range want {
		if !slices.Equal(got[name], v) {
			t.Errorf("%s: other %s", what, name)
		}
	}
}

// TestCheckpointErrors tries files that are none, or another run's.
func TestCheckpointErrors(t *testing.T) {
	r := newRun(t, false, 2)
	if err := r.Epoch(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.WriteCheckpoint(&b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	before := r.net.Snapshot()
	damaged := slices.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	huge := slices.Clone(whole)
	huge[len(checkpointMagic)+7] = 0xff
	for _, c := range []struct {
		name, want string
		file       []byte
		run        func() *Run
	}{
		{"empty", "not a training checkpoint", nil, nil},
		{"other file", "not a training checkpoint", bytes.Repeat([]byte("x"), 1000), nil},
		{"cut", "ends after", whole[:len(whole)-5], nil},
		{"damaged", "checksum", damaged, nil},
		{"huge", "want at most", huge, nil},
		{"other network", "values of conv2.weight", whole, func() *Run {
			wide := rand.New(rand.NewPCG(1, 1))
			b := graph.New("patterns", "image", graph.Shape{1, 8, 8})
			x := b.Add("conv2", randomConv(wide, 1, 4, 3, 1), b.Input())
			g, err := b.Graph(b.Add("dense", randomDense(wide, 256, 4), b.Add("flatten", &graph.Flatten{}, x)))
			if err != nil {
				t.Fatal(err)
			}
			return runOf(t, g, patternConfig(false), 2)
		}},
		{"other threads", "threads: 2, this run's: 1", whole, func() *Run { return newRun(t, false, 1) }},
		{"other rate", "Rate: 0.05, this run's: 0.1", whole, func() *Run {
			c := patternConfig(false)
			c.Rate = 0.1
			return runOf(t, patternNet(t, false), c, 2)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := r
			if c.run != nil {
				other = c.run()
			}
			err := other.ReadCheckpoint(bytes.NewReader(c.file))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v: want %q", err, c.want)
			}
		})
	}
	sameState(t, "after errors", r.net.Snapshot(), before)
}

func runOf(t *testing.T, g *graph.Graph, c Config, threads int) *Run {
	t.Helper()
	r, err := NewRun(g, patterns(rand.New(rand.NewPCG(1, 1)), 640), c, threads, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// TestRunStops: a context that ends stops within an epoch; numbers that are no
// longer finite stop with the layer's name.
func TestRunStops(t *testing.T) {
	r := newRun(t, false, 2)
	ctx, cancel := context.WithCancel(context.Background())
	err := r.Epoch(ctx, func(p Progress) {
		if p.Step == 3 {
			cancel()
		}
	})
	if err != context.Canceled || r.Epochs() != 0 {
		t.Errorf("error %v after %d epochs: want %v in the first", err, r.Epochs(), context.Canceled)
	}
	for _, p := range r.net.Params() {
		if p.Name == "conv2.weight" {
			p.W[7] = float32(math.NaN())
		}
	}
	err = r.Epoch(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), `value "conv2"`) || !strings.Contains(err.Error(), "epoch 1, step 1") {
		t.Errorf("error %v: want one that names conv2, epoch and step", err)
	}
}

// TestTeacher: a network taught by another one's logits comes nearer to them than
// one that is not.
func TestTeacher(t *testing.T) {
	teacherRun := newRun(t, false, 2)
	finish(t, teacherRun)
	g := teacherRun.Graph()
	taught := patternConfig(false)
	taught.Epochs, taught.Share, taught.Temperature, taught.Smoothing = 1, 0.9, 2, 0
	teacher, err := NewTeacher(g, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRun(patternNet(t, false), patterns(rand.New(rand.NewPCG(1, 1)), 640), taught, 2, nil, teacher)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	loss := 0.0
	if err := r.Epoch(context.Background(), func(p Progress) { loss = p.Loss }); err != nil {
		t.Fatal(err)
	}
	if got := right(t, r.Graph(), patterns(rand.New(rand.NewPCG(2, 2)), 400)); !(got > 0.5) || loss <= 0 {
		t.Errorf("%v right after an epoch, loss %v: want above 0.5, a positive loss", got, loss)
	}
}

func TestConfigErrors(t *testing.T) {
	d := patterns(rand.New(rand.NewPCG(1, 1)), 64)
	for want, change := range map[string]func(c *Config){
		"0 epochs":            func(c *Config) { c.Epochs = 0 },
		"batches of 100":      func(c *Config) { c.Batch = 100 },
		`optimizer "rprop"`:   func(c *Config) { c.Optimizer = "rprop" },
		"rate NaN":            func(c *Config) { c.Rate = math.NaN() },
		"average 1":           func(c *Config) { c.Average = 1 },
		`schedule "sawtooth"`: func(c *Config) { c.Schedule.Kind = "sawtooth" },
		"warm-up 1":           func(c *Config) { c.Schedule.Warmup = 1 },
		"smoothing 1":         func(c *Config) { c.Smoothing = 1 },
		"crops of up to 8":    func(c *Config) { c.Augment.Crop = 8 },
		"cutout of 9":         func(c *Config) { c.Augment.Cutout = 9 },
	} {
		c := patternConfig(false)
		change(&c)
		if _, err := NewRun(patternNet(t, false), d, c, 1, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v: want %q", err, want)
		}
	}
	g, err := CIFAR10CNN(Topology{DType: dtype.Float32, Width: 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewRun(g, d, patternConfig(false), 1, nil, nil); err == nil || !strings.Contains(err.Error(), "the images are [1 8 8]") {
		t.Errorf("error %v: want one about the shapes", err)
	}
}
