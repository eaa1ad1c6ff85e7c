package kernels

import (
	"fmt"
	"strings"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// Products is what factors are rounded to before they are multiplied, where a float32
// operation leaves a choice. Sums are float32.
type Products int

const (
	Float32Products  Products = iota // not at all
	BFloat16Products                 // to bfloat16, 8 bits of mantissa: two products at a time
)

var productNames = []string{"float32", "bfloat16"}

// String is "float32" or "bfloat16".
func (p Products) String() string {
	if p < 0 || int(p) >= len(productNames) {
		return fmt.Sprintf("Products(%d)", int(p))
	}
	return productNames[p]
}

// ParseProducts is the inverse of String.
func ParseProducts(s string) (Products, error) {
	for p, name := range productNames {
		if s == name {
			return Products(p), nil
		}
	}
	return 0, fmt.Errorf("products %q: want %s", s, strings.Join(productNames, " or "))
}

// CheckProducts says why a row cannot multiply so here, nil if it can.
func (im *Impl) CheckProducts(p Products) error {
	_, err := im.bfloat16(p)
	return err
}

// bfloat16 is what the row multiplies bfloat16 with, nil for Float32Products.
func (im *Impl) bfloat16(p Products) (*tile.BFloat16, error) {
	switch b := im.k.BFloat16; {
	case p == Float32Products && im.k.DType == dtype.Float32:
		return nil, nil
	case p != BFloat16Products || im.k.DType != dtype.Float32:
		return nil, fmt.Errorf("%v: no %v products", im, p)
	case b == nil:
		return nil, fmt.Errorf("%v has no kernel for %v products", im, p)
	default:
		if missing := lacks(b.Needs); missing != "" {
			return nil, fmt.Errorf("%v products of %v: %s", p, im, missing)
		}
		return b, nil
	}
}
