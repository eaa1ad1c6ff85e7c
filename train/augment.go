package train

import (
	"fmt"
	"math/rand/v2"
)

// Data is labelled images of bytes.
type Data struct {
	Shape  [3]int // C, H, W
	Pixels []uint8
	Labels []uint8 // [Len]
}

// Len is the number of images.
func (d *Data) Len() int { return len(d.Labels) }

func (d *Data) check() error {
	size := d.Shape[0] * d.Shape[1] * d.Shape[2]
	if d.Len() == 0 || size < 1 || len(d.Pixels) != d.Len()*size {
		return fmt.Errorf("train: %d labels and %d bytes of pixels for images %v: want at least one image, and whole ones", d.Len(), len(d.Pixels), d.Shape)
	}
	return nil
}

// Augment changes images at random, so that no epoch sees the same ones.
type Augment struct {
	Crop   int  // pixels by which an image may be shifted each way; what comes in is its reflection
	Flip   bool // left and right, every other epoch: which one the seed decides for each image
	Cutout int  // side of a square, at a random place, that becomes Fill; 0 for none
	Fill   uint8
}

func (a *Augment) check(shape [3]int) error {
	if a.Crop < 0 || a.Crop >= min(shape[1], shape[2]) {
		return fmt.Errorf("crops of up to %d pixels: want 0 to below the image's side, %d", a.Crop, min(shape[1], shape[2]))
	}
	if a.Cutout < 0 || a.Cutout > max(shape[1], shape[2]) {
		return fmt.Errorf("cutout of %d pixels: want 0 to the image's side, %d", a.Cutout, max(shape[1], shape[2]))
	}
	return nil
}

// Image writes image i as it is in an epoch to dst, [C H W], as numbers 0 to 255.
// It depends on its arguments alone.
func (a *Augment) Image(dst []float32, d *Data, i int, seed uint64, epoch int) {
	c, h, w := d.Shape[0], d.Shape[1], d.Shape[2]
	pixels := d.Pixels[i*c*h*w:][:c*h*w]
	var pcg rand.PCG
	pcg.Seed(seed, uint64(i)<<1|1)
	flip := a.Flip && (int(pcg.Uint64()>>63)+epoch)%2 == 1
	pcg.Seed(seed, uint64(epoch)<<32|uint64(i)<<1)
	r := rand.New(&pcg)
	dy, dx := r.IntN(2*a.Crop+1)-a.Crop, r.IntN(2*a.Crop+1)-a.Crop
	for y := range h {
		from := pixels[mirror(y+dy, h)*w:]
		to := dst[y*w:]
		for x := range w {
			sx := mirror(x+dx, w)
			if flip {
				sx = w - 1 - sx
			}
			for ch := range c {
				to[ch*h*w+x] = float32(from[ch*h*w+sx])
			}
		}
	}
	if a.Cutout == 0 {
		return
	}
	top, left := r.IntN(h+a.Cutout-1)-a.Cutout+1, r.IntN(w+a.Cutout-1)-a.Cutout+1
	for y := max(0, top); y < min(h, top+a.Cutout); y++ {
		for x := max(0, left); x < min(w, left+a.Cutout); x++ {
			for ch := range c {
				dst[(ch*h+y)*w+x] = float32(a.Fill)
			}
		}
	}
}

// mirror reflects a place at most n−1 outside 0…n−1 at the border pixel.
func mirror(i, n int) int {
	if i < 0 {
		return -i
	}
	if i >= n {
		return 2*(n-1) - i
	}
	return i
}
