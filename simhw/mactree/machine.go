package mactree

import (
	"fmt"

	"macroscope/workload"
)

// Machine is the core itself, stepped cycle by cycle: int8 operands enter the
// cells, sums move through the pipeline to accumulators, weights are loaded
// beside those in use, and time is counted, not computed. It is the check on
// the closed forms.
type Machine struct {
	Array

	in     operands
	cycles int64
	outs   []int32
	pipe   []entry // oldest first
	acc    []int32 // [cell][position in the stripe], of Winograd four each
}

// step is a set of weights with what it works on.
type step struct {
	group, kernel, channel, tap int64
	from, to                    int64 // positions
	first, last                 bool  // of the sums of a stripe
}

// entry is what the cells made of one position, on its way to the
// accumulators.
type entry struct {
	step *step
	p    int64
	sums []int32 // by cell; of Winograd four each
	at   int64   // the cycle in which it arrives
}

// Run convolves one image x, [H][W][C], by weights w, [OutC][KH][KW][C/Groups],
// or multiplies x, [M][K], by w, [N][K]; padding reads as 0. It returns the
// exact sums, [OutH][OutW][OutC] or [M][N], and the cycles taken. With Winograd
// the weights are transformed to four times their value, so that they are
// whole, and the sums divided, which is exact below 2^29.
func (mc *Machine) Run(l *workload.Layer, x, w []int8) (sums []int32, cycles int64, err error) {
	if err := mc.check(l, int64(len(x)), int64(len(w))); err != nil {
		return nil, 0, err
	}
	wk := mc.Map(l)
	mc.in = operands{l: l, wk: wk, x: x, w: w, channels: mc.Channels, per: 1}
	if wk.Winograd {
		mc.in.channels, mc.in.per = mc.Channels/16, 4
	}
	mc.cycles, mc.pipe = 0, nil
	mc.outs = make([]int32, wk.Groups*wk.K*wk.Outputs)
	mc.acc = make([]int32, mc.Kernels*mc.StripeOutputs*mc.in.per)

	steps := mc.order()
	ready := mc.WeightLoadCycles // cycle in which the next weights are there
	for i := range steps {
		for mc.cycles < ready {
			mc.tick()
		}
		weights := mc.in.weights(&steps[i])
		ready = mc.cycles + mc.WeightLoadCycles // those after them, meanwhile
		for p := steps[i].from; p < steps[i].to; p++ {
			mc.enter(&steps[i], weights, p)
			mc.tick()
		}
	}
	for len(mc.pipe) > 0 {
		mc.tick()
	}
	return mc.outs, mc.cycles, nil
}

// tick lets a cycle pass: what has gone through the pipeline arrives.
func (mc *Machine) tick() {
	mc.cycles++
	for len(mc.pipe) > 0 && mc.pipe[0].at <= mc.cycles {
		mc.arrive(&mc.pipe[0])
		mc.pipe = mc.pipe[1:]
	}
}

func (mc *Machine) check(l *workload.Layer, x, w int64) error {
	if mc.Channels < 1 || mc.Kernels < 1 || mc.StripeOutputs < 1 || mc.WeightLoadCycles < 1 || mc.PipelineCycles < 0 || mc.Winograd && mc.Channels%16 != 0 {
		return fmt.Errorf("a core %+v: want sizes of 1 or more, and with Winograd channels that are a multiple of 16", mc.Array)
	}
	wl := workload.Workload{Name: "machine", Layers: []workload.Layer{*l}}
	if err := wl.Validate(); err != nil {
		return err
	}
	inputs := int64(l.H) * int64(l.W) * int64(l.C)
	if l.Kind == workload.Gemm {
		inputs = l.M * l.K
	}
	if l.Kind == workload.Other || max(l.Batch, 1) != 1 || x != inputs || w != l.WeightWords() {
		return fmt.Errorf("layer %q with %d inputs and %d weights: want a convolution of one image or a product, %d and %d", l.Name, x, w, inputs, l.WeightWords())
	}
	return nil
}

// order lists the steps as the core takes them.
func (mc *Machine) order() []step {
	wk := &mc.in.wk
	var list []step
	for g := range wk.Groups {
		for k := range wk.KernelSteps {
			from := int64(0)
			for s := range wk.Stripes {
				to := from + wk.Positions/wk.Stripes
				if s < wk.Positions%wk.Stripes {
					to++
				}
				for c := range wk.ChannelSteps {
					for t := range wk.Taps {
						list = append(list, step{g, k, c, t, from, to, c == 0 && t == 0, c == wk.ChannelSteps-1 && t == wk.Taps-1})
					}
				}
				from = to
			}
		}
	}
	return list
}

