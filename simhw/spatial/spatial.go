// Package spatial models accelerators whose elements stand below a tree of buffers:
// a layer is a nest of loops, and a mapping says which of them each buffer iterates
// over in time and which are spread over its children in space. What every buffer
// reads, is filled with and has updated follows from the nest in closed form; Walk
// steps through the same nest and moves real words, and Search finds the mapping that
// costs least.
//
// The dimensions are Timeloop's: a convolution sums over C, R and S for each of N, K,
// P and Q, where column P·stride + R·dilation and row Q·stride + S·dilation of the
// input meet, and G counts independent groups. Counts are in words and, unless a name
// says otherwise, for one of equal instances of a buffer.
package spatial

import (
	"fmt"
	"math"
)

// Dim is a loop's dimension.
type Dim uint8

// The dimensions.
const (
	R    Dim = iota // kernel columns
	S               // kernel rows
	P               // output columns
	Q               // output rows
	C               // input channels of a group
	K               // output channels of a group
	N               // images
	G               // groups
	Dims = 8
)

const dimNames = "RSPQCKNG"

func (d Dim) String() string {
	if d < Dims {
		return dimNames[d : d+1]
	}
	return fmt.Sprintf("dim(%d)", uint8(d))
}

// Space is a dataspace: one of the three tensors.
type Space uint8

// The dataspaces.
const (
	Weights Space = iota
	Inputs
	Outputs
	Spaces = 3
)

var spaceNames = [Spaces]string{"Weights", "Inputs", "Outputs"}

func (s Space) String() string {
	if s < Spaces {
		return spaceNames[s]
	}
	return fmt.Sprintf("space(%d)", uint8(s))
}

// relevant tells which loops move a dataspace's tile.
var relevant = [Spaces][Dims]bool{
	Weights: {R: true, S: true, C: true, K: true, G: true},
	Inputs:  {R: true, S: true, P: true, Q: true, C: true, N: true, G: true},
	Outputs: {P: true, Q: true, K: true, N: true, G: true},
}

// Factors are loop bounds by dimension.
type Factors [Dims]int64

// Ones has no loops.
func Ones() Factors { return Factors{1, 1, 1, 1, 1, 1, 1, 1} }

// Product is the number of iterations.
func (f *Factors) Product() int64 {
	p := int64(1)
	for _, b := range f {
		p *= b
	}
	return p
}

// Problem is a layer. A matrix product of M rows is P = M, C its inputs, K its
// outputs. Padding counts as input.
type Problem struct {
	Bounds               Factors
	StrideP, StrideQ     int64 // columns and rows
	DilationR, DilationS int64

	// OuterBits is what a word of weights, of inputs and of finished outputs takes on
	// its way at the outermost level, where that is not Arch.Bits: zeros may be coded, and
	// finished outputs have another width than sums; else 0.
	OuterBits [Spaces]float64

	// Finished is how many outputs are wanted, where bounds that are rounded up make
	// more; 0: all.
	Finished int64
}

// outerBits is what words take at the outermost level's bandwidth.
func (p *Problem) outerBits(a *Arch, sp Space, words float64) float64 {
	switch {
	case p.OuterBits[sp] == 0:
		return words * float64(a.Bits[sp])
	case sp == Outputs:
		finished := float64(p.Finished)
		if finished == 0 {
			finished = float64(p.Words(Outputs, &p.Bounds))
		}
		finished = min(words, finished)
		return finished*p.OuterBits[sp] + (words-finished)*float64(a.Bits[sp])
	}
	return words * p.OuterBits[sp]
}

// MaxLevels is the number of buffers on the way from DRAM to the multipliers.
const MaxLevels = 6

// Level is a kind of buffer.
type Level struct {
	Name string

	// Keep tells which dataspaces it holds; the others pass it by. The outermost
	// level holds all.
	Keep [Spaces]bool

	// Capacity is what it holds in bits, 0 where there is no limit; Part is what it
	// holds of each dataspace where it is divided, 0 where it is not.
	Capacity int64
	Part     [Spaces]int64

	// FanoutX and FanoutY are the children below it (or the multipliers, below the
	// innermost) in each direction.
	FanoutX, FanoutY int64

	// Time, AcrossX and AcrossY are the loops that a search may give the level.
	Time, AcrossX, AcrossY DimSet

	// ReadBandwidth and WriteBandwidth are words per cycle of one instance, 0 where
	// there is no limit. Updates are writes.
	ReadBandwidth, WriteBandwidth float64

	// BitsPerCycle is what reads and writes move together, 0 where there is no limit.
	BitsPerCycle float64

	// Bus is how many words of each dataspace the network to the children moves in a
	// cycle, for one instance; 0 where there is no limit. Sums come back on one of their
	// own, as wide.
	Bus [Spaces]float64

	// Waits says that the children hold no second set of weights: when those change,
	// all wait until the new ones and the first inputs are there, each by its bus.
	Waits bool

	// Block is how many words an access moves, 0 for one.
	Block int64

	// Alternates, of the outermost level: inputs and outputs move there while nothing
	// below computes; weights come meanwhile.
	Alternates bool

	// AccessPJ is what reading, filling or updating a word of each dataspace costs.
	AccessPJ [Spaces]float64

	// NetworkPJ is what a word costs on its way to one of the children; of outputs, a
	// sum's way from a child to the next one or back.
	NetworkPJ float64
}

