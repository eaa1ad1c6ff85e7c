package streaming

import (
	"math/rand/v2"
	"slices"
	"testing"

	"macroscope/quant"
)

// net is a random network with its parameters.
type net struct {
	layers     []Layer
	folds      []Fold
	parameters []Parameters
	binary     bool
}

func pick(rnd *rand.Rand, v []int64) int64 { return v[rnd.IntN(len(v))] }

// randomNet makes a small network of convolutions, pools and dense layers, whose
// images hold int8 or ±1.
func randomNet(rnd *rand.Rand) net {
	n := net{binary: rnd.IntN(2) == 0}
	h, w, c := 3+rnd.Int64N(8), 3+rnd.Int64N(8), 1+rnd.Int64N(6)
	for len(n.layers) < 1+rnd.IntN(4) {
		l := Layer{Name: "l", H: h, W: w, C: c}
		var par Parameters
		var f Fold
		switch kind := rnd.IntN(4); {
		case kind == 0 && len(n.layers) > 0:
			l.Pool, l.KH, l.KW = true, 1+rnd.Int64N(min(3, h)), 1+rnd.Int64N(min(3, w))
			for range c {
				par.Minimum = append(par.Minimum, rnd.IntN(3) == 0)
			}
		default:
			if kind == 1 {
				l.H, l.W, l.C = 1, 1, h*w*c
			}
			l.OutC, l.StrideH, l.StrideW = 1+rnd.Int64N(8), 1, 1
			l.KH, l.KW = 1+rnd.Int64N(min(3, l.H)), 1+rnd.Int64N(min(3, l.W))
			if l.KH*l.KW > 1 && rnd.IntN(2) == 0 {
				l.StrideH, l.StrideW = 1+rnd.Int64N(3), 1+rnd.Int64N(3)
				l.PadTop, l.PadLeft, l.PadBottom, l.PadRight = rnd.Int64N(2), rnd.Int64N(2), rnd.Int64N(2), rnd.Int64N(2)
			}
			f = Fold{pick(rnd, divisors(nil, l.OutC)), pick(rnd, divisors(nil, l.C))}
			mh, mw, _ := l.Matrix()
			for range mh * mw {
				v := int8(rnd.IntN(255) - 127)
				if n.binary {
					v = int8(2*rnd.IntN(2) - 1)
				}
				par.Weights = append(par.Weights, v)
			}
			par.Pad, par.Lo, par.Hi = 0, -127, 127
			for range mh {
				if n.binary {
					par.Pad = -1
					par.Thresholds = append(par.Thresholds, quant.Threshold{T: rnd.Int32N(int32(mw)) - int32(mw)/2, Flip: rnd.IntN(2) == 0})
				} else {
					par.Factor = append(par.Factor, rnd.Float32()*0.02/float32(mw))
					par.Shift = append(par.Shift, rnd.Float32()-0.5)
				}
			}
		}
		n.layers, n.folds, n.parameters = append(n.layers, l), append(n.folds, f), append(n.parameters, par)
		h, w, c = l.Out()
	}
	if par := &n.parameters[len(n.parameters)-1]; par.Weights != nil && rnd.IntN(2) == 0 {
		par.Thresholds, par.Factor, par.Shift = nil, nil, nil // the network's sums
	}
	return n
}

func (n *net) images(rnd *rand.Rand, count int) [][]int32 {
	var images [][]int32
	for range count {
		img := make([]int32, n.layers[0].H*n.layers[0].W*n.layers[0].C)
		for i := range img {
			img[i] = int32(rnd.IntN(255) - 127)
			if n.binary {
				img[i] = 2*rnd.Int32N(2) - 1
			}
		}
		images = append(images, img)
	}
	return images
}

// plain computes a layer by its definition.
func plain(l *Layer, par *Parameters, x []int32) []int32 {
	oh, ow, oc := l.Out()
	var y []int32
	for oy := range oh {
		for ox := range ow {
			for o := range oc {
				sum := int32(0)
				for ky := range l.KH {
					for kx := range l.KW {
						if l.Pool {
							v := x[((oy*l.KH+ky)*l.W+ox*l.KW+kx)*l.C+o]
							if ky+kx == 0 || v > sum != par.Minimum[o] && v != sum {
								sum = v
							}
							continue
						}
						iy, ix := oy*l.StrideH+ky-l.PadTop, ox*l.StrideW+kx-l.PadLeft
						for c := range l.C {
							v := par.Pad
							if iy >= 0 && iy < l.H && ix >= 0 && ix < l.W {
								v = x[(iy*l.W+ix)*l.C+c]
							}
							sum += v * int32(par.Weights[((o*l.KH+ky)*l.KW+kx)*l.C+c])
						}
					}
				}
				if !l.Pool {
					sum = par.activate(o, sum)
				}
				y = append(y, sum)
			}
		}
	}
	return y
}

func (n *net) plain(x []int32) []int32 {
	for i := range n.layers {
		x = plain(&n.layers[i], &n.parameters[i], x)
	}
	return x
}

