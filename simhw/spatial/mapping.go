package spatial

import (
	"fmt"
	"slices"
	"strings"

	"macroscope/simhw/design"
)

// ParseMapping reads a mapping from a line as design.EachLoop describes it. Levels
// without loops may be left out.
func (a *Arch) ParseMapping(text string) (Mapping, error) {
	m := Empty()
	level, across := a.Count, false
	var loops [MaxLevels][]Dim // in time, outermost first
	err := design.EachLoop(text, func(name string, acrossIt bool) error {
		if across = acrossIt; across {
			return nil
		}
		for i := level - 1; i >= 0; i-- {
			if a.Levels[i].Name == name {
				level = i
				return nil
			}
		}
		return fmt.Errorf("level %q: want the levels from %s inwards", name, a.Levels[a.Count-1].Name)
	}, func(letter byte, bound int64) error {
		d := Dim(strings.IndexByte(dimNames, letter))
		if across {
			m[level].X[d] = bound
			return nil
		}
		m[level].Temporal[d] = bound
		loops[level] = append(loops[level], d)
		return nil
	})
	for i := range loops {
		slices.Reverse(loops[i])
		for d := range Dim(Dims) {
			if !slices.Contains(loops[i], d) {
				loops[i] = append(loops[i], d)
			}
		}
		copy(m[i].Order[:], loops[i])
	}
	return m, err
}

// Covers makes of a problem the one that a mapping computes: bounds that its loops do
// not divide are rounded up to what they make, and the rest is computed for nothing. ok
// is false where the loops make less, or twice as much or more.
func (m *Mapping) Covers(levels int, p *Problem) (padded Problem, ok bool) {
	padded = *p
	for d := range Dims {
		made := int64(1)
		for i := range levels {
			for _, b := range [...]int64{m[i].Temporal[d], m[i].X[d], m[i].Y[d]} {
				if made > 2*p.Bounds[d] {
					return padded, false
				}
				made *= b
			}
		}
		if made < p.Bounds[d] || made >= 2*p.Bounds[d] {
			return padded, false
		}
		padded.Bounds[d] = made
	}
	return padded, true
}

// Text is the inverse of ParseMapping, without loops of one iteration.
func (a *Arch) Text(m *Mapping) string {
	var b strings.Builder
	part := func(name string, loops []string) {
		if len(loops) > 0 {
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(name + " " + strings.Join(loops, " "))
		}
	}
	for i := a.Count - 1; i >= 0; i-- {
		var time, across []string
		for j := Dims - 1; j >= 0; j-- {
			d := m[i].Order[j]
			if f := m[i].Temporal[d]; f > 1 {
				time = append(time, fmt.Sprintf("%v%d", d, f))
			}
		}
		for d := range Dim(Dims) {
			if f := m[i].X[d] * m[i].Y[d]; f > 1 {
				across = append(across, fmt.Sprintf("%v%d", d, f))
			}
		}
		if len(time) == 0 && len(across) > 0 {
			time = []string{"N1"} // a level must stand before what goes across it
		}
		part(a.Levels[i].Name, time)
		part("across", across)
	}
	return b.String()
}
