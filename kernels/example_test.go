package kernels_test

import (
	"fmt"

	"macroscope/dtype"
	"macroscope/kernels"
)

// The fastest int8 dot product that this CPU runs.
func ExampleImpl_DotInt8() {
	choice, err := kernels.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	im := choice.For(dtype.Int8)
	fmt.Println(im.DotInt8([]int8{1, 2, -128}, []int8{3, 4, -128}))
	// Output: 16395
}

// A dense layer of two outputs on a batch of two.
func ExampleImpl_NewGemmFloat32() {
	im, err := kernels.Lookup(dtype.Float32, "generic")
	if err != nil {
		fmt.Println(err)
		return
	}
	weights := []float32{
		1, 2, 3,
		0, 1, 0,
	}
	g, err := im.NewGemmFloat32(weights, 2, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	var ctx kernels.Context
	c := make([]float32, 4)
	g.Float32(&ctx, c, []float32{1, 1, 1, 2, 0, -1}, 2)
	fmt.Println(c)
	// Output: [6 1 -1 0]
}

// A 3×3 box filter on ±1: each output counts how many of the nine taps are +1,
// less how many are −1; outside the image they are −1.
func ExampleImpl_NewConv2DBinary() {
	choice, err := kernels.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	ones := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1}
	conv, err := choice.For(dtype.Binary).NewConv2DBinary(kernels.Conv2DShape{
		H: 2, W: 2, C: 1, OutC: 1, KH: 3, KW: 3, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1,
	}, ones)
	if err != nil {
		fmt.Println(err)
		return
	}
	var ctx kernels.Context
	out := make([]int32, 4)
	conv.Binary(&ctx, out, []float32{1, 1, 1, 1})
	fmt.Println(out)
	// Output: [-1 -1 -1 -1]
}
