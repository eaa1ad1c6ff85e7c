package reports

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"macroscope/bench"
	"macroscope/dataset"
	"macroscope/dtype"
	"macroscope/kernels/arm64/bound"
)

// Options say what a report covers. The zero value is good.
type Options struct {
	Model     string           // a built-in network, empty is cifar10cnn; or what Networks are called
	Networks  []*bench.Network // a user's network in the formats that there are; empty: the built-in Model
	Missing   []Missing        // formats that Networks lack
	Set       *dataset.Set     // images that the networks take; nil: the built-in sample if they take those, else none
	Limit     int              // only so many images; 0: as many as time allows, which here means all
	Rounds    int              // interleaved rounds; 0 is 30
	BenchTime time.Duration    // of one measurement; 0 is 20 ms
	Impls     []string         // measure only these beside the baseline and the chosen ones; empty is all
	Filter    *regexp.Regexp   // measure only cases whose name matches; nil is all
	Command   string           // what the reader types to make this report again
	FileFlags string           // flags of the command that reading a user's network takes
	DataFlags string           // and those that its images take, from --data on
}

const (
	baseline      = "generic"
	defaultModel  = "cifar10cnn"
	defaultRounds = 30
	defaultTime   = 20 * time.Millisecond

	// maxAccuracy bounds the time of counting right answers, where plain Go is
	// all that a CPU can run.
	maxAccuracy = 40 * time.Second
	// minImages is where that bound ends.
	minImages = 100
)

// Progress hears how far Collect is: done of total steps, and what comes next.
// It is never called while a measurement runs.
type Progress func(done, total int, what string)

// The progress scale: counting right answers has the last tenth.
const (
	progressSteps   = 1000
	progressMeasure = 900
)

// Collect measures and simulates. What can be wrong with the options is found
// out before the measuring begins. If ctx ends, the error is its cause.
func Collect(ctx context.Context, o Options, progress Progress) (*Report, error) {
	o.fill()
	if progress == nil {
		progress = func(int, int, string) {}
	}
	start := time.Now()
	kernels, choice, err := bench.DescribeKernels()
	if err != nil {
		return nil, &OptionError{err.Error()} // MACROSCOPE_KERNELS is an option by another way
	}
	if err := checkImpls(kernels, o.Impls); err != nil {
		return nil, err
	}
	networks, own := o.Networks, len(o.Networks) > 0
	if !own {
		if networks, err = bench.BuiltinNetworks(o.Model); err != nil {
			return nil, err
		}
	}
	cases, err := o.cases(kernels, networks, own)
	if err != nil {
		return nil, err
	}
	designs, err := simulate(ctx, networks, progress)
	if err != nil {
		return nil, err
	}
	machine := bench.DescribeMachine()
	machine.Kernels = choice

	r := &Report{
		Model: o.Model, FileFlags: o.FileFlags, DataFlags: o.DataFlags, Time: start.UTC().Format(time.RFC3339), Command: o.Command, Baseline: baseline,
		BenchTime: float64(o.BenchTime) / float64(time.Millisecond), Threads: machine.Threads,
		Warnings: machine.Warnings(), Designs: designs, Predictions: bound.All(), Missing: o.Missing,
	}
	if n := networkOf(networks, dtype.Float32); n != nil && hasBatchNorm(n.Graph) {
		r.FloatBytesWithBN = 4 * n.Graph.Params()
	}
	for _, s := range machine.Settings() {
		r.Machine = append(r.Machine, Setting(s))
	}
	run, err := bench.Run(ctx, cases, bench.RunOptions{
		Rounds: o.Rounds, BenchTime: o.BenchTime, Seed: 1,
		Progress: func(p bench.Progress) {
			progress(p.Done*progressMeasure/max(p.Total, 1), progressSteps, strings.TrimPrefix(p.Case, "Benchmark"))
		},
	})
	if err != nil {
		return nil, err
	}
	r.Rounds, r.results = run.Rounds, run.Results
	r.Warnings, r.Notices = append(r.Warnings, run.Warnings...), run.Notices
	m := measured{bench.Summarize(run.Results)}
	r.Kernels = describeKernels(kernels, m)
	r.Ops, r.Convs = m.ops(kernels), m.convs(kernels)
	r.Runs, r.Shared = m.runs(kernels), m.shared(kernels)
	if err := r.markUsual(networks); err != nil {
		return nil, err
	}
	r.describeNetworks(networks, m)
	r.compareDesigns()
	if r.Host, err = r.predictHost(networks); err != nil {
		return nil, err
	}

	if err := r.countRight(ctx, &o, networks, progress); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(start).Seconds()
	return r, nil
}

