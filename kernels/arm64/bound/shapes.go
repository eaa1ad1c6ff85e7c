package bound

import (
	"macroscope/dtype"
	"macroscope/kernels/arm64"
)

// Shape is a tile that could have been chosen, of a kernel whose instruction
// multiplies a vector of four columns with a lane of a register: FMLA or SDOT.
type Shape struct {
	Rows, Cols int
	// WordsOfA is how many words of a row one load brings: 4, or 1 where there
	// are not enough registers to keep a register of each row; 0 if the tile does
	// not fit at all.
	WordsOfA  int
	Sums      int // registers of sums
	Registers int // vector registers that the loop needs at least, of 32
	// Loads is how many loads of 16 bytes or less an FMLA or SDOT needs.
	Loads  float64
	Bounds []Prediction // one for each of Cores; nil if the tile does not fit
}

const vectorRegisters = 32

// Shapes bounds tiles on every core. Rows are a multiple of four, so that a tile
// holds whole windows of a 2×2 pool, columns a multiple of four, a vector.
func Shapes(d dtype.DType) (list []Shape) {
	for _, t := range [][2]int{{4, 8}, {4, 16}, {4, 24}, {8, 4}, {8, 8}, {8, 12}, {12, 4}, {12, 8}, {16, 4}, {16, 8}} {
		list = append(list, newShape(d, t[0], t[1]))
	}
	return list
}

func newShape(d dtype.DType, rows, cols int) Shape {
	vectors := cols / 4
	s := Shape{Rows: rows, Cols: cols, Sums: rows * vectors}
	switch whole, single := s.Sums+rows+vectors, s.Sums+2+vectors; {
	case whole <= vectorRegisters: // four words of every row, one word of every column
		s.WordsOfA, s.Registers = 4, whole
	case single <= vectorRegisters: // a word of a row, and of the next row, whose load is under way
		s.WordsOfA, s.Registers = 1, single
	default:
		s.Registers = single
		return s
	}
	m := arm64.Mix{
		DType: d, MR: rows, NR: cols, KWords: 4, LoadPair: 4 * vectors / 2,
		Scalar: 3, Branch: 1, Registers: s.Registers, Sums: s.Sums,
	}
	if m.LoadQ = 4 * vectors % 2; s.WordsOfA == 4 {
		m.LoadQ += rows
	} else {
		m.LoadLane = 4 * rows
	}
	if d == dtype.Float32 {
		m.FMLA = 4 * s.Sums
		m.MACs = 4 * m.FMLA
	} else {
		m.SDOT = 4 * s.Sums
		m.MACs = 16 * m.SDOT
	}
	s.Loads = float64(loads(m)) / float64(multiplications(m))
	for i := range Cores {
		s.Bounds = append(s.Bounds, Predict(&Cores[i], m))
	}
	return s
}
