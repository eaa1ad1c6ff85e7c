package streaming

// Schedule is when things happen in a pipeline: found by a walk over the words that
// pass, unit after unit, not by a formula. It is exact where no FIFO is full: a step
// takes place a cycle after the one before, or when the word that it reads has
// arrived, whichever is later. A word arrives a cycle after the step that writes it,
// in an engine its pipeline's length later.
type Schedule struct {
	// Latency is the cycles from the source's first word until the last of the first
	// image's outputs is there.
	Latency int64

	// Interval is the time between two images, Pipeline.Interval.
	Interval int64

	// Depths is the words that the FIFO behind each unit must hold so that, with an
	// image an interval, no unit ever waits for room. Behind the source, which may
	// wait, two words are enough; behind the last unit there is no FIFO: 0.
	Depths []int64

	// Starts and Ends are the cycles of each unit's first and last step for the first
	// image.
	Starts, Ends []int64

	last    []int64 // each unit's last step so far
	in, out []int64 // arrivals of an image's words
	read    []int64 // when an image's words were read
	queues  []queue
}

// queue follows how full a FIFO gets over the images.
type queue struct {
	wrote, read []int64
}

// settle is the images after which FIFOs' levels repeat. Every unit takes at most an
// interval for an image, so from the second on each finds what the one before found,
// unless what the first image filled is still being worked off.
const settle = 4

// First walks one image through an empty pipeline and leaves Depths alone.
func (s *Schedule) First(p *Pipeline) {
	s.reset(p)
	s.image(p, 0)
}

// Run walks a first image, and then more, one an interval, for the FIFOs' depths.
func (s *Schedule) Run(p *Pipeline) {
	s.reset(p)
	s.queues = resize(s.queues, len(p.Units))
	for i := range s.queues {
		s.queues[i].wrote, s.queues[i].read = s.queues[i].wrote[:0], s.queues[i].read[:0]
	}
	for n := range int64(settle) {
		s.image(p, n)
	}
	s.Depths = resize(s.Depths, len(p.Units))
	for i := range s.Depths {
		s.Depths[i] = s.queues[i].depth()
	}
	s.Depths[0] = 2
	s.Depths[len(s.Depths)-1] = 0
}

// Batch is the time for n images, one after the other as fast as they go.
func (s *Schedule) Batch(n int64) int64 { return s.Latency + (n-1)*s.Interval }

func resize[T any](v []T, n int) []T {
	if cap(v) < n {
		return append(v[:cap(v)], make([]T, n-cap(v))...)
	}
	return v[:n]
}

func (s *Schedule) reset(p *Pipeline) {
	s.Interval, _ = p.Interval()
	n := len(p.Units)
	s.last, s.Starts, s.Ends = resize(s.last, n), resize(s.Starts, n), resize(s.Ends, n)
	for i := range s.last {
		s.last[i] = -1
	}
	s.queues = s.queues[:0]
}

// image walks image number n through all units.
func (s *Schedule) image(p *Pipeline, n int64) {
	for i := range p.Units {
		u := &p.Units[i]
		s.out = resize(s.out, int(u.OutWords))
		s.read = resize(s.read, int(u.InWords))
		w := walk{t: s.last[i], in: s.in[:u.InWords], read: s.read, out: s.out, late: 1 + u.Depth}
		l := &p.Layers[u.Layer]
		switch u.Kind {
		case Source:
			w.t = max(w.t, n*s.Interval-1)
			w.write(u.OutWords)
		case Convert:
			w.convert(u)
		case Pad:
			w.pad(l, u.In)
		case Window:
			w.window(l, u.In)
		case Engine:
			w.engine(l, p.Folds[u.Layer])
		case Pool:
			w.pool(l)
		}
		if n == 0 {
			s.Starts[i], s.Ends[i] = w.start(u), w.t
			s.Latency = w.out[len(w.out)-1]
		}
		if len(s.queues) > 0 {
			if i > 0 {
				s.queues[i-1].read = append(s.queues[i-1].read, w.read...)
			}
			for _, t := range w.out {
				s.queues[i].wrote = append(s.queues[i].wrote, t-w.late)
			}
		}
		s.last[i] = w.t
		s.in, s.out = s.out, s.in[:0]
	}
}

// walk takes a unit through its steps for one image.
type walk struct {
	t         int64   // the last step's cycle
	in        []int64 // when words arrive
	read, out []int64 // when they are read; when those written arrive at the next
	nr, nw    int     // words read and written so far
	late      int64   // from a step until what it writes has arrived
}

// start is the cycle of the first step: of all units it reads, or writes padding.
func (w *walk) start(u *Unit) int64 {
	switch {
	case u.Kind == Source || u.Kind == Pad:
		return w.out[0] - w.late
	}
	return w.read[0]
}

// reads takes n steps that read and write nothing.
func (w *walk) reads(n int64) {
	for range n {
		w.t = max(w.t+1, w.in[w.nr])
		w.read[w.nr] = w.t
		w.nr++
	}
}

// write takes n steps that write and read nothing.
func (w *walk) write(n int64) {
	for range n {
		w.t++
		w.out[w.nw] = w.t + w.late
		w.nw++
	}
}

// emit writes a word in the step just taken.
func (w *walk) emit() {
	w.out[w.nw] = w.t + w.late
	w.nw++
}

func (w *walk) convert(u *Unit) {
	if u.In < u.Out {
		for range u.OutWords {
			w.reads(u.Out / u.In)
			w.emit()
		}
		return
	}
	for range u.InWords {
		w.reads(1)
		w.emit()
		w.write(u.In/u.Out - 1)
	}
}

func (w *walk) pad(l *Layer, simd int64) {
	pixel := l.C / simd
	_, width := l.padded()
	w.write(l.PadTop * width * pixel)
	for range l.H {
		w.write(l.PadLeft * pixel)
		for range l.W * pixel {
			w.reads(1)
			w.emit()
		}
		w.write(l.PadRight * pixel)
	}
	w.write(l.PadBottom * width * pixel)
}

func (w *walk) window(l *Layer, simd int64) {
	fill, rows, writes, reads, lastReads := l.windowBlocks(simd)
	w.reads(fill)
	for row := range rows {
		if row == rows-1 {
			reads = lastReads
		}
		for range min(writes, reads) {
			w.reads(1)
			w.emit()
		}
		w.reads(max(0, reads-writes))
		w.write(max(0, writes-reads))
	}
}

func (w *walk) engine(l *Layer, f Fold) {
	mh, mw, vectors := l.Matrix()
	words := mw / f.SIMD
	for range vectors {
		w.reads(words)
		w.emit()
		for range mh/f.PE - 1 {
			w.t += words
			w.emit()
		}
	}
}

func (w *walk) pool(l *Layer) {
	oh, ow, _ := l.Out()
	for range oh {
		w.reads(l.KH * l.W)
		w.write(ow)
	}
	w.reads((l.H - oh*l.KH) * l.W)
}

// depth is the most words that are in the FIFO when another comes, and that one. A
// word that leaves in a cycle makes room from the next on.
func (q *queue) depth() int64 {
	most, gone := 0, 0
	for i, t := range q.wrote {
		for gone < len(q.read) && q.read[gone] < t {
			gone++
		}
		most = max(most, i-gone+1)
	}
	return int64(most)
}
