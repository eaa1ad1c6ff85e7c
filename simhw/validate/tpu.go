package validate

import (
	"fmt"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/memory"
	"macroscope/simhw/systolic"
)

const (
	tpuPaper = "Jouppi et al., In-Datacenter Performance Analysis of a Tensor Processing Unit, ISCA 2017, arXiv 1704.04760, tables 1 and 3"
	tpuText  = "Jouppi et al., ISCA 2017, arXiv 1704.04760, sections 4, 7 and 8"

	tpuPeak  = 92  // TOPS, as the paper rounds it
	tpuShift = 256 // cycles to shift a tile of weights in, section 2
)

// tpuApp is one of the paper's six applications. Shares are in percent of all
// cycles, by its counters.
type tpuApp struct {
	name           string
	weights        float64 // millions
	uses           float64 // operations a byte of weights: how often each is used
	tops           float64
	active, useful float64 // array at work; of which for useful weights
	stall, shift   float64
	nonMatrix      float64
	bound          float64

	dense     float64 // millions of the weights, in layers that use them less often than the rest
	denseUses float64
}

// CNN1's four dense layers use a weight 32 times, its batch (section 4). How many of
// the weights are theirs is not published. Assumed: all but the 11 million that the
// convolutions of Inception V2 have, from which one of the two CNNs derives (section 3).
var tpuApps = []tpuApp{
	{"MLP0", 20, 200, 12.3, 12.7, 12.5, 53.9, 15.9, 17.5, 0.15, 0, 0},
	{"MLP1", 5, 168, 9.7, 10.6, 9.4, 44.2, 13.4, 31.9, 0.15, 0, 0},
	{"LSTM0", 52, 64, 3.7, 8.2, 8.2, 58.1, 15.8, 17.9, Open, 0, 0},
	{"LSTM1", 34, 96, 2.8, 10.5, 6.3, 62.1, 17.1, 10.3, Open, 0, 0},
	{"CNN0", 8, 2888, 86.0, 78.2, 78.2, 0, 0, 21.8, 0.15, 0, 0},
	{"CNN1", 100, 1750, 14.1, 46.2, 22.5, 28.1, 7.0, 18.7, Open, 89, 32},
}

// tpuPart is layers of an application that use their weights equally often.
type tpuPart struct{ weights, uses float64 } // millions; as tpuApp.uses

// parts splits an application; its weights and the products formed with them are kept.
func (a *tpuApp) parts() []tpuPart {
	if a.dense == 0 {
		return []tpuPart{{a.weights, a.uses}}
	}
	rest := a.weights - a.dense
	return []tpuPart{{rest, (a.weights*a.uses - a.dense*a.denseUses) / rest}, {a.dense, a.denseUses}}
}

// fill is the share of the array's weights that are useful, by the counters.
func (a *tpuApp) fill() float64 { return a.useful / a.active }

// impliedUses is how often a tile was used in the runs with counters, which need not be
// the batch of production: both counts are of the same tiles. CNN1's shifts are those
// that nothing hides, of the dense layers alone, and CNN0's are hidden: no figure there.
func (a *tpuApp) impliedUses() float64 {
	if a.shift == 0 || a.dense > 0 {
		return a.uses
	}
	return tpuShift * a.active / a.shift
}

// tpuRun is what the model makes of a number of parts in turn.
type tpuRun struct {
	tiles, cycles, active int64
	macs                  float64 // useful ones
}

func (r *tpuRun) tops(clockMHz float64) float64 {
	return 2 * r.macs / (float64(r.cycles) / (clockMHz * 1e6)) / 1e12
}

// runTPU works parts out, as many tiles as hold the weights at the share that is
// useful, one row fold deep, so that no partial sums wait. Activations stay in the
// unified buffer.
func runTPU(s *design.Spec, fill float64, parts []tpuPart) (sum tpuRun, err error) {
	const bitsPerKiB = 1024 * 8
	array, lanes := systolic.ArrayOf(s), int64(s.Lanes(dtype.Int8))
	for _, part := range parts {
		tiles, uses := int64(part.weights*1e6/fill/float64(s.PEs())), int64(part.uses)
		depth, outputs := array.Rows*lanes, tiles*array.Cols
		p := memory.Problem{Map: array.Map(uses, outputs, depth, lanes, 1), InputWords: uses * depth, LineWords: uses * depth,
			OperandBits: 8, AccumulatorBits: int64(s.Array.AccumulatorBits[dtype.Int8]), OutputBits: 8,
			IfmapBits: int64(s.Buffers.IfmapKiB) * bitsPerKiB, FilterBits: int64(s.Buffers.FilterKiB) * bitsPerKiB, OfmapBits: int64(s.Buffers.OfmapKiB) * bitsPerKiB,
			BytesPerCycle: s.BytesPerCycle(), InputOnChip: true, OutputOnChip: true}
		r, ok := memory.Run(&p)
		if !ok {
			return sum, fmt.Errorf("%g million weights used %d times take too long", part.weights, uses)
		}
		sum.tiles += tiles
		sum.cycles += r.Map.Cycles() + r.PrefetchCycles + r.StallCycles
		sum.active += r.Map.ComputeCycles()
		sum.macs += float64(p.Map.MACs()) * fill
	}
	return sum, nil
}

