//go:build !purego

package arm64

import "macroscope/kernels/tile"

// The tiles are the loop of tile.Args; the generator's comments in the .s
// files tell their instruction mix. The dot products are
//
//	for i, x := range a { sum += x * b[i] }        (binary: bits.OnesCount64(x ^ b[i]))
//
// over whole blocks, len(b) ≥ len(a) ≥ one block.

//go:noescape
func tileFloat32NEON(t *tile.Args)

//go:noescape
func tileFloat32NEONPieces(t *tile.Args)

//go:noescape
func tileInt8DotProdPieces(t *tile.Args)

//go:noescape
func tileInt8NEON(t *tile.Args)

//go:noescape
func tileInt8NEONNonNegative(t *tile.Args)

//go:noescape
func tileInt8DotProd(t *tile.Args)

//go:noescape
func tileInt8I8MM(t *tile.Args)

//go:noescape
func tileInt8I8MMPieces(t *tile.Args)

//go:noescape
func tileBinaryNEON(t *tile.Args)

//go:noescape
func tileFloat32SVE(t *tile.Args)

//go:noescape
func tileFloat32SVEPieces(t *tile.Args)

//go:noescape
func tileInt8SVE(t *tile.Args)

//go:noescape
func tileInt8SVEPieces(t *tile.Args)

//go:noescape
func tileBinarySVE(t *tile.Args)

//go:noescape
func tileBinarySVEPieces(t *tile.Args)

//go:noescape
func dotFloat32NEON(a, b []float32) float32

//go:noescape
func dotInt8NEON(a, b []int8) int32

//go:noescape
func dotUint8NEON(a []uint8, b []int8) int32

//go:noescape
func dotInt8DotProd(a, b []int8) int32

//go:noescape
func dotUint8DotProd(a []uint8, b []int8) int32

//go:noescape
func dotUint8I8MM(a []uint8, b []int8) int32

//go:noescape
func dotBinaryNEON(a, b []uint64) int

//go:noescape
func dotFloat32SVE(a, b []float32) float32

//go:noescape
func dotInt8SVE(a, b []int8) int32

//go:noescape
func dotUint8SVE(a []uint8, b []int8) int32

//go:noescape
func dotBinarySVE(a, b []uint64) int

func vectorLength() int

func peakFloat32NEON(n int)
func peakInt8NEON(n int)
func peakInt8DotProd(n int)
func peakInt8I8MM(n int)
func peakBinaryNEON(n int)
func peakFloat32SVE(n int)
func peakInt8SVE(n int)
func peakBinarySVE(n int)

//go:noescape
func tileInt16NEON(t *tile.Args)

//go:noescape
func winogradInt8In2NEON(t *tile.Transform)

//go:noescape
func winogradInt8Out2NEON(t *tile.Transform)

//go:noescape
func winogradInt8In4NEON(t *tile.Transform)

//go:noescape
func winogradInt8Out4NEON(t *tile.Transform)

//go:noescape
func winogradIn2NEON(t *tile.Transform)

//go:noescape
func winogradOut2NEON(t *tile.Transform)

//go:noescape
func winogradIn4NEON(t *tile.Transform)

//go:noescape
func winogradOut4NEON(t *tile.Transform)

//go:noescape
func pixelMomentsNEON(p *tile.Pixels)

//go:noescape
func pixelProductsNEON(p *tile.Pixels)

//go:noescape
func pixelMaskedProductsNEON(p *tile.Pixels)

//go:noescape
func pixelLinearNEON(p *tile.Pixels)

//go:noescape
func pixelLinear2NEON(p *tile.Pixels)

//go:noescape
func pixelSignNEON(p *tile.Pixels)

//go:noescape
func pixelSignGradNEON(p *tile.Pixels)

//go:noescape
func pixelPReLUNEON(p *tile.Pixels)

//go:noescape
func pixelPReLUGradNEON(p *tile.Pixels)

//go:noescape
func pixelMaxPoolNEON(p *tile.Pixels)

//go:noescape
func pixelMaxPoolGradNEON(p *tile.Pixels)

//go:noescape
func mergeAloneNEON(w *tile.Merge)

//go:noescape
func mergeAlonePReLUNEON(w *tile.Merge)

//go:noescape
func mergeJoinNEON(w *tile.Merge)

//go:noescape
func mergeJoinPReLUNEON(w *tile.Merge)

//go:noescape
func mergeJoinPoolNEON(w *tile.Merge)

//go:noescape
func mergeJoinPoolPReLUNEON(w *tile.Merge)

//go:noescape
func depthwiseNEON(w *tile.Depthwise)

//go:noescape
func depthwiseInt8NEON(w *tile.Depthwise)

//go:noescape
func rescaleNEON(w *tile.Rescale)
