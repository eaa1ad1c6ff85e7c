// Command trips runs every arm64 tile once, and prints the tiles' functions:
//
//	trips WORDS            over so many words of K
//	trips WORDS ROWS       the tiles of pieces, over one piece with those Rows
//
// The test that counts executed instructions builds it for arm64 and runs it in
// an emulator.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"unsafe"

	"macroscope/kernels/arm64"
	"macroscope/kernels/tile"
)

func main() {
	words := number(os.Args[1], 1)
	for _, k := range arm64.Kernels {
		switch {
		case len(os.Args) == 2:
			run(k, k.Tile, words, false, nil)
			if k.NonNegativeTile != nil {
				run(k, k.NonNegativeTile, words, true, nil)
			}
		case k.PieceTile != nil:
			run(k, k.PieceTile, words, false, &tile.Piece{Words: words, Rows: number(os.Args[2], 0)})
		}
	}
}

func number(s string, least int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < least {
		fmt.Fprintf(os.Stderr, "trips: %q: want a number of at least %d\n", s, least)
		os.Exit(2)
	}
	return n
}

func run(k tile.Kernel, f tile.Func, words int, nonNegative bool, piece *tile.Piece) {
	a := make([]uint32, k.MR*words)
	b := make([]uint32, (words+1)*k.NR) // a pair of words more, where words go in pairs
	c := make([]uint32, k.MR*k.NR)
	init := make([]uint32, 2*k.NR)
	rows, off := make([]int, k.MR), make([]int, k.MR)
	for r := range k.MR {
		rows[r], off[r] = 4*words*r, 4*k.NR*r
	}
	segs := []int{0}
	f(&tile.Args{
		A: unsafe.Pointer(&a[0]), Rows: &rows[0], Segs: &segs[0], B: unsafe.Pointer(&b[0]), C: unsafe.Pointer(&c[0]), COff: &off[0],
		NSeg: 1, SegLen: words, Tiles: 1, Mode: tile.Accumulate, Pool: 1, Init: unsafe.Pointer(&init[0]), Pieces: piece,
	})
	fmt.Println(k.DType, k.Name, nonNegative, runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name())
}
