// Package dataset reads labelled images from what a user has: CIFAR-10's binary
// version, a folder of PNG and JPEG files, or NumPy's arrays (.npy, .npz).
//
// [Open] finds out which it is and what is in it; [Source.Set] makes of it the images
// that a network takes, or says in one line which file does not suit and what was
// expected. Nothing is scaled, cropped, turned grey or cast unless asked for. Images are
// read when they are needed: what is held are the labels, the files' names, and one
// batch (CIFAR-10, 180 MB at most, is held whole).
package dataset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"macroscope/cifar10"
)

// Split says which images are wanted of a data set that tells them apart: the binary
// version of CIFAR-10; a folder that holds the folders train and test (or val); a .npz
// file with arrays for both. One that does not is taken as it is.
type Split uint8

const (
	Test  Split = iota // what accuracy is counted on
	Train              // what scales are calibrated on
)

// String is "test" or "training".
func (s Split) String() string { return [...]string{"test", "training"}[s] }

// Resize says what becomes of a picture that has not the network's size.
type Resize string

const (
	NoResize Resize = "none"    // it is refused
	Stretch  Resize = "stretch" // the whole picture is scaled, whatever becomes of its proportions
	Crop     Resize = "crop"    // the largest middle part of the right proportions is scaled
)

// Layout is the order of an image's elements in an array.
type Layout string

const (
	ByShape Layout = "auto" // whichever the array's shape is; refused if it is both
	NCHW    Layout = "nchw" // planes of channels
	NHWC    Layout = "nhwc" // pixel after pixel
)

// maxImages is the most that a set may have: the largest that people have is
// ImageNet-21k with 14 million.
const maxImages = 1 << 24

// Options say how to read. The zero value takes test images as they are.
type Options struct {
	Split Split
	// Labels is the file of labels: for a folder of images, lines of a file's name (within
	// the folder) and its class's index with a comma, tab or blank between them; for .npy
	// images, a .npy array [N] of integers. Empty: a folder's sub-folders are the classes.
	Labels string
	Layout Layout // of arrays; empty is ByShape
	Resize Resize // of pictures; empty is NoResize
}

// Source is a data set that is opened but not yet fitted to a network.
type Source struct {
	path, name string
	floats     bool
	fit        func(shape []int, classes int) (*Set, error)
	closer     io.Closer
}

// Open looks at what is at path: a folder or a .npy or .npz file.
func Open(path string, o Options) (*Source, error) {
	if o.Layout == "" {
		o.Layout = ByShape
	}
	if o.Resize == "" {
		o.Resize = NoResize
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	ext := strings.ToLower(filepath.Ext(path))
	switch {
	case !info.IsDir() && ext == ".npy":
		return openNPY(path, o)
	case !info.IsDir() && ext == ".npz":
		return openNPZ(path, o)
	case !info.IsDir():
		return nil, fmt.Errorf("%s: a file: want a folder with CIFAR-10's binary version or with images, or a .npy or .npz file", path)
	}
	if o.Layout != ByShape {
		return nil, fmt.Errorf("%s: a layout is of arrays: this is a folder", path)
	}
	if isCIFAR(path) {
		return openCIFAR(path, o)
	}
	return openFolder(path, o)
}

// Name is the data set in words, for results: "test images of data".
func (s *Source) Name() string { return s.name }

// Floats says whether images are float32 numbers, to be fed as they are, in place of
// bytes.
func (s *Source) Floats() bool { return s.floats }

// Set gives the images of a shape, [C H W] or [F], for a network of so many classes:
// the labels are 0 to classes-1.
func (s *Source) Set(shape []int, classes int) (*Set, error) {
	for _, d := range shape {
		if d < 1 {
			return nil, fmt.Errorf("images %v: want extents from 1", shape)
		}
	}
	if len(shape) != 1 && len(shape) != 3 {
		return nil, fmt.Errorf("images %v: want [C H W] or [F]", shape)
	}
	return s.fit(slices.Clone(shape), classes)
}

// Close closes the files; sets of the source are of no use then.
func (s *Source) Close() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}

// Set is labelled images of one shape, numbered from 0.
type Set struct {
	name    string
	shape   []int
	size    int // elements of an image
	labels  []int32
	classes int
	floats  bool
	images  reader

	mixed bool // CIFAR-10, whose classes follow one another in no order
	apart bool // the data set tells training from test images
}

// reader gives elements: image from to from+n-1 into the batch's bytes or floats.
type reader interface {
	read(b *Batch, from, n int) error
}

// Batch holds images that follow one another; its memory is used again by the next Read.
type Batch struct {
	Labels []int32   // [n]
	Bytes  []uint8   // [n] images in the set's shape, of sets of bytes
	Floats []float32 // the same of sets of floats
}

// Len is the number of images.
func (s *Set) Len() int { return len(s.labels) }

// Name is the set in words.
func (s *Set) Name() string { return s.name }

// Size is the number of elements of one image.
func (s *Set) Size() int { return s.size }

// Shape is an image's, [C H W] or [F].
func (s *Set) Shape() []int { return slices.Clone(s.shape) }

// Classes is the number of classes; labels are below it.
func (s *Set) Classes() int { return s.classes }

// Floats says which of a batch's two is filled.
func (s *Set) Floats() bool { return s.floats }

