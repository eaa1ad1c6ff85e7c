package simhw

import (
	"fmt"

	"macroscope/simhw/streaming"
	"macroscope/workload"
)

// FIFO is the queue behind a unit of a streaming pipeline.
type FIFO struct {
	Layer string `json:"layer"` // that the unit belongs to, or feeds where it is a converter
	Unit  string `json:"unit"`  // source, convert, pad, window, engine or pool

	// Words is how many it holds so that, with an image an interval, no unit ever waits for
	// room, and WordBits how wide each is.
	Words    int64 `json:"words"`
	WordBits int64 `json:"word_bits"`
}

// mostQueued bounds the words of an image whose times are kept for FIFOs: 64 bytes each.
const mostQueued = 1 << 21

// FIFOs lists those of a streaming design for a workload, in the pipeline's order; nil for
// a design of another family. They are part of no estimate: to find them takes several
// images' walk through the pipeline, an estimate one.
func (m *Model) FIFOs(w *workload.Workload) ([]FIFO, error) {
	s, ok := m.machine.(*streamingMachine)
	if !ok {
		return nil, nil
	}
	if err := w.Validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.build(w); err != nil {
		return nil, fmt.Errorf("design %s: %w", m.spec.Name, err)
	}
	if err := s.short(mostQueued, mostQueued); err != nil {
		return nil, fmt.Errorf("design %s: FIFOs: %w", m.spec.Name, err)
	}
	s.schedule.Run(&s.pipe)
	fifos := make([]FIFO, len(s.pipe.Units)-1) // none behind the last one
	for i := range fifos {
		u := &s.pipe.Units[i]
		l := &s.net.Layers[u.Layer]
		bits := int64(l.InBits)
		if u.Kind == streaming.Engine || u.Kind == streaming.Pool {
			bits = int64(l.OutBits)
		}
		fifos[i] = FIFO{l.Name, u.Kind.String(), s.schedule.Depths[i], u.Out * bits}
	}
	return fifos, nil
}

// fifoNote sums FIFOs up in a sentence, "" where there are none.
func fifoNote(fifos []FIFO) string {
	if len(fifos) == 0 {
		return ""
	}
	kib, deepest := 0.0, fifos[0]
	for _, f := range fifos {
		kib += float64(f.Words) * float64(f.WordBits) / 8 / 1024
		if f.Words*f.WordBits > deepest.Words*deepest.WordBits {
			deepest = f
		}
	}
	return fmt.Sprintf("FIFOs: %d of %.3g KiB together, so that no unit ever waits for room; the largest is behind the %s of %s, %d words of %d bits.",
		len(fifos), kib, deepest.Unit, deepest.Layer, deepest.Words, deepest.WordBits)
}