// tpu compares the six applications. Their layers' shapes are not published. What is
// taken from the paper: the weights, how often each is used, and which share of the
// array's weights are useful, which says how well the matrices fill it. The model does
// the rest: tiles of 256×256 weights that come from DRAM, are shifted in and used.
// Time without matrix operations is not modelled; the rows with the paper's share of
// it say what that would make.
//
// By its caption, table 3's TOPS are of production and all its other rows of separate
// runs with counters, and "not perfectly consistent": the rows of the counters compare
// with those runs.
func tpu() ([]Row, error) {
	d, err := design.Load("tpuv1")
	if err != nil {
		return nil, err
	}
	s := d.Spec()
	var rows []Row
	for i := range tpuApps {
		app := &tpuApps[i]
		r, err := runTPU(&s, app.fill(), app.parts())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", app.name, err)
		}
		rows = append(rows, app.topsRows(d.Name(), &s, &r)...)
		more, err := app.counterRows(d.Name(), &s, &r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", app.name, err)
		}
		rows = append(rows, more...)
	}
	for i := range rows { // "MLP0, TOPS" is one of six
		app, what, _ := strings.Cut(rows[i].What, ", ")
		rows[i].Metric = what
		if what == "TOPS" && rows[i].Bound == Open {
			rows[i].Metric = "TOPS of " + app
		}
	}
	array := systolic.ArrayOf(&s)
	// A tile of LSTM1, as the paper itself reckons it.
	const side, batch = int64(600), 96
	tiles := (side + array.Rows - 1) / array.Rows * ((side + array.Cols - 1) / array.Cols)
	r, err := runTPU(&s, 1, []tpuPart{{float64(tiles*s.PEs()) / 1e6, batch}})
	if err != nil {
		return nil, err
	}
	return append(rows, Row{Design: d.Name(), What: "LSTM1's 600×600 matrix, 9 tiles", Unit: "µs", Theirs: 18, Ours: float64(r.cycles) / s.ClockMHz, Bound: 0.1, Source: tpuText,
		Note: "theirs is 9 steps of 2 µs, rounded, out of a running program; ours begins and ends, which is half a step"}), nil
}

// topsRows compare with the TOPS of production.
func (a *tpuApp) topsRows(name string, s *design.Spec, r *tpuRun) []Row {
	tops := r.tops(s.ClockMHz)
	note := "model: weights from DRAM, shift, array; from the paper: weights, their uses and their useful share; nothing but matrix operations takes time"
	if a.dense > 0 {
		note += fmt.Sprintf("; %g of %g million weights in dense layers, each used %g times (uses: section 4; the weights: assumed)", a.dense, a.weights, a.denseUses)
	}
	if a.bound == Open {
		note += fmt.Sprintf("; the paper's own counters (%g %% of the cycles useful) would make %.1f of its %d TOPS: other runs than the TOPS, says the caption", a.useful, a.useful*tpuPeak/100, tpuPeak)
	}
	return []Row{
		{Design: name, What: a.name + ", TOPS", Unit: "TOPS", Theirs: a.tops, Ours: tops, Bound: a.bound, Source: tpuPaper, Note: note},
		{Design: name, What: a.name + ", TOPS with the measured non-matrix cycles", Unit: "TOPS", Theirs: a.tops, Ours: tops * (1 - a.nonMatrix/100), Bound: Open, Source: tpuPaper,
			Note: "the same, slowed down by the share of non-matrix cycles that the paper counted, as if none overlapped"},
	}
}

