package spatial

// What a half-built mapping has cost, and the least that it will have.

// partial is the cost so far of a half-built mapping.
type partial struct {
	energy   float64
	slowest  float64               // cycles that some buffer's bandwidth needs
	parallel float64               // loops in space
	traffic  [MaxLevels][2]float64 // words read and written by one instance
	bits     [MaxLevels]float64
	apart    float64 // cycles in which nothing is computed, see Level.Alternates
}

// atLeast is the least cost of what has an energy without its clock, keeps so many
// multipliers busy and needs so many cycles where nothing waits.
func (s *Search) atLeast(energy, multipliers, cycles float64) cost {
	cycles = max(cycles, s.part.slowest) + s.part.apart
	idle := multipliers*cycles - float64(s.p.Bounds.Product()) // the products' own cycles are in the energy
	return s.Objective.bound(energy+s.Arch.CyclePJ*max(0, idle), cycles)
}

// take puts a candidate's loops into the nest.
func (s *Search) take(i int, c *candidate) {
	s.m[i] = LevelMap{c.time, c.x, c.y, c.order}
	n := &s.n
	at := n.start[i+1]
	inside := n.tile[i+1]
	for j := Dims - 1; j >= 0; j-- {
		d := c.order[j]
		if b := c.time[d]; b > 1 {
			inside[d] /= b
			at--
			n.loops[at] = loop{d, b, inside[d]}
		}
	}
	n.start[i] = at
	for d := range Dims {
		b := c.x[d] * c.y[d]
		inside[d] /= b
		n.below[i][d], n.steps[i][d] = b, inside[d]
	}
	n.tile[i] = inside
	if i > 0 {
		above := &n.above[i]
		for d := range Dims {
			n.above[i-1][d] = above[d] * n.below[i][d]
		}
	}
}

// advance adds what passes into level i-1 to the cost so far.
func (s *Search) advance(i int) {
	a, p := s.Arch, s.p
	t := &s.part
	t.parallel *= float64(s.n.below[i].Product())
	child := i - 1
	for sp := range Space(Spaces) {
		if !a.Levels[child].Keep[sp] {
			continue
		}
		parent := i
		for !a.Levels[parent].Keep[sp] {
			parent++
		}
		var down int64
		fills := s.n.fills(a, p, sp, child)
		if sp == Inputs {
			down = s.n.inputs(a, p, child, child+1, parent)
		} else {
			down = fills
			for l := child + 1; l <= parent; l++ {
				for d := range Dims {
					if relevant[sp][d] {
						down *= s.n.below[l][d]
					}
				}
			}
		}
		t.move(a, parent, sp, down, s.n.above[parent].Product(), s.distinct(sp, parent))
		s.carry(child, parent, sp, fills)
		in := float64(fills)
		t.traffic[child][1] += in
		t.bits[child] += in * float64(a.Bits[sp])
		t.energy += in * float64(s.n.above[child].Product()) * a.Levels[child].AccessPJ[sp]
	}
	for l := child; l < a.Count; l++ {
		lv := &a.Levels[l]
		if lv.ReadBandwidth > 0 {
			t.slowest = max(t.slowest, t.traffic[l][0]/lv.ReadBandwidth)
		}
		if lv.BitsPerCycle > 0 {
			t.slowest = max(t.slowest, t.bits[l]/lv.BitsPerCycle)
		}
		if lv.WriteBandwidth > 0 {
			t.slowest = max(t.slowest, t.traffic[l][1]/lv.WriteBandwidth)
		}
	}
}

// move adds what passes down from a level, or up to it.
func (t *partial) move(a *Arch, level int, sp Space, down, instances, distinct int64) {
	reads, updates := float64(down), 0.0
	if sp == Outputs {
		reads, updates = float64(down-distinct), float64(down)
	}
	t.traffic[level][0] += reads
	t.traffic[level][1] += updates
	bits := (reads + updates) * float64(a.Bits[sp])
	t.bits[level] += bits
	if l := &a.Levels[level]; l.Alternates && l.BitsPerCycle > 0 && sp != Weights {
		t.bits[level] -= bits
		t.apart += bits / l.BitsPerCycle
	}
	t.energy += (reads + updates) * float64(instances) * a.Levels[level].AccessPJ[sp]
}

// carry adds what the networks between two levels cost.
func (s *Search) carry(child, parent int, sp Space, fills int64) {
	a := s.Arch
	each := fills
	for l := child + 1; l <= parent; l++ {
		if l > child+1 { // what passes through an instance of l-1
			if sp == Inputs {
				each = s.n.inputs(a, s.p, child, child+1, l-1)
			} else {
				for d := range Dims {
					if relevant[sp][d] {
						each *= s.n.below[l-1][d]
					}
				}
			}
		}
		s.part.energy += float64(each) * float64(s.n.above[l-1].Product()) * a.Levels[l].NetworkPJ
	}
}

// distinct is how many different outputs one instance of a level sees.
func (s *Search) distinct(sp Space, level int) int64 {
	if sp != Outputs {
		return 0
	}
	n := s.p.Words(Outputs, &s.p.Bounds)
	for d := range Dims {
		if relevant[Outputs][d] {
			n /= s.n.above[level][d]
		}
	}
	return n
}

// bound is the least cost of all completions of the choice just made at level i.
func (s *Search) bound(i int) cost {
	cycles := float64(s.p.Bounds.Product()) / (s.part.parallel * s.widest[i])
	c := s.atLeast(s.part.energy+s.floor[i], s.part.parallel, cycles)
	if i > s.group+1 && len(s.trades) > 0 {
		t := s.traded(s.part.energy + s.floor[i] - s.transferFloor)
		c[0], c[1] = max(c[0], t[0]), max(c[1], t[1])
	}
	return c
}
