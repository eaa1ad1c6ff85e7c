package spatial

// Mappings to begin with, where a search has come upon none.

// closer looks for a mapping without the loops in time of the inner stages' levels, of one
// more level at a time, and tells whether there is one: of fewer loops there are fewer
// mappings, and all of them are mappings of more. Each try may look at a share of the limit.
func (s *Search) closer() bool {
	whole, last := s.Arch, s.stages[s.stageCount-1].up
	s.fewer, s.found = *whole, false
	for i := 1; i < last && !s.found; i++ {
		if s.fewer.Levels[i].Time == 0 {
			continue
		}
		s.fewer.Levels[i].Time = 0
		s.Arch = &s.fewer
		s.prepare()
		s.runTo(s.Looked + s.limit()/shareOfTry)
	}
	s.Arch = whole
	s.prepare()
	return s.found
}

// outermost takes the mapping with each loop as far out as it may be, if that fits: no
// other has smaller tiles.
func (s *Search) outermost() {
	s.m = Empty()
	for d, b := range s.p.Bounds {
		i := s.Arch.Count - 1
		for ; i > 0 && !s.Arch.Levels[i].Time.Has(Dim(d)); i-- {
		}
		if b > 1 && !s.Arch.Levels[i].Time.Has(Dim(d)) {
			return
		}
		s.m[i].Temporal[d] = b
	}
	if s.Arch.CheckMapping(s.p, &s.m) == nil {
		s.whole()
	}
}
