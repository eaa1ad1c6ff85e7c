package bench

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"unsafe"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/kernels/tile"
	"macroscope/models"
)

// The sizes that are measured beside the network's own layers.
var (
	dotLengths = []int{1024, 4096, 16384}
	gemmSizes  = []gemmSize{{256, 256, 256}, {1024, 1024, 1024}}
	// K as in wide binary networks, whose words are 32 values each.
	binaryGemmSizes = append(slices.Clip(gemmSizes), gemmSize{1024, 1024, 8192})
	batches         = []int{1, 64}
)

// gemmSize is of m×k times k×n.
type gemmSize struct{ m, n, k int }

func (s gemmSize) macs() float64 { return float64(s.m) * float64(s.n) * float64(s.k) }

// slowGemm is above what generic finishes in a bearable time.
const slowGemm = 1 << 27

// PeakName is the name of an implementation's peak case.
func PeakName(im *kernels.Impl) string {
	return fmt.Sprintf("BenchmarkPeak/dtype=%v/impl=%s", im.DType(), im.Name())
}

// peakOf is PeakName, or empty for what has no peak.
func peakOf(im *kernels.Impl) string {
	if im.Peak() == nil {
		return ""
	}
	return PeakName(im)
}

// Available lists the implementations that can run here, slowest first within
// a dtype.
func Available() []*kernels.Impl {
	return slices.DeleteFunc(kernels.Table(), func(im *kernels.Impl) bool { return !im.Available() })
}

// PeakCases measure each implementation's innermost instruction on registers
// alone: what %peak is a percent of.
func PeakCases() (cases []Case) {
	const macs = 1 << 20
	for _, im := range Available() {
		if peak := im.Peak(); peak != nil {
			n := peak(macs)
			cases = append(cases, Case{Name: PeakName(im), MACs: float64(n), Run: func(rounds int) {
				for range rounds {
					peak(macs)
				}
			}})
		}
	}
	return cases
}

// PeakThreadsCases measure the chosen implementations' peaks on two threads at
// once: the most that a second thread can bring on this machine, whose CPUs may
// be halves of a core or shared with other machines.
func PeakThreadsCases() ([]Case, error) {
	choice, err := kernels.Default()
	if err != nil || runtime.NumCPU() < 2 {
		return nil, err
	}
	const macs = 1 << 20
	var cases []Case
	for _, d := range dtype.All {
		im := choice.For(d)
		peak := im.Peak()
		if peak == nil {
			continue
		}
		start, done := make(chan int), make(chan bool)
		go func() {
			for rounds := range start {
				for range rounds {
					peak(macs)
				}
				done <- true
			}
		}()
		one := func(rounds int) {
			for range rounds {
				peak(macs)
			}
		}
		cases = append(cases, Case{
			Name: PeakName(im) + "/threads=2", MACs: 2 * float64(peak(macs)),
			Measure: func(time func(func(int)) float64) Measured {
				alone := time(one)
				ns := time(func(rounds int) {
					start <- rounds
					one(rounds)
					<-done
				})
				return Measured{NS: ns, Extra: []Metric{{measured(2 * alone / ns), TimesOneThread}}}
			},
		})
	}
	return cases, nil
}

// DotCases measure dot products of operands in the first-level cache. Both lie
// in one piece of memory: two allocations may fall on addresses that the
// cache's way prediction confuses, for as long as the process lives.
func DotCases() (cases []Case) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for _, im := range Available() {
		for _, n := range dotLengths {
			bytes := n * im.DType().Bits() / 8
			mem := kernels.Aligned(2 * bytes)
			add := func(suffix string, run func(rounds int)) {
				cases = append(cases, Case{
					Name: fmt.Sprintf("BenchmarkDot/dtype=%v/impl=%s/n=%d%s", im.DType(), im.Name(), n, suffix),
					MACs: float64(n), Bytes: int64(2 * bytes), Peak: peakOf(im),
					Run: run,
				})
			}
			switch im.DType() {
			case dtype.Float32:
				a, b := elements[float32](mem[:bytes]), elements[float32](mem[bytes:])
				copy(a, randomFloats(rnd, n))
				copy(b, randomFloats(rnd, n))
				add("", func(rounds int) {
					for range rounds {
						im.DotFloat32(a, b)
					}
				})
			case dtype.Int8:
				a, b := elements[int8](mem[:bytes]), elements[int8](mem[bytes:])
				copy(a, randomBytes(rnd, n))
				copy(b, randomBytes(rnd, n))
				add("", func(rounds int) {
					for range rounds {
						im.DotInt8(a, b)
					}
				})
				add("/left=uint8", func(rounds int) {
					for range rounds {
						im.DotUint8(mem[:bytes], b)
					}
				})
			default:
				a, b := elements[uint64](mem[:bytes]), elements[uint64](mem[bytes:])
				copy(a, randomWords(rnd, n/64))
				copy(b, randomWords(rnd, n/64))
				add("", func(rounds int) {
					for range rounds {
						im.DotBinary(a, b, n)
					}
				})
			}
		}
	}
	return cases
}

