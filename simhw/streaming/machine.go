package streaming

import (
	"fmt"

	"macroscope/quant"
)

// Parameters are what a layer computes with. Values are int8 or ±1, as int32; sums
// are exact while a sum of all products fits an int32.
type Parameters struct {
	Weights []int8 // [OutC][KH][KW][C]; none for a pool
	Pad     int32  // the value of padding: 0, or −1 among ±1

	// What the engine makes of a sum: ±1 behind a threshold an output; an int8 by
	// quant.Requantize with a factor and a summand an output; or, with neither, the
	// sum as it is.
	Thresholds    []quant.Threshold
	Factor, Shift []float32
	Lo, Hi        float32

	// Minimum, of a pool, says for each channel to take the minimum instead of the
	// maximum, nil for none: of ±1 behind a threshold that falls, where the network
	// has its pool before the threshold.
	Minimum []bool
}

// Machine is the pipeline itself, stepped cycle by cycle: words of real operands go
// through the FIFOs, units wait for words and for room, and time is counted, not
// computed. It is the check on Pipeline and Schedule.
type Machine struct {
	units []stepper
	fifos []*fifo // behind each unit; the last one takes the outputs
	out   int64   // words of an image's output
}

// Run is what happened to a batch of images.
type Run struct {
	Outputs [][]int32 // each image's, pixel by pixel
	Done    []int64   // the cycle in which each image's last output was there: after how many cycles
	Empty   []int64   // by unit: cycles spent waiting for a word, from the first step to the last
	Full    []int64   // and for room
	Deepest []int64   // by FIFO: the most words that it held
}

// stepper is a unit at work. step takes the next step if it can, and tells what it
// waits for if it cannot.
type stepper interface {
	step(in, out *fifo, cycle int64) state
}

type state uint8

const (
	stepped state = iota
	empty         // waits for a word
	full          // waits for room
	idle          // the source: for the next image's time, or done
)

// fifo is a queue of words. A word counts from the step that writes it on, and can be
// read when it has arrived.
type fifo struct {
	words   [][]int32
	arrival []int64
	depth   int
	late    int64
	deepest int
}

func (f *fifo) room() bool { return len(f.words) < f.depth }

func (f *fifo) write(w []int32, cycle int64) {
	f.words, f.arrival = append(f.words, w), append(f.arrival, cycle+f.late)
	f.deepest = max(f.deepest, len(f.words))
}

func (f *fifo) has(cycle int64) bool { return len(f.words) > 0 && f.arrival[0] <= cycle }

func (f *fifo) read() []int32 {
	w := f.words[0]
	f.words, f.arrival = f.words[1:], f.arrival[1:]
	return w
}

// unbounded is a depth that nothing fills.
const unbounded = 1 << 62

// NewMachine builds the pipeline p with a layer's parameters each and a depth for the
// FIFO behind each unit (the last one's is not looked at). Without parameters, nil, the
// machine takes its time over images of any content and computes nothing.
func NewMachine(p *Pipeline, parameters []Parameters, depths []int64) (*Machine, error) {
	timed := parameters == nil
	if timed {
		parameters = make([]Parameters, len(p.Layers))
	}
	if len(p.Layers) == 0 || len(parameters) != len(p.Layers) || len(depths) != len(p.Units) {
		return nil, fmt.Errorf("parameters of %d layers and %d depths for a pipeline of %d layers, %d units", len(parameters), len(depths), len(p.Layers), len(p.Units))
	}
	mc := &Machine{}
	for i := range p.Units {
		u := &p.Units[i]
		l, f, par := &p.Layers[u.Layer], p.Folds[u.Layer], &parameters[u.Layer]
		depth := depths[i]
		if i == len(p.Units)-1 {
			depth = unbounded
			mc.out = u.OutWords
		}
		if depth < 1 {
			return nil, fmt.Errorf("a FIFO of %d words behind unit %d (%v): want 1 or more", depth, i, u.Kind)
		}
		mc.fifos = append(mc.fifos, &fifo{depth: int(depth), late: 1 + u.Depth})
		var s stepper
		switch u.Kind {
		case Source:
			s = &source{lanes: u.Out}
		case Convert:
			s = &converter{in: u.In, out: u.Out}
		case Pad:
			s = newPadder(l, u.In, par.Pad)
		case Window:
			s = newWindow(l, u.In)
		case Engine:
			if timed {
				par = nil
			}
			e, err := newEngine(l, f, par)
			if err != nil {
				return nil, err
			}
			s = e
		default:
			if par.Minimum != nil && int64(len(par.Minimum)) != l.C {
				return nil, fmt.Errorf("layer %q: %d marks of a minimum for %d channels", l.Name, len(par.Minimum), l.C)
			}
			s = newPooler(l, par.Minimum)
		}
		mc.units = append(mc.units, s)
	}
	return mc, nil
}

// Run lets images through, each not before interval cycles after the one before; 0:
// as fast as they go. An image is H·W·C values, pixel by pixel. A machine runs once.
func (mc *Machine) Run(images [][]int32, interval int64) (*Run, error) {
	src := mc.units[0].(*source)
	if src.images != nil || len(images) == 0 {
		return nil, fmt.Errorf("%d images: want one or more, and a machine that has not run", len(images))
	}
	src.images, src.interval = images, interval
	n := len(mc.units)
	r := &Run{Empty: make([]int64, n), Full: make([]int64, n), Deepest: make([]int64, n)}
	// Waiting counts between steps: what a unit waits before its first and after its
	// last is not known to be more than a start or an end.
	started := make([]bool, n)
	waited := make([][full + 1]int64, n)
	last := mc.fifos[n-1]
	var output []int32
	words, quiet := int64(0), int64(0)
	for cycle := int64(0); len(r.Outputs) < len(images); cycle++ {
		moved := false
		for i, u := range mc.units {
			var in *fifo
			if i > 0 {
				in = mc.fifos[i-1]
			}
			now := u.step(in, mc.fifos[i], cycle)
			if now == stepped {
				moved = true
				r.Empty[i] += waited[i][empty]
				r.Full[i] += waited[i][full]
				started[i], waited[i] = true, [full + 1]int64{}
			} else if started[i] && now != idle {
				waited[i][now]++
			}
		}
		for last.has(cycle + 1) {
			output = append(output, last.read()...)
			if words++; words%mc.out == 0 {
				r.Outputs, r.Done = append(r.Outputs, output), append(r.Done, cycle+1)
				output = nil
			}
			moved = true
		}
		if moved {
			quiet = 0
		} else if quiet++; quiet > interval+MaxDepth+1 {
			return nil, fmt.Errorf("nothing moves any more in cycle %d: an image of %d values is too short, or a FIFO too small", cycle, len(images[0]))
		}
	}
	for i, f := range mc.fifos[:n-1] {
		r.Deepest[i] = int64(f.deepest)
	}
	return r, nil
}
