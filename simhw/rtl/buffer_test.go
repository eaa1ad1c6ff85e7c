package rtl

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"macroscope/simhw/design"
	"macroscope/simhw/memory"
	"macroscope/simhw/systolic"
)

func tile(rnd *rand.Rand, cycles, reads, writes int64) Tile {
	t := Tile{Cycles: cycles, Read: make([]int32, reads), Writes: writes}
	for i := range t.Read {
		t.Read[i] = rnd.Int32N(1 << 16)
	}
	return t
}

func buffered(t *testing.T, width int64, tiles []Tile) int64 {
	t.Helper()
	cycles, outputs, err := icarus(t).Buffered(t.Context(), width, tiles)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tiles {
		same(t, fmt.Sprintf("tile %d of %d, %d words a cycle", i, len(tiles), width), outputs[i], tiles[i].outputs())
	}
	return cycles
}

// cycles is the formula: the first read, then of each tile the longer of its work and of
// reading the next and writing the last, in parts of a cycle; then the last write.
// Waits is the words that tiles wait for.
func cycles(width int64, work, reads, writes []int64) (total, waits int64) {
	n := len(work)
	for i, c := range work {
		words := int64(0)
		if i+1 < n {
			words += reads[i+1]
		}
		if i > 0 {
			words += writes[i-1]
		}
		total += c
		waits += max(0, words-c*width)
	}
	whole := func(words int64) int64 { return (words + width - 1) / width }
	return total + whole(reads[0]+waits) + whole(writes[n-1]), waits
}

// Random tiles against the formula, of which many are as short as their transfers.
func TestBuffered(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 0))
	for round := range 20 {
		width := 1 + rnd.Int64N(9)
		tiles := make([]Tile, 1+rnd.IntN(30))
		longest := []int64{3, 20}[round%2]
		var work, reads, writes []int64
		for i := range tiles {
			c := 1 + rnd.Int64N(longest)
			tiles[i] = tile(rnd, c, 1+rnd.Int64N(2*c*width), 1+rnd.Int64N(c*width))
			work, reads, writes = append(work, c), append(reads, int64(len(tiles[i].Read))), append(writes, tiles[i].Writes)
		}
		want, _ := cycles(width, work, reads, writes)
		if got := buffered(t, width, tiles); got != want {
			t.Errorf("%d tiles, %d words a cycle: %d cycles in Verilog, %d by the formula", len(tiles), width, got, want)
		}
	}
}

// In Verilog too a faster clock can take longer before the same DRAM, which then moves
// fewer words a cycle: by nearly two of its cycles, the end of the waits and that of the
// write-back, never by two. First a tile whose words take one cycle of the slower clock
// and just over one of the faster.
func TestBufferedFasterClock(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 0))
	tiles := []Tile{tile(rnd, 1, 100, 100)}
	slow, fast, longest := int64(100), int64(99), 0.0
	for range 8 {
		x := float64(slow) / float64(fast)
		over := float64(buffered(t, fast, tiles)) - x*float64(buffered(t, slow, tiles))
		if over >= 2 {
			t.Errorf("%d tiles, %d words a cycle, then %d: %g cycles longer with the faster clock", len(tiles), slow, fast, over)
		}
		longest = max(longest, over)
		slow = 2 + rnd.Int64N(40)
		fast = slow - 1 - rnd.Int64N(slow/2)
		tiles = make([]Tile, 1+rnd.IntN(6))
		for i := range tiles {
			tiles[i] = tile(rnd, 1+rnd.Int64N(4), 1+rnd.Int64N(4*slow), 1+rnd.Int64N(4*slow))
		}
	}
	if longest < 1.9 {
		t.Errorf("longer by %g cycles at most: the bound could be lower", longest)
	}
}

// Layers whose folds' words are plain to see: output stationary, all channels
// in one column fold, inputs too large to keep, so that every fold reads its
// own rows and the first one the weights too. The Verilog takes package
// memory's cycles.
func TestBufferedLayer(t *testing.T) {
	rnd := rand.New(rand.NewPCG(12, 0))
	stalled := 0
	for range 10 {
		a := systolic.Array{Rows: 1 + rnd.Int64N(6), Cols: 6, Dataflow: design.OS, Drain: design.Drain(rnd.IntN(2)), Gated: rnd.IntN(2) == 0}
		m, n, k := 1+rnd.Int64N(40), 1+rnd.Int64N(6), 1+rnd.Int64N(30)
		width := 1 + rnd.Int64N(12)
		p := memory.Problem{
			Map: a.Map(m, n, k, 1, 1), InputWords: m * k, LineWords: m * k,
			OperandBits: 8, AccumulatorBits: 32, OutputBits: 8,
			IfmapBits: 1, FilterBits: 8 * n * k, OfmapBits: 1 << 20, BytesPerCycle: float64(width),
		}
		r, ok := memory.Run(&p)
		if !ok {
			t.Fatal("too many cycles")
		}
		if r.StallCycles > r.Stalls[memory.WriteBack] {
			stalled++
		}
		var tiles []Tile
		for r0 := int64(0); r0 < m; r0 += a.Rows {
			rows := min(a.Rows, m-r0)
			reads := rows * k
			if r0 == 0 {
				reads += n * k
			}
			tiles = append(tiles, tile(rnd, p.Map.FoldCycles(rows, n), reads, rows*n))
		}
		want := r.PrefetchCycles + r.Map.Cycles() + r.StallCycles
		if got := buffered(t, width, tiles); got != want {
			t.Errorf("%+v, %d×%d×%d, %d bytes a cycle: %d cycles in Verilog, %d by package memory", a, m, n, k, width, got, want)
		}
	}
	if stalled < 2 || stalled > 8 {
		t.Errorf("%d of 10 layers wait for DRAM: want some that do and some that do not", stalled)
	}
}

func TestBufferedRefuses(t *testing.T) {
	ic := &Icarus{}
	for _, c := range []struct {
		width int64
		tiles []Tile
		want  string
	}{
		{0, []Tile{{1, []int32{1}, 1}}, "words a cycle"},
		{1, nil, "0 tiles"},
		{1, []Tile{{0, []int32{1}, 1}}, "0 cycles"},
		{1, []Tile{{1, nil, 1}}, "0 words read"},
	} {
		if _, _, err := ic.Buffered(t.Context(), c.width, c.tiles); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d words a cycle, %v: error %v, want %q", c.width, c.tiles, err, c.want)
		}
	}
}
