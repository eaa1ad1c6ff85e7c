package graph

import (
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Kind returns "conv2d".
func (*Conv2D) Kind() string { return "conv2d" }

// Kind returns "dense".
func (*Dense) Kind() string { return "dense" }

// Kind returns "batchnorm".
func (*BatchNorm) Kind() string { return "batchnorm" }

// Kind returns "affine".
func (*Affine) Kind() string { return "affine" }

// Kind returns "relu".
func (*ReLU) Kind() string { return "relu" }

// Kind returns "prelu".
func (*PReLU) Kind() string { return "prelu" }

// Kind returns "clip".
func (*Clip) Kind() string { return "clip" }

// Kind returns "concat".
func (*Concat) Kind() string { return "concat" }

// Kind returns "dropout".
func (*Dropout) Kind() string { return "dropout" }

// Kind returns "sign".
func (*Sign) Kind() string { return "sign" }

// Kind returns "globalaveragepool".
func (*GlobalAveragePool) Kind() string { return "globalaveragepool" }

// Kind returns "flatten".
func (*Flatten) Kind() string { return "flatten" }

// Kind returns "softmax" or "logsoftmax".
func (s *Softmax) Kind() string {
	if s.Log {
		return "logsoftmax"
	}
	return "softmax"
}

// OutShape gives [OutC H' W'] for [InC H W].
func (c *Conv2D) OutShape(in []Shape) (Shape, error) {
	s, err := oneImage(in)
	if err != nil {
		return nil, err
	}
	if c.Groups < 1 || c.InC < 1 || c.OutC < 1 || c.InC%c.Groups != 0 || c.OutC%c.Groups != 0 {
		return nil, fmt.Errorf("%d groups do not divide %d input and %d output channels", c.Groups, c.InC, c.OutC)
	}
	if s[0] != c.InC {
		return nil, fmt.Errorf("input %v: want %d channels", s, c.InC)
	}
	h, err := window("height", s[1], c.KH, c.StrideH, c.DilationH, c.PadTop, c.PadBottom)
	if err != nil {
		return nil, err
	}
	w, err := window("width", s[2], c.KW, c.StrideW, c.DilationW, c.PadLeft, c.PadRight)
	if err != nil {
		return nil, err
	}
	out := Shape{c.OutC, h, w}
	return out, out.Check()
}

// K is the number of weights of one output channel: InC/Groups·KH·KW.
func (c *Conv2D) K() int { return c.InC / c.Groups * c.KH * c.KW }

// OutShape gives [Out] for [In].
func (d *Dense) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	if len(s) != 1 || s[0] != d.In {
		return nil, fmt.Errorf("input %v: want [%d]", s, d.In)
	}
	out := Shape{d.Out}
	return out, out.Check()
}

// OutShape gives the input's shape, whose channels the constants must match.
func (b *BatchNorm) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	for _, v := range []struct {
		name string
		n    int
	}{{"gamma", len(b.Gamma)}, {"beta", len(b.Beta)}, {"mean", len(b.Mean)}, {"var", len(b.Var)}} {
		if v.n != s.Channels() {
			return nil, fmt.Errorf("%d values of %s for %d channels", v.n, v.name, s.Channels())
		}
	}
	return s.Clone(), nil
}

// At is the batch norm of x on channel c, in float64:
// Gamma·(x−Mean)/√(Var+Epsilon) + Beta, in exactly this order of operations
// and without a fused multiply-add, so that thresholds planned from it fall
// where the plain evaluation has them.
func (b *BatchNorm) At(c int, x float64) float64 { return b.at(c, x, b.root(c)) }

// Prepared is At with the square roots taken beforehand, for many x: the same values.
func (b *BatchNorm) Prepared() func(c int, x float64) float64 {
	roots := make([]float64, len(b.Var))
	for c := range roots {
		roots[c] = b.root(c)
	}
	return func(c int, x float64) float64 { return b.at(c, x, roots[c]) }
}

func (b *BatchNorm) root(c int) float64 { return math.Sqrt(float64(b.Var[c]) + float64(b.Epsilon)) }

func (b *BatchNorm) at(c int, x, root float64) float64 {
	return float64(float64(b.Gamma[c])*(x-float64(b.Mean[c]))/root) + float64(b.Beta[c])
}

