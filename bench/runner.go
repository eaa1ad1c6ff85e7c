package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Case is something to measure.
type Case struct {
	// Name is a benchmark name that CheckName accepts.
	Name string
	// Run does the work n times, n ≥ 1, on one goroutine, without allocating.
	// Everything that can be made ready beforehand is.
	Run func(n int)
	// Prepare, if set, is called once, before anything of the case is measured. Its
	// notices go into the report.
	Prepare func(ctx context.Context) (notices []string, err error)
	// Measure, if set, stands in for Run where a case's time is made of several:
	// time runs something n times, as Run does, and gives the nanoseconds of one.
	Measure func(time func(run func(n int)) float64) Measured
	// Parts are measured by this case's Measure, whose Parts are as many, and give
	// results of their own, before the case's. Of them Name, MACs, Bytes, Peak and
	// Extra count.
	Parts []Case
	// MACs is the number of multiply-accumulates of one iteration; 0: the case
	// has no GMAC/s.
	MACs float64
	// Bytes is the number of bytes of all inputs that one iteration reads; 0:
	// the case has no MB/s.
	Bytes int64
	// Images is the number of inferences of one iteration; 0: no images/s.
	Images float64
	// Peak names the case whose GMAC/s is 100 %peak for this one: it is
	// measured in every round too. Empty: the case has no %peak.
	Peak string
	// Extra are values that do not depend on time: weight-bytes, pJ/op.
	Extra []Metric
}

// Measured is what Measure found in one round.
type Measured struct {
	NS    float64 // of one iteration
	Extra []Metric
	Parts []Measured // one for each of the case's Parts
}

// RunOptions says how long and how often to measure. The zero value is good.
type RunOptions struct {
	// Rounds is how often each case is measured; 0 means 10. Fewer than 6 give
	// no confidence interval.
	Rounds int
	// BenchTime is how long one measurement lasts; 0 means 20 ms. A case whose
	// single iteration lasts longer is run once.
	BenchTime time.Duration
	// Seed decides the order of cases within the rounds.
	Seed uint64
	// Progress, if set, hears of every step. It is not called while a
	// measurement runs.
	Progress func(Progress)
	// Round, if set, gets each round's results as soon as it is complete, in
	// the order of cases.
	Round func([]Result) error

	now func() time.Duration // for tests: a clock that the cases themselves advance
}

// Progress says how far a run is.
type Progress struct {
	Done, Total int    // steps: a warm-up of a case, or a measurement
	Case        string // what comes next
	Round       int    // 0 while warming up, then 1 to Rounds
}

// Report is what a run gave.
type Report struct {
	Results  []Result // round by round, in the order of cases within a round
	Rounds   int      // complete ones
	Warnings []string // cases that did not become steady, or that beat their peak
	Notices  []string // what the preparation of cases has to say, each once
}

const (
	defaultRounds    = 10
	defaultBenchTime = 20 * time.Millisecond

	// A case is warm when steadyRuns runs in a row agree within steadyWithin:
	// caches and branch predictors are filled and the clock has settled.
	steadyRuns   = 3
	steadyWithin = 0.02
	// maxWarmUp bounds the search for a steady state, in measurements' lengths.
	maxWarmUp = 10

	// maxIters ends the search for a measurable number of iterations.
	maxIters = 1 << 40
	// peakMargin is the %peak above which the peak itself is in doubt.
	peakMargin = 103
)

// Run measures all cases side by side: first each is warmed up until its time
// is steady and given a number of iterations that lasts BenchTime, then every
// round measures every case once, in an order shuffled anew. Whatever disturbs
// the machine for a while thus disturbs all cases, not the unlucky one.
//
// If ctx ends, Run stops after the measurement at hand and returns the rounds
// that are complete, with ctx's cause.
func Run(ctx context.Context, cases []Case, opt RunOptions) (Report, error) {
	if opt.Rounds <= 0 {
		opt.Rounds = defaultRounds
	}
	if opt.BenchTime <= 0 {
		opt.BenchTime = defaultBenchTime
	}
	if opt.now == nil {
		start := time.Now()
		opt.now = func() time.Duration { return time.Since(start) }
	}
	peaks, err := checkCases(cases)
	if err != nil {
		return Report{}, err
	}
	r := &runner{ctx: ctx, cases: cases, peaks: peaks, opt: opt, iters: make([]int, len(cases)), last: make([]Measured, len(cases))}
	r.total = len(cases) * (1 + opt.Rounds)
	err = r.run()
	r.checkPeaks()
	return r.report, err
}