// Head is the first n images, or all where there are fewer.
func (s *Set) Head(n int) *Set {
	n = max(0, min(n, s.Len()))
	c := *s
	c.labels = s.labels[:n:n]
	return &c
}

// Apart says whether the data set tells training from test images, so that what is
// calibrated on the ones can be judged by the others.
func (s *Set) Apart() bool { return s.apart }

// IsCIFAR10 says whether the images are CIFAR-10's, from its binary version.
func (s *Set) IsCIFAR10() bool { return s.mixed }

// Some is n of the images, or all where there are fewer, of all classes alike: of
// CIFAR-10, whose images are in no order, the first; of others, which may be sorted by
// class, those at even distances.
func (s *Set) Some(n int) *Set {
	if s.mixed || n >= s.Len() || n < 1 {
		return s.Head(n)
	}
	c := *s
	c.labels = make([]int32, n)
	p := &picked{of: s.images, at: make([]int, n)}
	for i := range n {
		p.at[i] = i * s.Len() / n
		c.labels[i] = s.labels[p.at[i]]
	}
	c.images = p
	return &c
}

// picked is some of a reader's images.
type picked struct {
	of  reader
	at  []int
	one Batch
}

func (p *picked) read(b *Batch, from, n int) error {
	b.Bytes, b.Floats = b.Bytes[:0], b.Floats[:0]
	for _, at := range p.at[from : from+n] {
		if err := p.of.read(&p.one, at, 1); err != nil {
			return err
		}
		b.Bytes, b.Floats = append(b.Bytes, p.one.Bytes...), append(b.Floats, p.one.Floats...)
	}
	return nil
}

// Read reads n images from number from on. Reading in order is fastest: a compressed
// array is read from its start again by who goes back.
func (s *Set) Read(b *Batch, from, n int) error {
	if from < 0 || n < 0 || from > s.Len()-n {
		return fmt.Errorf("%s: images %d to %d: have %d", s.name, from, from+n-1, s.Len())
	}
	b.Labels = s.labels[from : from+n]
	return s.images.read(b, from, n)
}

// InMemory is a set of bytes at hand, [n] images of the shape.
func InMemory(name string, shape []int, classes int, pixels []uint8, labels []uint8) (*Set, error) {
	s := &Set{name: name, shape: slices.Clone(shape), size: elements(shape), classes: classes, images: memory{pixels, elements(shape)}}
	if len(pixels) != len(labels)*s.size {
		return nil, fmt.Errorf("%s: %d bytes for %d images of %v", name, len(pixels), len(labels), shape)
	}
	for i, l := range labels {
		if int(l) >= classes {
			return nil, fmt.Errorf("%s: label %d of image %d: want 0 to %d", name, l, i, classes-1)
		}
		s.labels = append(s.labels, int32(l))
	}
	return s, nil
}

type memory struct {
	pixels []uint8
	size   int
}

func (m memory) read(b *Batch, from, n int) error {
	b.Bytes = append(b.Bytes[:0], m.pixels[from*m.size:(from+n)*m.size]...)
	return nil
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// grow gives a slice of n elements, v's own memory where that is enough.
func grow[T any](v []T, n int) []T { return slices.Grow(v[:0], n)[:n] }

// isCIFAR says whether a folder holds CIFAR-10's binary version.
func isCIFAR(dir string) bool {
	for _, name := range []string{cifar10.ArchiveDir, "test_batch.bin", "data_batch_1.bin"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

func openCIFAR(dir string, o Options) (*Source, error) {
	if o.Labels != "" {
		return nil, fmt.Errorf("%s: CIFAR-10's binary version has its labels in it: want no file of labels", dir)
	}
	load := cifar10.LoadTest
	if o.Split == Train {
		load = cifar10.LoadTrain
	}
	set, err := load(dir)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%v images of %s", o.Split, dir)
	return &Source{path: dir, name: name, fit: func(shape []int, classes int) (*Set, error) { return FromCIFAR10(name, set, shape, classes) }}, nil
}

// FromCIFAR10 is a set of CIFAR-10's images at hand, for a network that takes such.
func FromCIFAR10(name string, set *cifar10.Set, shape []int, classes int) (*Set, error) {
	if !slices.Equal(shape, []int{3, 32, 32}) && !slices.Equal(shape, []int{cifar10.PixelBytes}) {
		return nil, fmt.Errorf("%s: CIFAR-10 images are [3 32 32]: the network takes %v", name, shape)
	}
	if classes != cifar10.Classes {
		return nil, fmt.Errorf("%s: CIFAR-10 has %d classes: the network gives %d values an image", name, cifar10.Classes, classes)
	}
	s, err := InMemory(name, shape, classes, set.Pixels, set.Labels)
	if err != nil {
		return nil, err
	}
	s.mixed, s.apart = true, true
	return s, nil
}

// checkLabels holds labels against what the network can answer.
func checkLabels(name string, labels []int32, classes int, of func(i int) string) error {
	if len(labels) == 0 {
		return fmt.Errorf("%s: no images", name)
	}
	for i, l := range labels {
		if l < 0 || int(l) >= classes {
			return fmt.Errorf("%s: label %d of %s: want 0 to %d, as the network gives %d values", name, l, of(i), classes-1, classes)
		}
	}
	return nil
}

var errTooMany = errors.New("more than 16777216 images")
