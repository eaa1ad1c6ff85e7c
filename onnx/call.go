package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// operators has a function for each operator, by operatorKey.
var operators map[string]func(*call) error

func init() { // not where it is declared: an operator on bytes leads back to it
	operators = map[string]func(*call) error{
		".Abs":                   readFunc("abs"),
		".Add":                   readAdd,
		".ArgMax":                readArgMax,
		".AveragePool":           readAveragePool,
		".BatchNormalization":    readBatchNorm,
		".Cast":                  readCast,
		".Ceil":                  readFunc("ceil"),
		".Celu":                  readFunc("celu", 1),
		".Clip":                  readClip,
		".Concat":                readConcat,
		".Constant":              readConstant,
		".ConstantOfShape":       foldOnly,
		".Conv":                  readConv,
		".DequantizeLinear":      readDequantizeLinear,
		".Div":                   readDiv,
		".Dropout":               readDropout,
		".Elu":                   readFunc("elu", 1),
		".Erf":                   readFunc("erf"),
		".Exp":                   readFunc("exp"),
		".Expand":                readExpand,
		".Flatten":               readFlatten,
		".Floor":                 readFunc("floor"),
		".Gather":                readGather,
		".Gelu":                  readGelu,
		".Gemm":                  readGemm,
		".GlobalAveragePool":     readGlobalAveragePool,
		".GlobalMaxPool":         readGlobalMaxPool,
		".Greater":               readGreater,
		".GreaterOrEqual":        readGreaterOrEqual,
		".GroupNormalization":    readGroupNorm,
		".HardSigmoid":           readFunc("hardsigmoid", 0.2, 0.5),
		".HardSwish":             readFunc("hardswish"),
		".Identity":              readIdentity,
		".InstanceNormalization": readInstanceNorm,
		".LayerNormalization":    readLayerNorm,
		".LeakyRelu":             readLeakyRelu,
		".Log":                   readFunc("log"),
		".LRN":                   readLRN,
		".LogSoftmax":            readSoftmax(true),
		".MatMul":                readMatMul,
		".Max":                   readBound(false),
		".MaxPool":               readMaxPool,
		".Min":                   readBound(true),
		".Mish":                  readFunc("mish"),
		".Mul":                   readMul,
		".Neg":                   readFunc("neg"),
		".PRelu":                 readPRelu,
		".Pad":                   readPad,
		".Pow":                   readPow,
		".QLinearConv":           readQLinearConv,
		".QLinearMatMul":         readQLinearMatMul,
		".QuantizeLinear":        readQuantizeLinear,
		".Range":                 foldOnly,
		".Reciprocal":            readFunc("reciprocal"),
		".ReduceL1":              foldOnly,
		".ReduceL2":              foldOnly,
		".ReduceMax":             readReduce("max", 18),
		".ReduceMean":            readReduce("mean", 18),
		".ReduceMin":             foldOnly,
		".ReduceProd":            foldOnly,
		".ReduceSum":             readReduce("sum", 13),
		".Relu":                  readRelu,
		".Reshape":               readReshape,
		".Round":                 readFunc("round"),
		".Selu":                  readFunc("selu", 1.67326319217681884765625, 1.05070102214813232421875), // the ONNX operator's defaults
		".Shape":                 readShape,
		".Sigmoid":               readFunc("sigmoid"),
		".Slice":                 readSlice,
		".Softmax":               readSoftmax(false),
		".Softplus":              readFunc("softplus"),
		".Softsign":              readFunc("softsign"),
		".Split":                 readSplit,
		".Sqrt":                  readFunc("sqrt"),
		".Squeeze":               readSqueeze,
		".Sub":                   readSub,
		".Sum":                   readSum,
		".Swish":                 readFunc("swish", 1),
		".Tanh":                  readFunc("tanh"),
		".Transpose":             readTranspose,
		".Unsqueeze":             readUnsqueeze,
		".Where":                 readWhere,

		// ONNX Runtime's own operators, which its quantizer writes.
		"com.microsoft.DequantizeLinear":         readDequantizeLinear,
		"com.microsoft.QGemm":                    readQGemm,
		"com.microsoft.QLinearAdd":               readQLinear2(readAdd),
		"com.microsoft.QLinearAveragePool":       readQLinear1(readAveragePool),
		"com.microsoft.QLinearConcat":            readQLinearConcat,
		"com.microsoft.QLinearGlobalAveragePool": readQLinear1(readGlobalAveragePool),
		"com.microsoft.QLinearLeakyRelu":         readQLinear1(readLeakyRelu),
		"com.microsoft.QLinearMul":               readQLinear2(readMul),
		"com.microsoft.QLinearSigmoid":           readQLinear1(readFunc("sigmoid")),
		"com.microsoft.QuantizeLinear":           readQuantizeLinear,

		"qonnx.custom_op.general.BipolarQuant": readBipolarQuant,
		"qonnx.custom_op.general.Quant":        readQuant,
		"qonnx.custom_op.general.Trunc":        readTrunc,
	}
}

