package kernels

import "macroscope/kernels/tile"

// Context is the working memory of one goroutine: it grows to what is asked of
// it and is then reused, so that repeated calls allocate nothing. The zero
// value is ready.
type Context struct {
	args      tile.Args
	transform tile.Transform
	merge     tile.Merge
	pixels    tile.Pixels
	depthwise tile.Depthwise
	planes    tile.BitPlanes
	few       [8]uint8 // a pixel's last bytes
	rescale   tile.Rescale
	addBytes  tile.AddBytes
	floats    tile.Floats
	scratch   []byte
	image     []byte
	groupIn   []byte
	groupOut  []byte
	rows      []int // byte offsets of a block of rows of A, C and scratch
	coff      []int
	dense     []int
}

// bytes returns n bytes of scratch memory with any content.
func (c *Context) bytes(n int) []byte {
	if len(c.scratch) < n {
		c.scratch = Aligned(n)
	}
	return c.scratch[:n]
}

// padded returns n bytes of image memory, all of them the given value.
func (c *Context) padded(n int, value uint8) []byte {
	if len(c.image) < n {
		c.image = Aligned(n)
	}
	b := c.image[:n]
	for i := range b {
		b[i] = value
	}
	return b
}

// steps fills a table with n multiples of a distance, or more.
func (c *Context) steps(table *[]int, n, distance int) {
	if len(*table) < n {
		*table = make([]int, n)
	}
	for i := range *table {
		(*table)[i] = i * distance
	}
}
