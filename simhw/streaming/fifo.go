package streaming

import "fmt"

// FIFOs finds a depth for all FIFOs that costs no time with less memory than
// Schedule.Depths, which let no unit ever wait: a unit that runs ahead of the slowest
// one may as well wait. It is the smallest power of two with which a machine has the
// schedule's latency and interval. Found by stepping the machine over a few images,
// without operands, so it takes as many steps as the pipeline for them. s is p's, from
// Run.
//
// One depth for all: what is too much for one FIFO lets the words of another wait there.
// The same limit on Depths alone would have to be several times as large.
func (p *Pipeline) FIFOs(s *Schedule) (depth int64, err error) {
	if len(s.Depths) != len(p.Units) {
		return 0, fmt.Errorf("a schedule of %d units for a pipeline of %d: want it from Run", len(s.Depths), len(p.Units))
	}
	most := int64(0)
	for _, d := range s.Depths {
		most = max(most, d)
	}
	first := &p.Layers[0]
	images := make([][]int32, settle)
	for i := range images {
		images[i] = make([]int32, first.H*first.W*first.C)
	}
	depths := make([]int64, len(p.Units))
	for depth = 1; ; depth *= 2 {
		for i := range depths {
			depths[i] = depth
		}
		mc, err := NewMachine(p, nil, depths)
		if err != nil {
			return 0, err
		}
		r, err := mc.Run(images, 0)
		if err != nil {
			return 0, err
		}
		exact := true
		for i, done := range r.Done {
			exact = exact && done == s.Batch(int64(i)+1)
		}
		if exact {
			return depth, nil
		}
		if depth >= most {
			return 0, fmt.Errorf("FIFOs of %d words take %v cycles, not %d and %d more each", depth, r.Done, s.Latency, s.Interval)
		}
	}
}
