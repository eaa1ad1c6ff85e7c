package spatial

import "math"

// The least that passes into a stage's tiles. Every step of the loops around them changes
// the tiles of all dataspaces that the innermost of those loops moves, which are two or
// three; only the third can stay.

// inner is the least energy of what passes into the tiles t of stage k, spread over across
// below each instance of its level, of which there are above, and the fewest cycles of all
// that is computed from there; wait is pair.wait, and waits is the cycles that the changes of
// the weights take of that. shells are the loops in time that are known, those
// of the level and those of the next outer stage's, each inside all that follow; held is
// what the choice of that stage makes each change of the weights wait at least, and waited is
// what changes of the weights in its own tiles take.
func (s *Search) inner(k int, t, across, above *Factors, shells []Factors, held, waited float64) (energy, cycles, wait, waits float64) {
	g := &s.stages[k]
	p, a := s.p, s.Arch
	up := &a.Levels[g.up]
	steps, all, instances := 1.0, 1.0, float64(above.Product())
	var rest [Dims]float64 // loops in time around the tile
	for d := range Dims {
		rest[d] = float64(p.Bounds[d] / (t[d] * across[d] * above[d]))
		steps *= rest[d]
		all *= float64(across[d] * above[d])
	}
	// here is the tiles of the children below one instance of the level, together those
	// below all of them, where each word counts once.
	var tile, price, often, slid, here, together [Spaces]float64
	var parent [Spaces]int
	first := 0.0
	inmost := &rest // where the innermost loop is
	var shell [Dims]float64
	for i := range shells {
		if n := &shells[i]; n.Product() > 1 {
			for d := range Dims {
				shell[d] = float64(n[d])
			}
			inmost = &shell
			break
		}
	}
	for sp := range Space(Spaces) {
		often[sp] = 1
		child := a.keeper(sp, g.up)
		if child < g.low {
			continue
		}
		for parent[sp] = g.up; !a.Levels[parent[sp]].Keep[sp]; {
			parent[sp]++
		}
		tile[sp], here[sp] = float64(p.Words(sp, t)), 1
		for d := range Dims {
			if relevant[sp][d] {
				often[sp] *= rest[d]
				here[sp] *= float64(across[d])
			}
		}
		outside := steps
		for i := range shells { // a loop keeps the tile only inside those that do not
			moved := 1.0
			for d, n := range shells[i] {
				if outside /= float64(n); relevant[sp][d] {
					moved *= float64(n)
				}
			}
			if moved > 1 {
				often[sp] = moved * outside
				break
			}
		}
		if sp == Inputs {
			here[sp] = s.sharedInputs(t, across)
		}
		together[sp] = here[sp]
		same := 1.0 // children of different instances that have the same outputs
		for d := range Dim(Dims) {
			switch {
			case above[d] == 1:
			case !relevant[sp][d]:
				same *= float64(above[d])
			case sp != Inputs || d >= C: // along columns and rows tiles may overlap
				together[sp] *= float64(above[d])
			}
		}
		shared := together[sp]
		firsts := s.widest[a.Count] / s.widest[parent[sp]+1]
		if parent[sp] == g.up {
			shared, firsts = here[sp]*instances, same
		}
		access := a.Levels[parent[sp]].AccessPJ[sp]
		price[sp] = all*(a.Levels[child].AccessPJ[sp]+up.NetworkPJ) + shared*access
		if sp == Outputs { // first sums are not read
			price[sp] += shared * access
			first = float64(p.Words(Outputs, &p.Bounds)) * firsts * access
		}
		slid[sp] = 1
	}
	var fresh [Dims]float64 // by the innermost loop, the least part of a tile of inputs that is new at a step
	if slid[Inputs] > 0 {
		fresh = s.fresh(t, across, &rest, inmost)
	}
	for l := g.up; k > 0 && slid[Inputs] > 0 && l <= parent[Inputs]; l++ {
		lv := &a.Levels[l]
		if w := a.keeper(Weights, l); lv.Waits && lv.Bus[Inputs] > 0 && w < g.low && w >= s.stages[k-1].low {
			wait += tile[Inputs] * g.differ(l, here[Inputs], together[Inputs]) / lv.Bus[Inputs]
		}
	}
	change := 0.0 // what each change of the weights waits for
	if slid[Weights] > 0 {
		outside := 0.0
		for l := g.up; l <= parent[Weights]; l++ {
			lv := &a.Levels[l]
			if !lv.Waits {
				continue
			}
			longest := 0.0
			if lv.Bus[Weights] > 0 {
				longest = tile[Weights] * g.differ(l, here[Weights], together[Weights]) / lv.Bus[Weights]
			}
			if l > g.up {
				outside += longest
				continue
			}
			if change = longest; lv.Bus[Inputs] > 0 {
				change = max(change, tile[Inputs]*here[Inputs]/lv.Bus[Inputs])
			}
		}
		change += max(outside, held)
	}
	var bus, down [Spaces]float64 // cycles of a child's word on buses; words at the parent that it stands for
	compute := float64(p.Bounds.Product()) / (all * s.widest[g.low+1])
	fewest := 0.0
	for sp := range Space(Spaces) {
		if slid[sp] == 0 {
			continue
		}
		for l := g.up; l <= parent[sp]; l++ {
			if width := a.Levels[l].Bus[sp]; width > 0 {
				bus[sp] = max(bus[sp], g.differ(l, here[sp], together[sp])/width)
				if sp == Inputs {
					fewest = max(fewest, s.distinctBelow(above)/width)
				}
			}
		}
		down[sp] = g.differ(parent[sp], here[sp], together[sp])
	}
	ends := pairEnds{s: s, g: g, parent: parent, firsts: float64(p.Words(Outputs, &p.Bounds)) / float64(above[P]*above[Q]*above[K]*above[N]*above[G])}
	energy, cycles, waits = math.Inf(1), math.Inf(1), math.Inf(1)
	for d := range Dims { // the innermost loop
		if inmost[d] == 1 && steps > 1 {
			continue
		}
		e, c := -first, compute
		var words [Spaces]float64 // that a child is filled with
		for sp := range Space(Spaces) {
			n, part := often[sp], 1.0
			if relevant[sp][d] {
				n = steps
			}
			if sp == Weights {
				waits = min(waits, change*n)
				c += change*n + waited
			}
			if sp == Inputs && n > 1 {
				part = fresh[d]
			}
			if slid[sp] == 0 {
				continue
			}
			each := tile[sp] * n * part
			e += each * price[sp]
			c = max(c, each*bus[sp])
			words[sp] = each
		}
		c = max(c, compute*s.step, fewest, ends.cycles(&words, &down))
		energy, cycles = math.Min(energy, e), math.Min(cycles, c)
	}
	return math.Max(0, energy), cycles, wait, waits
}