// elements gives memory that starts on a cache line as elements of T.
func elements[T any](mem []byte) []T {
	var t T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mem))), len(mem)/int(unsafe.Sizeof(t)))
}

// GemmCases measure matrix products.
func GemmCases() ([]Case, error) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var cases []Case
	for _, im := range Available() {
		sizes := gemmSizes
		if im.DType() == dtype.Binary {
			sizes = binaryGemmSizes
		}
		for _, s := range sizes {
			if im.Name() == "generic" && s.macs() > slowGemm {
				continue
			}
			c := Case{
				Name: fmt.Sprintf("BenchmarkGemm/dtype=%v/impl=%s/m=%d/n=%d/k=%d", im.DType(), im.Name(), s.m, s.n, s.k),
				MACs: s.macs(), Bytes: int64((s.m + s.n) * s.k * im.DType().Bits() / 8), Peak: peakOf(im),
			}
			var err error
			if c.Run, err = gemmRun(rnd, im, s); err != nil {
				return nil, err
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
}

func gemmRun(rnd *rand.Rand, im *kernels.Impl, s gemmSize) (func(int), error) {
	ctx := &kernels.Context{}
	repeat := func(once func()) func(int) {
		return func(rounds int) {
			for range rounds {
				once()
			}
		}
	}
	switch im.DType() {
	case dtype.Float32:
		a, c := randomFloats(rnd, s.m*s.k), make([]float32, s.m*s.n)
		g, err := im.NewGemmFloat32(randomFloats(rnd, s.n*s.k), s.n, s.k)
		return repeat(func() { g.Float32(ctx, c, a, s.m) }), err
	case dtype.Int8:
		a, c := randomBytes(rnd, s.m*s.k), make([]int32, s.m*s.n)
		g, err := im.NewGemmInt8(randomBytes(rnd, s.n*s.k), s.n, s.k)
		return repeat(func() { g.Int8(ctx, c, a, s.m) }), err
	default:
		a, c := randomWords(rnd, s.m*s.k/64), make([]int32, s.m*s.n)
		g, err := im.NewGemmBinary(randomWords(rnd, s.n*s.k/64), s.n, s.k)
		return repeat(func() { g.Binary(ctx, c, a, s.m) }), err
	}
}

// ConvCases measure the network's own convolutions with what follows them:
// bias, ReLU and pool to the next layer's format. Layers are named as in the
// model; binary has none for the first, which is int8 there.
func ConvCases(model string) ([]Case, error) {
	g, err := models.Load(model, dtype.Float32)
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, im := range Available() {
		for i, n := range g.Nodes {
			op, ok := n.Op.(*graph.Conv2D)
			if !ok || im.DType() == dtype.Binary && i < firstHidden(g) {
				continue
			}
			c, err := convCase(im, n.Name, op, n.In[0].Shape, i < firstHidden(g), poolFollows(g, i))
			if err != nil {
				return nil, err
			}
			cases = append(cases, c)
		}
	}
	return cases, nil
}

// firstHidden is the index after the first convolution.
func firstHidden(g *graph.Graph) int {
	for i, n := range g.Nodes {
		if _, ok := n.Op.(*graph.Conv2D); ok {
			return i + 1
		}
	}
	return len(g.Nodes)
}

// poolFollows says whether a max-pool comes before the next layer.
func poolFollows(g *graph.Graph, i int) bool {
	for _, n := range g.Nodes[i+1:] {
		switch n.Op.(type) {
		case *graph.MaxPool:
			return true
		case *graph.Conv2D, *graph.Dense:
			return false
		}
	}
	return false
}

func convCase(im *kernels.Impl, layer string, op *graph.Conv2D, in graph.Shape, first, pool bool) (Case, error) {
	d := im.DType()
	s := kernels.ConvSpec{
		In: kernels.Image{DType: d, H: in[1], W: in[2], C: op.InC, Top: op.PadTop, Left: op.PadLeft, Bottom: op.PadBottom, Right: op.PadRight},
		KH: op.KH, KW: op.KW, StrideH: op.StrideH, StrideW: op.StrideW, DilationH: op.DilationH, DilationW: op.DilationW,
		PadTop: op.PadTop, PadLeft: op.PadLeft, Halo: kernels.HaloZero, NonNegative: !first, Pool: pool, Lo: 0, Hi: 127,
		Out: kernels.Image{DType: d, H: in[1] / op.StrideH, W: in[2] / op.StrideW, C: op.OutC, Top: 1, Left: 1, Bottom: 1, Right: 1},
	}
	if pool {
		s.Out.H, s.Out.W = s.Out.H/2, s.Out.W/2
	}
	rnd := rand.New(rand.NewPCG(1, 3))
	values := op.OutC * op.KH * op.KW * op.InC
	weights := packedWeights(rnd, d, values, op.InC)
	switch d {
	case dtype.Float32:
		s.BiasF = make([]float32, op.OutC)
	case dtype.Int8:
		s.Mode, s.Scale, s.Offset = tile.Requant, make([]float32, op.OutC), make([]float32, op.OutC)
		for i := range s.Scale {
			s.Scale[i] = 0x1p-10
		}
	default:
		s.Halo, s.Mode, s.Threshold = kernels.HaloMinusOne, tile.Bits, make([]int32, op.OutC)
	}
	conv, err := kernels.NewConv(im, s, weights)
	if err != nil {
		return Case{}, err
	}
	src, dst, ctx := kernels.Aligned(s.In.Bytes()), kernels.Aligned(s.Out.Bytes()), &kernels.Context{}
	return Case{
		Name: fmt.Sprintf("BenchmarkConv/dtype=%v/impl=%s/layer=%s/batch=1", d, im.Name(), layer),
		MACs: float64(conv.MACs()), Bytes: int64(s.In.Bytes() + conv.WeightBytes()), Peak: peakOf(im),
		Run: func(rounds int) {
			for range rounds {
				conv.Run(ctx, dst, src)
			}
		},
	}, nil
}

// MachineCases are those that are of no network: peaks first, dot products, tiles, matrix
// products.
func MachineCases() ([]Case, error) {
	return join(append(PeakCases(), DotCases()...), TileCases, PeakThreadsCases, GemmCases)
}

// AllCases lists everything that is measured of a built-in model, peaks first.
func AllCases(model string) ([]Case, error) {
	networks, err := BuiltinNetworks(model)
	if err != nil {
		return nil, err
	}
	return join(nil, MachineCases,
		func() ([]Case, error) { return ConvCases(model) },
		func() ([]Case, error) { return BitSerialCases(model) },
		func() ([]Case, error) { return NetworkCases(networks) },
		func() ([]Case, error) { return LayerCases(networks, "") },
	)
}

func join(cases []Case, more ...func() ([]Case, error)) ([]Case, error) {
	for _, f := range more {
		c, err := f()
		if err != nil {
			return nil, err
		}
		cases = append(cases, c...)
	}
	return cases, nil
}

func randomFloats(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64())
	}
	return v
}

func randomBytes(r *rand.Rand, n int) []int8 {
	v := make([]int8, n)
	for i := range v {
		v[i] = int8(r.IntN(255) - 127)
	}
	return v
}

func randomWords(r *rand.Rand, n int) []uint64 {
	v := make([]uint64, n)
	for i := range v {
		v[i] = r.Uint64()
	}
	return v
}
