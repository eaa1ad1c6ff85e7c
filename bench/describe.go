package bench

import (
	"macroscope/dtype"
	"macroscope/kernels"
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
