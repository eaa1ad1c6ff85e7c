package streaming

import (
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/quant"
)

// cnv is FINN's network for CIFAR-10: convolutions of 3×3 without padding, 64-64-pool-
// 128-128-pool-256-256, and dense layers, with as many outputs as said.
func cnv(outputs int64) []Layer {
	conv := func(side, in, out int64) Layer {
		return Layer{Name: "conv", H: side, W: side, C: in, OutC: out, KH: 3, KW: 3, StrideH: 1, StrideW: 1}
	}
	pool := func(side, c int64) Layer {
		return Layer{Name: "pool", Pool: true, H: side, W: side, C: c, KH: 2, KW: 2}
	}
	dense := func(in, out int64) Layer {
		return Layer{Name: "dense", H: 1, W: 1, C: in, OutC: out, KH: 1, KW: 1, StrideH: 1, StrideW: 1}
	}
	return []Layer{conv(32, 3, 64), conv(30, 64, 64), pool(28, 64), conv(14, 64, 128), conv(12, 128, 128), pool(10, 128),
		conv(5, 128, 256), conv(3, 256, 256), dense(256, 512), dense(512, 512), dense(512, outputs)}
}

// cnvFolds is the folding of cnvW1A1 in Xilinx/BNN-PYNQ bnn/src/network/cnvW1A1/hw/config.h.
func cnvFolds() []Fold {
	return []Fold{{16, 3}, {32, 32}, {}, {16, 32}, {16, 32}, {}, {4, 32}, {1, 32}, {1, 4}, {1, 8}, {4, 1}}
}

// The cycles of each layer of cnvW1A1 and lfcW1A1 as their folding gives them, and so
// the rates at 100 MHz: 3,051.8 and 195,312 images a second.
func TestFINNLayers(t *testing.T) {
	lfc := []Layer{}
	for _, d := range [][2]int64{{832, 1024}, {1024, 1024}, {1024, 1024}, {1024, 64}} {
		lfc = append(lfc, Layer{Name: "dense", H: 1, W: 1, C: d[0], OutC: d[1], KH: 1, KW: 1, StrideH: 1, StrideW: 1})
	}
	for _, c := range []struct {
		layers []Layer
		folds  []Fold
		cycles []int64
		fps    float64
	}{
		{cnv(64), cnvFolds(), []int64{32400, 28224, 20736, 28800, 20736, 18432, 32768, 32768, 8192}, 3051.8},
		{lfc, []Fold{{32, 64}, {64, 32}, {32, 64}, {16, 8}}, []int64{416, 512, 512, 512}, 195312.5},
	} {
		var p Pipeline
		if err := p.Build(c.layers, c.folds, 0); err != nil {
			t.Fatal(err)
		}
		var cycles []int64
		for _, u := range p.Units {
			if u.Kind == Engine {
				cycles = append(cycles, u.Cycles)
			}
		}
		if !slices.Equal(cycles, c.cycles) {
			t.Errorf("cycles %v, want %v", cycles, c.cycles)
		}
		interval, _ := p.Interval()
		if fps := 100e6 / float64(interval); fps < c.fps-0.05 || fps > c.fps+0.05 {
			t.Errorf("%.1f images a second, want %.1f", fps, c.fps)
		}
	}
}

// FINN's CNV on a PYNQ-Z2 and an Arty A7 at 100 MHz, one image at a time: what MLPerf
// Tiny v0.7 measured (mlcommons/tiny_results_v0.7, open/hls4ml-finn), its harness
// included. The pipeline's length of an engine is assumed, and does not matter: 20
// cycles instead of 0 are 0.1 %.
func TestBoards(t *testing.T) {
	folds := cnvFolds()
	folds[len(folds)-1] = Fold{5, 1}
	for _, depth := range []int64{0, 5, 20} {
		var p Pipeline
		if err := p.Build(cnv(10), folds, depth); err != nil {
			t.Fatal(err)
		}
		var s Schedule
		s.First(&p)
		for board, measured := range map[string]float64{"PYNQ-Z2": 661.473, "Arty A7-100T": 659.069} {
			rate := 100e6 / float64(s.Latency)
			t.Logf("%s, engines' pipelines of %d: %.1f images a second, measured %.1f, %+.1f %%", board, depth, rate, measured, 100*(rate/measured-1))
			if rate < 0.98*measured || rate > 1.02*measured {
				t.Errorf("%s: %.1f images a second, measured %.1f: want 2 %% at most between", board, rate, measured)
			}
		}
		if s.Interval != 32768 {
			t.Errorf("interval %d, want 32768", s.Interval)
		}
	}
}

