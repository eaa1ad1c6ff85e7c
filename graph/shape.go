package graph

import (
	"fmt"
	"slices"
	"strings"
)

// MaxElements is the most elements that one value may have for one image, and
// the most weights that one layer may have. It keeps every product of extents
// within int32, also where a file claims absurd ones.
const MaxElements = 1 << 28

// Size is the number of elements, 1 for an empty shape. It is only meaningful
// for a shape that Check accepts.
func (s Shape) Size() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether s and t have the same extents.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// Clone returns a copy that shares nothing with s.
func (s Shape) Clone() Shape { return slices.Clone(s) }

// String writes the shape as "[3 32 32]".
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, d)
	}
	b.WriteByte(']')
	return b.String()
}

// Check reports a shape that no value can have: neither [C H W] nor [F], an
// extent below 1, or more than MaxElements elements.
func (s Shape) Check() error {
	if len(s) != 1 && len(s) != 3 {
		if len(s) > 8 {
			return fmt.Errorf("shape of %d dimensions: want [C H W] or [F]", len(s))
		}
		return fmt.Errorf("shape %v: want [C H W] or [F]", s)
	}
	n := 1
	for _, d := range s {
		if d < 1 {
			return fmt.Errorf("shape %v: extent %d: want at least 1", s, d)
		}
		if d > MaxElements/n {
			return fmt.Errorf("shape %v: more than %d elements", s, MaxElements)
		}
		n *= d
	}
	return nil
}

// Channels is the first extent: C of [C H W], F of [F].
func (s Shape) Channels() int { return s[0] }

// Plane is the number of elements of one channel: H·W of [C H W], 1 of [F].
func (s Shape) Plane() int {
	n := 1
	for _, d := range s[1:] {
		n *= d
	}
	return n
}

// one returns the only input shape, or says that there is not exactly one.
func one(in []Shape) (Shape, error) {
	if len(in) != 1 {
		return nil, fmt.Errorf("%d inputs: want 1", len(in))
	}
	return in[0], in[0].Check()
}

// oneImage is one with the further rule that the shape is [C H W].
func oneImage(in []Shape) (Shape, error) {
	s, err := one(in)
	if err == nil && len(s) != 3 {
		err = fmt.Errorf("input %v: want [C H W]", s)
	}
	return s, err
}

// window returns how many positions a window of the given size takes along an
// extent, ⌊(n + before + after − dilation·(size−1) − 1)/stride⌋ + 1, or an error
// that names axis.
func window(axis string, n, size, stride, dilation, before, after int) (int, error) {
	for _, p := range []struct {
		name     string
		v, least int
	}{
		{"kernel", size, 1}, {"stride", stride, 1}, {"dilation", dilation, 1},
		{"padding before", before, 0}, {"padding after", after, 0},
	} {
		if p.v < p.least || p.v > MaxElements {
			return 0, fmt.Errorf("%s %s %d: want %d to %d", axis, p.name, p.v, p.least, MaxElements)
		}
	}
	span := int64(dilation)*int64(size-1) + 1
	room := int64(n) + int64(before) + int64(after)
	if span > room {
		return 0, fmt.Errorf("%s: a window of %d does not fit in %d (%d and padding %d, %d)", axis, span, room, n, before, after)
	}
	return int((room-span)/int64(stride)) + 1, nil
}