// OutShape gives the input's shape, whose channels the constants must match.
func (a *Affine) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	for _, v := range []struct {
		name string
		n    int
	}{{"scale", len(a.Scale)}, {"shift", len(a.Shift)}} {
		if v.n != 1 && v.n != s.Channels() {
			return nil, fmt.Errorf("%d values of %s for %d channels: want 1 or one each", v.n, v.name, s.Channels())
		}
	}
	return s.Clone(), nil
}

// At is x·Scale + Shift on channel c, in float64 without a fused multiply-add.
func (a *Affine) At(c int, x float64) float64 {
	return float64(x*float64(perChannel(a.Scale, c))) + float64(perChannel(a.Shift, c))
}

// perChannel is v's constant for channel c, where v has one for all or one each.
func perChannel(v []float32, c int) float32 {
	if len(v) == 1 {
		return v[0]
	}
	return v[c]
}

// OutShape gives the input's shape.
func (*ReLU) OutShape(in []Shape) (Shape, error) { return same(in) }

// OutShape gives the input's shape.
func (*Sign) OutShape(in []Shape) (Shape, error) { return same(in) }

func same(in []Shape) (Shape, error) {
	s, err := one(in)
	return s.Clone(), err
}

// OutShape gives [C 1 1] for [C H W].
func (*GlobalAveragePool) OutShape(in []Shape) (Shape, error) {
	s, err := oneImage(in)
	if err != nil {
		return nil, err
	}
	return Shape{s[0], 1, 1}, nil
}

// OutShape gives the shape of the first input with all inputs' channels.
func (*Concat) OutShape(in []Shape) (Shape, error) {
	if len(in) == 0 {
		return nil, errors.New("no inputs: want at least 1")
	}
	out := in[0].Clone()
	for i, s := range in {
		if err := s.Check(); err != nil {
			return nil, err
		}
		if len(s) != len(out) || !s[1:].Equal(out[1:]) {
			return nil, fmt.Errorf("inputs %v and %v: want shapes that differ in channels alone", in[0], s)
		}
		if i > 0 {
			out[0] += s[0]
		}
	}
	return out, out.Check()
}

// OutShape gives the input's shape, whose channels the slopes must match.
func (p *PReLU) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	if n := len(p.Slope); n != 1 && n != s.Channels() {
		return nil, fmt.Errorf("%d slopes for %d channels: want 1 or one each", n, s.Channels())
	}
	return s.Clone(), nil
}

// At is the PReLU of x on channel c.
func (p *PReLU) At(c int, x float64) float64 {
	if x >= 0 {
		return x
	}
	return x * float64(perChannel(p.Slope, c))
}

// OutShape gives the input's shape.
func (*Clip) OutShape(in []Shape) (Shape, error) { return same(in) }

// OutShape gives the input's shape.
func (*Dropout) OutShape(in []Shape) (Shape, error) { return same(in) }

// OutShape gives [F] with as many elements as the input has.
func (*Flatten) OutShape(in []Shape) (Shape, error) {
	s, err := one(in)
	if err != nil {
		return nil, err
	}
	return Shape{s.Size()}, nil
}

// OutShape gives the input's shape.
func (*Softmax) OutShape(in []Shape) (Shape, error) { return same(in) }

