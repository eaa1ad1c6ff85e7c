//go:build !purego

package amd64

import "macroscope/kernels/tile"

// The tiles are the loop of tile.Args; the generator's comments in the .s
// files tell their instruction mix. The dot products are
//
//	for i, x := range a { sum += x * b[i] }        (binary: bits.OnesCount64(x ^ b[i]))
//
// over whole blocks, len(b) ≥ len(a) ≥ one block.

//go:noescape
func tileFloat32AVX2(t *tile.Args)

//go:noescape
func tileFloat32AVX2Block(t *tile.Args)

//go:noescape
func tileFloat32AVX2Columns(t *tile.Args)

//go:noescape
func tileFloat32AVX512(t *tile.Args)

//go:noescape
func tileFloat32AVX512Block(t *tile.Args)

//go:noescape
func tileFloat32AVX512Pieces(t *tile.Args)

//go:noescape
func tileFloat32AVX512Columns(t *tile.Args)

//go:noescape
func tileFloat32AVX512Ahead(t *tile.Args)

//go:noescape
func tileFloat32AVX512Flat(t *tile.Args)

//go:noescape
func tileFloat32AVX512Narrow(t *tile.Args)

//go:noescape
func tileInt8AVX512VNNINarrow(t *tile.Args)

//go:noescape
func tileBFloat16AVX512(t *tile.Args)

//go:noescape
func tileInt8AVX2(t *tile.Args)

//go:noescape
func tileInt8AVX2NonNegative(t *tile.Args)

//go:noescape
func tileInt8AVXVNNI(t *tile.Args)

//go:noescape
func tileInt8AVXVNNIBlock(t *tile.Args)

//go:noescape
func tileInt8AVX512VNNI(t *tile.Args)

//go:noescape
func tileInt8AVX512VNNIBlock(t *tile.Args)

//go:noescape
func tileInt8AVX512VNNIPieces(t *tile.Args)

//go:noescape
func tileInt8AMX(t *tile.Args)

//go:noescape
func tileBinaryAVX2(t *tile.Args)

//go:noescape
func tileBinaryAVX512(t *tile.Args)

//go:noescape
func tileBinaryAVX512Pieces(t *tile.Args)

//go:noescape
func tileTernaryAVX512Pieces(t *tile.Args)

//go:noescape
func tileBinaryCarrySave(t *tile.Args)

//go:noescape
func dotFloat32AVX2(a, b []float32) float32

//go:noescape
func dotFloat32AVX512(a, b []float32) float32

//go:noescape
func dotInt8AVX2(a, b []int8) int32

//go:noescape
func dotUint8AVX2(a []uint8, b []int8) int32

//go:noescape
func dotInt8AVXVNNI(a, b []int8) int32

//go:noescape
func dotUint8AVXVNNI(a []uint8, b []int8) int32

//go:noescape
func dotInt8AVX512VNNI(a, b []int8) int32

//go:noescape
func dotUint8AVX512VNNI(a []uint8, b []int8) int32

//go:noescape
func dotBinaryAVX2(a, b []uint64) int

//go:noescape
func dotBinaryAVX512(a, b []uint64) int

func peakFloat32AVX2(n int)
func peakFloat32AVX512(n int)
func peakInt8AVX2(n int)
func peakInt8AVXVNNI(n int)
func peakInt8AVX512VNNI(n int)
func peakInt8AMX(n int)
func peakBinaryAVX2(n int)
func peakBinaryAVX512(n int)

//go:noescape
func winogradIn2AVX2(t *tile.Transform)

//go:noescape
func winogradOut2AVX2(t *tile.Transform)

//go:noescape
func winogradIn4AVX2(t *tile.Transform)

//go:noescape
func winogradOut4AVX2(t *tile.Transform)

//go:noescape
func winogradGrad2AVX2(t *tile.Transform)

//go:noescape
func winogradGrad4AVX2(t *tile.Transform)

//go:noescape
func winogradInt8In2AVX2(t *tile.Transform)

//go:noescape
func winogradInt8Out2AVX2(t *tile.Transform)

//go:noescape
func winogradInt8In4AVX2(t *tile.Transform)

//go:noescape
func winogradInt8Out4AVX2(t *tile.Transform)

//go:noescape
func tileInt16AVX2(t *tile.Args)

//go:noescape
func tileInt16AVXVNNI(t *tile.Args)

//go:noescape
func winogradUint8In4AVX2(t *tile.Transform)

//go:noescape
func tileInt16AVX512VNNI(t *tile.Args)

//go:noescape
func tileInt16AVX512VNNIFlat(t *tile.Args)

//go:noescape
func winogradUint8In4AVX512(t *tile.Transform)

//go:noescape
func winogradInt8Out4AVX512(t *tile.Transform)

//go:noescape
func winogradIn2AVX512(t *tile.Transform)

//go:noescape
func winogradOut2AVX512(t *tile.Transform)

