package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"macroscope/internal/regular"
)

// closers are closed together.
type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, one := range c {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}

// openNPY opens images and their labels, each a file.
func openNPY(path string, o Options) (*Source, error) {
	if o.Labels == "" {
		return nil, fmt.Errorf("%s: images without labels: want --labels with a .npy file of them, or both in one .npz", path)
	}
	images, file, err := openArray(path)
	if err != nil {
		return nil, err
	}
	labels, other, err := openArray(o.Labels)
	if err != nil {
		file.Close()
		return nil, err
	}
	return fromArrays(path, "images of "+path, false, images, labels, closers{file, other}, o)
}

func openArray(path string) (*array, io.Closer, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	a, err := newArray(path, info.Size(), func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(f, 0, info.Size())), nil
	})
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return a, f, nil
}

// The names that images and labels have in .npz files, the likeliest first: Keras's and
// MedMNIST's for two sets in one file, then what numpy.savez is called with.
var arrayNames = map[Split][][2]string{
	Test:  {{"x_test", "y_test"}, {"test_images", "test_labels"}},
	Train: {{"x_train", "y_train"}, {"train_images", "train_labels"}},
}

var oneSetNames = [][2]string{{"images", "labels"}, {"x", "y"}, {"X", "y"}, {"arr_0", "arr_1"}}

// openNPZ opens images and labels that are arrays of one file.
func openNPZ(path string, o Options) (*Source, error) {
	if o.Labels != "" {
		return nil, fmt.Errorf("%s: a .npz file has its labels in it: want no file of labels", path)
	}
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := readNPZ(path, f, o)
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// file is what a zip archive is read from.
type file interface {
	io.ReaderAt
	io.Seeker
	io.Closer
}

func readNPZ(path string, f file, o Options) (*Source, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: want a .npz file, a zip archive of arrays: %w", path, err)
	}
	entries := map[string]*zip.File{}
	var names []string
	for _, e := range z.File {
		if name, ok := strings.CutSuffix(e.Name, ".npy"); ok && entries[name] == nil {
			entries[name] = e
			names = append(names, name)
		}
	}
	for _, pair := range slices.Concat(arrayNames[o.Split], oneSetNames) {
		x, y := entries[pair[0]], entries[pair[1]]
		if x == nil || y == nil {
			continue
		}
		images, err := zipArray(path, pair[0], x)
		if err != nil {
			return nil, err
		}
		labels, err := zipArray(path, pair[1], y)
		if err != nil {
			return nil, err
		}
		if slices.Contains(oneSetNames, pair) {
			return fromArrays(path, "images of "+path, false, images, labels, closers{f}, o)
		}
		return fromArrays(path, fmt.Sprintf("%v images of %s", o.Split, path), true, images, labels, closers{f}, o)
	}
	return nil, fmt.Errorf("%s: arrays %.200s: want images and labels (x_test and y_test, or x_train and y_train to calibrate on)", path, strings.Join(names, ", "))
}

func zipArray(path, name string, e *zip.File) (*array, error) {
	if e.UncompressedSize64 > math.MaxInt64 {
		return nil, fmt.Errorf("%s: %s: %d bytes: want fewer", path, name, e.UncompressedSize64)
	}
	return newArray(path+": "+name, int64(e.UncompressedSize64), func() (io.ReadCloser, error) { return e.Open() })
}

// fromArrays checks that images and labels belong together. apart says that the file has
// training and test images.
func fromArrays(path, name string, apart bool, images, labels *array, c io.Closer, o Options) (*Source, error) {
	_, kind, size := images.header.number()
	floats := kind == 'f' && size == 4
	switch {
	case !floats && (kind != 'u' || size != 1):
		return nil, fmt.Errorf("%s: images of type %s: want uint8 (|u1) or float32 (<f4)", images.name, images.header.descr)
	case len(images.header.shape) < 2:
		return nil, fmt.Errorf("%s: images of shape %s: want the number of images first", images.name, tupleText(images.header.shape))
	case images.header.shape[0] != labels.header.shape[0]:
		return nil, fmt.Errorf("%s: %d labels for %d images of %s", labels.name, labels.header.shape[0], images.header.shape[0], images.name)
	}
	all, err := labels.integers()
	if err != nil {
		return nil, err
	}
	fit := func(shape []int, classes int) (*Set, error) {
		swap, err := images.order(shape, o.Layout)
		if err != nil {
			return nil, err
		}
		if err := checkLabels(labels.name, all, classes, func(i int) string { return fmt.Sprintf("image %d", i) }); err != nil {
			return nil, err
		}
		r := &arrayImages{a: images, shape: shape, swap: swap, floats: floats}
		return &Set{name: name, shape: shape, size: elements(shape), labels: all, classes: classes, floats: floats, apart: apart, images: r}, nil
	}
	return &Source{path: path, name: name, floats: floats, fit: fit, closer: c}, nil
}