// counterRun is the speed of the runs with counters.
func (a *tpuApp) counterRun(s *design.Spec) (Row, error) {
	as := *a
	as.uses = a.impliedUses()
	r, err := runTPU(s, a.fill(), as.parts())
	if err != nil {
		return Row{}, err
	}
	matrix := 1 - a.nonMatrix/100
	note := fmt.Sprintf("theirs: %g %% of the cycles useful, of %d TOPS; ours: %.0f uses of a tile, slowed down by the %g %% of non-matrix cycles", a.useful, tpuPeak, as.uses, a.nonMatrix)
	switch {
	case a.dense > 0:
		// What the assumptions are worth.
		full, err := runTPU(s, 1, []tpuPart{{a.dense, a.denseUses}})
		if err != nil {
			return Row{}, err
		}
		rest, err := runTPU(s, a.fill(), as.parts()[:1])
		if err != nil {
			return Row{}, err
		}
		all := tpuRun{cycles: full.cycles + rest.cycles, macs: full.macs + rest.macs}
		note += fmt.Sprintf("; as in all rows, all layers fill the array to the same %.0f %%: were the dense ones to fill it, %.1f TOPS", 100*a.fill(), all.tops(s.ClockMHz)*matrix)
	case a.shift > 0:
		note += "; uses by the counters, so this says no more than the cycles of a tile do"
	}
	return Row{Design: s.Name, What: a.name + ", TOPS of the runs with counters", Unit: "TOPS", Theirs: a.useful * tpuPeak / 100, Ours: r.tops(s.ClockMHz) * matrix, Bound: 0.15, Source: tpuPaper, Note: note}, nil
}

// counterRows compare with the runs whose counters the paper shows.
func (a *tpuApp) counterRows(name string, s *design.Spec, r *tpuRun) ([]Row, error) {
	const note = "array active, weight stall and weight shift of the paper's counters make its matrix cycles"
	what := func(w string) string { return a.name + ", " + w }
	matrix := a.active + a.stall + a.shift
	busy := float64(r.active) / float64(r.cycles) * 100
	rows := []Row{{Design: name, What: what("array active, of matrix cycles"), Unit: "%", Theirs: 100 * a.active / matrix, Ours: busy, Bound: Open, Source: tpuPaper, Note: note}}
	run, err := a.counterRun(s)
	if err != nil {
		return nil, err
	}
	rows = append(rows, run)
	if a.shift == 0 {
		return rows, nil
	}
	rows = append(rows, Row{Design: name, What: what("weight stall and shift, of matrix cycles"), Unit: "%", Theirs: 100 * (a.stall + a.shift) / matrix, Ours: 100 - busy, Bound: Open, Source: tpuPaper, Note: note})

	// How long a tile takes needs nothing of the workload but that it waits for weights.
	if a.dense > 0 {
		dense, err := runTPU(s, a.fill(), []tpuPart{{a.dense, a.denseUses}})
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{Design: name, What: what("images a second"), Unit: "images/s", Theirs: 4700, Ours: a.denseUses / (float64(r.cycles) / (s.ClockMHz * 1e6)), Bound: Open, Source: tpuText,
			Note: fmt.Sprintf("the paper disagrees with itself: by table 1 an image takes %.2f billion products, and 4,700 of that are %.0f TOPS, where table 3 has %g, and %.1f by its counters", a.weights*a.uses/a.denseUses/1e3, 2*4700*a.weights*a.uses/a.denseUses/1e6, a.tops, a.useful*tpuPeak/100)})
		return append(rows, Row{Design: name, What: what("matrix cycles a tile of the dense layers"), Unit: "cycles",
			Theirs: tpuShift*(a.stall+a.shift)/a.shift + a.denseUses, Ours: float64(dense.cycles) / float64(dense.tiles), Bound: 0.05, Source: tpuPaper,
			Note: fmt.Sprintf("theirs: %d·(%g + %g)/%g + %g, of the cycles stalled and shifting, and the uses; section 4 puts the waiting into the dense layers", tpuShift, a.stall, a.shift, a.shift, a.denseUses)}), nil
	}
	return append(rows,
		Row{Design: name, What: what("matrix cycles a tile"), Unit: "cycles", Theirs: tpuShift * matrix / a.shift, Ours: float64(r.cycles) / float64(r.tiles), Bound: 0.05, Source: tpuPaper,
			Note: fmt.Sprintf("theirs: %d·(%g + %g + %g)/%g, of the cycles active, stalled and shifting, and the %d that a tile takes to shift in (section 2); ours waits for 64 KiB at 34 GB/s", tpuShift, a.active, a.stall, a.shift, a.shift, tpuShift)},
		Row{Design: name, What: what("uses of a tile, table 1 against the counters"), Unit: "uses", Theirs: a.impliedUses(), Ours: a.uses, Bound: Open, Source: tpuPaper,
			Note: fmt.Sprintf("both are the paper's: %d·%g/%g by its counters, against its operations a byte of weights; where they differ the counters are of other runs than the TOPS", tpuShift, a.active, a.shift)}), nil
}