// On random networks of int8 and ±1, with the FIFOs that Schedule asks for, images
// coming one an interval or as fast as they go: the machine returns the plain network's values, the first image after Latency exactly,
// each further one an Interval later exactly, and nothing ever waits for room; each
// FIFO gets as full as Depths says, no fuller.
func TestMachine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	kinds := map[Kind]int{}
	for round := range int64(400) {
		n := randomNet(rnd)
		var p Pipeline
		if err := p.Build(n.layers, n.folds, rnd.Int64N(4)); err != nil {
			t.Fatalf("%+v: %v", n.layers, err)
		}
		var s Schedule
		s.Run(&p)
		mc, err := NewMachine(&p, n.parameters, s.Depths)
		if err != nil {
			t.Fatal(err)
		}
		images := n.images(rnd, settle)
		steady := round%2 == 0
		interval := int64(0)
		if steady {
			interval = s.Interval
		}
		r, err := mc.Run(images, interval)
		if err != nil {
			t.Fatal(err)
		}
		for i := range images {
			if !slices.Equal(r.Outputs[i], n.plain(images[i])) {
				t.Fatalf("%+v %+v: image %d is %v, want %v", n.layers, n.folds, i, r.Outputs[i], n.plain(images[i]))
			}
			if want := s.Batch(int64(i) + 1); r.Done[i] != want {
				t.Errorf("%+v %+v: image %d after %d cycles, %d by the schedule, interval %d", n.layers, n.folds, i, r.Done[i], want, s.Interval)
			}
		}
		for i, u := range p.Units {
			kinds[u.Kind]++
			if !steady {
				continue // the bottleneck makes what comes too fast wait
			}
			if i > 0 && r.Full[i] > 0 {
				t.Errorf("%+v: %v waits %d cycles for room", n.layers, u.Kind, r.Full[i])
			}
			if i > 0 && i < len(p.Units)-1 && r.Deepest[i] != s.Depths[i] {
				t.Errorf("%+v %+v: %d words behind unit %d (%v), %d by the schedule", n.layers, n.folds, r.Deepest[i], i, u.Kind, s.Depths[i])
			}
		}
		if t.Failed() {
			return
		}
	}
	for _, k := range []Kind{Source, Convert, Pad, Window, Engine, Pool} {
		if kinds[k] < 20 {
			t.Errorf("only %d units of kind %v", kinds[k], k)
		}
	}
}

// With FIFOs of two words the values are the same. The first image is as late as the
// schedule says or later, and so is every interval: what a small FIFO costs.
func TestSmallFIFOs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(10, 11))
	slower := 0
	for range 200 {
		n := randomNet(rnd)
		var p Pipeline
		if err := p.Build(n.layers, n.folds, 0); err != nil {
			t.Fatal(err)
		}
		var s Schedule
		s.Run(&p)
		depths := make([]int64, len(p.Units))
		for i := range depths {
			depths[i] = 2
		}
		mc, err := NewMachine(&p, n.parameters, depths)
		if err != nil {
			t.Fatal(err)
		}
		images := n.images(rnd, 3)
		r, err := mc.Run(images, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range images {
			if !slices.Equal(r.Outputs[i], n.plain(images[i])) {
				t.Fatalf("%+v: image %d differs", n.layers, i)
			}
			if r.Done[i] < s.Batch(int64(i)+1) {
				t.Fatalf("%+v: image %d after %d cycles, sooner than the schedule's %d", n.layers, i, r.Done[i], s.Batch(int64(i)+1))
			}
		}
		if r.Done[2]-r.Done[1] > s.Interval {
			slower++
		}
	}
	if slower == 0 {
		t.Error("no network is slower for its FIFOs")
	}
}

// The depth that FIFOs finds keeps the schedule with real operands, and half of it does
// not.
func TestFIFOs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(16, 17))
	for range 100 {
		n := randomNet(rnd)
		var p Pipeline
		if err := p.Build(n.layers, n.folds, rnd.Int64N(3)); err != nil {
			t.Fatal(err)
		}
		var s Schedule
		s.Run(&p)
		depth, err := p.FIFOs(&s)
		if err != nil {
			t.Fatalf("%+v %+v: %v", n.layers, n.folds, err)
		}
		images := n.images(rnd, settle)
		exact := func(depth int64) bool {
			depths := make([]int64, len(p.Units))
			for i := range depths {
				depths[i] = depth
			}
			mc, err := NewMachine(&p, n.parameters, depths)
			if err != nil {
				t.Fatal(err)
			}
			r, err := mc.Run(images, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range images {
				if !slices.Equal(r.Outputs[i], n.plain(images[i])) {
					t.Fatalf("image %d differs", i)
				}
				if r.Done[i] != s.Batch(int64(i)+1) {
					return false
				}
			}
			return true
		}
		if !exact(depth) || depth > 1 && exact(depth/2) {
			t.Fatalf("%+v %+v: %d words are not the least that cost no time", n.layers, n.folds, depth)
		}
	}
	if _, err := new(Pipeline).FIFOs(&Schedule{Depths: []int64{1}}); err == nil {
		t.Error("a schedule of another pipeline: no error")
	}
}