// check reports constants that do not belong to a layer of rows×k weights:
// wrong lengths, a number that is not finite, a Binary weight that is not ±1.
func (w *Weights) check(rows, k int, l looked) error {
	if k < 1 || rows < 1 || k > MaxElements/rows {
		return fmt.Errorf("%d×%d weights: want 1 to %d", rows, k, MaxElements)
	}
	if len(w.Float) != rows*k && (w.Float != nil || w.Int8 == nil) {
		return fmt.Errorf("%d weights: want %d×%d", len(w.Float), rows, k)
	}
	if w.Bias != nil && len(w.Bias) != rows {
		return fmt.Errorf("%d biases: want %d or none", len(w.Bias), rows)
	}
	if err := l.finite("weight", w.Float); err != nil {
		return err
	}
	if err := l.finite("bias", w.Bias); err != nil {
		return err
	}
	if w.Binary {
		if err := l.once("signs", 0, w.Float, func() error {
			for i, v := range w.Float {
				if v != 1 && v != -1 {
					return fmt.Errorf("weight %d is %g in a binary layer: want 1 or -1", i, v)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if w.IntBias != nil && (w.Int8 == nil || len(w.IntBias) != rows) {
		return fmt.Errorf("%d integer biases: want %d with int8 weights, else none", len(w.IntBias), rows)
	}
	if w.Int8 == nil {
		if w.Scale != nil {
			return errors.New("a scale without int8 weights")
		}
		return nil
	}
	if len(w.Int8) != rows*k {
		return fmt.Errorf("%d int8 weights: want %d×%d", len(w.Int8), rows, k)
	}
	if len(w.Scale) != 1 && len(w.Scale) != rows {
		return fmt.Errorf("%d scales: want 1 or %d", len(w.Scale), rows)
	}
	for i, s := range w.Scale {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return fmt.Errorf("scale %d is %g: want a positive number", i, s)
		}
		if w.Float == nil && s > math.MaxFloat32/128 {
			return fmt.Errorf("scale %d is %g: want weights that float32 can hold", i, s)
		}
	}
	return nil
}

// Floats are the weights as numbers: Float, not to be written to, or a new slice of Int8
// times Scale.
func (w *Weights) Floats() []float32 {
	if w.Float != nil || w.Int8 == nil {
		return w.Float
	}
	f, each := make([]float32, len(w.Int8)), len(w.Int8)/len(w.Scale)
	for i, q := range w.Int8 {
		f[i] = float32(q) * w.Scale[i/each]
	}
	return f
}

// finite reports the first of v that is infinite or not a number.
func finite(what string, v []float32) error {
	for i, x := range v {
		if x-x != 0 {
			return fmt.Errorf("%s %d is %g: want a finite number", what, i, x)
		}
	}
	return nil
}

// looked remembers constants that were found good: nodes may share them, and a small file
// may have very many nodes that share large ones. nil remembers nothing.
type looked map[look]bool

type look struct {
	what  string
	by    float32
	first *float32
	n     int
}

// once is find's error, which says by whether the constants v are good as what.
func (l looked) once(what string, by float32, v []float32, find func() error) error {
	k := look{what, by, unsafe.SliceData(v), len(v)}
	if l[k] {
		return nil
	}
	err := find()
	if err == nil && l != nil && len(v) > 64 { // few are soon looked at
		l[k] = true
	}
	return err
}

// finite is finite, once.
func (l looked) finite(what string, v []float32) error {
	return l.once("finite", 0, v, func() error { return finite(what, v) })
}

// A checker is an op whose constants can be wrong in ways that OutShape does
// not see.
type checker interface{ checkConstants(l looked) error }

func (c *Conv2D) checkConstants(l looked) error {
	if err := finite("padding value", []float32{c.PadValue}); err != nil {
		return err
	}
	// OutShape has bounded each factor; their product may still overflow.
	k := int64(c.InC / c.Groups)
	for _, f := range []int{c.KH, c.KW} {
		if k *= int64(f); k > MaxElements {
			return fmt.Errorf("a filter of %d×%d×%d: more than %d weights", c.InC/c.Groups, c.KH, c.KW, MaxElements)
		}
	}
	return c.check(c.OutC, int(k), l)
}

func (d *Dense) checkConstants(l looked) error { return d.check(d.Out, d.In, l) }

func (b *BatchNorm) checkConstants(l looked) error {
	for _, v := range []struct {
		name string
		v    []float32
	}{{"gamma", b.Gamma}, {"beta", b.Beta}, {"mean", b.Mean}, {"var", b.Var}, {"epsilon", []float32{b.Epsilon}}} {
		if err := l.finite(v.name, v.v); err != nil {
			return err
		}
	}
	return l.once("variance", b.Epsilon, b.Var, func() error {
		for i, v := range b.Var {
			if !(float64(v)+float64(b.Epsilon) > 0) {
				return fmt.Errorf("variance %d is %g with epsilon %g: want a positive sum", i, v, b.Epsilon)
			}
		}
		return nil
	})
}

func (a *Affine) checkConstants(l looked) error {
	if err := l.finite("scale", a.Scale); err != nil {
		return err
	}
	return l.finite("shift", a.Shift)
}

func (p *PReLU) checkConstants(l looked) error { return l.finite("slope", p.Slope) }

func (c *Clip) checkConstants(l looked) error {
	if !(c.Lo <= c.Hi) {
		return fmt.Errorf("clipped to %g and %g: want a lower and an upper bound", c.Lo, c.Hi)
	}
	return nil
}

func (d *Dropout) checkConstants(l looked) error {
	if !(d.Rate >= 0 && d.Rate < 1) {
		return fmt.Errorf("rate %g: want 0 to less than 1", d.Rate)
	}
	return nil
}
