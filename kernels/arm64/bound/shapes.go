package bound

import (
	"macroscope/dtype"
	"macroscope/kernels/arm64"
)

// Shape is a tile that could have been chosen, of a kernel whose instruction
// multiplies a vector of four columns with a lane of a register: FMLA or SDOT.
type Shape struct {
	Rows, Cols int
	// WordsOfA is how many words of a row one load brings, the most of 4, 2 and 1
	// for which registers are left; 0 if the tile does not fit at all.
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
	for _, words := range []int{4, 2, 1} {
		// Either a register of every row stays while B comes, two vectors at a time,
		// or those words of all columns stay while A comes, a row and the next one.
		s.Registers = s.Sums + min(rows+min(vectors, 2), words*vectors+2)
		if s.Registers <= vectorRegisters {
			s.WordsOfA = words
			break
		}
	}
	if s.WordsOfA == 0 {
		return s
	}
	m := arm64.Mix{
		DType: d, MR: rows, NR: cols, KWords: 4, LoadPair: 4 * vectors / 2,
		Scalar: 3, Branch: 1, Registers: s.Registers, Sums: s.Sums,
	}
	if s.WordsOfA == 4 {
		m.LoadQ = rows
	} else {
		m.LoadLane = 4 / s.WordsOfA * rows
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
