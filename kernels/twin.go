package kernels

import "macroscope/kernels/tile"

// A twin is a copy of a prepared convolution that does only part of its work,
// for measuring where the time goes. What it writes is of no use.

// WithoutProducts returns a twin whose sums have one word each (two in pieces of
// tiles that take words in pairs). It makes the same calls, with as many tiles in
// the same order, whose starts, epilogues and pools are the same: what c takes
// longer is its products. One word of each sum stays in the twin, and what a core
// does of a tile's epilogue beside the next one's products counts as products.
func (c *Conv) WithoutProducts() *Conv {
	t := *c
	t.segs, t.segLen = c.segs[:1], 1
	words := 1
	if c.k.PairWords { // Pieces are of whole pairs
		words = 2
	}
	t.edges = append([]edge(nil), c.edges...)
	for i := range t.edges {
		first := t.edges[i].pieces[0]
		t.edges[i].pieces = []tile.Piece{{Off: first.Off, BOff: first.BOff, Words: words, Rows: first.Rows}}
	}
	return &t
}

// WithoutPool returns a twin of c.WithoutProducts that writes the same pixels,
// each made from one sum: as many epilogues, a quarter of the sums. What
// WithoutProducts takes longer is the maxima, and the starts of the tiles that
// they make necessary. It is nil if c has no pool.
func (c *Conv) WithoutPool() *Conv {
	if c.pool == 1 {
		return nil
	}
	t := *c.WithoutProducts()
	t.pool, t.rows, t.coff, t.edges = 1, nil, nil, nil
	add := func(rows, coff []int) {
		t.coff = append(t.coff, coff...)
		for i := range coff {
			t.rows = append(t.rows, rows[i*c.pool])
		}
	}
	add(c.rows, c.coff[:c.outRows])
	for i := range c.edges {
		add(c.edges[i].rows, c.edges[i].coff)
	}
	t.outRows = len(t.coff)
	for len(t.rows)%t.k.MR != 0 {
		t.rows, t.coff = append(t.rows, t.rows[t.outRows-1]), append(t.coff, t.coff[t.outRows-1])
	}
	t.denseRows()
	return &t
}

// WithoutProducts returns a twin that only transforms, its input and what its
// Context holds for sums.
func (w *Winograd) WithoutProducts() *Winograd { return w.only(stageIn | stageOut) }

// InputTransform returns a twin that only transforms its input.
func (w *Winograd) InputTransform() *Winograd { return w.only(stageIn) }

func (w *Winograd) only(stages int) *Winograd {
	t := *w
	t.stages = stages
	return &t
}
