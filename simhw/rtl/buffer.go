package rtl

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// Tile is what a machine does at a stretch: Cycles of work on Read, the words
// that it needs, for Writes words of output.
type Tile struct {
	Cycles int64
	Read   []int32
	Writes int64
}

// outputs is what the test bench's machine makes of a tile whose words are in
// the buffer from its first cycle to its last.
func (t *Tile) outputs() []int32 {
	sum := int32(0)
	for _, v := range t.Read {
		sum += v
	}
	out := make([]int32, t.Writes)
	for j := range out {
		out[j] = int32(j) + 8*sum
	}
	return out
}

// Buffered runs tiles through a double-buffered memory whose DRAM moves width
// words a cycle. It returns the clock cycles from the first word read until
// the last one is written, and what DRAM then holds of the outputs.
func (ic *Icarus) Buffered(ctx context.Context, width int64, tiles []Tile) (cycles int64, outputs [][]int32, err error) {
	if width < 1 || width > maxDimension || len(tiles) < 1 || len(tiles) > maxDimension/2 {
		return 0, nil, fmt.Errorf("%d tiles, %d words a cycle: want 1 to %d of each", len(tiles), width, maxDimension/2)
	}
	var reads, writes int64 // the most
	for _, t := range tiles {
		n := int64(len(t.Read))
		if t.Cycles < 1 || n < 1 || t.Writes < 1 || max(t.Cycles, n, t.Writes) > maxDimension {
			return 0, nil, fmt.Errorf("a tile of %d cycles, %d words read, %d written: want 1 to %d of each", t.Cycles, n, t.Writes, maxDimension)
		}
		reads, writes = max(reads, n), max(writes, t.Writes)
	}
	params := []parameter{{"WIDTH", width}, {"F", int64(len(tiles))}, {"RD", reads}, {"WR", writes}}
	err = ic.simulate(ctx, "memory_bench", params, func(out io.Writer) error {
		w := bufio.NewWriter(out)
		fmt.Fprintln(w, len(tiles))
		for _, t := range tiles {
			fmt.Fprintln(w, t.Cycles, len(t.Read), t.Writes)
			for _, v := range t.Read {
				fmt.Fprintln(w, v)
			}
		}
		return w.Flush()
	}, func(in io.Reader) error {
		r := bufio.NewReader(in)
		if _, err := fmt.Fscan(r, &cycles); err != nil {
			return fmt.Errorf("cycles: %w", err)
		}
		for i, t := range tiles {
			out := make([]int32, t.Writes)
			for j := range out {
				// A word that was never written is an x, which is no number.
				if _, err := fmt.Fscan(r, &out[j]); err != nil {
					return fmt.Errorf("output %d of tile %d: %w", j, i, err)
				}
			}
			outputs = append(outputs, out)
		}
		return nil
	})
	return cycles, outputs, err
}