// checkCases finds the place of each peak.
func checkCases(cases []Case) (peaks map[string]int, err error) {
	if len(cases) == 0 {
		return nil, errors.New("no case to measure")
	}
	index, names := map[string]int{}, map[string]bool{}
	var all []Case
	for i, c := range cases {
		index[c.Name] = i
		all = append(append(all, c.Parts...), c)
	}
	peaks = map[string]int{}
	for _, c := range all {
		if err := CheckName(c.Name); err != nil {
			return nil, err
		}
		if names[c.Name] {
			return nil, fmt.Errorf("benchmark %s: there are two cases of this name", c.Name)
		}
		names[c.Name] = true
		if c.Peak == "" {
			continue
		}
		i, ok := index[c.Peak]
		if !ok || cases[i].MACs <= 0 || c.MACs <= 0 {
			return nil, fmt.Errorf("benchmark %s: peak %q: want a case that counts MACs, as this one must", c.Name, c.Peak)
		}
		peaks[c.Peak] = i
	}
	return peaks, nil
}

type runner struct {
	ctx         context.Context
	cases       []Case
	peaks       map[string]int // index of each peak
	opt         RunOptions
	iters       []int      // of each case, for one measurement
	last        []Measured // of each case with Measure
	report      Report
	done, total int
}

