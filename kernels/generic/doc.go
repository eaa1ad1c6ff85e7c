// Package generic is the plain Go of every kernel: the definition of right,
// what every other implementation is tested against, and what runs where there
// is no assembly. Each dtype's page is the loops, nothing else.
package generic

// MR and NR are the tile's rows and columns. Small, so that the sums stay in
// the compiler's registers as far as it has any; NR is 8 so that a row of bits
// is a whole byte.
const (
	MR = 4
	NR = 8
)
