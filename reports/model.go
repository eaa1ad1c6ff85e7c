package reports

import (
	"encoding/json"
	"math"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/kernels/arm64/bound"
	"macroscope/simhw"
)

// Report is everything that one run of the report found out. In JSON a value
// that was not measured or is not known is null, never 0.
type Report struct {
	Model     string   `json:"model"`
	Time      string   `json:"time"`                 // when the run began, RFC 3339
	Seconds   float64  `json:"seconds"`              // how long it took
	Command   string   `json:"command"`              // what makes this report again
	FileFlags string   `json:"file_flags,omitempty"` // of it, those that reading the network takes
	DataFlags string   `json:"data_flags,omitempty"` // and those that its images take
	Rounds    int      `json:"rounds"`               // interleaved rounds of measurement
	BenchTime float64  `json:"bench_ms"`             // length of one measurement, ms
	Baseline  string   `json:"baseline"`             // the impl that speed-ups are held against
	Threads   int      `json:"threads"`              // of every measurement
	Warnings  []string `json:"warnings"`             // what makes the numbers less steady

	Machine  []Setting     `json:"machine"`
	Kernels  []Kernel      `json:"kernels"`
	Ops      []Measurement `json:"ops"` // dots and matrix products
	Convs    []Measurement `json:"convs"`
	Networks []Network     `json:"networks"`
	Runs     []Run         `json:"runs"` // whole networks, by implementation
	Shared   []Shared      `json:"two_threads"`
	Missing  []Missing     `json:"missing_formats,omitempty"`
	Images   Images        `json:"images"`
	Designs  []Design      `json:"designs"`
	Notices  []string      `json:"notices"` // what tuning picked

	// Host is this CPU as a design, its layers predicted; nil where no shipped
	// design is of this CPU, or what that needs was not measured.
	Host *Host `json:"this_cpu_predicted"`

	// Predictions are upper bounds for kernels on CPUs that are not at hand.
	Predictions []bound.Prediction `json:"predicted_not_measured"`

	// FloatBytesWithBN is the size of the float32 network as trained, its batch
	// norms not folded: four bytes a parameter; 0 where there is none that has such.
	FloatBytesWithBN int `json:"float32_bytes_with_batch_norm"`

	results []bench.Result // the measurements themselves
}

// Setting is a line of the machine's description.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Kernel is a row of the kernel table.
type Kernel struct {
	DType     dtype.DType `json:"dtype"`
	Impl      string      `json:"impl"`
	TileRows  int         `json:"tile_rows"`
	TileCols  int         `json:"tile_columns"`
	Needs     []string    `json:"needs"`
	Available bool        `json:"available"`
	Chosen    bool        `json:"chosen"`
	Reason    string      `json:"reason"`
	Peak      *Value      `json:"peak_gmac_s"`
}

// Measurement is one case of one implementation.
type Measurement struct {
	DType   dtype.DType `json:"dtype"`
	Impl    string      `json:"impl"`
	Case    string      `json:"case"`    // "dot n=4096", "gemm 256", "conv2"
	Seconds *Value      `json:"seconds"` // of one run
	GMACs   *Value      `json:"gmac_s"`  // 10⁹ multiply-accumulates a second
	Peak    *Value      `json:"peak_percent"`
	Speedup *Ratio      `json:"speedup"` // over the baseline in the same case
}

// Network is the network in one format, with the chosen kernels.
type Network struct {
	DType       dtype.DType `json:"dtype"`
	Weights     string      `json:"weights"` // "per channel" or "per tensor" scales; empty for float32
	Impl        string      `json:"impl"`    // of the format's own layers
	Params      int         `json:"params"`  // with batch norm
	MACs        int64       `json:"macs"`
	WeightBytes int         `json:"weight_bytes"` // constants, in their format
	Layers      []Layer     `json:"layers"`
	Accuracy    *Accuracy   `json:"accuracy"`
	// Uncalibrated: the int8 scales were chosen without images; times are those of any.
	Uncalibrated bool `json:"uncalibrated,omitempty"`

	Latency    *Value `json:"latency_s"`         // batch 1
	PerImage64 *Value `json:"s_per_image_of_64"` // batch 64
	PerSecond  *Value `json:"images_s"`          // batch 1
	VsFloat    *Ratio `json:"speedup_vs_float32"`
	VsBaseline *Ratio `json:"speedup_vs_baseline"`

	// Steps is where the time of one inference goes, null where that was not
	// measured; then so are the three after it.
	Steps      []Step `json:"steps"`
	KernelPart *Value `json:"kernel_percent"` // of the steps' time: products and their sums
	MaxSpeedup *Value `json:"max_speedup"`    // what kernels that take no time would bring
	TimesPeak  *Value `json:"times_peak"`     // time over that of the MACs at their kernels' peaks
}