func (r *runner) run() error {
	for i := range r.cases {
		if err := r.step(i, 0); err != nil {
			return err
		}
		if err := r.prepare(i); err != nil {
			return err
		}
		if err := r.warmUp(i); err != nil {
			return err
		}
	}
	// Garbage of the set-up shall not be collected during a measurement.
	runtime.GC()
	order := make([]int, len(r.cases))
	for i := range order {
		order[i] = i
	}
	for round := 1; round <= r.opt.Rounds; round++ {
		rnd := rand.New(rand.NewPCG(r.opt.Seed, uint64(round)))
		rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		perOp := make([]float64, len(r.cases)) // ns
		for _, i := range order {
			if err := r.step(i, round); err != nil {
				return err
			}
			// A twentieth beforehand fills the caches that other cases used.
			if n := r.iters[i] / 20; n > 0 {
				r.measure(i, n)
			}
			perOp[i] = r.measure(i, r.iters[i])
		}
		results := r.results(perOp)
		r.report.Results = append(r.report.Results, results...)
		r.report.Rounds = round
		if r.opt.Round != nil {
			if err := r.opt.Round(results); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *runner) prepare(i int) error {
	if r.cases[i].Prepare == nil {
		return nil
	}
	notices, err := r.cases[i].Prepare(r.ctx)
	for _, n := range notices {
		if !slices.Contains(r.report.Notices, n) {
			r.report.Notices = append(r.report.Notices, n)
		}
	}
	return err
}

// step tells what comes next, unless the context has ended.
func (r *runner) step(i, round int) error {
	if err := context.Cause(r.ctx); err != nil {
		return err
	}
	if r.opt.Progress != nil {
		r.opt.Progress(Progress{Done: r.done, Total: r.total, Case: r.cases[i].Name, Round: round})
	}
	r.done++
	return nil
}

// measure runs case i n times and gives the nanoseconds of one iteration.
func (r *runner) measure(i, n int) float64 {
	timed := func(run func(int)) float64 {
		start := r.opt.now()
		run(n)
		elapsed := r.opt.now() - start
		// No clock is finer than a nanosecond: nothing takes no time at all.
		return math.Max(float64(elapsed.Nanoseconds()), 1) / float64(n)
	}
	c := &r.cases[i]
	if c.Measure == nil {
		return timed(c.Run)
	}
	r.last[i] = c.Measure(timed)
	return math.Max(r.last[i].NS, 1/float64(n))
}

// warmUp finds how often case i runs in BenchTime, and keeps it running until
// its time is steady.
func (r *runner) warmUp(i int) error {
	target := float64(r.opt.BenchTime.Nanoseconds())
	n := 1
	perOp := r.measure(i, n)
	for perOp*float64(n) < target/4 {
		if err := context.Cause(r.ctx); err != nil {
			return err
		}
		if n > maxIters {
			return fmt.Errorf("benchmark %s: %d iterations take no time", r.cases[i].Name, n)
		}
		// At most tenfold: the first runs are slow, and short ones imprecise.
		n = max(n+1, min(10*n, int(target/4/perOp)))
		perOp = r.measure(i, n)
	}
	// Quarter-length runs, for at least one length in all.
	last := []float64{perOp}
	for spent := perOp * float64(n); ; {
		if err := context.Cause(r.ctx); err != nil {
			return err
		}
		differ := slices.Max(last)/slices.Min(last) - 1
		if spent >= target && len(last) == steadyRuns && differ <= steadyWithin {
			break
		}
		if spent > maxWarmUp*target {
			if differ > steadyWithin {
				r.warn("%s did not become steady: its last %d warm-up runs differ by %.0f%%", r.cases[i].Name, len(last), 100*differ)
			}
			break
		}
		n := max(1, int(target/4/perOp))
		perOp = r.measure(i, n)
		spent += perOp * float64(n)
		last = append(last, perOp)
		if len(last) > steadyRuns {
			last = last[1:]
		}
	}
	r.iters[i] = max(1, int(target/slices.Min(last)))
	return nil
}

func (r *runner) warn(format string, args ...any) {
	r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(format, args...))
}

// checkPeaks warns of cases that beat what was taken for the limit.
func (r *runner) checkPeaks() {
	for _, row := range Summarize(r.report.Results) {
		if NameKey(row.Name, "algo") != "" || NameKey(row.Name, "layer") != "" || strings.HasPrefix(row.Name, "BenchmarkNetwork/") {
			continue // does with fewer multiplications than its MACs say: padding counts, but is left out
		}
		if s, ok := row.Get(PercentOfPeak); ok && s.Median > peakMargin {
			r.warn("%s reaches %.0f%% of its peak: the peak was measured too low", row.Name, s.Median)
		}
	}
}

// results turns a round's times into results, in the order of cases.
func (r *runner) results(perOp []float64) (results []Result) {
	for i, c := range r.cases {
		peakTime, known := 0.0, len(c.Parts) > 0 // of the parts' MACs at their peaks
		for j, part := range c.Parts {
			m := r.last[i].Parts[j]
			results = append(results, r.result(part, r.iters[i], m.NS, m.Extra, perOp))
			if peak, ok := r.peaks[part.Peak]; ok {
				peakTime += part.MACs * perOp[peak] / r.cases[peak].MACs
			} else if part.MACs > 0 {
				known = false
			}
		}
		res := r.result(c, r.iters[i], perOp[i], r.last[i].Extra, perOp)
		if known && peakTime > 0 {
			res.Metrics = append(res.Metrics, Metric{measured(perOp[i] / peakTime), TimesPeakTime})
		}
		results = append(results, res)
	}
	return results
}

// result is a case's result: ns of one iteration, and what follows from them.
func (r *runner) result(c Case, iters int, ns float64, extra []Metric, perOp []float64) Result {
	res := Result{Name: c.Name, Iters: iters, Metrics: []Metric{{measured(ns), "ns/op"}}}
	add := func(v float64, unit string) {
		res.Metrics = append(res.Metrics, Metric{measured(v), unit})
	}
	if ns > 0 {
		if c.Bytes > 0 {
			add(float64(c.Bytes)/ns*1e3, "MB/s")
		}
		if c.MACs > 0 {
			add(c.MACs/ns, GMACPerSecond)
		}
		if p, ok := r.peaks[c.Peak]; ok {
			add(100*(c.MACs/ns)/(r.cases[p].MACs/perOp[p]), PercentOfPeak)
		}
		if c.Images > 0 {
			add(c.Images/ns*1e9, ImagesPerSecond)
		}
	}
	res.Metrics = append(append(res.Metrics, c.Extra...), extra...)
	return res
}
