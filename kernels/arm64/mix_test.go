package arm64

import (
	"slices"
	"testing"

	"macroscope/dtype"
)

// Counted by hand from the loops in the kernels' comments: a trip takes 4 words,
// one load of 16 bytes a row and one pair of loads for every 8 columns a word.
func TestMixes(t *testing.T) {
	loop := Mix{Impl: "neon", KWords: 4, Scalar: 3, Branch: 1, Sums: 16}
	wide, tall := loop, loop
	wide.MR, wide.NR, wide.LoadQ, wide.LoadPair = 8, 8, 8, 4
	tall.MR, tall.NR, tall.LoadQ, tall.LoadPair = 4, 8, 4, 4

	float := wide // 8 rows, 2 vectors, 4 words
	float.MACs, float.FMLA, float.Registers = 8*8*4, 64, 32

	signed := tall // 4 rows, 4 halves of vectors, 4 words; a DUP for each row and word
	signed.DType, signed.MACs, signed.SMULL, signed.SADALP, signed.Permute, signed.Registers = dtype.Int8, 4*8*16, 64, 64, 16, 32
	nonNegative := signed
	nonNegative.NonNegative, nonNegative.SADALP = true, 32

	dotprod := wide
	dotprod.DType, dotprod.Impl, dotprod.MACs, dotprod.SDOT, dotprod.Registers = dtype.Int8, "dotprod", 8*8*16, 64, 32

	i8mm := wide // 4 pairs of rows, 4 pairs of columns, 2 pairs of words; 2 ZIP for 4 pairs of rows
	i8mm.DType, i8mm.Impl, i8mm.MACs, i8mm.SMMLA, i8mm.Permute, i8mm.Registers = dtype.Int8, "i8mm", 8*8*16, 32, 8, 29

	binary := tall // 4 rows, 4 vectors, 4 words
	binary.DType, binary.NR, binary.LoadPair, binary.MACs, binary.Registers = dtype.Binary, 16, 8, 4*16*128, 32
	binary.EOR, binary.CNT, binary.Add, binary.Permute = 64, 64, 64, 16

	want := []Mix{float, signed, nonNegative, dotprod, i8mm, binary}
	if !slices.Equal(Mixes, want) {
		t.Errorf("got  %+v\nwant %+v", Mixes, want)
	}

	// 8 rows of two vectors: a LDR for each vector of B and word, and a load that
	// repeats a row's four words, or its one.
	four := Mix{Impl: "sve", MR: 8, NR: 8, KWords: 4, MACs: 8 * 8 * 4, LoadQ: 8, LoadLane: 8, FMLA: 64, Scalar: 3, Branch: 1, Registers: 32, Sums: 16}
	bytes := four
	bytes.DType, bytes.MACs, bytes.FMLA, bytes.SDOT = dtype.Int8, 8*8*16, 0, 64
	one := Mix{
		DType: dtype.Binary, Impl: "sve", MR: 8, NR: 8, KWords: 1, MACs: 8 * 8 * 32, LoadQ: 2, LoadLane: 8,
		EOR: 16, CNT: 16, UDOT: 16, Scalar: 10, Branch: 1, Registers: 31, Sums: 16,
	}
	if want := []Mix{four, bytes, one}; !slices.Equal(SVEMixes, want) {
		t.Errorf("got  %+v\nwant %+v", SVEMixes, want)
	}
}
