package kernels

import (
	"math"

	"macroscope/dtype"
	"macroscope/kernels/tile"
	"macroscope/quant"
)

// Weights are handed over as words: rows of c values, each row padded with
// zeros to whole words. The Pack functions make them; a convolution's rows are
// [OutC][KH][KW] and its c is InC.

// PackFloat32 gives one word a value.
func PackFloat32(w []float32) []uint32 {
	words := make([]uint32, len(w))
	for i, x := range w {
		words[i] = math.Float32bits(x)
	}
	return words
}

// PackInt8 gives rows of Words(Int8, c) words; value i of a row is byte i in
// memory.
func PackInt8(w []int8, c int) []uint32 {
	per := Words(dtype.Int8, c)
	words := alignedSlice[uint32](len(w) / c * per)
	for r := range len(w) / c {
		copy(view[int8](wordBytes(words[r*per:(r+1)*per])), w[r*c:(r+1)*c])
	}
	return words
}

// PackBinary gives rows of Words(Binary, c) words; a value ≥ 0 is +1.
func PackBinary(w []float32, c int) []uint32 {
	per := Words(dtype.Binary, c)
	words := make([]uint32, len(w)/c*per)
	for r := range len(w) / c {
		quant.PackSigns(words[r*per:(r+1)*per], w[r*c:(r+1)*c])
	}
	return words
}

// packPanels turns n rows of words into what a kernel's tile reads: panels of nr
// columns, in each len(take) rows of nr words, which are the words take of a
// row; missing columns and words (−1) are 0. Segments of segLen words follow
// each other in take.
func packPanels(k *tile.Kernel, words []uint32, n, nr int, take []int, segLen int) []uint32 {
	p := alignedSlice[uint32]((n + nr - 1) / nr * len(take) * nr)
	packInto(k, p, words, n, nr, take, segLen)
	return p
}

// packInto writes the panels to p, whose missing columns and words are 0 already.
func packInto(k *tile.Kernel, p, words []uint32, n, nr int, take []int, segLen int) {
	from := len(words) / n
	for c := range n {
		row, panel := words[c*from:(c+1)*from], p[c/nr*len(take)*nr:]
		for i, t := range take {
			if t < 0 {
				continue
			}
			at := i*nr + c%nr
			if s := i % segLen; k.PairWords && s|1 < segLen { // one of a pair
				at = (i-s%2)*nr + 2*(c%nr) + s%2
			}
			panel[at] = row[t]
		}
	}
}

// all takes every word of a row.
func all(n int) []int {
	take := make([]int, n)
	for i := range take {
		take[i] = i
	}
	return take
}

// split cuts a segment of words into equal pieces of at most chunk words
// (0: any): where they start, and how long they are. The last one starts early
// if it would not fit, so that no piece reaches past the segment.
func split(words, chunk int) (starts []int, length int) {
	if chunk == 0 {
		chunk = words
	}
	pieces := (words + chunk - 1) / chunk
	length = (words + pieces - 1) / pieces
	for i := range pieces {
		starts = append(starts, min(i*length, words-length))
	}
	return starts, length
}

// rowSums adds the int8 values of each row of k words.
func rowSums(words []uint32, k int) []int32 {
	sums := make([]int32, len(words)/k)
	for r := range sums {
		for _, x := range view[int8](wordBytes(words[r*k : (r+1)*k])) {
			sums[r] += int32(x)
		}
	}
	return sums
}
