package workload

import (
	"errors"
	"fmt"

	"macroscope/dtype"
)

// mulMax multiplies and reports false where a factor is negative or the
// product exceeds limit.
func mulMax(limit int64, factors ...int64) (int64, bool) {
	p := int64(1)
	for _, f := range factors {
		if f < 0 || (f > 0 && p > limit/f) {
			return 0, false
		}
		p *= f
	}
	return p, true
}

// Validate reports the first rule that the layer breaks, naming the field.
func (l *Layer) Validate() error {
	if err := l.validate(); err != nil {
		return fmt.Errorf("layer %q: %w", l.Name, err)
	}
	return nil
}

func (l *Layer) validate() error {
	if !l.DType.Known() {
		return fmt.Errorf("dtype %d: want float32, binary or int1 to int%d", uint8(l.DType), dtype.MaxIntBits)
	}
	if w := l.WeightWidth; w != 0 && !(l.DType.Integer() && l.Kind != Other && w >= 1 && w <= dtype.MaxIntBits) {
		return fmt.Errorf("weights of %d bits: want 0 (as the inputs), or 1 to %d in a layer of integers", w, dtype.MaxIntBits)
	}
	if l.OutBits < 0 || l.OutBits > 64 {
		return fmt.Errorf("output bits %d: want 0 (as the operands) to 64", l.OutBits)
	}
	for _, z := range [...]float64{l.ZeroInputs, l.ZeroOutputs} {
		if !(z >= 0 && z <= 1) {
			return fmt.Errorf("%g of the operands zero: want a share from 0 to 1", z)
		}
	}
	switch l.Kind {
	case Conv:
		return l.validateConv()
	case Gemm:
		for _, f := range []struct {
			name string
			v    int64
		}{{"M", l.M}, {"N", l.N}, {"K", l.K}} {
			if f.v < 1 || f.v > MaxGemm {
				return fmt.Errorf("%s %d: want 1 to %d", f.name, f.v, int64(MaxGemm))
			}
		}
		if _, ok := mulMax(MaxMACs, l.M, l.N, l.K); !ok {
			return fmt.Errorf("%d×%d×%d multiply-accumulates: want at most %d", l.M, l.N, l.K, int64(MaxMACs))
		}
		return nil
	case Other:
		if l.Op == "" {
			return errors.New("no operation: want a name such as maxpool")
		}
		if l.Elements < 1 || l.Elements > MaxMACs {
			return fmt.Errorf("elements %d: want 1 to %d", l.Elements, int64(MaxMACs))
		}
		if l.Pools() {
			return l.validatePool()
		}
		return nil
	}
	return fmt.Errorf("kind %d: want conv, gemm or other", uint8(l.Kind))
}

func (l *Layer) validatePool() error {
	if err := l.validateConv(); err != nil {
		return err
	}
	if l.OutC != l.C || l.Groups != l.C {
		return fmt.Errorf("a pool of %d channels with %d of output in %d groups: want all equal", l.C, l.OutC, l.Groups)
	}
	h, w := l.OutSize()
	if n := one(l.Batch) * h * w * int64(l.OutC); n != l.Elements {
		return fmt.Errorf("elements %d: the pool has %d outputs", l.Elements, n)
	}
	return nil
}

func (l *Layer) validateConv() error {
	for _, f := range []struct {
		name    string
		v       int
		low, up int
	}{
		{"height", l.H, 1, MaxDim}, {"width", l.W, 1, MaxDim}, {"channels", l.C, 1, MaxDim},
		{"output channels", l.OutC, 1, MaxDim}, {"kernel height", l.KH, 1, MaxDim}, {"kernel width", l.KW, 1, MaxDim},
		{"stride (rows)", l.StrideH, 0, MaxStride}, {"stride (columns)", l.StrideW, 0, MaxStride},
		{"dilation (rows)", l.DilationH, 0, MaxStride}, {"dilation (columns)", l.DilationW, 0, MaxStride},
		{"padding (top)", l.PadTop, 0, MaxStride}, {"padding (left)", l.PadLeft, 0, MaxStride},
		{"padding (bottom)", l.PadBottom, 0, MaxStride}, {"padding (right)", l.PadRight, 0, MaxStride},
		{"groups", l.Groups, 0, MaxDim}, {"batch", l.Batch, 0, MaxDim},
	} {
		if f.v < f.low || f.v > f.up {
			return fmt.Errorf("%s %d: want %d to %d", f.name, f.v, f.low, f.up)
		}
	}
	g := one(l.Groups)
	if int64(l.C)%g != 0 || int64(l.OutC)%g != 0 {
		return fmt.Errorf("groups %d: want a divisor of channels %d and output channels %d", g, l.C, l.OutC)
	}
	for _, f := range []struct {
		what            string
		n, p0, p1, k, d int
	}{
		{"height", l.H, l.PadTop, l.PadBottom, l.KH, l.DilationH},
		{"width", l.W, l.PadLeft, l.PadRight, l.KW, l.DilationW},
	} {
		span := one(f.d)*(int64(f.k)-1) + 1
		if padded := int64(f.n) + int64(f.p0) + int64(f.p1); span > padded {
			return fmt.Errorf("kernel spans %d: want at most the padded %s, %d", span, f.what, padded)
		}
	}
	oh, ow := l.OutSize()
	b, cg := one(l.Batch), int64(l.C)/g
	for _, f := range []struct {
		what    string
		factors [7]int64
	}{
		{"multiply-accumulates", [...]int64{b, oh, ow, int64(l.OutC), int64(l.KH), int64(l.KW), cg}},
		{"input words", [...]int64{b, int64(l.H), int64(l.W), int64(l.C), 1, 1, 1}},
		{"lowered input words", [...]int64{b, oh, ow, int64(l.KH), int64(l.KW), int64(l.C), 1}},
	} {
		if _, ok := mulMax(MaxMACs, f.factors[:]...); !ok {
			return fmt.Errorf("more %s than %d", f.what, int64(MaxMACs))
		}
	}
	return nil
}

// Validate checks every layer and the sums over them.
func (w *Workload) Validate() error {
	if len(w.Layers) == 0 {
		return fmt.Errorf("workload %q: no layers", w.Name)
	}
	if len(w.Layers) > MaxLayers {
		return fmt.Errorf("workload %q: %d layers, want at most %d", w.Name, len(w.Layers), MaxLayers)
	}
	total := int64(0)
	for i := range w.Layers {
		l := &w.Layers[i]
		if err := l.validate(); err != nil {
			return fmt.Errorf("workload %q: layer %d %q: %w", w.Name, i+1, l.Name, err)
		}
		if total += l.MACs(); total > MaxTotal {
			return fmt.Errorf("workload %q: more than %d multiply-accumulates in all", w.Name, int64(MaxTotal))
		}
	}
	return nil
}