// operatorKey is the node's operator as operators has it: domain, point, name.
func operatorKey(n *onnxpb.NodeProto) string { return domain(n.GetDomain()) + "." + n.GetOpType() }

// maxInputs is the most inputs that a node may have: those of Concat.
const maxInputs = 4096

// call is one node being read. Its methods that take an input or an attribute
// keep the first error in err, so that an operator's function can ask for all it
// needs and look once.
type call struct {
	*reader
	node *onnxpb.NodeProto
	what string

	opset int64
	in    []operand
	attrs map[string]*onnxpb.AttributeProto // those not asked for yet
	steps int                               // taken so far
	last  *graph.Value                      // what the last of them gave, under a name made up
	err   error

	// What a layer of signs does to its sums, since its weights or its input stand for
	// ±s: times behind, then plus the shift.
	behind float32
	shift  []float32
}

func (c *call) run() error {
	opset, ok := c.opsets[domain(c.node.GetDomain())]
	if !ok {
		return fmt.Errorf("operator set of domain %s: not imported", quote(c.node.GetDomain()))
	}
	c.opset = opset
	if len(c.node.Output) == 0 || c.node.Output[0] == "" {
		return errors.New("it has no output")
	}
	if c.node.GetOpType() != "Split" {
		for _, out := range c.node.Output[1:] {
			if c.used[out] {
				return fmt.Errorf("output %s: only the first output is supported", quote(out))
			}
		}
	}
	c.in = make([]operand, 0, min(len(c.node.Input), maxInputs))
	for i, name := range c.node.Input {
		if i == maxInputs {
			return fmt.Errorf("%d inputs: want at most %d", len(c.node.Input), maxInputs)
		}
		c.in = append(c.in, c.named[name]) // none for "", an input left out
	}
	c.behind = 1
	c.attrs = make(map[string]*onnxpb.AttributeProto, len(c.node.Attribute))
	for _, a := range c.node.Attribute {
		if c.attrs[a.GetName()] != nil {
			return fmt.Errorf("attribute %s: given twice", quote(a.GetName()))
		}
		c.attrs[a.GetName()] = a
	}
	if done, err := c.fold(); done || err != nil {
		return err
	}
	if r, ok := c.input(0).begun.(*rounding); ok && moversOfBytes[operatorKey(c.node)] {
		return c.onBytes(r)
	}
	if s, ok := c.input(0).begun.(*scaledSigns); ok && moversOfSigns[operatorKey(c.node)] {
		return c.onSigns(s)
	}
	return operators[operatorKey(c.node)](c)
}

// done is the first error so far, or one about inputs or attributes that nobody
// asked for: ignoring those would read another network than was meant.
func (c *call) done(maxInputs int) error {
	if c.err != nil {
		return c.err
	}
	if len(c.in) > maxInputs {
		return fmt.Errorf("%d inputs: want at most %d", len(c.in), maxInputs)
	}
	var left []string
	for name := range c.attrs {
		left = append(left, quote(name))
	}
	if len(left) > 0 {
		slices.Sort(left)
		return fmt.Errorf("attributes not supported: %s", strings.Join(left[:min(len(left), 8)], ", "))
	}
	return nil
}

// fail keeps the first error.
func (c *call) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// emit adds op to the graph and binds the node's output to what it gives.
func (c *call) emit(op graph.Op, in ...*graph.Value) error {
	shape, err := op.OutShape(shapesOf(in))
	if err != nil {
		return err
	}
	return c.emitAs(shape, op, in...)
}

// bind makes the node's output another name for o.
func (c *call) bind(o operand) error {
	c.named[c.node.Output[0]] = o
	if o.value != nil && o.begun == nil && o.by == nil && !o.int8 {
		c.aliases[o.value] = true
	}
	return nil
}

