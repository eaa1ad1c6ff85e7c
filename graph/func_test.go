package graph

import (
	"math"
	"testing"
)

// Values as Python's math module gives them.
func TestFunc(t *testing.T) {
	for _, c := range []struct {
		f       Func
		x, want float64
	}{
		{Func{Name: "abs"}, -2, 2},
		{Func{Name: "celu", Alpha: 2}, -1, -0.7869386805747332},
		{Func{Name: "celu", Alpha: 2}, 3, 3},
		{Func{Name: "ceil"}, -1.5, -1},
		{Func{Name: "elu", Alpha: 0.5}, -1, -0.31606027941427883},
		{Func{Name: "elu", Alpha: 0.5}, 4, 4},
		{Func{Name: "erf"}, 1, 0.8427007929497149},
		{Func{Name: "exp"}, 1, math.E},
		{Func{Name: "floor"}, -1.5, -2},
		{Func{Name: "gelu"}, 1, 0.8413447460685429},
		{Func{Name: "gelutanh"}, 1, 0.8411919906082768},
		{Func{Name: "hardsigmoid", Alpha: 0.25, Beta: 0.5}, 1, 0.75},
		{Func{Name: "hardswish"}, -1, -1. / 3},
		{Func{Name: "hardswish"}, 4, 4},
		{Func{Name: "hardswish"}, -4, 0},
		{Func{Name: "log"}, math.E, 1},
		{Func{Name: "mish"}, 1, 0.8650983882673103},
		{Func{Name: "neg"}, 2, -2},
		{Func{Name: "reciprocal"}, 4, 0.25},
		{Func{Name: "round"}, 2.5, 2},
		{Func{Name: "selu", Alpha: 2, Beta: 3}, -1, -3.7927233529713455},
		{Func{Name: "selu", Alpha: 2, Beta: 3}, 2, 6},
		{Func{Name: "sigmoid"}, 1, 0.7310585786300049},
		{Func{Name: "softplus"}, 1, 1.3132616875182228},
		{Func{Name: "softplus"}, 1000, 1000},
		{Func{Name: "softsign"}, -3, -0.75},
		{Func{Name: "sqrt"}, 9, 3},
		{Func{Name: "swish", Alpha: 2}, 1, 0.8807970779778823},
		{Func{Name: "tanh"}, 1, 0.7615941559557649},
	} {
		if err := c.f.checkConstants(nil); err != nil {
			t.Errorf("%+v: %v", c.f, err)
		} else if got := c.f.At(c.x); !(math.Abs(got-c.want) <= 1e-12) {
			t.Errorf("%+v at %g: got %.17g, want %.17g", c.f, c.x, got, c.want)
		}
	}
}
