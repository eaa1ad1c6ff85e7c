package onnx

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/graph/reference"
	"macroscope/onnx/internal/onnxpb"
)

// Every operator with its attributes, on numbers small enough to work out by
// hand: the graph that is read computes want of x, or the error holds want.
func TestOperators(t *testing.T) {
	img := dims(1, 3, 3)
	nine := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9}
	digits := floats("w", dims(1, 1, 2, 2), 1, 10, 100, 1000)
	half := floats("half", dims(1), 0.5)
	one := floats("one", nil, 1)
	for _, c := range []struct {
		name  string
		input []int64
		x     []float32
		parts []part
		want  any // []float64 or string
	}{
		{"Conv", img, nine, []part{digits, op("Conv", "y", in("x", "w"))}, []float64{5421, 6532, 8754, 9865}},
		{"Conv bias", img, nine, []part{digits, half, op("Conv", "y", in("x", "w", "half"))}, []float64{5421.5, 6532.5, 8754.5, 9865.5}},
		{"Conv no bias given", img, nine, []part{digits, op("Conv", "y", in("x", "w", ""))}, []float64{5421, 6532, 8754, 9865}},
		{"Conv kernel_shape", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("kernel_shape", 2, 2))}, []float64{5421, 6532, 8754, 9865}},
		{"Conv kernel_shape wrong", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("kernel_shape", 2, 3))}, "kernel_shape: [2 3]: the weights are 2×2"},
		{"Conv strides", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("strides", 1, 2))}, []float64{5421, 8754}},
		{"Conv dilations", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("dilations", 2, 2))}, []float64{9731}},
		// pads are top, left, bottom, right: here a row above and a column left.
		{"Conv pads", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("pads", 1, 1, 0, 0), attrInts("strides", 2, 2))}, []float64{1000, 3200, 7040, 9865}},
		{"Conv pads negative", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("pads", -1, 0, 0, 0))}, "attribute pads: -1"},
		{"Conv pads short", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("pads", 1, 1))}, "attribute pads: 2 numbers: want 4"},
		{"Conv stride zero", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("strides", 0, 1))}, "attribute strides: 0"},
		{"Conv stride huge", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("strides", 1<<62, 1))}, "attribute strides"},
		{"Conv VALID", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrString("auto_pad", "VALID"))}, []float64{5421, 6532, 8754, 9865}},
		// One more row and column are needed, after or before.
		{"Conv SAME_UPPER", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrString("auto_pad", "SAME_UPPER"))},
			[]float64{5421, 6532, 603, 8754, 9865, 906, 87, 98, 9}},
		{"Conv SAME_LOWER", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrString("auto_pad", "SAME_LOWER"))},
			[]float64{1000, 2100, 3200, 4010, 5421, 6532, 7040, 8754, 9865}},
		{"Conv SAME_UPPER stride 2", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrString("auto_pad", "SAME_UPPER"), attrInts("strides", 2, 2))},
			[]float64{5421, 603, 87, 9}},
		{"Conv auto_pad and pads", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrString("auto_pad", "SAME_UPPER"), attrInts("pads", 1, 0, 0, 0))}, "want one"},
		{"Conv auto_pad unknown", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrString("auto_pad", "SAME"))}, `auto_pad: "SAME"`},
		{"Conv group", dims(2, 1, 1), []float32{2, 5}, []part{floats("w", dims(2, 1, 1, 1), 3, 7), op("Conv", "y", in("x", "w"), attrInt("group", 2))}, []float64{6, 35}},
		{"Conv group wrong", dims(2, 1, 1), []float32{2, 5}, []part{floats("w", dims(2, 1, 1, 1), 3, 7), op("Conv", "y", in("x", "w"))}, "1 groups of 1 input channels by the weights, the input has 2"},
		{"Conv group zero", dims(2, 1, 1), []float32{2, 5}, []part{floats("w", dims(2, 1, 1, 1), 3, 7), op("Conv", "y", in("x", "w"), attrInt("group", 0))}, "0 groups"},
		{"Conv group of three", dims(6, 1, 1), make([]float32, 6), []part{floats("w", dims(2, 2, 1, 1), 3, 7, 1, 1), op("Conv", "y", in("x", "w"), attrInt("group", 3))}, "3 groups do not divide 6 input and 2 output channels"},
		{"Conv weights computed", img, nine, []part{op("Relu", "r", in("x")), op("Conv", "y", in("x", "r"))}, "input 1 is computed: want a constant"},
		{"Conv 1-D weights", img, nine, []part{floats("w", dims(1, 1, 2), 1, 2), op("Conv", "y", in("x", "w"))}, "want 4, [out, in/group, height, width] or"},
		{"Conv of a vector", dims(4), nine[:4], []part{digits, op("Conv", "y", in("x", "w"))}, "want an image [C H W]"},
		{"Conv too large", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInts("dilations", 3, 3))}, "does not fit"},
		{"Conv bias long", img, nine, []part{digits, floats("b", dims(2), 1, 2), op("Conv", "y", in("x", "w", "b"))}, "input 2 has dimensions [2]: want [1]"},
		{"Conv no weights", img, nine, []part{op("Conv", "y", in("x"))}, "input 1 is missing"},
		{"Conv fourth input", img, nine, []part{digits, op("Conv", "y", in("x", "w", "", "x"))}, "4 inputs: want at most 3"},
		{"Conv unknown attribute", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInt("fast", 1))}, `attributes not supported: "fast"`},
		{"Conv attribute type", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrFloat("group", 1))}, "attribute group: type FLOAT: want INT"},
		{"Conv attribute twice", img, nine, []part{digits, op("Conv", "y", in("x", "w"), attrInt("group", 1), attrInt("group", 1))}, "given twice"},

		{"Gemm transB", dims(2), []float32{10, 1}, []part{floats("w", dims(3, 2), 1, 2, 3, 4, 5, 6), op("Gemm", "y", in("x", "w"), attrInt("transB", 1))}, []float64{12, 34, 56}},
		{"Gemm", dims(2), []float32{10, 1}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), op("Gemm", "y", in("x", "w"))}, []float64{14, 25, 36}},
		{"Gemm alpha beta", dims(2), []float32{10, 1}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), floats("c", dims(1, 3), 1, 2, 3),
			op("Gemm", "y", in("x", "w", "c"), attrFloat("alpha", 2), attrFloat("beta", 10))}, []float64{38, 70, 102}},
		{"Gemm scalar C", dims(2), []float32{10, 1}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), half, op("Gemm", "y", in("x", "w", "half"))}, []float64{14.5, 25.5, 36.5}},
		{"Gemm C of rows", dims(2), []float32{10, 1}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), floats("c", dims(3, 1), 1, 2, 3), op("Gemm", "y", in("x", "w", "c"))}, "input 2 has dimensions [3 1]: want [3]"},
		{"Gemm transA", dims(2), []float32{10, 1}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), op("Gemm", "y", in("x", "w"), attrInt("transA", 1))}, "transA"},
		{"Gemm of an image", img, nine, []part{floats("w", dims(9, 1), nine...), op("Gemm", "y", in("x", "w"))}, "input [1 3 3]: want [9]"},
		{"Gemm of other size", dims(3), nine[:3], []part{floats("w", dims(2, 1), 1, 2), op("Gemm", "y", in("x", "w"))}, "input [3]: want [2]"},
		{"MatMul", dims(2), []float32{10, 1}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), op("MatMul", "y", in("x", "w"))}, []float64{14, 25, 36}},
		{"MatMul constant first", dims(2, 2), []float32{10, 1, 20, 2}, []part{floats("w", dims(3, 2), 1, 2, 3, 4, 5, 6), op("MatMul", "y", in("w", "x"))}, []float64{50, 5, 110, 11, 170, 17}},
		{"MatMul constant first, of a vector", dims(2), []float32{10, 1}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), op("MatMul", "y", in("w", "x"))}, "want [out, in] and [in, n]"},
		{"MatMul of rows", dims(2, 2), []float32{10, 1, 20, 2}, []part{floats("w", dims(2, 3), 1, 2, 3, 4, 5, 6), op("MatMul", "y", in("x", "w"))}, []float64{14, 25, 36, 28, 50, 72}},
		{"MatMul 3-D", dims(2), []float32{10, 1}, []part{floats("w", dims(1, 2, 3), 1, 2, 3, 4, 5, 6), op("MatMul", "y", in("x", "w"))}, "weights of dimensions [1 2 3]: want 2"},

		{"BatchNormalization", dims(2), []float32{5, 6}, []part{floats("g", dims(2), 3, -2), floats("b", dims(2), 7, 1), floats("m", dims(2), 1, 2), floats("v", dims(2), 3, -0.75),
			op("BatchNormalization", "y", in("x", "g", "b", "m", "v"), attrFloat("epsilon", 1), attrFloat("momentum", 0.5))}, []float64{13, -15}},
		{"BatchNormalization training", dims(1), nine[:1], []part{half, op("BatchNormalization", "y", in("x", "half", "half", "half", "half"), attrInt("training_mode", 1))}, "training_mode"},
		{"BatchNormalization spatial", dims(1), nine[:1], []part{opset(8), half, op("BatchNormalization", "y", in("x", "half", "half", "half", "half"), attrInt("spatial", 0))}, "spatial"},
		{"BatchNormalization short", dims(1), nine[:1], []part{half, op("BatchNormalization", "y", in("x", "half", "half"))}, "input 3 is missing"},
		{"BatchNormalization variance", dims(1), nine[:1], []part{half, floats("v", dims(1), -1), op("BatchNormalization", "y", in("x", "half", "half", "half", "v"))}, "variance 0 is -1"},

		{"Relu", dims(3), []float32{-1, 0, 2}, []part{op("Relu", "y", in("x"))}, []float64{0, 0, 2}},
		{"PRelu", dims(2, 1, 2), []float32{-1, 2, -3, 4}, []part{floats("k", dims(2, 1, 1), 0.5, 10), op("PRelu", "y", in("x", "k"))}, []float64{-0.5, 2, -30, 4}},
		{"PRelu one slope", dims(2), []float32{-1, 2}, []part{half, op("PRelu", "y", in("x", "half"))}, []float64{-0.5, 2}},
		{"PRelu by columns", dims(2, 1, 2), nil, []part{floats("k", dims(2), 10, 100), op("PRelu", "y", in("x", "k"))}, "want a constant slope, one for all or one a channel"},
		{"PRelu slope computed", dims(2), nil, []part{half, op("PRelu", "y", in("half", "x"))}, "want a constant slope"},
		{"Clip", dims(3), []float32{-1, 0.75, 2}, []part{half, one, op("Clip", "y", in("x", "half", "one"))}, []float64{0.5, 0.75, 1}},
		{"Clip above", dims(3), []float32{-1, 0.25, 2}, []part{one, op("Clip", "y", in("x", "", "one"))}, []float64{-1, 0.25, 1}},
		{"Clip attributes", dims(3), []float32{-1, 0.25, 2}, []part{opset(10), op("Clip", "y", in("x"), attrFloat("min", 0))}, []float64{0, 0.25, 2}},
		{"Clip turned round", dims(3), []float32{0, 0.75, 2}, []part{half, one, op("Clip", "y", in("x", "one", "half"))}, []float64{0.5, 0.5, 0.5}},
		{"Clip many", dims(3), nil, []part{floats("k", dims(2), 10, 100), op("Clip", "y", in("x", "k"))}, "input 1 has 2 values: want 1"},
		{"Concat", dims(1, 1, 2), []float32{-1, 2}, []part{op("Relu", "r", in("x")), op("Concat", "y", in("x", "r", "x"), attrInt("axis", -3))}, []float64{-1, 2, 0, 2, -1, 2}},
		{"Concat of rows", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{op("Relu", "r", in("x")), op("Concat", "y", in("x", "r"), attrInt("axis", 2))}, []float64{1, 2, 1, 2, 3, 4, 3, 4}},
		{"Concat of images", dims(1, 1, 2), nil, []part{op("Concat", "y", in("x", "x"), attrInt("axis", 0))}, "attribute axis: 0: the batch"},
		{"Concat without axis", dims(1, 1, 2), nil, []part{op("Concat", "y", in("x", "x"))}, "attribute axis: missing"},
		{"Concat sizes", dims(2, 2, 2), make([]float32, 8), []part{op("MaxPool", "r", in("x"), attrInts("kernel_shape", 2, 2)), op("Concat", "y", in("x", "r"), attrInt("axis", 1))}, "differ in axis 1 alone"},
		{"Dropout", dims(2), []float32{-1, 2}, []part{half, op("Dropout", "y", in("x", "half"))}, []float64{-1, 2}},
		{"Dropout ratio", dims(2), []float32{-1, 2}, []part{opset(7), op("Dropout", "y", in("x"), attrFloat("ratio", 0.1))}, []float64{-1, 2}},
		{"Dropout of all", dims(2), nil, []part{one, op("Dropout", "y", in("x", "one"))}, "rate 1: want 0 to less than 1"},

		{"Relu attribute", dims(3), nil, []part{op("Relu", "y", in("x"), attrInt("up", 1))}, "attributes not supported"},
		{"MaxPool", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2))}, []float64{5, 6, 8, 9}},
		{"MaxPool strides", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2))}, []float64{5}},
		{"MaxPool ceil", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2), attrInt("ceil_mode", 1))}, []float64{5, 6, 8, 9}},
		{"MaxPool ceil even", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 3, 1), attrInts("strides", 2, 2), attrInt("ceil_mode", 1))}, []float64{7, 9}},
		// A third window would begin in the padding after the image: there is none.
		{"MaxPool ceil beyond", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 3, 3), attrInts("strides", 3, 3), attrInts("pads", 0, 0, 1, 1), attrInt("ceil_mode", 1))}, []float64{9}},
		{"MaxPool pads", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2), attrInts("pads", 1, 0, 0, 1))}, []float64{2, 3, 8, 9}},
		{"MaxPool SAME_LOWER", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2), attrInts("strides", 2, 2), attrString("auto_pad", "SAME_LOWER"))}, []float64{1, 3, 7, 9}},
		{"MaxPool dilations", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2), attrInts("dilations", 2, 2))}, []float64{9}},
		{"MaxPool storage_order", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2), attrInt("storage_order", 1))}, "storage_order"},
		{"MaxPool no kernel", img, nine, []part{op("MaxPool", "y", in("x"))}, "kernel_shape is missing"},
		{"MaxPool pads too large", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2, 2), attrInts("pads", 2, 0, 0, 0))}, "want less than the window"},
		{"MaxPool 1-D kernel", img, nine, []part{op("MaxPool", "y", in("x"), attrInts("kernel_shape", 2))}, "1 numbers: want 2"},
		{"GlobalAveragePool", dims(2, 1, 2), []float32{1, 2, 10, 30}, []part{op("GlobalAveragePool", "y", in("x"))}, []float64{1.5, 20}},

		{"Add values", dims(2), []float32{-1, 2}, []part{op("Relu", "r", in("x")), op("Add", "y", in("x", "r"))}, []float64{-1, 4}},
		{"Add itself", dims(2), []float32{-1, 2}, []part{op("Add", "y", in("x", "x"))}, []float64{-2, 4}},
		{"Add shapes", dims(2), []float32{3, 5}, []part{floats("w", dims(2, 1), 1, 1), op("MatMul", "r", in("x", "w")), op("Add", "y", in("x", "r"))}, []float64{11, 13}},
		{"Add shapes that differ", dims(2), nil, []part{floats("w", dims(2, 3), 1, 1, 1, 1, 1, 1), op("MatMul", "r", in("x", "w")), op("Add", "y", in("x", "r"))}, "want one shape"},
		{"Add one input", dims(2), nil, []part{op("Add", "y", in("x"))}, "input 1 is missing"},
		{"Add constant", dims(2), []float32{-1, 2}, []part{half, op("Add", "y", in("x", "half"))}, []float64{-0.5, 2.5}},
		{"Add each", dims(2), []float32{-1, 2}, []part{floats("k", dims(2), 10, 20), op("Add", "y", in("k", "x"))}, []float64{9, 22}},
		{"Sub constant", dims(2), []float32{-1, 2}, []part{half, op("Sub", "y", in("x", "half"))}, []float64{-1.5, 1.5}},
		{"Sub from constant", dims(2), []float32{-1, 2}, []part{half, op("Sub", "y", in("half", "x"))}, []float64{1.5, -1.5}},
		{"Mul", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{floats("k", dims(1, 2, 1, 1), 10, 100), op("Mul", "y", in("x", "k"))}, []float64{10, 20, 300, 400}},
		{"Mul scalar", dims(2), []float32{1, 2}, []part{floats("k", nil, 3), op("Mul", "y", in("k", "x"))}, []float64{3, 6}},
		{"Mul without batch", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{floats("k", dims(2, 1, 1), 10, 100), op("Mul", "y", in("x", "k"))}, []float64{10, 20, 300, 400}},
		{"Mul by columns", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{floats("k", dims(2), 10, 100), op("Mul", "y", in("x", "k"))}, []float64{10, 200, 30, 400}},
		{"Mul by images", dims(2), nil, []part{floats("k", dims(2, 1), 10, 100), op("Mul", "y", in("x", "k"))}, "want 1 first, for every image"},
		{"Mul more dimensions", dims(2), nil, []part{floats("k", dims(1, 1, 2), 10, 100), op("Mul", "y", in("x", "k"))}, "want as many dimensions"},
		{"Mul values", dims(2), []float32{-3, 5}, []part{op("Relu", "r", in("x")), op("Mul", "y", in("x", "r"))}, []float64{0, 25}},
		{"Div", dims(2), []float32{1, 2}, []part{floats("k", dims(2), 4, 8), op("Div", "y", in("x", "k"))}, []float64{0.25, 0.25}},
		{"Div by zero", dims(2), nil, []part{floats("k", dims(1), 0), op("Div", "y", in("x", "k"))}, "scale 0 is +Inf"},
		{"Div constant", dims(2), []float32{2, 4}, []part{half, op("Div", "y", in("half", "x"))}, []float64{0.25, 0.125}},
		{"Mul nan", dims(2), nil, []part{floats("k", dims(1), float32(math.NaN())), op("Mul", "y", in("x", "k"))}, "NaN"},

		{"Flatten", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{op("Flatten", "y", in("x"))}, []float64{1, 2, 3, 4}},
		{"Flatten axis -3", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{op("Flatten", "y", in("x"), attrInt("axis", -3))}, []float64{1, 2, 3, 4}},
		{"Flatten axis 2", dims(2, 1, 2), nil, []part{op("Flatten", "y", in("x"), attrInt("axis", 2))}, "attribute axis: 2"},
		{"Reshape", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{ints("s", 0, -1), op("Reshape", "y", in("x", "s"))}, []float64{1, 2, 3, 4}},
		{"Reshape open batch", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{ints("s", -1, 4), op("Reshape", "y", in("x", "s"))}, []float64{1, 2, 3, 4}},
		{"Reshape one image", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{ints("s", 1, -1), op("Reshape", "y", in("x", "s"))}, []float64{1, 2, 3, 4}},
		{"Reshape to itself", dims(2, 1, 2), []float32{1, -2, 3, 4}, []part{ints("s", 0, 2, -1, 2), op("Reshape", "r", in("x", "s")), op("Relu", "y", in("r"))}, []float64{1, 0, 3, 4}},
		{"Reshape across images", dims(2, 1, 2), nil, []part{ints("s", -1, 8), op("Reshape", "y", in("x", "s"))}, "want the batch first"},
		{"Reshape to another image", dims(2, 1, 2), []float32{1, 2, 3, 4}, []part{ints("s", 0, 1, 2, 2), op("Reshape", "r", in("x", "s")), op("MaxPool", "y", in("r"), attrInts("kernel_shape", 2, 1))}, []float64{3, 4}},
		{"Reshape two open", dims(2, 1, 2), nil, []part{ints("s", -1, -1), op("Reshape", "y", in("x", "s"))}, "want the batch first"},
		{"Reshape other size", dims(2, 1, 2), nil, []part{ints("s", 0, 5), op("Reshape", "y", in("x", "s"))}, "want the batch first"},
		{"Reshape overflow", dims(2, 1, 2), nil, []part{ints("s", 0, 1<<40, 1<<40, 1<<40), op("Reshape", "y", in("x", "s"))}, "want the batch first"},
		{"Reshape allowzero", dims(2, 1, 2), nil, []part{opset(14), ints("s", 0, -1), op("Reshape", "y", in("x", "s"), attrInt("allowzero", 1))}, "want the batch first"},
		{"Reshape float shape", dims(2, 1, 2), nil, []part{half, op("Reshape", "y", in("x", "half"))}, "want integers"},
		{"Softmax", dims(2), []float32{7, 7}, []part{op("Softmax", "y", in("x"))}, []float64{0.5, 0.5}},
		{"Softmax axis", dims(2), []float32{7, 7}, []part{opset(12), op("Softmax", "y", in("x"), attrInt("axis", 1))}, []float64{0.5, 0.5}},
		{"Softmax over images", dims(2), nil, []part{op("Softmax", "y", in("x"), attrInt("axis", 0))}, "attribute axis: 0"},
		{"Softmax of an image", img, nil, []part{op("Softmax", "y", in("x"), attrInt("axis", 7))}, "attribute axis: 7"},
		{"LRN", dims(4), []float32{1, 2, 3, 4}, []part{op("LRN", "y", in("x"), attrInt("size", 2), attrFloat("alpha", 2), attrFloat("beta", 1), attrFloat("bias", 1))}, []float64{1. / 6, 2. / 14, 3. / 26, 4. / 17}},
		{"LRN of a signal", dims(2, 2), []float32{1, 2, 3, 4}, []part{op("LRN", "y", in("x"), attrInt("size", 3), attrFloat("alpha", 3), attrFloat("beta", 1), attrFloat("bias", 1))}, []float64{1. / 11, 2. / 21, 3. / 11, 4. / 21}},
		{"LRN without a size", dims(4), nil, []part{op("LRN", "y", in("x"))}, "attribute size: 0"},
		{"LRN of no power", dims(4), nil, []part{op("LRN", "y", in("x"), attrInt("size", 3), attrFloat("bias", 0))}, "bias > 0"},
		{"Identity", dims(2), []float32{-1, 2}, []part{op("Identity", "a", in("x")), op("Relu", "b", in("a")), op("Identity", "y", in("b"))}, []float64{0, 2}},
		{"Identity of a constant", dims(2), []float32{-1, 2}, []part{half, op("Identity", "k", in("half")), op("Add", "y", in("x", "k"))}, []float64{-0.5, 2.5}},
		{"Identity of nothing", dims(2), nil, []part{op("Identity", "y", in(""))}, "input 0 is missing"},
		{"Constant tensor", dims(2), []float32{-1, 2}, []part{op("Constant", "k", nil, attrTensor("value", floatTensor(dims(2), 3, 4))), op("Add", "y", in("x", "k"))}, []float64{2, 6}},
		{"Constant float", dims(2), []float32{-1, 2}, []part{op("Constant", "k", nil, attrFloat("value_float", 3)), op("Add", "y", in("x", "k"))}, []float64{2, 5}},
		{"Constant floats", dims(2), []float32{-1, 2}, []part{op("Constant", "k", nil, attrFloats("value_floats", 3, 4)), op("Add", "y", in("x", "k"))}, []float64{2, 6}},
		{"Constant ints", dims(2), []float32{-1, 2}, []part{op("Constant", "k", nil, attrInts("value_ints", 0, 2)), op("Reshape", "r", in("x", "k")), op("Relu", "y", in("r"))}, []float64{0, 2}},
		{"Constant int", dims(2), nil, []part{op("Constant", "k", nil, attrInt("value_int", 0)), op("Reshape", "y", in("x", "k"))}, "a list of at most 8"},
		{"Constant of nothing", dims(2), nil, []part{op("Constant", "k", nil), op("Add", "y", in("x", "k"))}, "0 values: want 1"},
		{"Constant of two", dims(2), nil, []part{op("Constant", "k", nil, attrInt("value_int", 0), attrFloat("value_float", 0)), op("Add", "y", in("x", "k"))}, "2 values: want 1"},
		{"Constant without its tensor", dims(2), nil, []part{op("Constant", "k", nil, attrTensor("value", nil)), op("Add", "y", in("x", "k"))}, "no tensor"},
		{"ConstantOfShape without its tensor", dims(2), nil, []part{ints("s", 2), op("ConstantOfShape", "k", in("s"), attrTensor("value", nil)), op("Add", "y", in("x", "k"))}, "no tensor"},
		{"Constant string", dims(2), nil, []part{op("Constant", "k", nil, attrString("value_string", "a")), op("Add", "y", in("x", "k"))}, "attributes not supported"},

		{"BipolarQuant", dims(3), []float32{-1, 0, 2}, []part{one, op("BipolarQuant", "y", in("x", "one"))}, []float64{-1, 1, 1}},
		{"BipolarQuant weights", dims(3), []float32{1, 10, 100}, []part{one, floats("w", dims(3, 1), -0.25, 0, 3), op("BipolarQuant", "q", in("w", "one")), op("MatMul", "y", in("x", "q"))}, []float64{109}},
		{"BipolarQuant scale", dims(3), []float32{-1, 0, 2}, []part{half, op("BipolarQuant", "y", in("x", "half"))}, []float64{-0.5, 0.5, 0.5}},
		{"BipolarQuant scales", dims(3), []float32{-1, 0, 2}, []part{half, op("BipolarQuant", "s", in("x", "half")), op("Flatten", "f", in("s")), floats("w", dims(3, 1), -0.25, 0, 3), op("BipolarQuant", "q", in("w", "half")),
			floats("c", dims(1), 10), op("Gemm", "y", in("f", "q", "c"))}, []float64{10.75}},
		{"BipolarQuant read by two", dims(3), []float32{-1, 0, 2}, []part{half, op("BipolarQuant", "s", in("x", "half")), op("Relu", "r", in("s")), floats("w", dims(3, 1), 1, 2, 4), op("MatMul", "m", in("s", "w")),
			op("Add", "y", in("r", "m"))}, []float64{2.5, 3, 3}},
		{"BipolarQuant scale 0", dims(3), nil, []part{floats("nought", dims(1), 0), op("BipolarQuant", "y", in("x", "nought"))}, "scale 0: want a positive number"},
		{"BipolarQuant no scale", dims(3), nil, []part{op("BipolarQuant", "y", in("x"))}, "input 1 is missing"},
		{"BipolarQuant nan", dims(1), nil, []part{one, floats("w", dims(1, 1), float32(math.NaN())), op("BipolarQuant", "q", in("w", "one")), op("MatMul", "y", in("x", "q"))}, "element 0 of input 0 is not a number"},

		{"Pad", img, nine, []part{digits, ints("p", 0, 0, 1, 0, 0, 0, 0, 0), floats("v", nil, -1), op("Pad", "p1", in("x", "p", "v")),
			op("Conv", "y", in("p1", "w"), attrInts("strides", 3, 1))}, []float64{2089, 3189}},
		{"Pad default 0", img, nine, []part{digits, ints("p", 0, 0, 1, 1, 0, 0, 0, 0), op("Pad", "p1", in("x", "p")), op("Conv", "y", in("p1", "w"), attrInts("strides", 2, 2))}, []float64{1000, 3200, 7040, 9865}},
		{"Pad axes", img, nine, []part{opset(18), digits, ints("p", 1, 1, 0, 0), ints("a", -1, 2), op("Pad", "p1", in("x", "p", "", "a")), op("Conv", "y", in("p1", "w"), attrInts("strides", 2, 2))}, []float64{1000, 3200, 7040, 9865}},
		{"Pad by attributes", img, nine, []part{opset(10), digits, op("Pad", "p1", in("x"), attrInts("pads", 0, 0, 1, 0, 0, 0, 0, 0), attrFloat("value", -1)),
			op("Conv", "y", in("p1", "w"), attrInts("strides", 3, 1))}, []float64{2089, 3189}},
		{"Pad and pads of 0", img, nine, []part{digits, ints("p", 0, 0, 1, 0, 0, 0, 0, 0), op("Pad", "p1", in("x", "p")), op("Conv", "y", in("p1", "w"), attrInts("pads", 0, 1, 0, 0), attrInts("strides", 2, 2))}, []float64{1000, 3200, 7040, 9865}},
		{"Pad of nothing", dims(1, 1, 2), []float32{-1, 2}, []part{ints("p", 0, 0, 0, 0, 0, 0, 0, 0), op("Pad", "r", in("x", "p")), op("Relu", "y", in("r"))}, []float64{0, 2}},
		{"Pad of -1 and pads", img, nil, []part{digits, ints("p", 0, 0, 1, 0, 0, 0, 0, 0), floats("v", nil, -1), op("Pad", "p1", in("x", "p", "v")), op("Conv", "y", in("p1", "w"), attrInts("pads", 0, 1, 0, 0))}, "want one of the two"},
		{"Pad and SAME", img, nil, []part{digits, ints("p", 0, 0, 1, 0, 0, 0, 0, 0), op("Pad", "p1", in("x", "p")), op("Conv", "y", in("p1", "w"), attrString("auto_pad", "SAME_UPPER"))}, "want explicit pads"},
		{"Pad before Relu", dims(1, 1, 2), []float32{-1, 2}, []part{ints("p", 0, 0, 1, 0, 0, 0, 0, 0), floats("v", nil, 7), op("Pad", "p1", in("x", "p", "v")), op("Relu", "y", in("p1"))}, []float64{7, 7, 0, 2}},
		{"Pad before Pad", dims(1, 1, 2), []float32{-1, 2}, []part{ints("p", 0, 0, 0, 1, 0, 0, 0, 0), op("Pad", "p1", in("x", "p")), op("Pad", "p2", in("p1", "p")), op("Relu", "y", in("p2"))}, []float64{0, 0, 0, 2}},
		{"Pad at the end", dims(1, 1, 2), []float32{-1, 2}, []part{ints("p", 0, 0, 0, 1, 0, 0, 0, 1), op("Pad", "y", in("x", "p"))}, []float64{0, -1, 2, 0}},
		{"Pad channels", dims(1, 1, 2), []float32{-1, 2}, []part{ints("p", 0, 1, 0, 0, 0, 0, 0, 0), op("Pad", "y", in("x", "p"))}, []float64{0, 0, -1, 2}},
		{"Pad the batch", img, nil, []part{ints("p", 1, 0, 0, 0, 0, 0, 0, 0), op("Pad", "y", in("x", "p"))}, "want 0 for the batch"},
		{"Pad negative", img, nil, []part{ints("p", 0, 0, -1, 0, 0, 0, 0, 0), op("Pad", "y", in("x", "p"))}, "want 0 for the batch"},
		{"Pad short", img, nil, []part{ints("p", 0, 0, 1, 0), op("Pad", "y", in("x", "p"))}, "4 pads: want 8"},
		{"Pad axis twice", img, nil, []part{opset(18), ints("p", 1, 1, 0, 0), ints("a", -1, 3), op("Pad", "y", in("x", "p", "", "a"))}, "at most once"},
		{"Pad reflect", dims(1, 1, 3), []float32{1, 2, 3}, []part{ints("p", 0, 0, 0, 2, 0, 0, 0, 1), op("Pad", "y", in("x", "p"), attrString("mode", "reflect"))}, []float64{3, 2, 1, 2, 3, 2}},
		{"Pad wrap", img, nil, []part{ints("p", 0, 0, 1, 0, 0, 0, 0, 0), op("Pad", "y", in("x", "p"), attrString("mode", "wrap"))}, `mode: "wrap"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := Read(marshal(t, model(c.input, c.parts...)), "m.onnx")
			if want, ok := c.want.(string); ok {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "m.onnx: ") {
					t.Fatalf("got %v, want an error with %q", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := reference.Run(g, c.x, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want.([]float64)) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// Binary weights keep their mark, and ±1 scaled by alpha lose it.
func TestBinaryMark(t *testing.T) {
	one := floats("one", dims(1), 1)
	w := floats("w", dims(2, 2), 0.5, -3, 0, -1)
	q := op("BipolarQuant", "q", in("w", "one"))
	for _, c := range []struct {
		name string
		last part
		want bool
	}{
		{"Gemm", op("Gemm", "y", in("x", "q")), true},
		{"Gemm transB", op("Gemm", "y", in("x", "q"), attrInt("transB", 1)), true},
		{"Gemm alpha", op("Gemm", "y", in("x", "q"), attrFloat("alpha", 2)), false},
		{"MatMul", op("MatMul", "y", in("x", "q")), true},
		{"plain", op("MatMul", "y", in("x", "w")), false},
	} {
		g, err := Read(marshal(t, model(dims(2), one, w, q, c.last)), "m")
		if err != nil {
			t.Fatal(c.name, err)
		}
		if got := g.Nodes[0].Op.(*graph.Dense).Binary; got != c.want {
			t.Errorf("%s: binary %t: want %t", c.name, got, c.want)
		}
	}
}

func TestUnsupported(t *testing.T) {
	lstm := func(out, from string) part { return op("LSTM", out, in(from)) }
	m := model(dims(2), op("Sin", "", in("x")), lstm("a", "x"), lstm("b", "a"), lstm("c", "b"), lstm("d", "c"),
		func(m *onnxpb.ModelProto) {
			op("FloatQuant", "e", in("d"))(m)
			m.Graph.Node[len(m.Graph.Node)-1].Domain = m.OpsetImport[1].Domain
		}, op("Relu", "y", in("e")))
	_, err := Read(marshal(t, m), "m.onnx")
	want := `^m\.onnx: operators not supported: LSTM \(4 nodes: "a" at byte \d+, "b" at byte \d+, "c" at byte \d+, \.\.\.\), qonnx\.custom_op\.general\.FloatQuant \(1 node: "e" at byte \d+\); `
	if err == nil || !regexp.MustCompile(want).MatchString(err.Error()) {
		t.Errorf("got %v\nwant %s...", err, want)
	}
}