// countRight gives each network its accuracy, if there are images that it takes.
func (r *Report) countRight(ctx context.Context, o *Options, networks []*bench.Network, progress Progress) error {
	images := o.Set
	if images == nil {
		var err error
		if images, err = bench.SampleSet(networks[0].Graph); err != nil {
			r.Images.Note = fmt.Sprintf("accuracy is not counted, since no images were given: %v", err)
			return nil
		}
	}
	count := o.Limit
	if count == 0 {
		count = r.affordable(images.Len())
	}
	set := images.Some(count)
	r.describeImages(o.Set, set.Len(), images.Len(), o.Limit == 0)
	for i, n := range networks {
		if n.Uncalibrated {
			continue
		}
		acc, err := bench.Evaluate(ctx, n.Plan, set, bench.EvaluateOptions{Threads: runtime.NumCPU(), Progress: func(done, of int) {
			at := float64(i) + float64(done)/float64(max(of, 1))
			progress(progressMeasure+int(at*float64(progressSteps-progressMeasure)/float64(len(networks))), progressSteps, "accuracy of "+r.Networks[i].title())
		}})
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		r.Networks[i].Accuracy = newAccuracy(acc.Images, acc.Correct)
	}
	return nil
}

func (o *Options) fill() {
	if o.Model == "" {
		o.Model = defaultModel
	}
	if o.Rounds <= 0 {
		o.Rounds = defaultRounds
	}
	if o.BenchTime <= 0 {
		o.BenchTime = defaultTime
	}
	if o.Command == "" {
		o.Command = "macroscope report"
	}
}

// checkImpls tells of a name that no format has, and of one that cannot run
// here in any format that has it.
func checkImpls(kernels []bench.KernelInfo, impls []string) error {
	var known []string
	for _, k := range kernels {
		if !slices.Contains(known, k.Impl) {
			known = append(known, k.Impl)
		}
	}
	for _, name := range impls {
		if !slices.Contains(known, name) {
			return &OptionError{fmt.Sprintf("implementation %q: want %s", name, strings.Join(known, ", "))}
		}
		reason := ""
		for _, k := range kernels {
			if k.Impl != name {
				continue
			}
			if k.Available {
				reason = ""
				break
			}
			reason = k.Reason
		}
		if reason != "" {
			return &OptionError{fmt.Sprintf("implementation %q is not available here: %s", name, reason)}
		}
	}
	return nil
}

// OptionError is an error in Options rather than in what they name.
type OptionError struct{ text string }

func (e *OptionError) Error() string { return e.text }

// The cases beside the network and its layers.
const (
	dotCase  = "/n=4096"
	gemmCase = "/m=256/n=256/k=256"
)

