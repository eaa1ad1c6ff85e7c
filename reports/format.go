package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// absent stands for what was not measured or is not known.
const absent = "–"

// noisy marks a median that something disturbed; footnote explains it.
const noisy = " !"

// digits writes v with four significant digits and commas between thousands,
// never with an exponent between 0.0001 and 10¹⁵: 0.1234, 12.34, 12,345.
func digits(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return absent
	case a == 0:
		return "0"
	case a < 1e-4 || a >= 1e15:
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	if v < 0 {
		return "−" + digits(-v)
	}
	places := max(0, 3-int(math.Floor(math.Log10(a))))
	return commas(strconv.FormatFloat(v, 'f', places, 64))
}

// commas parts the thousands of a decimal number ≥ 0.
func commas(s string) string {
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		rest = "." + rest
	}
	return whole + rest
}

// count writes a whole number with commas.
func count[T int | int64](n T) string { return commas(strconv.FormatInt(int64(n), 10)) }

// median shows a value times factor without its interval; the mark of noise
// stays.
func (v *Value) median(factor float64) string {
	if v == nil || !v.Median.known() {
		return absent
	}
	s := digits(float64(v.Median) * factor)
	if v.Noisy {
		s += noisy
	}
	return s
}

// withCI shows a value times factor and how far its interval reaches to the
// farther side: "675.5 ± 0.4 %".
func (v *Value) withCI(factor float64) string {
	if v == nil || !v.Median.known() {
		return absent
	}
	s := digits(float64(v.Median)*factor) + " ± " + absent
	if v.Lo.known() && v.Hi.known() && v.Median > 0 {
		far := 100 * float64(max(v.Hi-v.Median, v.Median-v.Lo)/v.Median)
		s = digits(float64(v.Median)*factor) + " ± " + tenths(far) + " %"
	}
	if v.Noisy {
		s += noisy
	}
	return s
}

// best shows the best measurement times factor.
func (v *Value) best(factor float64) string {
	if v == nil {
		return absent
	}
	return digits(float64(v.Best) * factor)
}

// percent shows a percentage without decimals that the measurement does not
// have.
func (v *Value) percent() string {
	if v == nil || !v.Median.known() {
		return absent
	}
	return tenths(float64(v.Median)) + " %"
}

// tenths is a number with one decimal, from 100 on with none.
func tenths(v float64) string {
	if v >= 99.95 {
		return commas(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// times shows a factor ≥ 0 with three significant digits, two below 1: "×3.85".
func times(v float64) string {
	switch a := v; {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return absent
	case 0 < a && a < 0.0995:
		return "×" + strconv.FormatFloat(v, 'f', 1-int(math.Floor(math.Log10(a))), 64)
	case a >= 99.95:
		return "×" + commas(strconv.FormatFloat(v, 'f', 0, 64))
	case a >= 9.995:
		return "×" + strconv.FormatFloat(v, 'f', 1, 64)
	}
	return "×" + strconv.FormatFloat(v, 'f', 2, 64)
}

// or shows a ratio like text, and what it is held against itself as such.
func (r *Ratio) or(base bool) string {
	if base {
		return "the base"
	}
	return r.text()
}

// points shows a difference of shares in percentage points: "−0.50".
func points(d float64) string {
	return strings.Replace(fmt.Sprintf("%+.2f", 100*d), "-", "−", 1)
}

// text shows a ratio with its interval, "×3.85 (3.83–3.87)"; with ~ before it
// where the interval leaves open which of the two is faster.
func (r *Ratio) text() string {
	if r == nil {
		return absent
	}
	bare := func(f Float) string { return strings.TrimPrefix(times(float64(f)), "×") }
	s := times(float64(r.Ratio))
	switch {
	case !r.Lo.known() || !r.Hi.known():
		return s + " (" + absent + ")"
	case r.unclear():
		s = "~" + s
	}
	return s + " (" + bare(r.Lo) + "–" + bare(r.Hi) + ")"
}

// short shows a ratio without its interval.
func (r *Ratio) short() string {
	switch {
	case r == nil:
		return absent
	case r.unclear():
		return "~" + times(float64(r.Ratio))
	}
	return times(float64(r.Ratio))
}

// size shows bytes in KiB, from one MiB on in MiB.
func size(bytes int) string {
	if bytes >= 1<<20 {
		return strconv.FormatFloat(float64(bytes)/(1<<20), 'f', 2, 64) + " MiB"
	}
	return strconv.FormatFloat(float64(bytes)/(1<<10), 'f', 1, 64) + " KiB"
}

// text shows the share of right answers and its interval.
func (a *Accuracy) text() string {
	if a == nil {
		return absent
	}
	return fmt.Sprintf("%.2f %% (%.1f–%.1f)", 100*a.Top1, 100*a.Lo, 100*a.Hi)
}

// short shows the share of right answers alone.
func (a *Accuracy) short() string {
	if a == nil {
		return absent
	}
	return fmt.Sprintf("%.2f %%", 100*a.Top1)
}

// share is a percentage of a whole; absent where there is none.
func share(part, whole float64) string {
	if !(whole > 0) {
		return absent
	}
	return tenths(100*part/whole) + " %"
}

// Quoted is a word as a shell takes it.
func Quoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\"'\\$`*?[]{}()|&;<>#~!") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
