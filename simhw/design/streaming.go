package design

import (
	"fmt"

	"macroscope/dtype"
)

// MaxEngines is the number of layers with weights that a streaming design can list.
const MaxEngines = 64

// Streaming is a pipeline of engines, one for each layer with weights, with windows,
// pools and FIFOs between them.
type Streaming struct {
	// EnginePipelineCycles is how much later than its last step an engine's output is
	// there.
	EnginePipelineCycles int

	// Engines is the folding of the network that the design was made for: Count
	// entries, in the order of its layers with weights.
	Count   int
	Engines [MaxEngines]StreamEngine

	// Lanes is the sum of all engines' PE·SIMD for any other network, which gets the
	// folding of the shortest interval; 0: as many as the listed engines have.
	Lanes int
}

// StreamEngine is one engine's folding.
type StreamEngine struct {
	Layer    string // what the layer is called where the folding comes from
	PE, SIMD int    // outputs at a time, inputs of each in a cycle
}

// AllLanes is the sum of PE·SIMD that a network may take which the list does not fit.
func (s *Streaming) AllLanes() int64 {
	if s.Lanes > 0 {
		return int64(s.Lanes)
	}
	sum := int64(0)
	for _, e := range s.Engines[:s.Count] {
		sum += int64(e.PE) * int64(e.SIMD)
	}
	return sum
}

var streamingKind = kind{
	fields: []field{
		optional(integer("engine_pipeline_cycles", "cycles after an engine's last step until its output is there; absent: 0", 1, 1<<10, func(s *Spec) *int { return &s.Streaming.EnginePipelineCycles })),
		optional(integer("lanes", "sum of PE·SIMD for networks that the engines do not fit, which get the folding of the shortest interval; absent: as many as the engines have", 1, 1<<30, func(s *Spec) *int { return &s.Streaming.Lanes })),
	},
	lists: []*list{{
		key: "engines", doc: "folding of the network that the design was made for, a line for each layer with weights", max: MaxEngines,
		count: func(s *Spec) *int { return &s.Streaming.Count },
		entry: func(i int) []field {
			at := func(s *Spec) *StreamEngine { return &s.Streaming.Engines[i] }
			return []field{
				text("layer", "the layer's name", 64, true, func(s *Spec) *string { return &at(s).Layer }),
				integer("pe", "outputs at a time; divides the output channels", 1, maxSide, func(s *Spec) *int { return &at(s).PE }),
				integer("simd", "inputs of each in a cycle; divides the input channels", 1, maxSide, func(s *Spec) *int { return &at(s).SIMD }),
			}
		},
	}},
	check: func(s *Spec) *checkError {
		if s.Streaming.AllLanes() == 0 {
			return &checkError{"lanes", "is missing: want it, or engines"}
		}
		return nil
	},
	computes: func(_ *Spec, d dtype.DType) bool { return d != dtype.Float32 },
	same:     func(_, _ *Spec) bool { return true },
	structure: func(s *Spec) string {
		if s.Streaming.Count == 0 {
			return fmt.Sprintf("%d lanes", s.Streaming.AllLanes())
		}
		return fmt.Sprintf("%d engines of %d lanes", s.Streaming.Count, s.Streaming.AllLanes())
	},
}
