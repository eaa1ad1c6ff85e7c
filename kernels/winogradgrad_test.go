package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"macroscope/dtype"
	"macroscope/internal/guard"
	"macroscope/kernels/generic"
	"macroscope/kernels/tile"
)

// winogradGradCase is a random convolution of shapes that F(m×m, 3×3) takes on every row.
func winogradGradCase(r *rand.Rand, m int) gradCase {
	pad := r.IntN(2)
	g := gradCase{n: 1 + r.IntN(3), c: 16 * (1 + r.IntN(3)), outC: 32 * (1 + r.IntN(2)), k: 3, stride: 1, dilation: 1, pad: pad}
	g.h, g.w = m*(1+r.IntN(5))+2-2*pad, m*(1+r.IntN(5))+2-2*pad
	if r.IntN(3) == 0 { // more tiles than a block, in many images
		g.n, g.h, g.w = 17+r.IntN(20), 2*m+2-2*pad, m+2-2*pad
	}
	return g
}

// TestWinogradGrad compares with the plainest sum in float64 and with FilterGrad, from
// slices between forbidden pages.
func TestWinogradGrad(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		needGradTransform(t, im)
		r := newRand(t)
		for i := range cases(im, 24, 8, 2) {
			m := 2 + 2*(i%2)
			testWinogradGrad(t, im, r, winogradGradCase(r, m), m)
		}
	})
}

func needGradTransform(t *testing.T, im *Impl) {
	if !slices.ContainsFunc(im.k.Winograd, func(w tile.Winograd) bool { return w.Grad != nil }) {
		t.Skip("has no such transforms")
	}
}

func testWinogradGrad(t *testing.T, im *Impl, r *rand.Rand, g gradCase, m int) {
	s := g.spec()
	direct, err := NewFilterGrad(im, s, Float32Products)
	if err != nil {
		t.Fatal(err)
	}
	wg, err := NewWinogradGrad(im, s, m)
	if err != nil {
		t.Fatal(err)
	}
	in := view[float32](guard.Tail(t, g.n*s.In.Bytes()))
	dout := view[float32](guard.Tail(t, g.n*s.Out.Bytes()))
	for _, v := range [][]float32{in, dout} {
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
	}
	var ctx Context
	sum, sumDirect := view[float32](guard.Tail(t, 4*wg.Len())), make([]float32, direct.Len())
	dw, dwDirect := view[float32](guard.Tail(t, 4*9*g.c*g.outC)), make([]float32, 9*g.c*g.outC)
	add := func() { wg.Add(&ctx, sum, floatBytes(in), floatBytes(dout), g.n) }
	add()
	wg.Finish(dw, sum)
	direct.Add(&ctx, sumDirect, floatBytes(in), floatBytes(dout), g.n)
	direct.Finish(dwDirect, sumDirect)
	var errors, squares float64
	for o := 0; o < g.outC; o += 5 {
		for c := 0; c < g.c; c += 7 {
			want, bound := winogradGradSums(g, s, m, in, dout, c, o)
			for tap := range 9 {
				at := (9*o+tap)*g.c + c
				errors += math.Pow(float64(dw[at])-want[tap], 2)
				squares += want[tap] * want[tap]
				if got := float64(dw[at]); !(math.Abs(got-want[tap]) <= bound[tap]) {
					t.Fatalf("%+v, m = %d: dw[%d][%d][%d] = %v, want %v ± %v", g, m, o, tap, c, got, want[tap], bound[tap])
				}
				if got := float64(dw[at]); !(math.Abs(got-float64(dwDirect[at])) <= 2*bound[tap]) {
					t.Fatalf("%+v, m = %d: dw[%d][%d][%d] = %v, FilterGrad has %v, want ± %v", g, m, o, tap, c, got, dwDirect[at], 2*bound[tap])
				}
			}
		}
	}
	// Errors mostly cancel, so that the bound is far away: 2·10⁻⁶ were measured.
	if share := math.Sqrt(errors / squares); !(share <= 1e-5) {
		t.Fatalf("%+v, m = %d: errors of %v of the gradient's root mean square", g, m, share)
	}
	// What stands in sum is added to: twice as much, but for one rounding of each sum.
	add()
	twice := make([]float32, len(dw))
	wg.Finish(twice, sum)
	for i, x := range twice {
		if !(math.Abs(float64(x-2*dw[i])) <= 1e-3*(1+math.Abs(float64(x)))) {
			t.Fatalf("%+v, m = %d: weight %d has %v, twice as much as %v expected", g, m, i, x, dw[i])
		}
	}
	if n := testing.AllocsPerRun(3, add); n != 0 {
		t.Fatalf("%v allocations a call", n)
	}
}

