package spatial

// What a half-built mapping has cost, and the least that it will have.

// partial is the cost so far of a half-built mapping.
type partial struct {
	energy   float64
	slowest  float64               // cycles that some buffer's or bus's bandwidth needs
	waits    float64               // cycles of waiting for weights
	parallel float64               // loops in space
	traffic  [MaxLevels][2]float64 // words read and written by one instance
	bits     [MaxLevels]float64
	apart    float64 // cycles in which nothing is computed, see Level.Alternates
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
	child := i - 1
	s.part.parallel *= float64(s.n.below[i].Product())
	for sp := range Space(Spaces) {
		if s.Arch.Levels[child].Keep[sp] {
			s.pass(child, sp, s.n.fills(s.Arch, s.p, sp, child), -1, 0)
		}
	}
	for l := i; l < s.Arch.Count; l++ {
		if s.Arch.Levels[l].Waits && s.waitsFrom(l) == child {
			s.part.waits += s.n.waits(s.Arch, s.p, l)
		}
	}
	s.pace(child)
}

// advanceAtLeast is advance where the order of level i's loops is open but for so many of
// the innermost: it adds what passes in the order that is best for each dataspace. Above
// the inner group it goes down through that, whose levels but the innermost have no loops.
func (s *Search) advanceAtLeast(i, known int) (last int) {
	n := &s.n
	s.part.parallel *= float64(n.below[i].Product())
	for child := i - 1; ; child-- {
		for sp := range Space(Spaces) {
			switch {
			case !s.Arch.Levels[child].Keep[sp]:
			case sp == Inputs:
				s.pass(child, sp, n.inputsAtLeast(s.p, child, -1, i, known), i, known)
			default:
				s.pass(child, sp, s.p.Words(sp, &n.tile[child+1])*n.eventsAtLeast(sp, i, known), i, known)
			}
		}
		for l := i; l < s.Arch.Count; l++ {
			if s.Arch.Levels[l].Waits && s.waitsFrom(l) == child && s.Arch.keeper(Weights, l) < i {
				s.part.waits += n.wait(s.Arch, s.p, l) * float64(n.eventsAtLeast(Weights, i, known))
			}
		}
		s.pace(child)
		if child == 0 || i != s.group+1 {
			return child + 1
		}
		s.take(child, &noLoops)
	}
}

// eventsAtLeast is how often a tile of weights or outputs below level i changes at least,
// in whatever order its loops are but for so many of the innermost.
func (n *nest) eventsAtLeast(sp Space, i, known int) int64 {
	first, outer := n.start[i], n.start[i+1]
	for j := first; j < first+known; j++ {
		if relevant[sp][n.loops[j].dim] {
			return n.events(sp, j)
		}
	}
	events, moves := int64(1), false
	for _, l := range n.loops[first+known : outer] {
		if relevant[sp][l.dim] {
			events, moves = events*l.bound, true
		}
	}
	if !moves {
		return n.events(sp, outer)
	}
	for _, l := range n.loops[outer:n.n] {
		events *= l.bound
	}
	return events
}

// waitsFrom is the level whose tiles are the last to be known of what waits for weights
// below a level.
func (s *Search) waitsFrom(l int) int {
	from := s.Arch.keeper(Weights, l)
	if child := s.Arch.keeper(Inputs, l); child >= 0 {
		from = min(from, child)
	}
	return from
}

// pass adds what passes down to level child, which is filled with so many words, and on
// the networks above it. The order of the loops of level open is, but for those known.
func (s *Search) pass(child int, sp Space, fills int64, open, known int) {
	a, n, t := s.Arch, &s.n, &s.part
	each := fills // what passes into an instance of the level below l
	parent := child
	for kept := false; !kept; {
		parent++
		l := parent
		lv := &a.Levels[l]
		t.energy += float64(each) * float64(n.above[l-1].Product()) * lv.NetworkPJ
		switch {
		case sp != Inputs:
			for d := range Dims {
				if relevant[sp][d] {
					each *= n.below[l][d]
				}
			}
		case open >= 0:
			each = n.inputsAtLeast(s.p, child, l, open, known)
		case lv.Keep[sp] || lv.Bus[sp] > 0 || a.Levels[l+1].NetworkPJ > 0:
			each = n.inputs(a, s.p, child, child+1, l)
		}
		if lv.Bus[sp] > 0 {
			t.slowest = max(t.slowest, float64(each)/lv.Bus[sp])
		}
		kept = lv.Keep[sp]
	}
	s.move(parent, sp, each, n.above[parent].Product(), s.distinct(sp, parent))
	in := float64(fills)
	t.traffic[child][1] += in
	t.bits[child] += in * float64(a.Bits[sp])
	t.energy += in * float64(n.above[child].Product()) * a.Levels[child].AccessPJ[sp]
}

// pace takes the bandwidths of the levels from child up into account.
func (s *Search) pace(child int) {
	t := &s.part
	for l := child; l < s.Arch.Count; l++ {
		lv := &s.Arch.Levels[l]
		reads, writes := t.traffic[l][0], t.traffic[l][1]
		if l == child && lv.ReadBandwidth+lv.WriteBandwidth > 0 { // what it passes on at least
			above := &s.n.above[l]
			if lv.Keep[Weights] {
				reads += float64(s.p.Words(Weights, &s.p.Bounds)) / float64(above[R]*above[S]*above[C]*above[K]*above[G])
			}
			if lv.Keep[Inputs] {
				reads += s.distinctBelow(above)
			}
			if lv.Keep[Outputs] {
				writes += float64(s.distinct(Outputs, l))
			}
		}
		if lv.ReadBandwidth > 0 {
			t.slowest = max(t.slowest, reads/lv.ReadBandwidth)
		}
		if lv.BitsPerCycle > 0 {
			t.slowest = max(t.slowest, t.bits[l]/lv.BitsPerCycle)
		}
		if lv.WriteBandwidth > 0 {
			t.slowest = max(t.slowest, writes/lv.WriteBandwidth)
		}
	}
}

// move adds what passes down from a level, or up to it.
func (s *Search) move(level int, sp Space, down, instances, distinct int64) {
	t, l := &s.part, &s.Arch.Levels[level]
	reads, updates := float64(down), 0.0
	if sp == Outputs {
		reads, updates = float64(down-distinct), float64(down)
	}
	t.traffic[level][0] += reads
	t.traffic[level][1] += updates
	bits := (reads + updates) * float64(s.Arch.Bits[sp])
	if level == s.Arch.Count-1 {
		bits = s.p.outerBits(s.Arch, sp, reads+updates)
	}
	if l.Alternates && l.BitsPerCycle > 0 && sp != Weights {
		t.apart += bits / l.BitsPerCycle
	} else {
		t.bits[level] += bits
	}
	t.energy += (reads + updates) * float64(instances) * l.AccessPJ[sp]
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
	steps := float64(s.p.Bounds.Product()) / (s.part.parallel * s.widest[i])
	cycles := max(steps+s.part.waits, steps*s.step)
	sums := s.sumReads(addersIn(&s.n.above[i-1]) * s.adders[i])
	c := s.atLeast(s.part.energy+s.floor[i]+sums, s.part.parallel, cycles)
	for k := range s.stageCount {
		if g := &s.stages[k]; i > g.up && len(g.trades) > 0 {
			t := s.traded(g, s.part.energy+s.floor[i]-g.floor)
			c[0], c[1] = max(c[0], t[0]), max(c[1], t[1])
		}
	}
	return c
}
