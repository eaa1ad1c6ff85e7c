// Command trips runs every arm64 tile once over as many words of K as its
// argument says, and prints the tiles' functions. The test that counts executed
// instructions builds it for arm64 and runs it in an emulator.
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
	words, err := strconv.Atoi(os.Args[1])
	if err != nil || words < 1 {
		fmt.Fprintf(os.Stderr, "trips: %q: want a number of words\n", os.Args[1])
		os.Exit(2)
	}
	for _, k := range arm64.Kernels {
		if k.Name == "sve" { // no mix is of it
			continue
		}
		run(k, k.Tile, words, false)
		if k.NonNegativeTile != nil {
			run(k, k.NonNegativeTile, words, true)
		}
	}
}

func run(k tile.Kernel, f tile.Func, words int, nonNegative bool) {
	a := make([]uint32, k.MR*words)
	b := make([]uint32, (words+1)*k.NR) // a pair of words more, where words go in pairs
	c := make([]uint32, k.MR*k.NR)
	init := make([]uint32, k.NR)
	rows, off := make([]int, k.MR), make([]int, k.MR)
	for r := range k.MR {
		rows[r], off[r] = 4*words*r, 4*k.NR*r
	}
	segs := []int{0}
	f(&tile.Args{
		A: unsafe.Pointer(&a[0]), Rows: &rows[0], Segs: &segs[0], B: unsafe.Pointer(&b[0]), C: unsafe.Pointer(&c[0]), COff: &off[0],
		NSeg: 1, SegLen: words, Tiles: 1, Mode: tile.Accumulate, Pool: 1, Init: unsafe.Pointer(&init[0]),
	})
	fmt.Println(k.DType, k.Name, nonNegative, runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name())
}
