package bound

import (
	"slices"

	"macroscope/dtype"
	"macroscope/kernels/arm64"
)

// Count is what one trip of a micro-kernel's innermost loop executes, in the
// figures that a tile is chosen by.
type Count struct {
	DType       dtype.DType `json:"dtype"`
	Impl        string      `json:"impl"`
	NonNegative bool        `json:"non_negative"` // the tile for bytes of A within 0…127
	TileRows    int         `json:"tile_rows"`
	TileCols    int         `json:"tile_columns"`

	MACs         int `json:"macs"`
	Instructions int `json:"instructions"`
	// Multiplications are instructions: FMLA, SDOT, SMMLA, SMULL with SMLAL, or EOR
	// where the values are bits.
	Multiplications int `json:"multiplications"`
	Loads           int `json:"loads"` // of a vector or less; an LDP is two
	Registers       int `json:"registers"`
	Sums            int `json:"sums"` // independent ones
}

// Counts lists every arm64 micro-kernel's, SVE's with vectors of 128 bits.
func Counts() (list []Count) {
	for _, m := range slices.Concat(arm64.Mixes, arm64.SVEMixes) {
		list = append(list, Count{
			DType: m.DType, Impl: m.Impl, NonNegative: m.NonNegative, TileRows: m.MR, TileCols: m.NR,
			MACs: m.MACs, Instructions: counts(m).sum(), Multiplications: multiplications(m), Loads: loads(m),
			Registers: m.Registers, Sums: m.Sums,
		})
	}
	return list
}

func loads(m arm64.Mix) int { return m.LoadQ + 2*m.LoadPair + m.LoadLane }

func multiplications(m arm64.Mix) int { return m.FMLA + m.SDOT + m.SMMLA + m.SMULL + m.EOR }

// Kernel is the micro-kernel's name, "int8/neon", with what its tile is for.
func (c Count) Kernel() string { return kernelName(c.DType, c.Impl, c.NonNegative) }

func kernelName(d dtype.DType, impl string, nonNegative bool) string {
	name := d.String() + "/" + impl
	if nonNegative {
		name += ", A ≥ 0"
	}
	return name
}