// Arch is an accelerator: Levels[0] is innermost.
type Arch struct {
	Count  int
	Levels [MaxLevels]Level
	Bits   [Spaces]int64 // of a word; of an output as it is summed up
	MACPJ  float64

	// CyclePJ is what a multiplier that has work costs each cycle, whatever it does, and
	// with ClocksIdle one that has none.
	CyclePJ    float64
	ClocksIdle bool

	// Timeloop counts inputs as that program does, with its approximations
	// (timeloop_inputs.go). Search does not take it.
	Timeloop bool
}

// Unpriced is an accelerator whose mappings fit and take as many cycles, without energies.
func (a *Arch) Unpriced() Arch {
	u := *a
	u.MACPJ, u.CyclePJ, u.ClocksIdle = 0, 0, false
	for i := range u.Levels {
		u.Levels[i].AccessPJ, u.Levels[i].NetworkPJ = [Spaces]float64{}, 0
	}
	return u
}

// LevelMap is what a mapping gives a level: loops over its children's tiles, those in
// space (X and Y) inside those in time. Order has the loops in time, innermost first.
type LevelMap struct {
	Temporal, X, Y Factors
	Order          [Dims]Dim
}

// Mapping has a LevelMap for each level, innermost first.
type Mapping [MaxLevels]LevelMap

// DefaultOrder is the loops in the order of their names, innermost first.
func DefaultOrder() [Dims]Dim { return [Dims]Dim{R, S, P, Q, C, K, N, G} }

// Empty is a mapping without loops.
func Empty() Mapping {
	var m Mapping
	for i := range m {
		m[i] = LevelMap{Ones(), Ones(), Ones(), DefaultOrder()}
	}
	return m
}

// Counts is the traffic of a dataspace at one instance of a level.
type Counts struct {
	Tile    int64 // words held at a time
	Reads   int64
	Fills   int64 // words written that come from above
	Updates int64 // words of outputs written that come from below
}

// Accesses is all of it, in words, where reads, fills and updates each come in whole
// blocks.
func (c *Counts) Accesses(block int64) int64 {
	if block <= 1 {
		return c.Reads + c.Fills + c.Updates
	}
	whole := func(n int64) int64 { return (n + block - 1) / block * block }
	return whole(c.Reads) + whole(c.Fills) + whole(c.Updates)
}

// LevelResult is what a level does.
type LevelResult struct {
	Instances int64 // that have work
	Spaces    [Spaces]Counts
	EnergyPJ  [Spaces]float64 // all instances
	Network   int64           // words on the way to or from children, all instances
}

// Result is what a mapping costs.
type Result struct {
	Levels        [MaxLevels]LevelResult
	MACs          int64
	Multipliers   int64 // that have work
	ComputeCycles int64 // every multiplier busy
	WaitCycles    int64 // for weights, see Level.Waits
	InnerCycles   int64 // at all bandwidths but the outermost level's BitsPerCycle
	Cycles        int64 // at the buffers' bandwidths
	Bottleneck    int   // level whose bandwidth sets Cycles, -1 where none does
	MACEnergyPJ   float64
	NetworkPJ     float64
	CyclesPJ      float64 // clock and control, see Arch.CyclePJ
	EnergyPJ      float64
}

// MaxMACs bounds a problem, so that no count overflows.
const MaxMACs = 1 << 50

// Check says what is wrong with a problem.
func (p *Problem) Check() error {
	macs := 1.0
	for d, b := range p.Bounds {
		if b < 1 {
			return fmt.Errorf("dimension %v is %d: want 1 or more", Dim(d), b)
		}
		macs *= float64(b)
	}
	if macs > MaxMACs {
		return fmt.Errorf("%.4g multiply-accumulates: want 2^50 at most", macs)
	}
	for _, v := range [...]struct {
		name string
		v    int64
	}{{"stride of columns", p.StrideP}, {"stride of rows", p.StrideQ}, {"dilation of columns", p.DilationR}, {"dilation of rows", p.DilationS}} {
		if v.v < 1 || v.v > 1<<16 {
			return fmt.Errorf("%s %d: want 1 to 65536", v.name, v.v)
		}
	}
	if w, h := p.axes(&p.Bounds); float64(w)*float64(h)*float64(p.Bounds[C])*float64(p.Bounds[N])*float64(p.Bounds[G]) > MaxMACs {
		return fmt.Errorf("an input of %d columns and %d rows: want 2^50 words at most", w, h)
	}
	return nil
}