// order says whether an image of the array is pixel after pixel and has to become planes,
// for a network that takes the shape.
func (a *array) order(shape []int, layout Layout) (swap bool, err error) {
	have := a.header.shape[1:]
	wrong := func(want string) error {
		return fmt.Errorf("%s: images of shape %s: the network takes %v, so want %s", a.name, tupleText(a.header.shape), shape, want)
	}
	if len(shape) == 1 {
		if a.header.items() != int64(shape[0]) {
			return false, wrong(fmt.Sprintf("(N, %d) or as many elements", shape[0]))
		}
		return false, nil
	}
	c, h, w := shape[0], shape[1], shape[2]
	planes := slices.Equal(have, shape) || c == 1 && slices.Equal(have, []int{h, w})
	pixels := slices.Equal(have, []int{h, w, c}) || c == 1 && slices.Equal(have, []int{h, w})
	first, second := fmt.Sprintf("(N, %d, %d, %d)", c, h, w), fmt.Sprintf("(N, %d, %d, %d)", h, w, c)
	if h == 1 { // sequences, which a graph has as images of one row
		sequence := c == 1 && slices.Equal(have, []int{w})
		planes = planes || sequence || slices.Equal(have, []int{c, w})
		pixels = pixels || sequence || slices.Equal(have, []int{w, c})
		first, second = fmt.Sprintf("(N, %d, %d)", c, w), fmt.Sprintf("(N, %d, %d)", w, c)
	}
	switch {
	case layout == NCHW && !planes:
		return false, wrong(first)
	case layout == NHWC && !pixels:
		return false, wrong(second)
	case !planes && !pixels:
		return false, wrong(first + " or " + second)
	case layout == ByShape && planes && pixels && c > 1:
		return false, fmt.Errorf("%s: images of shape %s may be channels, rows, columns or rows, columns, channels: say which by --data-layout", a.name, tupleText(a.header.shape))
	}
	return c > 1 && (layout == NHWC || layout == ByShape && !planes), nil
}

// arrayImages are the images of an array.
type arrayImages struct {
	a      *array
	shape  []int
	swap   bool // from [H W C] to [C H W]
	floats bool
	buf    []byte
}

func (x *arrayImages) read(b *Batch, from, n int) error {
	size := elements(x.shape)
	each := size
	if x.floats {
		each *= 4
	}
	x.buf = grow(x.buf, n*each)
	if err := x.a.readAt(x.buf, int64(from)*int64(each)); err != nil {
		return err
	}
	if !x.floats {
		b.Bytes = grow(b.Bytes, n*size)
		for i := range n {
			x.place(size, func(to, at int) { b.Bytes[i*size+to] = x.buf[i*size+at] })
		}
		return nil
	}
	order, _, _ := x.a.header.number()
	b.Floats = grow(b.Floats, n*size)
	for i := range n {
		x.place(size, func(to, at int) {
			b.Floats[i*size+to] = math.Float32frombits(order.Uint32(x.buf[4*(i*size+at):]))
		})
		for j, v := range b.Floats[i*size : (i+1)*size] {
			if v-v != 0 {
				return fmt.Errorf("%s: element %d of image %d is %g: want finite numbers", x.a.name, j, from+i, v)
			}
		}
	}
	return nil
}

// place calls put for every element: its place in the batch's image and in the array's.
func (x *arrayImages) place(size int, put func(to, at int)) {
	if !x.swap {
		for i := range size {
			put(i, i)
		}
		return
	}
	c, plane := x.shape[0], x.shape[1]*x.shape[2]
	for p := range plane {
		for ch := range c {
			put(ch*plane+p, p*c+ch)
		}
	}
}