// winogradGradSums are the taps' sums of input channel c and output channel o in float64,
// and the componentwise bound of bilinear algorithms (see checkWinograd): (K + the depth
// of the transforms)·ε times |Gᵀ|·(Σ|A|·|g|·|Aᵀ| ⊙ |Bᵀ|·|d|·|B|)·|G|, where K is the
// number of tiles.
func winogradGradSums(g gradCase, s ConvSpec, m int, in, dout []float32, c, o int) (want, bound [9]float64) {
	n, abs, matrix := m+2, winogradAbs[m], winogradG[m]
	products := make([]float64, n*n)
	tiles := 0
	for img := range g.n {
		for y := 0; y < s.Out.H; y += m {
			for x := 0; x < s.Out.W; x += m {
				tiles++
				at := func(i, j int) float64 {
					return float64(in[(img*s.In.Bytes()+s.In.Offset(y+i-s.PadTop, x+j-s.PadLeft))/4+c])
				}
				grad := func(i, j int) float64 { return float64(dout[(img*s.Out.Bytes()+s.Out.Offset(y+i, x+j))/4+o]) }
				for i := range m {
					for j := range m {
						for tap := range want {
							want[tap] += grad(i, j) * at(i+tap/3, j+tap%3)
						}
					}
				}
				// |Bᵀ|·|d| and |A|·|g| first, then the other side.
				var bd, ag [6][6]float64
				for p := range n {
					for j := range n {
						for i := range n {
							bd[p][j] += abs.bt[p][i] * math.Abs(at(i, j))
						}
					}
					for j := range m {
						for i := range m {
							ag[p][j] += abs.at[i][p] * math.Abs(grad(i, j))
						}
					}
				}
				for p := range products {
					var v, w float64
					for j := range n {
						v += bd[p/n][j] * abs.bt[p%n][j]
					}
					for j := range m {
						w += ag[p/n][j] * abs.at[j][p%n]
					}
					products[p] += v * w
				}
			}
		}
	}
	for tap := range bound {
		for p, x := range products {
			bound[tap] += math.Abs(matrix[p/n][tap/3]*matrix[p%n][tap%3]) * x
		}
		bound[tap] *= float64(tiles+4*n) * 0x1p-23
	}
	return want, bound
}

// The transform of dout is exact in what it multiplies by, hence bit-equal to plain Go's.
func TestGradTransform(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		needGradTransform(t, im)
		r := newRand(t)
		for i, w := range im.k.Winograd {
			n, channels := w.M+2, 3*max(w.VL, generic.Winograd[i].VL)
			for range 20 {
				col := 4 * (channels + r.IntN(3))
				row := col*w.M + 4*r.IntN(5)
				src := view[float32](guard.Tail(t, (w.M-1)*(row+col)+4*channels))
				copy(src, someFloat32(r, len(src)))
				step := 4 * (channels + r.IntN(9))
				var dst [2][]byte
				for k, f := range []tile.Winograd{w, generic.Winograd[i]} {
					dst[k] = guard.Tail(t, (n*n-1)*step+4*channels)
					for j := range dst[k] {
						dst[k][j] = 0x5a
					}
					tmp := Aligned(64 * n * n)
					f.Grad(&tile.Transform{
						Src: unsafe.Pointer(&src[0]), Dst: unsafe.Pointer(&dst[k][0]), Row: row, Col: col, Step: step,
						Vectors: channels / f.VL, Tmp: unsafe.Pointer(&tmp[0]),
					})
				}
				if !slices.Equal(dst[0], dst[1]) {
					t.Fatalf("m = %d, %d channels: other bytes than plain Go's", w.M, channels)
				}
			}
		}
	})
}

// A ColumnTile gives the bits of the Tile, whose order of sums it has, and touches nothing
// else.
func TestColumnTile(t *testing.T) {
	eachImpl(t, dtype.Float32, func(t *testing.T, im *Impl) {
		if im.k.ColumnTile == nil {
			t.Skip("has no ColumnTile")
		}
		r := newRand(t)
		for tiles := 1; tiles <= 8; tiles++ {
			for _, words := range []int{1, 2, 3, 64, 1 + r.IntN(200)} {
				mr, nr := im.k.MR, im.k.NR
				step, cStep := mr*tiles+r.IntN(20), nr+r.IntN(9)
				rows, coff, segs := make([]int, mr*tiles), make([]int, mr*tiles), make([]int, words)
				for i := range rows {
					rows[i], coff[i] = 4*i, 4*i*cStep
				}
				for i, k := range r.Perm(words) { // in any order
					segs[i] = 4 * k * step
				}
				a := view[float32](guard.Tail(t, 4*((words-1)*step+mr*tiles)))
				b := view[float32](guard.Tail(t, 4*words*nr))
				for _, v := range [][]float32{a, b} {
					for i := range v {
						v[i] = float32(r.NormFloat64())
					}
				}
				init, before := someFloat32(r, nr), someFloat32(r, (mr*tiles-1)*cStep+nr)
				var c [2][]float32
				for k, f := range []tile.Func{im.k.ColumnTile, im.k.Tile} {
					c[k] = view[float32](guard.Tail(t, 4*len(before)))
					copy(c[k], before)
					f(&tile.Args{
						A: unsafe.Pointer(&a[0]), Rows: &rows[0], Segs: &segs[0], B: unsafe.Pointer(&b[0]), C: unsafe.Pointer(&c[k][0]), COff: &coff[0],
						NSeg: words, SegLen: 1, Tiles: tiles, Mode: tile.Accumulate, Pool: 1, Init: unsafe.Pointer(&init[0]), Lo: unclampedLo, Hi: unclampedHi,
					})
				}
				if !slices.Equal(c[0], c[1]) {
					t.Fatalf("%d tiles, %d words: other sums than the tile's", tiles, words)
				}
			}
		}
	})
}

