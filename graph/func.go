package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Func applies a function of one variable to every element. Name is one of
// [FuncNames]; some functions take one or two parameters, which the others ignore.
type Func struct {
	Name        string
	Alpha, Beta float32
}

// A function has the number of parameters that it takes and its formula in float64.
type function struct {
	params int
	at     func(x, a, b float64) float64
}

// functions are defined as the ONNX operators of the same names are
// (https://onnx.ai/onnx/operators/), a and b being their alpha and beta; selu's second
// parameter is its gamma.
var functions = map[string]function{
	"abs":   {0, func(x, _, _ float64) float64 { return math.Abs(x) }},
	"celu":  {1, func(x, a, _ float64) float64 { return max(0, x) + min(0, a*math.Expm1(x/a)) }},
	"ceil":  {0, func(x, _, _ float64) float64 { return math.Ceil(x) }},
	"elu":   {1, func(x, a, _ float64) float64 { return positive(x, a*math.Expm1(x)) }},
	"erf":   {0, func(x, _, _ float64) float64 { return math.Erf(x) }},
	"exp":   {0, func(x, _, _ float64) float64 { return math.Exp(x) }},
	"floor": {0, func(x, _, _ float64) float64 { return math.Floor(x) }},
	"gelu":  {0, func(x, _, _ float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) }},
	"gelutanh": {0, func(x, _, _ float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}},
	"hardsigmoid": {2, func(x, a, b float64) float64 { return min(1, max(0, float64(a*x)+b)) }},
	"hardswish":   {0, func(x, _, _ float64) float64 { return x * min(1, max(0, float64(x/6)+0.5)) }},
	"log":         {0, func(x, _, _ float64) float64 { return math.Log(x) }},
	"mish":        {0, func(x, _, _ float64) float64 { return x * math.Tanh(softplus(x)) }},
	"neg":         {0, func(x, _, _ float64) float64 { return -x }},
	"reciprocal":  {0, func(x, _, _ float64) float64 { return 1 / x }},
	"round":       {0, func(x, _, _ float64) float64 { return math.RoundToEven(x) }},
	"selu":        {2, func(x, a, b float64) float64 { return b * positive(x, a*math.Expm1(x)) }},
	"sigmoid":     {0, func(x, _, _ float64) float64 { return sigmoid(x) }},
	"softplus":    {0, func(x, _, _ float64) float64 { return softplus(x) }},
	"softsign":    {0, func(x, _, _ float64) float64 { return x / (1 + math.Abs(x)) }},
	"sqrt":        {0, func(x, _, _ float64) float64 { return math.Sqrt(x) }},
	"swish":       {1, func(x, a, _ float64) float64 { return x * sigmoid(a*x) }},
	"tanh":        {0, func(x, _, _ float64) float64 { return math.Tanh(x) }},
}

func positive(x, otherwise float64) float64 {
	if x > 0 {
		return x
	}
	return otherwise
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softplus is log(1+exp(x)), written so that exp does not overflow.
func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// FuncNames lists the functions that a Func may name, in alphabetical order.
func FuncNames() []string {
	var names []string
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Kind returns the function's name.
func (f *Func) Kind() string { return f.Name }

// Parameters is how many parameters the function takes: Alpha, or Alpha and Beta.
func (f *Func) Parameters() int { return functions[f.Name].params }

// OutShape gives the input's shape.
func (*Func) OutShape(in []Shape) (Shape, error) { return same(in) }

// At is the function of x in float64.
func (f *Func) At(x float64) float64 { return f.Prepared()(x) }

// Prepared is At with the function looked up beforehand, for many x.
func (f *Func) Prepared() func(x float64) float64 {
	at, a, b := functions[f.Name].at, float64(f.Alpha), float64(f.Beta)
	return func(x float64) float64 { return at(x, a, b) }
}

func (f *Func) checkConstants(l looked) error {
	known, ok := functions[f.Name]
	if !ok {
		return fmt.Errorf("function %q: want %s", f.Name, strings.Join(FuncNames(), ", "))
	}
	if known.params == 0 && (f.Alpha != 0 || f.Beta != 0) || known.params == 1 && f.Beta != 0 {
		return fmt.Errorf("parameters %g and %g: %s takes %d", f.Alpha, f.Beta, f.Name, known.params)
	}
	if f.Name == "celu" && f.Alpha == 0 {
		return fmt.Errorf("parameter 0 of celu: want another number")
	}
	return finite("parameter", []float32{f.Alpha, f.Beta})
}