// pairEnds are the buffers at the ends of what passes into a stage's tiles.
type pairEnds struct {
	s      *Search
	g      *stage
	parent [Spaces]int
	firsts float64 // sums that an instance of the stage's level takes without reading one
}

// cycles is what the buffers' bandwidths need at least, where a child is filled with so
// many words, of which each is so many at the parent.
func (e *pairEnds) cycles(words, down *[Spaces]float64) float64 {
	s, a := e.s, e.s.Arch
	top := a.Count - 1
	up, outer := &a.Levels[e.g.up], &a.Levels[top]
	var reads, writes, bits, longest float64
	for sp := range Space(Spaces) {
		if words[sp] == 0 {
			continue
		}
		n := words[sp] * down[sp]
		switch {
		case e.parent[sp] == top:
			if sp == Outputs {
				n = max(n, 2*n-float64(s.p.Words(Outputs, &s.p.Bounds)))
			}
			if sp == Weights || !outer.Alternates {
				bits += s.p.outerBits(a, sp, n)
			}
		case e.parent[sp] > e.g.up:
		case sp == Outputs:
			writes += n
			reads += max(0, n-e.firsts)
		default:
			reads += n
		}
	}
	if up.ReadBandwidth > 0 {
		longest = max(longest, reads/up.ReadBandwidth)
	}
	if up.WriteBandwidth > 0 {
		longest = max(longest, writes/up.WriteBandwidth)
	}
	if outer.BitsPerCycle > 0 {
		longest = max(longest, bits/outer.BitsPerCycle)
	}
	for l := e.g.low; l < e.g.up; l++ {
		lv := &a.Levels[l]
		if lv.WriteBandwidth == 0 {
			continue
		}
		filled := 0.0
		for sp := range Space(Spaces) {
			if lv.Keep[sp] && a.keeper(sp, e.g.up) == l {
				filled += words[sp]
				if sp == Outputs { // each is updated before the next come
					filled += words[sp]
				}
			}
		}
		longest = max(longest, filled/lv.WriteBandwidth)
	}
	return longest
}