// Step is a layer with what is fused into it, or what stands between layers,
// timed among the others in whole inferences. Parts that it has not are null.
type Step struct {
	Name     string      `json:"name"`
	DType    dtype.DType `json:"dtype"` // of the layer; the network's where it is none
	Layer    bool        `json:"layer"`
	Seconds  *Value      `json:"seconds"`
	Kernel   *Value      `json:"kernel_s"`
	Epilogue *Value      `json:"epilogue_s"`
	Pool     *Value      `json:"pool_s"`
	Packing  *Value      `json:"packing_s"`
	GMACs    *Value      `json:"gmac_s"`
	Peak     *Value      `json:"peak_percent"`
	Moved    *Value      `json:"bytes_moved"`
	PerSec   *Value      `json:"bytes_moved_s"`
}

// Timed says whether the variant itself was timed: a second one of a format runs the
// same kernels as the first and is not.
func (n *Network) Timed() bool { return n.Latency != nil }

// Layer is a convolution or dense layer of a network.
type Layer struct {
	Name        string      `json:"name"`
	Kind        string      `json:"kind"`
	DType       dtype.DType `json:"dtype"`
	Impl        string      `json:"impl"` // "conv2d/int8/avx512vnni"
	Fused       []string    `json:"fused"`
	MACs        int64       `json:"macs"`
	WeightBytes int         `json:"weight_bytes"`
}

// Accuracy is a count of right answers and the 95 % interval (Wilson's) for
// the share that more images of the same kind would give.
type Accuracy struct {
	Images  int     `json:"images"`
	Correct int     `json:"correct"`
	Top1    float64 `json:"top1"`
	Lo      float64 `json:"lo"`
	Hi      float64 `json:"hi"`
}

// Run is the whole network by one implementation.
type Run struct {
	DType      dtype.DType `json:"dtype"`
	Impl       string      `json:"impl"`
	Algo       string      `json:"algo,omitempty"`  // "winograd"; none: the direct kernels
	Chosen     bool        `json:"chosen"`          // what the rest of the report speaks of
	Usual      bool        `json:"usual,omitempty"` // an Algo that is the library's own choice
	Latency    *Value      `json:"latency_s"`
	GMACs      *Value      `json:"gmac_s"`
	Peak       *Value      `json:"peak_percent"`
	PerImage64 *Value      `json:"s_per_image_of_64"`
	PerSecond  *Value      `json:"images_s"`
	VsFloat    *Ratio      `json:"speedup_vs_float32"` // over the chosen float32 kernels
	VsBaseline *Ratio      `json:"speedup_vs_baseline"`
	VsDirect   *Ratio      `json:"speedup_vs_direct,omitempty"` // of an Algo, over the implementation's direct kernels
}

// title names the implementation in tables: "avx2, winograd".
func (r *Run) title() string {
	if r.Algo == "" {
		return r.Impl
	}
	return r.Impl + ", " + r.Algo
}

// Shared is a case on two threads, by a format's chosen implementation.
type Shared struct {
	DType   dtype.DType `json:"dtype"`
	Impl    string      `json:"impl"`
	Case    string      `json:"case"`    // "batch of 64", or "peak": what a second thread can bring at most
	Seconds *Value      `json:"seconds"` // of one run
	Times   *Value      `json:"times_one_thread"`
}