// FINN's CNV needs no FIFO of more than 64 words.
func TestCNVFIFOs(t *testing.T) {
	if testing.Short() {
		t.Skip("some million cycles of 27 units")
	}
	var p Pipeline
	if err := p.Build(cnv(10), append(cnvFolds()[:10], Fold{5, 1}), 5); err != nil {
		t.Fatal(err)
	}
	var s Schedule
	s.Run(&p)
	depth, err := p.FIFOs(&s)
	if err != nil {
		t.Fatal(err)
	}
	if depth != 64 {
		t.Errorf("%d words, want 64", depth)
	}
}

// By hand: one row of 3 pixels of one channel, a kernel of 1×2, two outputs one at a
// time. The window reads 3 words and writes 2·2; the engine takes 2·2 steps for each
// of 2 pixels. Words of the source come in cycles 1, 2 and 3; the window's come in 5,
// 6, 7, 8 (written in 4…7); the first vector is done in 5…8, its outputs there in 7 and 9;
// the second in 9…12, and in 13 its last output is there.
func TestByHand(t *testing.T) {
	l := Layer{Name: "l", H: 1, W: 3, C: 1, OutC: 2, KH: 1, KW: 2, StrideH: 1, StrideW: 1}
	var p Pipeline
	if err := p.Build([]Layer{l}, []Fold{{1, 1}}, 0); err != nil {
		t.Fatal(err)
	}
	if got := []int64{p.Units[0].Cycles, p.Units[1].Cycles, p.Units[2].Cycles}; !slices.Equal(got, []int64{3, 7, 8}) {
		t.Errorf("source, window and engine take %v cycles, want 3, 7, 8", got)
	}
	var s Schedule
	s.First(&p)
	if s.Latency != 13 || s.Interval != 8 {
		t.Errorf("latency %d, interval %d: want 13, 8", s.Latency, s.Interval)
	}
	// The window's third and fourth word come in 7 and 8 and wait until 9 and 10.
	s.Run(&p)
	if want := []int64{2, 2, 0}; !slices.Equal(s.Depths, want) {
		t.Errorf("FIFOs of %v words, want %v", s.Depths, want)
	}
	if got := s.Batch(10); got != 13+9*8 {
		t.Errorf("10 images take %d cycles", got)
	}
}

// FINN's whole network, stepped with random ±1 operands: the plain network's outputs,
// and to the cycle the schedule's latency and interval.
func TestCNV(t *testing.T) {
	if testing.Short() {
		t.Skip("116 million products")
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	n := net{layers: cnv(64), folds: cnvFolds(), binary: true}
	for i := range n.layers {
		var par Parameters
		if l := &n.layers[i]; l.Pool {
			par.Minimum = make([]bool, l.C)
		} else {
			mh, mw, _ := l.Matrix()
			for range mh * mw {
				par.Weights = append(par.Weights, int8(2*rnd.IntN(2)-1))
			}
			for range mh {
				par.Thresholds = append(par.Thresholds, quant.Threshold{T: int32(rnd.IntN(7) - 3)})
			}
		}
		n.parameters = append(n.parameters, par)
	}
	var p Pipeline
	if err := p.Build(n.layers, n.folds, 3); err != nil {
		t.Fatal(err)
	}
	var s Schedule
	s.Run(&p)
	mc, err := NewMachine(&p, n.parameters, s.Depths)
	if err != nil {
		t.Fatal(err)
	}
	images := n.images(rnd, 2)
	r, err := mc.Run(images, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range images {
		if !slices.Equal(r.Outputs[i], n.plain(images[i])) {
			t.Errorf("image %d differs", i)
		}
		if r.Done[i] != s.Batch(int64(i)+1) {
			t.Errorf("image %d after %d cycles, %d by the schedule", i, r.Done[i], s.Batch(int64(i)+1))
		}
	}
}