// differ is how many children's tiles below an instance of level l differ at least.
func (g *stage) differ(l int, here, together float64) float64 {
	if l >= g.spreader {
		return together
	}
	return here
}

// sharedInputs is by how much the inputs of children next to one another are more than
// those of one. Along columns and rows their tiles overlap.
func (s *Search) sharedInputs(t, spread *Factors) float64 {
	shared := float64(spread[C] * spread[N] * spread[G])
	p := s.p
	w, h := p.axes(t)
	for _, side := range [2]struct {
		length, first, second int64
		a, b                  Dim
	}{{w, t[P] * p.StrideP, t[R] * p.DilationR, P, R}, {h, t[Q] * p.StrideQ, t[S] * p.DilationS, Q, S}} {
		var x axis
		x.add(side.first, spread[side.a])
		x.add(side.second, spread[side.b])
		shared *= float64(x.union(side.length)) / float64(side.length)
	}
	return shared
}

// fresh is, by which loop is innermost of those in time, the least part of a tile of
// inputs that is new at a step.
func (s *Search) fresh(t, across *Factors, rest, inmost *[Dims]float64) [Dims]float64 {
	p := s.p
	w, h := p.axes(t)
	steps := [C]int64{R: t[R] * across[R] * p.DilationR, S: t[S] * across[S] * p.DilationS, P: t[P] * across[P] * p.StrideP, Q: t[Q] * across[Q] * p.StrideQ}
	least := math.Min(slides(rest[P], rest[R], steps[P], steps[R], w), slides(rest[Q], rest[S], steps[Q], steps[S], h))
	var part [Dims]float64
	part[K] = 1
	for d := range Dim(Dims) {
		if rest[d] == 1 || d == K {
			continue
		}
		// Of a loop's steps those that do not end it move the tile by its own step.
		part[d] = 1
		if d < C {
			length := w
			if d == S || d == Q {
				length = h
			}
			own := math.Min(1, float64(steps[d])/float64(length))
			bound := float64(s.divisors[d][1]) // at least
			if inmost != rest && inmost[d] > 1 {
				bound = inmost[d]
			}
			part[d] = max(least, own*(1-1/bound)+least/bound)
		}
		part[K] = min(part[K], part[d]) // it is the next loop then
	}
	return part
}

// slides is the least part of a tile's length that is new when it moves along an axis.
// Where loops over both dimensions of the axis are left, they can cancel.
func slides(restOut, restKernel float64, stepOut, stepKernel, length int64) float64 {
	switch {
	case restOut > 1 && restKernel > 1:
		return 0
	case restOut > 1:
		return math.Min(1, float64(stepOut)/float64(length))
	case restKernel > 1:
		return math.Min(1, float64(stepKernel)/float64(length))
	}
	return 1
}

// stepLeast is how many cycles a step of the multipliers takes at least: they hold nothing,
// so that the innermost level reads its operands for each and writes a sum.
func (s *Search) stepLeast() float64 {
	l := &s.Arch.Levels[0]
	most, reads := 1.0, 0.0
	for _, sp := range [...]Space{Weights, Inputs} {
		if l.Keep[sp] {
			reads++
		}
	}
	if l.ReadBandwidth > 0 {
		most = max(most, reads/l.ReadBandwidth)
	}
	if l.Keep[Outputs] && l.WriteBandwidth > 0 {
		most = max(most, 1/l.WriteBandwidth)
	}
	return most
}