// Images says on what the accuracy was counted.
type Images struct {
	Count  int    `json:"count"`
	Of     int    `json:"of"`             // how many there were
	Source string `json:"source"`         // in words
	Note   string `json:"note,omitempty"` // why not all; with Count 0 why none
}

// Design is an accelerator and what the network costs there.
type Design struct {
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Family      string        `json:"family"`
	Structure   string        `json:"structure"` // "32×32 ws"
	ClockMHz    float64       `json:"clock_mhz"`
	NodeNM      float64       `json:"technology_nm"`
	Sourced     int           `json:"sourced_values"`
	Assumed     []string      `json:"assumed_values"`
	Values      []DesignValue `json:"values"`
	Estimates   []Estimate    `json:"estimates"` // one for each format that there is
}

// DesignValue is a number of a design and where it came from.
type DesignValue struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// Estimate is the network in one format on a design.
type Estimate struct {
	DType dtype.DType `json:"dtype"`
	// Refused says why there is no estimate: the design cannot compute the format, or one
	// of the layers.
	Refused string `json:"refused,omitempty"`
	// Gain is the measured CPU's latency over the design's; its interval is the
	// measurement's alone.
	Gain    *Ratio          `json:"gain_over_cpu"`
	CPUImpl string          `json:"cpu_impl,omitempty"`
	Detail  *simhw.Estimate `json:"detail"`
	Notes   []string        `json:"notes"`
}

// Float is a number that may be unknown (NaN), which JSON writes as null.
type Float float64

// MarshalJSON writes null for what JSON has no number for.
func (f Float) MarshalJSON() ([]byte, error) {
	if v := float64(f); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// UnmarshalJSON is the inverse of MarshalJSON; null gives NaN.
func (f *Float) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = Float(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// known says whether f is a number to show.
func (f Float) known() bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// Value is a repeated measurement: the median with the bounds of its 95 %
// confidence interval (NaN where the rounds are too few for one), and the best
// single one.
type Value struct {
	Median Float `json:"median"`
	Lo     Float `json:"lo"`
	Hi     Float `json:"hi"`
	Best   Float `json:"best"`
	N      int   `json:"n"`
	// Noisy: the median is so far from the best that something disturbed the runs.
	Noisy bool `json:"noisy"`
}

// newValue takes the statistics of a case, times factor; nil where there are
// none.
func newValue(row bench.Row, unit string, factor float64) *Value {
	s, ok := row.Get(unit)
	if !ok {
		return nil
	}
	bound := func(v float64) Float {
		if math.IsInf(v, 0) {
			return Float(math.NaN())
		}
		return Float(v * factor)
	}
	return &Value{Median: bound(s.Median), Lo: bound(s.Lo), Hi: bound(s.Hi), Best: bound(s.Best), N: s.N, Noisy: s.Noisy()}
}

// Ratio is a quotient of two medians. Lo and Hi are the quotients of the ends
// of their 95 % intervals, NaN where one has none; both intervals hold together
// in at least 90 % of cases, so does this one.
type Ratio struct {
	Ratio Float `json:"ratio"`
	Lo    Float `json:"lo"`
	Hi    Float `json:"hi"`
}

// newRatio is over/under; nil where one of them is not measured or not positive.
func newRatio(over, under *Value) *Ratio {
	if over == nil || under == nil || !(over.Median > 0) || !(under.Median > 0) {
		return nil
	}
	return &Ratio{over.Median / under.Median, over.Lo / under.Hi, over.Hi / under.Lo}
}

// exact is a value without spread.
func exact(v float64) *Value {
	return &Value{Median: Float(v), Lo: Float(v), Hi: Float(v), Best: Float(v)}
}

// unclear says that the interval leaves open which of the two is larger.
func (r *Ratio) unclear() bool { return r.Lo.known() && r.Hi.known() && r.Lo <= 1 && 1 <= r.Hi }

// Network gives the variant of a format and kind of weights, nil if there is
// none. Empty weights fit any: the first, which is the timed one.
func (r *Report) Network(d dtype.DType, weights string) *Network {
	for i := range r.Networks {
		if n := &r.Networks[i]; n.DType == d && (weights == "" || n.Weights == weights) {
			return n
		}
	}
	return nil
}