func TestWinogradGradRefuses(t *testing.T) {
	im, err := Lookup(dtype.Float32, "generic")
	if err != nil {
		t.Fatal(err)
	}
	good := gradCase{n: 1, h: 8, w: 8, c: 16, outC: 32, k: 3, stride: 1, dilation: 1, pad: 1}
	for _, refused := range []struct {
		change func(*gradCase)
		m      int
		want   string
	}{
		{func(*gradCase) {}, 6, "no transform F(6, 3)"},
		{func(g *gradCase) { g.k, g.pad = 5, 2 }, 4, "want a 3x3 kernel"},
		{func(g *gradCase) { g.stride, g.h, g.w = 2, 16, 16 }, 4, "want a 3x3 kernel"},
		{func(g *gradCase) { g.dilation, g.pad = 2, 2 }, 4, "want a 3x3 kernel"},
		{func(g *gradCase) { g.c = 12 }, 4, "12 channels in, 32 out: want multiples of 8 and 8"},
		{func(g *gradCase) { g.outC = 30 }, 4, "16 channels in, 30 out"},
		{func(g *gradCase) { g.h = 6 }, 4, "6x8 pixels: want multiples of 4"},
	} {
		g := good
		refused.change(&g)
		if _, err := NewWinogradGrad(im, g.spec(), refused.m); err == nil || !strings.Contains(err.Error(), refused.want) {
			t.Errorf("%+v: error %v, want %q", g, err, refused.want)
		}
	}
	bytes, err := Lookup(dtype.Int8, "generic")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewWinogradGrad(bytes, good.spec(), 4); err == nil {
		t.Error("an int8 row was accepted")
	}
}

// BenchmarkWinogradGrad is a group of images of the CIFAR-10 network's layers at width 2,
// beside FilterGrad on the same, with either products; GMAC/s are those of the direct sums.
func BenchmarkWinogradGrad(b *testing.B) {
	choice, err := Default()
	if err != nil {
		b.Fatal(err)
	}
	im := choice.For(dtype.Float32)
	for _, layer := range []struct{ size, c, outC int }{{32, 64, 64}, {16, 64, 128}, {16, 128, 128}, {8, 128, 256}, {8, 256, 256}} {
		g := gradCase{16, layer.size, layer.size, layer.c, layer.outC, 3, 1, 1, 1}
		for _, algo := range []string{"direct", "bfloat16", "winograd2", "winograd4"} {
			b.Run(fmt.Sprintf("dtype=float32/impl=%s/layer=%dx%dx%d-%d/algo=%s", im.Name(), g.h, g.w, g.c, g.outC, algo), func(b *testing.B) {
				s := g.spec()
				var w interface {
					Len() int
					Add(ctx *Context, sum []float32, in, dout []byte, n int)
				}
				var err error
				switch algo {
				case "direct":
					w, err = NewFilterGrad(im, s, Float32Products)
				case "bfloat16":
					w, err = NewFilterGrad(im, s, BFloat16Products)
				case "winograd2":
					w, err = NewWinogradGrad(im, s, 2)
				default:
					w, err = NewWinogradGrad(im, s, 4)
				}
				if err != nil {
					b.Skip(err)
				}
				r := seeded(1)
				in, dout := make([]float32, g.n*s.In.Bytes()/4), make([]float32, g.n*s.Out.Bytes()/4)
				for _, v := range [][]float32{in, dout} {
					for i := range v {
						v[i] = float32(r.NormFloat64())
					}
				}
				sum := make([]float32, w.Len())
				var ctx Context
				for b.Loop() {
					w.Add(&ctx, sum, floatBytes(in), floatBytes(dout), g.n)
				}
				macs := float64(g.n * s.Out.H * s.Out.W * g.outC * g.c * 9)
				b.ReportMetric(macs*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
			})
		}
	}
}