// innerLeast is what the words that pass through each level below the outermost take at
// least, if they are spread over all of its instances.
func (s *Search) innerLeast() {
	a := s.Arch
	for i := range a.Count - 1 {
		l := &a.Levels[i]
		instances := s.widest[a.Count] / s.widest[i+1]
		var reads, writes float64
		for sp := range Space(Spaces) {
			switch words := s.least(sp) / instances; {
			case !l.Keep[sp]:
			case sp == Outputs: // from above and from below
				writes += 2 * words
			default:
				writes += words
				reads += words
			}
		}
		if l.ReadBandwidth > 0 {
			s.part.slowest = max(s.part.slowest, reads/l.ReadBandwidth)
		}
		if l.WriteBandwidth > 0 {
			s.part.slowest = max(s.part.slowest, writes/l.WriteBandwidth)
		}
	}
}

// outerLeast is what the words that must pass take at the outermost level at least.
func (s *Search) outerLeast() {
	l := &s.Arch.Levels[s.Arch.Count-1]
	s.apartLeast = 0
	if l.BitsPerCycle == 0 || s.Arch.Count == 1 {
		return
	}
	for sp := range Space(Spaces) {
		cycles := s.p.outerBits(s.Arch, sp, s.least(sp)) / l.BitsPerCycle
		if l.Alternates && sp != Weights {
			s.apartLeast += cycles
		} else {
			s.part.slowest += cycles
		}
	}
}

// least is how many words of a dataspace must pass at least.
func (s *Search) least(sp Space) float64 {
	if sp != Inputs {
		return float64(s.p.Words(sp, &s.p.Bounds))
	}
	one := Ones()
	return s.distinctBelow(&one)
}

// distinctBelow is how many different inputs an instance below such loops in space takes
// at least.
func (s *Search) distinctBelow(above *Factors) float64 {
	p := s.p
	var f Factors
	for d := range f {
		f[d] = p.Bounds[d] / above[d]
	}
	w, h := p.axes(&f)
	// Small tiles may leave places out, and so may what is not next to one another.
	if p.DilationR > 1 || p.StrideP > 1 && (p.StrideP > f[R] || above[R] > 1) {
		w = f[P] + f[R] - 1
	}
	if p.DilationS > 1 || p.StrideQ > 1 && (p.StrideQ > f[S] || above[S] > 1) {
		h = f[Q] + f[S] - 1
	}
	return float64(w) * float64(h) * float64(f[C]) * float64(f[N]) * float64(f[G])
}

// sumReads is the least energy of reading sums at the innermost level, beyond what floor
// has, if each output is summed up in so many elements at most: there its first sum is not
// read.
func (s *Search) sumReads(elements float64) float64 {
	outputs := float64(s.p.Words(Outputs, &s.p.Bounds))
	return s.sumPJ*max(0, float64(s.p.Bounds.Product())-outputs*elements) - s.sumLeast
}

// addersIn is by how many elements loops in space make each output be summed up.
func addersIn(space *Factors) float64 { return float64(space[R] * space[S] * space[C]) }

// floors adds what a dataspace costs at least to floor[i], for transfers whose lower end
// is below level i-1 (or, floor[0], none).
func (s *Search) floors(sp Space) {
	a := s.Arch
	macs, words := float64(s.p.Bounds.Product()), s.least(sp)
	child := -1
	for i := range a.Count {
		l := &a.Levels[i]
		if !l.Keep[sp] {
			continue
		}
		down := words
		e := l.AccessPJ[sp]
		if child < 0 {
			down = macs / s.widest[i+1]
			if s.widest[i+1] == 1 { // one multiplier each: no sharing
				down = macs
				if sp == Outputs { // reads
					s.sumPJ, s.sumLeast = l.AccessPJ[sp], 0
					s.sumLeast = s.sumReads(s.adders[a.Count])
					e += s.sumLeast / macs
				}
			}
		} else {
			e += a.Levels[child].AccessPJ[sp]
		}
		for j := child + 2; j <= a.Count; j++ {
			s.floor[j] += down * e
		}
		for k := range s.stageCount {
			if g := &s.stages[k]; child >= g.low && child < g.up && i >= g.up {
				g.floor += down * e
			}
		}
		child = i
	}
}
