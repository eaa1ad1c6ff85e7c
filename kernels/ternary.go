package kernels

import "math/bits"

// Weights of −1, 0 and 1 are two words for one of the input, the bits of those that are
// 1 and of those that are −1. A bit of α = ±1 differs from its weight where it is set and
// the weight −1, or not set and the weight 1; with P counting those,
//
//	Σ α·τ = Σ |τ| − 2·P
//
// and a weight of 0 counts nowhere. For weights w = Σⱼ 2ʲ·τⱼ, whose digits have w's sign,
//
//	Σ x·w = (base + (2ᵃ−1)/2)·Σ w + (2ᵃ−1)/2·Σ |w| − Σᵢⱼ 2ⁱ⁺ʲ·Pᵢⱼ
//
// of which the tile's Init − 2·P is twice.

// ternarySteps are the significances of ternary planes, 1, 2, 4, ..., that weights need.
func ternarySteps(w []int8) []int {
	largest := 1
	for _, v := range w {
		largest = max(largest, int(v), -int(v))
	}
	var h []int
	for j := range bits.Len(uint(largest)) {
		h = append(h, 1<<j)
	}
	return h
}

// packTernary gives words [OutC][plane][KH][KW][C bits][1, −1].
func (c *Conv) packTernary(w []int8, planes int) []uint32 {
	s := &c.spec
	taps, pixel := s.KH*s.KW, 2*((s.In.C+31)/32)
	words := make([]uint32, s.Out.C*planes*taps*pixel)
	for i, v := range w {
		ch, row := i%s.In.C, i/s.In.C
		magnitude, negative := int(v), 0
		if v < 0 {
			magnitude, negative = -magnitude, 1
		}
		for j := range planes {
			at := ((row/taps*planes+j)*taps+row%taps)*pixel + ch/32*2 + negative
			words[at] |= uint32(magnitude>>j&1) << (ch % 32)
		}
	}
	return words
}

// width is how many words of weights a word of the input meets.
func (s *serial) width() int {
	if s != nil && s.ternary {
		return 2
	}
	return 1
}

// ternaryHalo is haloSums of ternary planes.
func (s *serial) ternaryHalo(b []uint32, nr, pixel int) (sum int32) {
	for _, p := range s.products {
		differs := int(s.halo >> p.x & 1) // from weights of −1 where it is 1
		for k := range pixel {
			sum -= 2 * int32(bits.OnesCount32(b[p.w*s.panel+(2*k+differs)*nr])) << p.level
		}
	}
	return sum
}

// pairsOf gives for each word the two that stand for it.
func pairsOf(take []int) (both []int) {
	for _, t := range take {
		both = append(both, 2*t, 2*t+1)
	}
	return both
}

func doubled(h []int) (twice []int) {
	for _, step := range h {
		twice = append(twice, 2*step)
	}
	return twice
}
