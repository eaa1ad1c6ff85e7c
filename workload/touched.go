package workload

// Touched counts the positions of 0…n−1 among o·s + i·d − pad for 0 ≤ o < out
// and 0 ≤ i < k: the rows (or columns) that a sliding kernel reads. n, k, s, d
// and out are at least 1, pad at least 0.
//
// Taps whose i·d is the same modulo s read positions of one residue class; in
// it tap i+s/g (g the greatest common divisor of s and d) is tap i moved by
// d/g steps of s. So each class is a union of equally spaced runs of length
// out, and there are at most s/g classes.
func Touched(n, k, s, d, pad, out int64) int64 {
	g := gcd(s, d)
	period, shift := s/g, d/g
	total := int64(0)
	for i := int64(0); i < min(k, period); i++ {
		taps := (k - i + period - 1) / period
		base := i*d - pad
		// Positions base + s·t lie in 0…n−1 for lo ≤ t < hi.
		lo, hi := ceilDiv(-base, s), ceilDiv(n-base, s)
		if shift <= out {
			total += overlap(0, (taps-1)*shift+out, lo, hi)
			continue
		}
		total += spaced(taps, shift, out, lo, hi)
	}
	return total
}

// spaced counts the integers in lo…hi−1 that lie in one of the disjoint runs
// [j·step, j·step+length), 0 ≤ j < runs.
func spaced(runs, step, length, lo, hi int64) int64 {
	below := func(x int64) int64 { // of the runs' integers, how many are < x
		if x <= 0 {
			return 0
		}
		j := min(x/step, runs)
		if j == runs {
			return runs * length
		}
		return j*length + min(x-j*step, length)
	}
	return max(below(hi)-below(lo), 0)
}

func overlap(a0, a1, b0, b1 int64) int64 { return max(min(a1, b1)-max(a0, b0), 0) }

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ceilDiv is ⌈a/b⌉ for b > 0 and any a.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