// cases are what a report measures, then the peaks that they need. Layers are
// measured by the baseline and the chosen implementations only; those of a user's network
// within the whole network alone.
func (o *Options) cases(kernels []bench.KernelInfo, networks []*bench.Network, own bool) ([]bench.Case, error) {
	all, err := bench.MachineCases()
	if err == nil && !own {
		var convs []bench.Case
		convs, err = bench.ConvCases(o.Model)
		all = append(all, convs...)
	}
	for _, more := range []func() ([]bench.Case, error){
		func() ([]bench.Case, error) { return bench.NetworkCases(networks) },
		func() ([]bench.Case, error) { return bench.LayerCases(networks, "") },
	} {
		if err != nil {
			return nil, err
		}
		var cases []bench.Case
		cases, err = more()
		all = append(all, cases...)
	}
	if err != nil {
		return nil, err
	}
	chosen := map[string]bool{}
	for _, k := range kernels {
		chosen[k.DType.String()+"/"+k.Impl] = k.Chosen || k.Impl == baseline
	}
	wanted := func(name string) bool {
		impl := bench.NameKey(name, "impl")
		special := chosen[bench.NameKey(name, "dtype")+"/"+impl]
		op, _, _ := strings.Cut(strings.TrimPrefix(name, "Benchmark"), "/")
		switch {
		case o.Filter != nil && !o.Filter.MatchString(name):
			return false
		case len(o.Impls) > 0 && !special && !slices.Contains(o.Impls, impl):
			return false
		case op == "Dot":
			return strings.HasSuffix(name, dotCase)
		case op == "Gemm":
			return strings.HasSuffix(name, gemmCase)
		case op == "Conv":
			return special
		case op == "Layers": // the page shows the direct kernels
			return bench.NameKey(name, "algo") == ""
		}
		return true
	}
	needed := map[string]bool{}
	for _, c := range all {
		if wanted(c.Name) {
			needed[c.Name], needed[c.Peak] = true, true
			for _, part := range c.Parts {
				needed[part.Peak] = true
			}
		}
	}
	kept := slices.DeleteFunc(all, func(c bench.Case) bool { return !needed[c.Name] })
	if len(kept) == 0 {
		return nil, &OptionError{fmt.Sprintf("filter %q: no case matches; macroscope bench --list shows their names", o.Filter)}
	}
	// Peaks go last: readers of bench.txt take the impl that they see first as the
	// base, and plain Go has no peak.
	peak := func(c bench.Case) int {
		if strings.HasPrefix(c.Name, "BenchmarkPeak/") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(kept, func(a, b bench.Case) int { return peak(a) - peak(b) })
	return kept, nil
}

// affordable is how many of n images keep the counting within maxAccuracy.
func (r *Report) affordable(n int) int {
	var seconds float64 // an image, through all networks
	for _, net := range r.Networks {
		if v := r.timed(net.DType); v != nil {
			seconds += float64(v.Median)
		}
	}
	budget := maxAccuracy.Seconds() * float64(runtime.NumCPU())
	if seconds*float64(n) <= budget {
		return n
	}
	fit := int(budget/seconds) / minImages * minImages
	return min(n, max(fit, minImages))
}

// timed is the measured latency of a format with the chosen kernels, nil if it
// was not measured.
func (r *Report) timed(d dtype.DType) *Value {
	if n := r.Network(d, ""); n != nil {
		return n.Latency
	}
	return nil
}

// describeImages says what the accuracy is counted on; set nil is the built-in sample.
func (r *Report) describeImages(set *dataset.Set, some, of int, automatic bool) {
	im := Images{Count: some, Of: of, Source: "the built-in sample of the CIFAR-10 test set: the first 100 test images of each class, in the set's own order"}
	if set != nil {
		im.Source = set.Name()
	}
	switch {
	case some < of && automatic:
		im.Note = fmt.Sprintf("only %s of %s images: the kernels of this CPU are too slow for more in the time of a report", count(some), count(of))
	case some < of:
		im.Note = fmt.Sprintf("only %s of %s images were asked for", count(some), count(of))
	}
	r.Images = im
}

// newAccuracy gives the share with Wilson's 95 % score interval (E. B. Wilson,
// "Probable inference, the law of succession, and statistical inference",
// JASA 22, 1927), which stays within 0…1.
func newAccuracy(images, correct int) *Accuracy {
	if images == 0 {
		return nil
	}
	const z = 1.959964 // the normal distribution's 97.5 % quantile
	n, p := float64(images), float64(correct)/float64(images)
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return &Accuracy{images, correct, p, mid - half, mid + half}
}