// axes is the input's extent below the given bounds.
func (p *Problem) axes(f *Factors) (w, h int64) {
	return (f[P]-1)*p.StrideP + (f[R]-1)*p.DilationR + 1, (f[Q]-1)*p.StrideQ + (f[S]-1)*p.DilationS + 1
}

// Words is the size of a dataspace's tile of the given bounds. A tile of inputs is the
// box around what is needed: strided taps leave no holes in it.
func (p *Problem) Words(s Space, f *Factors) int64 {
	switch s {
	case Weights:
		return f[R] * f[S] * f[C] * f[K] * f[G]
	case Inputs:
		w, h := p.axes(f)
		return w * h * f[C] * f[N] * f[G]
	}
	return f[P] * f[Q] * f[K] * f[N] * f[G]
}

// Check says what is wrong with an accelerator.
func (a *Arch) Check() error {
	if a.Count < 1 || a.Count > MaxLevels {
		return fmt.Errorf("%d levels: want 1 to %d", a.Count, MaxLevels)
	}
	for s, b := range a.Bits {
		if b < 1 || b > 64 {
			return fmt.Errorf("%v of %d bits: want 1 to 64", Space(s), b)
		}
	}
	children := 1.0
	for i := range a.Count {
		l := &a.Levels[i]
		children *= float64(l.FanoutX) * float64(l.FanoutY)
		switch {
		case l.FanoutX < 1 || l.FanoutY < 1 || children > 1<<40:
			return fmt.Errorf("level %s has %d×%d children: want at least 1, and 2^40 multipliers at most", l.Name, l.FanoutX, l.FanoutY)
		case l.Capacity < 0 || l.Part[0] < 0 || l.Part[1] < 0 || l.Part[2] < 0:
			return fmt.Errorf("level %s has a negative capacity", l.Name)
		case !(l.ReadBandwidth >= 0 && l.WriteBandwidth >= 0) || math.IsInf(l.ReadBandwidth+l.WriteBandwidth, 0):
			return fmt.Errorf("level %s has bandwidths of %g and %g words a cycle: want finite ones, 0 for none", l.Name, l.ReadBandwidth, l.WriteBandwidth)
		}
	}
	for s, kept := range a.Levels[a.Count-1].Keep {
		if !kept {
			return fmt.Errorf("the outermost level %s does not keep %v: want all three dataspaces there", a.Levels[a.Count-1].Name, Space(s))
		}
	}
	return nil
}

// CheckMapping says why a mapping does not fit a problem and an accelerator. It
// allocates nothing where it does.
func (a *Arch) CheckMapping(p *Problem, m *Mapping) error {
	inside := Ones()
	for i := range a.Count {
		l, lm := &a.Levels[i], &m[i]
		var seen [Dims]bool
		for _, d := range lm.Order {
			if d >= Dims || seen[d] {
				return fmt.Errorf("level %s: its order of loops is %v: want each dimension once", l.Name, lm.Order)
			}
			seen[d] = true
		}
		x, y := int64(1), int64(1)
		for d := range Dims {
			if lm.Temporal[d] < 1 || lm.X[d] < 1 || lm.Y[d] < 1 {
				return fmt.Errorf("level %s: a loop over %v has a bound below 1", l.Name, Dim(d))
			}
			// Divisions keep products of hostile bounds inside an int64.
			for _, b := range [...]int64{lm.Temporal[d], lm.X[d], lm.Y[d]} {
				if inside[d] > p.Bounds[d]/b {
					return fmt.Errorf("level %s: loops over %v exceed the layer's %d", l.Name, Dim(d), p.Bounds[d])
				}
				inside[d] *= b
			}
			x, y = x*lm.X[d], y*lm.Y[d]
		}
		if x > l.FanoutX || y > l.FanoutY {
			return fmt.Errorf("level %s: loops over %d×%d children: it has %d×%d", l.Name, x, y, l.FanoutX, l.FanoutY)
		}
		if bits, room := a.held(p, i, &inside); bits > room {
			return fmt.Errorf("level %s: tiles of %d bits: it holds %d", l.Name, bits, room)
		}
	}
	for d, b := range inside {
		if b != p.Bounds[d] {
			return fmt.Errorf("loops over %v make %d: want the layer's %d", Dim(d), b, p.Bounds[d])
		}
	}
	return nil
}

// held is what the tiles of a level take and the room there is for them; of a divided
// level the dataspace that fits least, if one does not.
func (a *Arch) held(p *Problem, level int, f *Factors) (bits, room int64) {
	l := &a.Levels[level]
	all := int64(0)
	for s := range Space(Spaces) {
		if !l.Keep[s] {
			continue
		}
		b := p.Words(s, f) * a.Bits[s]
		if l.Part[s] > 0 {
			if b > l.Part[s] {
				return b, l.Part[s]
			}
			continue
		}
		all += b
	}
	if l.Capacity == 0 {
		return all, math.MaxInt64
	}
	return all, l.Capacity
}