// input is input i, or the empty operand where it is left out.
func (c *call) input(i int) operand {
	if i < len(c.in) {
		return c.in[i]
	}
	return operand{}
}

// value is input i, which must be computed from the graph's input.
func (c *call) value(i int) *graph.Value {
	v := c.anyForm(i)
	if c.err == nil && !c.in[i].int8 {
		c.plain[v] = true
	}
	return v
}

// anyForm is value where it does not matter whether the value is int8.
func (c *call) anyForm(i int) *graph.Value {
	o := c.input(i)
	o = c.carriedOut(i)
	switch {
	case c.err != nil:
	case o.begun != nil:
		c.fail("input %d comes from %s", i, o.begun.missing())
	case o.constant != nil:
		c.fail("input %d is a constant: want a value computed from the graph's input", i)
	case o.value == nil:
		c.fail("input %d is missing", i)
	}
	if c.err != nil {
		// Something with a shape, so that the caller may go on until it looks.
		return &graph.Value{Shape: graph.Shape{1}}
	}
	return o.value
}

// constant is input i, which must be a constant; nil where it is left out.
func (c *call) constant(i int) *constant {
	o := c.input(i)
	if o.value != nil {
		c.fail("input %d is computed: want a constant", i)
	}
	return o.constant
}

// must is constant for an input that may not be left out.
func (c *call) must(i int) *constant {
	k := c.constant(i)
	if k == nil {
		c.fail("input %d is missing", i)
		return &constant{dims: []int{1}, f: []float32{0}, i: []int64{0}}
	}
	return k
}

// vector is input i, a constant of n floats; nil where it is left out.
func (c *call) vector(i, n int) []float32 {
	k := c.constant(i)
	if k == nil || c.err != nil {
		return nil
	}
	if len(k.dims) != 1 || k.dims[0] != n {
		c.fail("input %d has dimensions %v: want [%d]", i, k.dims, n)
		return nil
	}
	return c.floats(i, k)
}

func (c *call) floats(i int, k *constant) []float32 {
	if c.err != nil {
		return nil
	}
	f, err := k.floats(c.bud)
	if err != nil {
		c.fail("input %d (%s): %w", i, quote(c.node.Input[i]), err)
	}
	return f
}

func (c *call) ints(i int, k *constant) []int64 {
	if c.err != nil {
		return nil
	}
	v, err := k.ints(c.bud)
	if err != nil {
		c.fail("input %d (%s): %w", i, quote(c.node.Input[i]), err)
	}
	return v
}

// take counts n bytes of memory into the budget; false when it is used up.
func (c *call) take(n int) bool {
	if err := c.bud.take(int64(n)); err != nil {
		c.fail("%w", err)
	}
	return c.err == nil
}

// attr takes the attribute of that name and type out of those left.
func (c *call) attr(name string, kind onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
	a := c.attrs[name]
	if a == nil {
		return nil
	}
	delete(c.attrs, name)
	if a.GetType() != kind || a.GetRefAttrName() != "" {
		c.fail("attribute %s: type %s: want %s", name, a.GetType(), kind)
		return nil
	}
	return a
}

func (c *call) attrInt(name string, absent int64) int64 {
	if a := c.attr(name, onnxpb.AttributeProto_INT); a != nil {
		return a.GetI()
	}
	return absent
}

func (c *call) attrFloat(name string, absent float32) float32 {
	if a := c.attr(name, onnxpb.AttributeProto_FLOAT); a != nil {
		return a.GetF()
	}
	return absent
}

func (c *call) attrString(name, absent string) string {
	if a := c.attr(name, onnxpb.AttributeProto_STRING); a != nil {
		return string(a.GetS())
	}
	return absent
}

// attrInts is a list of n integers from least to graph.MaxElements; n times
// absent where the attribute is left out.
func (c *call) attrInts(name string, n int, least, absent int64) []int {
	out := make([]int, n)
	a := c.attr(name, onnxpb.AttributeProto_INTS)
	if a == nil {
		for i := range out {
			out[i] = int(absent)
		}
		return out
	}
	if len(a.Ints) != n {
		c.fail("attribute %s: %d numbers: want %d", name, len(a.Ints), n)
		return out
	}
	for i, v := range a.Ints {
		if v < least || v > graph.MaxElements {
			c.fail("attribute %s: %d: want %v numbers from %d to %d", name, v, n, least, graph.MaxElements)
			return out
		}
		out[i] = int(v)
	}
	return out
}