// enter sends position p to the cells.
func (mc *Machine) enter(st *step, cells [][]int32, p int64) {
	values := mc.in.features(st, p)
	e := entry{step: st, p: p, at: mc.cycles + 1 + mc.PipelineCycles}
	for _, weights := range cells {
		if mc.in.wk.Winograd {
			s := winogradSums(values, weights)
			e.sums = append(e.sums, s[:]...)
			continue
		}
		sum := int32(0)
		for i, v := range values {
			sum += v * weights[i]
		}
		e.sums = append(e.sums, sum)
	}
	mc.pipe = append(mc.pipe, e)
}

// arrive adds sums to their accumulators and takes out what is finished.
func (mc *Machine) arrive(e *entry) {
	per := mc.in.per
	for i, s := range e.sums {
		cell, part := int64(i)/per, int64(i)%per
		acc := &mc.acc[(cell*mc.StripeOutputs+e.p-e.step.from)*per+part]
		if e.step.first {
			*acc = 0
		}
		if *acc += s; e.step.last {
			mc.in.store(mc.outs, e.step, e.p, cell, part, *acc)
		}
	}
}

// operands finds what a step multiplies.
type operands struct {
	l        *workload.Layer
	wk       Work
	x, w     []int8
	channels int64 // in a step
	per      int64 // outputs of a position
}

// channelsOf gives the channels of a step, of its group.
func (o *operands) channelsOf(st *step) (from, to int64) {
	from = st.channel * o.channels
	return from, min(from+o.channels, o.wk.C)
}

// weights gives each busy cell its weights; for Winograd 16 a channel.
func (o *operands) weights(st *step) [][]int32 {
	var cells [][]int32
	kernels := o.wk.array.Kernels
	c0, c1 := o.channelsOf(st)
	taps := int64(1)
	if o.l.Kind == workload.Conv {
		taps = int64(o.l.KH) * int64(o.l.KW)
	}
	for k := st.kernel * kernels; k < min((st.kernel+1)*kernels, o.wk.K); k++ {
		row := o.w[(st.group*o.wk.K+k)*taps*o.wk.C:]
		var cell []int32
		for c := c0; c < c1; c++ {
			if !o.wk.Winograd {
				cell = append(cell, int32(row[st.tap*o.wk.C+c]))
				continue
			}
			var g [9]int32
			for t := range g {
				g[t] = int32(row[int64(t)*o.wk.C+c])
			}
			u := winogradWeights(g)
			cell = append(cell, u[:]...)
		}
		cells = append(cells, cell)
	}
	return cells
}

// features gives the values at a position, those of a 4×4 tile transformed for
// Winograd.
func (o *operands) features(st *step, p int64) []int32 {
	c0, c1 := o.channelsOf(st)
	if o.l.Kind == workload.Gemm {
		var v []int32
		for c := c0; c < c1; c++ {
			v = append(v, int32(o.x[p*o.wk.C+c]))
		}
		return v
	}
	_, ow := o.l.OutSize()
	base := st.group * o.wk.C
	if !o.wk.Winograd {
		y := p/ow*max(int64(o.l.StrideH), 1) + st.tap/int64(o.l.KW)*max(int64(o.l.DilationH), 1) - int64(o.l.PadTop)
		x := p%ow*max(int64(o.l.StrideW), 1) + st.tap%int64(o.l.KW)*max(int64(o.l.DilationW), 1) - int64(o.l.PadLeft)
		var v []int32
		for c := c0; c < c1; c++ {
			v = append(v, o.pixel(y, x, base+c))
		}
		return v
	}
	tw := ceil(ow, 2)
	y, x := p/tw*2-int64(o.l.PadTop), p%tw*2-int64(o.l.PadLeft)
	var v []int32
	for c := c0; c < c1; c++ {
		var d [16]int32
		for i := range d {
			d[i] = o.pixel(y+int64(i)/4, x+int64(i)%4, base+c)
		}
		t := winogradInput(d)
		v = append(v, t[:]...)
	}
	return v
}

func (o *operands) pixel(y, x, c int64) int32 {
	if y < 0 || x < 0 || y >= int64(o.l.H) || x >= int64(o.l.W) {
		return 0
	}
	return int32(o.x[(y*int64(o.l.W)+x)*int64(o.l.C)+c])
}

// store writes a finished sum: part is the place in a tile of Winograd.
func (o *operands) store(outs []int32, st *step, p, cell, part int64, sum int32) {
	if o.wk.Winograd {
		oh, ow := o.l.OutSize()
		tw := ceil(ow, 2)
		y, x := p/tw*2+part/2, p%tw*2+part%2
		if y >= oh || x >= ow {
			return
		}
		p, sum = y*ow+x, sum/4
	}
	k := st.kernel*o.wk.array.Kernels + cell
	outs[p*o.wk.Groups*o.wk.K+st.group*o.wk.K+k] = sum
}