//go:noescape
func winogradIn4AVX512(t *tile.Transform)

//go:noescape
func winogradOut4AVX512(t *tile.Transform)

//go:noescape
func winogradGrad2AVX512(t *tile.Transform)

//go:noescape
func winogradGrad4AVX512(t *tile.Transform)

//go:noescape
func pixelMomentsAVX2(p *tile.Pixels)

//go:noescape
func pixelProductsAVX2(p *tile.Pixels)

//go:noescape
func pixelMaskedProductsAVX2(p *tile.Pixels)

//go:noescape
func pixelLinearAVX2(p *tile.Pixels)

//go:noescape
func pixelLinear2AVX2(p *tile.Pixels)

//go:noescape
func pixelMaxPoolAVX2(p *tile.Pixels)

//go:noescape
func pixelMaxPoolGradAVX2(p *tile.Pixels)

//go:noescape
func pixelMomentsAVX512(p *tile.Pixels)

//go:noescape
func pixelProductsAVX512(p *tile.Pixels)

//go:noescape
func pixelMaskedProductsAVX512(p *tile.Pixels)

//go:noescape
func pixelLinearAVX512(p *tile.Pixels)

//go:noescape
func pixelLinear2AVX512(p *tile.Pixels)

//go:noescape
func pixelMaxPoolAVX512(p *tile.Pixels)

//go:noescape
func pixelMaxPoolGradAVX512(p *tile.Pixels)

//go:noescape
func pixelPlanesAVX512(p *tile.Pixels)

//go:noescape
func pairBFloat16AVX512(p *tile.Pixels)

//go:noescape
func pairPlanesBFloat16AVX512(p *tile.Pixels)
func xcr0() uint64
func cpuidLeaf(leaf, sub uint32) (a, b, c, d uint32)

//go:noescape
func pixelSignAVX2(p *tile.Pixels)

//go:noescape
func pixelSignGradAVX2(p *tile.Pixels)

//go:noescape
func pixelPReLUAVX2(p *tile.Pixels)

//go:noescape
func pixelPReLUGradAVX2(p *tile.Pixels)

//go:noescape
func pixelSignAVX512(p *tile.Pixels)

//go:noescape
func pixelSignGradAVX512(p *tile.Pixels)

//go:noescape
func pixelPReLUAVX512(p *tile.Pixels)

//go:noescape
func pixelPReLUGradAVX512(p *tile.Pixels)

//go:noescape
func mergeAloneAVX2(w *tile.Merge)

//go:noescape
func mergeAlonePReLUAVX2(w *tile.Merge)

//go:noescape
func mergeJoinAVX2(w *tile.Merge)

//go:noescape
func mergeJoinPReLUAVX2(w *tile.Merge)

//go:noescape
func mergeJoinPoolAVX2(w *tile.Merge)

//go:noescape
func mergeJoinPoolPReLUAVX2(w *tile.Merge)

//go:noescape
func mergeAloneAVX512(w *tile.Merge)

//go:noescape
func mergeAlonePReLUAVX512(w *tile.Merge)

//go:noescape
func mergeJoinAVX512(w *tile.Merge)

//go:noescape
func mergeJoinPReLUAVX512(w *tile.Merge)

//go:noescape
func mergeJoinPoolAVX512(w *tile.Merge)

//go:noescape
func mergeJoinPoolPReLUAVX512(w *tile.Merge)

//go:noescape
func depthwiseAVX2(w *tile.Depthwise)

//go:noescape
func depthwiseAVX512(w *tile.Depthwise)

//go:noescape
func depthwiseInt8AVX2(w *tile.Depthwise)

//go:noescape
func depthwiseUint8AVX2(w *tile.Depthwise)

//go:noescape
func depthwiseInt8AVX512(w *tile.Depthwise)

//go:noescape
func depthwiseUint8AVX512(w *tile.Depthwise)

//go:noescape
func bitPlanesAVX2(p *tile.BitPlanes)

//go:noescape
func rescaleAVX2(w *tile.Rescale)

//go:noescape
func rescaleAVX512(w *tile.Rescale)

//go:noescape
func addBytesAVX2(w *tile.AddBytes)

//go:noescape
func addBytesAVX512(w *tile.AddBytes)

//go:noescape
func floatsAddAVX2(w *tile.Floats)

//go:noescape
func floatsSubAVX2(w *tile.Floats)

//go:noescape
func floatsMulAVX2(w *tile.Floats)

//go:noescape
func floatsClampAVX2(w *tile.Floats)

//go:noescape
func floatsHardSwishAVX2(w *tile.Floats)

//go:noescape
func floatsAddAVX512(w *tile.Floats)

//go:noescape
func floatsSubAVX512(w *tile.Floats)

//go:noescape
func floatsMulAVX512(w *tile.Floats)

//go:noescape
func floatsClampAVX512(w *tile.Floats)

//go:noescape
func floatsHardSwishAVX512(w *tile.Floats)
