package train

import (
	"unsafe"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/kernels"
)

// value is what flows between ops: a batch of float32 images in NHWC, each with
// its halo, and the loss's gradient with respect to them.
type value struct {
	name       string
	data, grad batch
	pad        float32 // what data's halo holds
	padded     bool    // a reader has said so
	constant   bool    // no gradient is wanted: it depends on no weight
}

// batch is images one after another. Gradients that only one stage of the way back
// touches need no place for the whole batch: slots then says where an image's is, in
// few that stay in the cache.
type batch struct {
	kernels.Image
	mem   []byte
	slots []int // of each image; nil: its own number

	// What Image says, worked out once: bytes of an image, before its first pixel and
	// from row to row.
	size, first, step int
}

func newValue(v *graph.Value) *value {
	im := kernels.Image{DType: dtype.Float32, H: 1, W: 1, C: v.Shape[0]}
	if len(v.Shape) == 3 {
		im.H, im.W = v.Shape[1], v.Shape[2]
	}
	return &value{name: v.Name, data: batch{Image: im}, grad: batch{Image: im}}
}

// grow widens the halo.
func (b *batch) grow(top, left, bottom, right int) {
	b.Top, b.Left = max(b.Top, top), max(b.Left, left)
	b.Bottom, b.Right = max(b.Bottom, bottom), max(b.Right, right)
}

// allocate makes room for the data of n images, halo filled, and for the gradients of
// as many as grads.
func (v *value) allocate(n, grads int) {
	v.data.allocate(n)
	if v.pad != 0 {
		f := floats(v.data.mem)
		for i := range f {
			f[i] = v.pad
		}
	}
	if !v.constant {
		v.grad.allocate(grads)
	}
}

func (b *batch) allocate(n int) {
	b.size, b.first, b.step = b.Bytes(), b.Offset(0, 0), b.RowBytes()
	b.mem = kernels.Aligned(n * b.size)
}

// at is where image i begins in mem.
func (b *batch) at(i int) int {
	if b.slots != nil {
		i = b.slots[i]
	}
	return i * b.size
}

// image is image i with its halo.
func (b *batch) image(i int) []byte {
	at := b.at(i)
	return b.mem[at : at+b.size : at+b.size]
}

// row is row y of image i without the halo: W·C values.
func (b *batch) row(i, y int) []float32 {
	at := b.at(i) + b.first + y*b.step
	return floats(b.mem[at : at+4*b.W*b.C])
}

func floats(b []byte) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}
