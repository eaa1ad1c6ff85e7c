package golden

// RTLRun is folds on a Verilog array, int8, of which every sum was right.
type RTLRun struct {
	Kind          string // OS, WS; with folds that overlap OSDB, WSCHAIN, WSDB
	Rows, Cols    int64
	Stream, Folds int64 // operands that stream through in a fold
	Cycles        int64 // until the last sum, of OSDB until the last output has left
	Drained       int64 // of OS: until the last output has left
}

// RTL returns the array's runs.
func RTL() ([]RTLRun, error) {
	var runs []RTLRun
	err := read("rtl.csv", func(t *table) {
		runs = append(runs, RTLRun{t.text("kind"), t.whole("rows"), t.whole("cols"), t.whole("stream"), t.whole("folds"), t.whole("cycles"), t.whole("drained")})
	})
	return runs, err
}

// XNORRun is vectors on an XNOR-popcount engine in Verilog.
type XNORRun struct{ PEs, SIMD, Outputs, Inputs, Vectors, Cycles int64 }

// XNOR returns the engine's runs.
func XNOR() ([]XNORRun, error) {
	var runs []XNORRun
	err := read("xnor.csv", func(t *table) {
		runs = append(runs, XNORRun{t.whole("pes"), t.whole("simd"), t.whole("outputs"), t.whole("inputs"), t.whole("vectors"), t.whole("cycles")})
	})
	return runs, err
}

// STONNERun is a product on STONNE's output-stationary mesh.
type STONNERun struct{ M, N, K, Rows, Cols, Cycles int64 }

// STONNE returns the mesh's runs.
func STONNE() ([]STONNERun, error) {
	var runs []STONNERun
	err := read("stonne.csv", func(t *table) {
		runs = append(runs, STONNERun{t.whole("M"), t.whole("N"), t.whole("K"), t.whole("rows"), t.whole("cols"), t.whole("cycles")})
	})
	return runs, err
}
