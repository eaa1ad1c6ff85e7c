package bench

import (
	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/ptq"
)

// KernelInfo is a row of the kernel table as plain data, for who writes about
// kernels without calling them.
type KernelInfo struct {
	DType              dtype.DType
	Impl               string // "avx512vnni"
	TileRows, TileCols int
	Needs              []string // CPU features
	Available, Chosen  bool
	Reason             string // why it is not available, or why it is chosen
}

// DescribeKernels lists every implementation that this build knows, in the
// order of the kernel table, and the choice as the environment makes it, in
// the syntax of kernels.Choose.
func DescribeKernels() (rows []KernelInfo, choice string, err error) {
	c, err := kernels.Default()
	if err != nil {
		return nil, "", err
	}
	for _, im := range kernels.Table() {
		k := KernelInfo{DType: im.DType(), Impl: im.Name(), Needs: im.Needs(), Available: im.Available(), Reason: im.Reason()}
		k.TileRows, k.TileCols = im.Tile()
		if c.For(im.DType()) == im {
			k.Chosen, k.Reason = true, c.Why(im.DType())
		}
		rows = append(rows, k)
	}
	return rows, c.String(), nil
}

// Network is a built-in network in one format with the chosen kernels: the
// very plan that NetworkCases times for these.
type Network struct {
	DType dtype.DType
	Graph *graph.Graph // before batch norms are folded
	Plan  *nn.Plan
}

// BuildNetwork loads a built-in network in the format d and plans it. perTensor
// gives int8 weights one scale a layer instead of one a channel.
func BuildNetwork(model string, d dtype.DType, perTensor bool) (*Network, error) {
	g, err := LoadNetwork(model, d, ptq.Options{PerTensor: perTensor})
	if err != nil {
		return nil, err
	}
	p, err := nn.Compile(g, nn.Options{})
	if err != nil {
		return nil, err
	}
	return &Network{DType: d, Graph: g, Plan: p}, nil
}
