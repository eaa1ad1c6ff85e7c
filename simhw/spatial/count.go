package spatial

import "math"

// loop is one loop in time; step is by how much its index moves its dimension.
type loop struct {
	dim         Dim
	bound, step int64
}

// nest is a mapping laid out for counting.
type nest struct {
	loops [MaxLevels * Dims]loop // of more than one iteration, innermost first
	n     int
	start [MaxLevels + 1]int     // of the loops at and above a level
	tile  [MaxLevels + 1]Factors // bounds inside level i's tile; tile[0] is a multiplier's
	below [MaxLevels]Factors     // spatial bounds below level i
	steps [MaxLevels]Factors     // by how much one child is farther than the last, X
	above [MaxLevels]Factors     // spatial bounds above level i
	axes  [axes]axis             // of the inputs that are counted
}

func (n *nest) build(a *Arch, m *Mapping) {
	inside := Ones()
	n.n, n.tile[0] = 0, inside
	for i := range a.Count {
		lm := &m[i]
		for d := range Dims {
			n.steps[i][d] = inside[d]
			b := lm.X[d] * lm.Y[d]
			n.below[i][d] = b
			inside[d] *= b
		}
		n.start[i] = n.n
		for _, d := range lm.Order {
			if b := lm.Temporal[d]; b > 1 {
				n.loops[n.n] = loop{d, b, inside[d]}
				n.n++
				inside[d] *= b
			}
		}
		n.tile[i+1] = inside
	}
	n.start[a.Count] = n.n
	above := Ones()
	for i := a.Count - 1; i >= 0; i-- {
		n.above[i] = above
		for d := range Dims {
			above[d] *= n.below[i][d]
		}
	}
}

// Evaluate works out a mapping that CheckMapping accepts. It allocates nothing.
func (a *Arch) Evaluate(p *Problem, m *Mapping, r *Result) {
	var n nest
	n.build(a, m)
	*r = Result{MACs: p.Bounds.Product(), Bottleneck: -1}
	r.ComputeCycles = 1
	for _, l := range n.loops[:n.n] {
		r.ComputeCycles *= l.bound
	}
	r.Multipliers = r.MACs / r.ComputeCycles
	r.MACEnergyPJ = float64(r.MACs) * a.MACPJ
	r.EnergyPJ = r.MACEnergyPJ
	for i := range a.Count {
		r.Levels[i].Instances = n.above[i].Product()
	}
	for s := range Space(Spaces) {
		n.count(a, p, s, r)
	}
	n.time(a, p, r)
	for i := range a.Count {
		l := &r.Levels[i]
		for s := range Spaces {
			l.EnergyPJ[s] = float64(l.Spaces[s].Accesses(a.Levels[i].Block)) * a.Levels[i].AccessPJ[s] * float64(l.Instances)
			r.EnergyPJ += l.EnergyPJ[s]
			if a.Levels[i].NetworkPJ > 0 {
				l.Network += n.carried(a, p, Space(s), i, r)
			}
		}
		r.NetworkPJ += float64(l.Network) * a.Levels[i].NetworkPJ
	}
	r.CyclesPJ = a.CyclePJ * float64(r.Clocked(a)) * float64(r.Cycles)
	r.EnergyPJ += r.NetworkPJ + r.CyclesPJ
}

// Clocked is the number of multipliers that cost Arch.CyclePJ.
func (r *Result) Clocked(a *Arch) int64 {
	if !a.ClocksIdle {
		return r.Multipliers
	}
	all := int64(1)
	for _, l := range a.Levels[:a.Count] {
		all *= l.FanoutX * l.FanoutY
	}
	return all
}

// total is the number of cycles when the given bits pass at the outermost level.
func (r *Result) total(a *Arch, bits *[Spaces]float64) int64 {
	l := &a.Levels[a.Count-1]
	if l.BitsPerCycle == 0 {
		return r.InnerCycles
	}
	cycles := func(bits float64) int64 { return int64(math.Ceil(bits / l.BitsPerCycle)) }
	if l.Alternates {
		return max(r.InnerCycles, cycles(bits[Weights])) + cycles(bits[Inputs]+bits[Outputs])
	}
	return max(r.InnerCycles, cycles(bits[Weights]+bits[Inputs]+bits[Outputs]))
}

// carried is how many words pass between level i and its children, each child by
// itself.
func (n *nest) carried(a *Arch, p *Problem, s Space, i int, r *Result) int64 {
	child := a.keeper(s, i)
	each, children := r.ComputeCycles, r.Multipliers
	if i > 0 {
		children = r.Levels[i-1].Instances
		if child == i-1 {
			each = r.Levels[child].Spaces[s].Fills
		} else {
			each = n.down(a, p, s, child, i-1, r)
		}
	}
	words := each * children
	if s == Outputs { // those are on their way back; sums to be continued come from above
		for ; !a.Levels[i].Keep[s]; i++ {
		}
		words += r.Levels[i].Spaces[s].Reads * r.Levels[i].Instances
	}
	return words
}

