package validate

import (
	"fmt"
	"math"

	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/workload"
)

const (
	gemminiArea  = "Genc et al., Gemmini, DAC 2021, figure 6"
	gemminiPull  = "github.com/ucb-bar/gemmini pull request 69: ResNet-50, 153,709,356 cycles at 40 % utilization, which is 4 images by their MACs"
	gemminiLater = "github.com/ucb-bar/gemmini pull request 90: 51 % utilization"
)

// gemmini compares the area by block and whole images of ResNet-50, as the best
// mapping would do them and as Gemmini's own program does.
func gemmini() ([]Row, error) {
	d, err := design.Load("gemmini16")
	if err != nil {
		return nil, err
	}
	const images = 4
	net, addition := resNet50()
	for i := range net.Layers {
		l := &net.Layers[i]
		if l.M > 0 {
			l.M = images
		} else {
			l.Batch = images
		}
	}
	best, err := simhw.Evaluate(&d, &net)
	if err != nil {
		return nil, err
	}
	s := d.Spec()
	program, added := gemminiProgram(&net, addition, &s)
	own, err := simhw.Evaluate(&d, &program)
	if err != nil {
		return nil, err
	}
	cycles := float64(own.Total.Cycles) + added
	const (
		areaNote = "ours: the table's 45 nm adders, multipliers, registers and memory cells, scaled; the node of theirs is not in the extract"
		bestNote = "ours in the best order of tiles, all kernel positions of conv1 along the rows; waits for a bus that is always ready and for nothing else"
	)
	programNote := fmt.Sprintf("ours as LoopConv.scala cuts it: rows hold channels of one kernel position, so that conv1 uses 3 of 16 (%.1f million cycles in all), and additions go over the bus (%.1f million)", float64(own.Layers[0].Cycles)/1e6, added/1e6)
	const rest = "; left out: a memory that takes time to answer (16 requests in flight, later 64, GemminiConfigs.scala), tiles by gemmini.h's rule, which fill half of the accumulators (8 by 4 blocks of 16×16, over 4, make the first 1×1 layers want 16·(1/8 + 1/4 + 1/4) = 10 of the bus's 16 bytes a cycle), address translation, the core that issues commands"
	ideal := float64(net.MACs()) / float64(s.PEs())
	return []Row{
		{Design: d.Name(), What: "area of the array", Unit: "µm²", Theirs: 116e3, Ours: best.Area.PEsUM2, Bound: Open, Source: gemminiArea, Note: areaNote},
		{Design: d.Name(), What: "area of scratchpad and accumulators", Unit: "µm²", Theirs: 544e3 + 146e3, Ours: best.Area.SRAMUM2, Bound: Open, Source: gemminiArea, Note: areaNote},
		{Design: d.Name(), What: "ResNet-50, 4 images, best mapping", Unit: "cycles", Theirs: 153709356, Ours: float64(best.Total.Cycles), Bound: Open, Source: gemminiPull, Note: bestNote},
		{Design: d.Name(), What: "ResNet-50, 4 images, its program", Unit: "cycles", Theirs: 153709356, Ours: cycles, Bound: Open, Source: gemminiPull,
			Note: programNote + "; theirs has the global average on the Rocket core, whose move to Gemmini is what request 90 is for: by 40 and 51 % utilization 33 million cycles less" + rest},
		{Design: d.Name(), What: "ResNet-50, utilization, later, its program", Unit: "%", Theirs: 51, Ours: 100 * ideal / cycles, Bound: Open, Source: gemminiLater, Note: programNote + rest},
	}, nil
}

// gemminiProgram makes of a network what Gemmini's loops make of it, and the cycles that
// additions take besides. LoopConvExecute (src/main/scala/gemmini/LoopConv.scala) goes
// over kernel rows, kernel columns and blocks of as many channels as the array has rows;
// a block with fewer takes as long. imagenet/resnet50.c of ucb-bar/gemmini-rocc-tests
// does an addition by itself: two operands in, one out, over the bus.
func gemminiProgram(net *workload.Workload, addition []bool, s *design.Spec) (workload.Workload, float64) {
	w := workload.Workload{Name: net.Name, Layers: append([]workload.Layer(nil), net.Layers...)}
	bytes := 0.0
	for i := range w.Layers {
		l := &w.Layers[i]
		if addition[i] {
			bytes += 3 * float64(l.OutputWords()) * float64(l.OutputBits()) / 8
		}
		if l.Kind == workload.Conv {
			l.C = (l.C + s.Array.Rows - 1) / s.Array.Rows * s.Array.Rows
		}
	}
	return w, math.Ceil(bytes / s.BytesPerCycle())
}