// time applies the bandwidths: all buffers and buses work at once, and the one with the
// most to do sets the pace.
func (n *nest) time(a *Arch, p *Problem, r *Result) {
	waits := 0.0
	for i := range a.Count {
		waits += n.waits(a, p, i)
	}
	r.WaitCycles = int64(math.Ceil(waits))
	slowest := float64(r.ComputeCycles + r.WaitCycles)
	var bits [Spaces]float64
	for i := range a.Count {
		l := &a.Levels[i]
		reads, writes := int64(0), int64(0)
		var times [3 + Spaces]float64
		for s := range Spaces {
			c := &r.Levels[i].Spaces[s]
			reads += c.Reads
			writes += c.Fills + c.Updates
			bits[s] = float64(c.Reads+c.Fills+c.Updates) * float64(a.Bits[s])
			if i == a.Count-1 {
				bits[s] = p.outerBits(a, Space(s), float64(c.Reads+c.Updates))
			}
			if l.Bus[s] > 0 {
				times[3+s] = float64(n.crossing(a, p, Space(s), i, r)) / l.Bus[s]
			}
		}
		if l.ReadBandwidth > 0 {
			times[0] = float64(reads) / l.ReadBandwidth
		}
		if l.WriteBandwidth > 0 {
			times[1] = float64(writes) / l.WriteBandwidth
		}
		if l.BitsPerCycle > 0 && i < a.Count-1 {
			times[2] = (bits[Weights] + bits[Inputs] + bits[Outputs]) / l.BitsPerCycle
		}
		for _, t := range times {
			if t > slowest {
				slowest, r.Bottleneck = t, i
			}
		}
	}
	r.InnerCycles = int64(math.Ceil(slowest))
	if r.Cycles = r.total(a, &bits); r.Cycles > r.InnerCycles {
		r.Bottleneck = a.Count - 1
	}
}

// keeper is the first level below i that keeps s, -1 where that are the multipliers.
func (a *Arch) keeper(s Space, i int) int {
	child := i - 1
	for child >= 0 && !a.Levels[child].Keep[s] {
		child--
	}
	return child
}

// crossing is what passes one way between an instance of level i and its children, also
// where i does not keep it; of outputs the sums that go up, which are the more.
func (n *nest) crossing(a *Arch, p *Problem, s Space, i int, r *Result) int64 {
	return n.down(a, p, s, a.keeper(s, i), i, r)
}

// waits is how many cycles what is below level i waits for weights.
func (n *nest) waits(a *Arch, p *Problem, i int) float64 {
	weights := a.keeper(Weights, i)
	if !a.Levels[i].Waits || weights < 0 {
		return 0
	}
	return n.wait(a, p, i) * float64(n.events(Weights, n.start[weights+1]))
}

// wait is for one change of the weights.
func (n *nest) wait(a *Arch, p *Problem, i int) float64 {
	longest := 0.0
	for _, s := range [...]Space{Weights, Inputs} {
		if child, bus := a.keeper(s, i), a.Levels[i].Bus[s]; bus > 0 && child >= 0 {
			longest = max(longest, float64(n.spread(p, s, child, i))/bus)
		}
	}
	return longest
}

// spread is how many words the tiles at level child have below one instance of level i.
func (n *nest) spread(p *Problem, s Space, child, i int) int64 {
	words := int64(1)
	if s == Inputs {
		for _, x := range n.lay(p, child, child+1, i) {
			words *= x.union(x.length)
		}
		return words
	}
	words = p.Words(s, &n.tile[child+1])
	for l := child + 1; l <= i; l++ {
		for d := range Dims {
			if relevant[s][d] {
				words *= n.below[l][d]
			}
		}
	}
	return words
}

// count works out one dataspace, from the multipliers upwards.
func (n *nest) count(a *Arch, p *Problem, s Space, r *Result) {
	child := -1 // the level below that keeps s; -1: the multipliers
	for i := range a.Count {
		if !a.Levels[i].Keep[s] {
			continue
		}
		c := &r.Levels[i].Spaces[s]
		tile := &n.tile[i+1]
		c.Tile = p.Words(s, tile)
		if i < a.Count-1 {
			c.Fills = n.fills(a, p, s, i)
		}
		down := n.down(a, p, s, child, i, r)
		if s == Outputs {
			c.Updates = down
			// The first sum of an output has nothing to be added to.
			distinct := p.Words(Outputs, &p.Bounds)
			for d := range Dims {
				if relevant[Outputs][d] {
					distinct /= n.above[i][d]
				}
			}
			c.Reads = c.Updates - distinct
		} else {
			c.Reads = down
		}
		child = i
	}
}

// fills is what one instance of level i is filled with: a tile's first words, and for
// every step of the loops above it what the tile did not hold the step before.
func (n *nest) fills(a *Arch, p *Problem, s Space, i int) int64 {
	if s == Inputs {
		return n.inputs(a, p, i, 0, -1)
	}
	return p.Words(s, &n.tile[i+1]) * n.events(s, n.start[i+1])
}

// events is how often a tile of weights or outputs changes: loops over other
// dimensions keep it only while they are innermost.
func (n *nest) events(s Space, from int) int64 {
	e := int64(1)
	for ; from < n.n && !relevant[s][n.loops[from].dim]; from++ {
	}
	for _, l := range n.loops[from:n.n] {
		e *= l.bound
	}
	return e
}

// down is what passes between one instance of level i and all its children at child,
// each word once however many children take it (or add to it).
func (n *nest) down(a *Arch, p *Problem, s Space, child, i int, r *Result) int64 {
	if s == Inputs {
		return n.inputs(a, p, child, child+1, i)
	}
	words := r.ComputeCycles // a multiplier takes a word each cycle
	if child >= 0 {
		words = r.Levels[child].Spaces[s].Fills
	}
	for l := child + 1; l <= i; l++ {
		for d := range Dims {
			if relevant[s][d] {
				words *= n.below[l][d]
			}
		}
	}
	return words
}
