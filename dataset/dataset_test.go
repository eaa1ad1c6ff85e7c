package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"macroscope/models"
)

// counting is what testdata/arrays.py counts up: 4 images of [3 2 5].
func counting(from, n int) (v []uint8) {
	for i := range n {
		v = append(v, uint8(from+i))
	}
	return v
}

// load opens and fits a data set.
func load(t *testing.T, path string, o Options, shape []int, classes int) (*Set, error) {
	t.Helper()
	src, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { src.Close() })
	return src.Set(shape, classes)
}

func mustLoad(t *testing.T, path string, o Options, shape []int, classes int) *Set {
	t.Helper()
	s, err := load(t, path, o, shape, classes)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestArraysOfNumPy(t *testing.T) {
	shape := []int{3, 2, 5}
	for _, tt := range []struct {
		path   string
		o      Options
		shape  []int
		from   int
		labels []int32
	}{
		{"both.npz", Options{}, shape, 0, []int32{0, 2, 1, 2}},
		{"both.npz", Options{Split: Train}, shape, 100, []int32{0, 2}},
		{"both.npz", Options{}, []int{30}, 0, []int32{0, 2, 1, 2}}, // a network of vectors
		{"plain.npz", Options{}, shape, 0, []int32{0, 2, 1, 2}},    // pixel after pixel, told by the shape
		{"plain.npz", Options{Layout: NHWC, Split: Train}, shape, 0, []int32{0, 2, 1, 2}},
	} {
		s := mustLoad(t, "testdata/"+tt.path, tt.o, tt.shape, 3)
		if s.Floats() || s.Len() != len(tt.labels) || s.Size() != 30 {
			t.Errorf("%s: floats %v, %d images of %d: want bytes, %d of 30", tt.path, s.Floats(), s.Len(), s.Size(), len(tt.labels))
		}
		var b Batch
		// Forwards in two batches, then back to the start.
		for _, at := range [][2]int{{0, 1}, {1, len(tt.labels) - 1}, {0, len(tt.labels)}} {
			if err := s.Read(&b, at[0], at[1]); err != nil {
				t.Fatalf("%s: %v", tt.path, err)
			}
			if want := counting(tt.from+30*at[0], 30*at[1]); !slices.Equal(b.Bytes, want) {
				t.Errorf("%s %+v: images %v: got %v, want %v", tt.path, tt.o, at, b.Bytes, want)
			}
			if want := tt.labels[at[0]:][:at[1]]; !slices.Equal(b.Labels, want) {
				t.Errorf("%s: labels %v, want %v", tt.path, b.Labels, want)
			}
		}
		if err := s.Read(&b, 1, s.Len()); err == nil {
			t.Errorf("%s: images past the end: no error", tt.path)
		}
		if s.Head(1).Read(&b, 0, 2) == nil {
			t.Errorf("%s: more than the head: no error", tt.path)
		}
	}
}

func TestFloatArrays(t *testing.T) {
	for _, path := range []string{"floats.npy", "big_endian.npy"} {
		s := mustLoad(t, "testdata/"+path, Options{Labels: "testdata/labels.npy"}, []int{3, 2, 5}, 3)
		var b Batch
		if err := s.Read(&b, 2, 2); err != nil || !s.Floats() {
			t.Fatal(err, s.Floats())
		}
		for i, v := range b.Floats {
			if want := float32(60+i)/4 - 7; v != want {
				t.Errorf("%s: element %d is %g, want %g", path, i, v, want)
			}
		}
	}
}

func TestArraysThatDoNotSuit(t *testing.T) {
	dir := t.TempDir()
	change := func(name, from string, edit func([]byte) []byte) string {
		data, err := os.ReadFile("testdata/" + from)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, edit(data), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	short := change("short.npy", "floats.npy", func(b []byte) []byte { return b[:len(b)-1] })
	nan := change("nan.npy", "floats.npy", func(b []byte) []byte { copy(b[len(b)-4:], "\x00\x00\xc0\x7f"); return b })
	text := change("text.npy", "floats.npy", func([]byte) []byte { return []byte("hello, here I am") })
	zip := change("broken.npz", "both.npz", func(b []byte) []byte { return b[:len(b)/2] })
	flip := change("flip.npz", "plain.npz", func(b []byte) []byte { b[200] ^= 1; return b }) // an element, so that the checksum is wrong
	labels := Options{Labels: "testdata/labels.npy"}
	shape := []int{3, 2, 5}
	for _, tt := range []struct {
		path  string
		o     Options
		shape []int
		n     int
		want  string
	}{
		{"testdata/none.npy", labels, shape, 3, "no such file"},
		{"testdata/arrays.py", labels, shape, 3, "testdata/arrays.py: a file: want a folder"},
		{"testdata/floats.npy", Options{}, shape, 3, "testdata/floats.npy: images without labels: want --labels"},
		{"testdata/both.npz", labels, shape, 3, "has its labels in it"},
		{"testdata/doubles.npy", labels, shape, 3, "testdata/doubles.npy: images of type <f8: want uint8 (|u1) or float32 (<f4)"},
		{"testdata/fortran.npy", labels, shape, 3, "testdata/fortran.npy: fortran_order: want C order"},
		{"testdata/floats.npy", Options{Labels: "testdata/floats.npy"}, shape, 3, "labels of type <f4: want integers"},
		{"testdata/floats.npy", Options{Labels: "testdata/negative.npy"}, shape, 3, "testdata/negative.npy: label of image 0: want 0 to 2147483647"},
		{"testdata/floats.npy", labels, []int{3, 5, 2}, 3, "images of shape (4, 3, 2, 5): the network takes [3 5 2], so want (N, 3, 5, 2) or (N, 5, 2, 3)"},
		{"testdata/floats.npy", labels, []int{31}, 3, "want (N, 31) or as many elements"},
		{"testdata/floats.npy", Options{Labels: "testdata/labels.npy", Layout: NHWC}, shape, 3, "so want (N, 2, 5, 3)"},
		{"testdata/floats.npy", labels, shape, 2, "testdata/labels.npy: label 2 of image 1: want 0 to 1, as the network gives 2 values"},
		{short, labels, shape, 3, "short.npy: 607 bytes: an array (4, 3, 2, 5) of <f4 takes 608"},
		{nan, labels, shape, 3, "nan.npy: element 29 of image 3 is NaN: want finite numbers"},
		{text, labels, shape, 3, `text.npy: byte 0: want a .npy file, which begins with \x93NUMPY`},
		{zip, Options{}, shape, 3, "broken.npz: want a .npz file, a zip archive of arrays"},
		{flip, Options{}, shape, 3, "flip.npz: arr_0: byte 248: zip: checksum error"},
	} {
		s, err := load(t, tt.path, tt.o, tt.shape, tt.n)
		if err == nil {
			err = s.Read(&Batch{}, 0, s.Len())
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %+v: got %v, want %s", tt.path, tt.o, err, tt.want)
		}
	}
}

// A shape that may be both is told by the flag alone.
func TestLayoutMustBeSaid(t *testing.T) {
	dir := t.TempDir()
	cube, labels := filepath.Join(dir, "x.npy"), filepath.Join(dir, "y.npy")
	writeNPY(t, cube, "|u1", "(1, 3, 3, 3)", counting(0, 27))
	writeNPY(t, labels, "|u1", "(1,)", []byte{1})
	if _, err := load(t, cube, Options{Labels: labels}, []int{3, 3, 3}, 2); err == nil || !strings.Contains(err.Error(), "say which by --data-layout") {
		t.Errorf("got %v", err)
	}
	var b Batch
	s := mustLoad(t, cube, Options{Labels: labels, Layout: NHWC}, []int{3, 3, 3}, 2)
	if err := s.Read(&b, 0, 1); err != nil || b.Bytes[0] != 0 || b.Bytes[1] != 3 || b.Bytes[9] != 1 {
		t.Errorf("pixel after pixel: %v, %v", b.Bytes, err)
	}
	s = mustLoad(t, cube, Options{Labels: labels, Layout: NCHW}, []int{3, 3, 3}, 2)
	if err := s.Read(&b, 0, 1); err != nil || !slices.Equal(b.Bytes, counting(0, 27)) {
		t.Errorf("planes: %v, %v", b.Bytes, err)
	}
}

// Sequences, [C 1 W] in a graph, are [N C W] or [N W C] in arrays.
func TestSequences(t *testing.T) {
	dir := t.TempDir()
	labels := filepath.Join(dir, "y.npy")
	writeNPY(t, labels, "|u1", "(1,)", []byte{1})
	for _, tt := range []struct {
		dims   string
		shape  []int
		layout Layout
		second uint8 // of channel 0
		want   string
	}{
		{"(1, 2, 3)", []int{2, 1, 3}, "", 1, ""},
		{"(1, 3, 2)", []int{2, 1, 3}, "", 2, ""},
		{"(1, 2, 1, 3)", []int{2, 1, 3}, "", 1, ""},
		{"(1, 6)", []int{1, 1, 6}, "", 1, ""},
		{"(1, 3, 2)", []int{2, 1, 3}, NHWC, 2, ""},
		{"(1, 3, 2)", []int{2, 1, 3}, NCHW, 0, "want (N, 2, 3)"},
		{"(1, 2, 3)", []int{2, 3, 1}, "", 0, "want (N, 2, 3, 1) or (N, 3, 1, 2)"},
		{"(1, 2, 4)", []int{2, 1, 3}, "", 0, "want (N, 2, 3) or (N, 3, 2)"},
		{"(1, 3, 3)", []int{3, 1, 3}, "", 0, "say which by --data-layout"},
		{"(1, 3, 3)", []int{3, 1, 3}, NHWC, 3, ""},
	} {
		x := filepath.Join(dir, "x.npy")
		var a, b, c int
		fmt.Sscanf(tt.dims, "(1, %d, %d, %d)", &a, &b, &c)
		writeNPY(t, x, "|u1", tt.dims, counting(0, a*max(b, 1)*max(c, 1)))
		s, err := load(t, x, Options{Labels: labels, Layout: tt.layout}, tt.shape, 2)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s for %v: got %v, want %s", tt.dims, tt.shape, err, tt.want)
			}
			continue
		}
		var batch Batch
		if err != nil || s.Read(&batch, 0, 1) != nil || batch.Bytes[1] != tt.second {
			t.Errorf("%s for %v: %v, %v: want %d as the second", tt.dims, tt.shape, err, batch.Bytes, tt.second)
		}
	}
}

// Some takes of images sorted by class from each; CIFAR-10's come as they are.
func TestSome(t *testing.T) {
	dir := t.TempDir()
	x, y := filepath.Join(dir, "x.npy"), filepath.Join(dir, "y.npy")
	writeNPY(t, x, "|u1", "(6, 2)", counting(0, 12))
	writeNPY(t, y, "|u1", "(6,)", []byte{0, 0, 1, 1, 2, 2})
	s := mustLoad(t, x, Options{Labels: y}, []int{2}, 3)
	var b Batch
	some := s.Some(3)
	if err := some.Read(&b, 1, 2); err != nil || some.Len() != 3 || !slices.Equal(b.Labels, []int32{1, 2}) || !slices.Equal(b.Bytes, []uint8{4, 5, 8, 9}) {
		t.Errorf("3 of 6: %d, %v, %v, %v", some.Len(), b.Labels, b.Bytes, err)
	}
	if err := s.Some(99).Read(&b, 0, 6); err != nil || !slices.Equal(b.Bytes, counting(0, 12)) {
		t.Errorf("all: %v, %v", b.Bytes, err)
	}
	write(t, filepath.Join(dir, "test_batch.bin"), models.Sample())
	if s := mustLoad(t, dir, Options{}, []int{3, 32, 32}, 10); !s.Apart() || s.Some(2).Read(&b, 1, 1) != nil || !bytes.Equal(b.Bytes, models.Sample()[3073+1:2*3073]) {
		t.Error("CIFAR-10's second image is not the second of two")
	}
}

// writeNPY writes version 1.0 by hand.
func writeNPY(t *testing.T, path, descr, shape string, data []byte) {
	t.Helper()
	header := "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n"
	file := append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(header)), 0})+header), data...)
	if err := os.WriteFile(path, file, 0o666); err != nil {
		t.Fatal(err)
	}
}

// coloured is a picture whose channels tell where a pixel is.
func coloured(w, h int) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			im.SetNRGBA(x, y, color.NRGBA{uint8(10 * x), uint8(10 * y), uint8(x + 16*y), 255})
		}
	}
	return im
}

func writePNG(t *testing.T, path string, im image.Image) {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestFolderByClass(t *testing.T) {
	dir := t.TempDir()
	grey := image.NewGray(image.Rect(0, 0, 3, 2))
	grey.Pix = []uint8{1, 2, 3, 4, 5, 6}
	writePNG(t, filepath.Join(dir, "b", "2.png"), coloured(3, 2))
	writePNG(t, filepath.Join(dir, "b", "deeper", "3.PNG"), grey)
	writePNG(t, filepath.Join(dir, "a", "9.png"), grey)
	write(t, filepath.Join(dir, "a", "notes.txt"), []byte("no picture"))
	write(t, filepath.Join(dir, "a", ".hidden.png"), nil)
	write(t, filepath.Join(dir, "empty", "notes.txt"), nil)
	var b Batch
	s := mustLoad(t, dir, Options{}, []int{3, 2, 3}, 2)
	if err := s.Read(&b, 0, 3); err != nil {
		t.Fatal(err)
	}
	want := []uint8{
		1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, // a/9.png
		0, 10, 20, 0, 10, 20, 0, 0, 0, 10, 10, 10, 0, 1, 2, 16, 17, 18, // b/2.png
		1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6,
	}
	if !slices.Equal(b.Labels, []int32{0, 1, 1}) || !slices.Equal(b.Bytes, want) {
		t.Errorf("labels %v, bytes %v", b.Labels, b.Bytes)
	}
	// A grey network takes the grey ones and refuses colour.
	s = mustLoad(t, dir, Options{}, []int{1, 2, 3}, 2)
	if err := s.Read(&b, 2, 1); err != nil || !slices.Equal(b.Bytes, grey.Pix) {
		t.Errorf("grey: %v, %v", b.Bytes, err)
	}
	if err := s.Read(&b, 0, 2); err == nil || !strings.Contains(err.Error(), filepath.Join("b", "2.png")+": pixel 1,0 is {10 0 1 255}: the network takes grey pictures") {
		t.Errorf("colour for a grey network: %v", err)
	}

	// Another order by a file of labels.
	labels := filepath.Join(t.TempDir(), "labels.csv")
	write(t, labels, []byte("# name, class\nb/2.png,4\n\na/9.png 7\nb/deeper/3.PNG,\t0\n"))
	s = mustLoad(t, dir, Options{Labels: labels}, []int{3, 2, 3}, 8)
	if err := s.Read(&b, 0, 3); err != nil || !slices.Equal(b.Labels, []int32{4, 7, 0}) || b.Bytes[1] != 10 || b.Bytes[18] != 1 {
		t.Errorf("labels %v, bytes %v: %v", b.Labels, b.Bytes, err)
	}
}

func TestFolderOfTwoSets(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "train", "a", "1.png"), coloured(3, 2))
	writePNG(t, filepath.Join(dir, "train", "a", "2.png"), coloured(3, 2))
	writePNG(t, filepath.Join(dir, "val", "a", "1.png"), coloured(3, 2))
	for split, n := range map[Split]int{Test: 1, Train: 2} {
		if s := mustLoad(t, dir, Options{Split: split}, []int{3, 2, 3}, 1); s.Len() != n || !s.Apart() || !strings.HasPrefix(s.Name(), split.String()+" images of") {
			t.Errorf("%v: %d images called %q: want %d", split, s.Len(), s.Name(), n)
		}
	}
}

func TestPicturesThatDoNotSuit(t *testing.T) {
	var good, photo bytes.Buffer
	if err := png.Encode(&good, coloured(3, 2)); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&photo, coloured(40, 30), nil); err != nil {
		t.Fatal(err)
	}
	clear := coloured(3, 2)
	clear.SetNRGBA(1, 1, color.NRGBA{9, 9, 9, 128})
	for _, tt := range []struct {
		name string
		data []byte
		want string
	}{
		{"cut.png", good.Bytes()[:good.Len()-20], "cut.png: png: "},
		{"cut.jpg", photo.Bytes()[:100], "cut.jpg: want a PNG or JPEG file"},
		{"empty.png", nil, "empty.png: want a PNG or JPEG file"},
		{"big.jpg", photo.Bytes(), "big.jpg: 40 by 30 pixels (width by height): the network takes 3 by 2; --resize scales"},
		{"clear.png", encoded(t, clear), "clear.png: transparent pixels: want none"},
		{"deep.png", encoded(t, image.NewGray16(image.Rect(0, 0, 3, 2))), "deep.png: 16 bits a channel: want 8"},
		{"other.bmp", []byte("BM"), "other.bmp: a .bmp file: want PNG or JPEG"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "class", tt.name), tt.data)
		s, err := load(t, dir, Options{}, []int{3, 2, 3}, 1)
		if err == nil {
			err = s.Read(&Batch{}, 0, 1)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func encoded(t *testing.T, im image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFoldersThatDoNotSuit(t *testing.T) {
	dir := t.TempDir()
	writePNG(t, filepath.Join(dir, "a", "1.png"), coloured(3, 2))
	writePNG(t, filepath.Join(dir, "b", "1.png"), coloured(3, 2))
	labels := func(text string) string {
		path := filepath.Join(t.TempDir(), "labels")
		write(t, path, []byte(text))
		return path
	}
	for _, tt := range []struct {
		path  string
		o     Options
		shape []int
		want  string
	}{
		{t.TempDir(), Options{}, []int{3, 2, 3}, "no test_batch.bin and no sub-folder with PNG or JPEG files"},
		{dir, Options{}, []int{3, 2, 3}, "2 sub-folders with images (a, b): the network gives 3 values"},
		{dir, Options{}, []int{6}, "pictures have 1 or 3 channels: the network takes [6]"},
		{dir, Options{Layout: NHWC}, []int{3, 2, 3}, "a layout is of arrays"},
		{dir, Options{Labels: labels("a/1.png\n")}, []int{3, 2, 3}, `labels:1: "a/1.png": want a file's name and a label`},
		{dir, Options{Labels: labels("a/1.png,1\nb/1.png,cat\n")}, []int{3, 2, 3}, `labels:2: label "cat": want a class's index`},
		{dir, Options{Labels: labels("../a/1.png,1\n")}, []int{3, 2, 3}, `labels:1: file "../a/1.png": want a name within`},
		{dir, Options{Labels: labels("a/1.png,3\n")}, []int{3, 2, 3}, "label 3 of " + filepath.Join(dir, "a", "1.png") + ": want 0 to 2"},
		{dir, Options{Labels: labels("c/1.png,0\n")}, []int{3, 2, 3}, filepath.Join("c", "1.png") + ": no such file"},
		{dir, Options{Labels: labels("")}, []int{3, 2, 3}, "no images"},
	} {
		s, err := load(t, tt.path, tt.o, tt.shape, 3)
		if err == nil {
			err = s.Read(&Batch{}, 0, 1)
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %s", tt.o, err, tt.want)
		}
	}
}

// Scaling down by a whole number is a mean under a tent; of a picture in one colour any
// scaling is that colour, and a crop keeps the middle.
func TestResize(t *testing.T) {
	im := image.NewNRGBA(image.Rect(0, 0, 12, 4))
	for y := range 4 {
		for x := range 12 {
			c := color.NRGBA{200, 0, 0, 255} // left and right
			if x >= 4 && x < 8 {
				c = color.NRGBA{0, 100, 50, 255}
			}
			im.SetNRGBA(x, y, c)
		}
	}
	dst := make([]uint8, 3*2*2)
	if err := decode(dst, encoded(t, im), []int{3, 2, 2}, Crop); err != nil {
		t.Fatal(err)
	}
	if want := []uint8{0, 0, 0, 0, 100, 100, 100, 100, 50, 50, 50, 50}; !slices.Equal(dst, want) {
		t.Errorf("the middle: got %v, want %v", dst, want)
	}
	dst = make([]uint8, 3*1*3)
	if err := decode(dst, encoded(t, im), []int{3, 1, 3}, Stretch); err != nil {
		t.Fatal(err)
	}
	// A pixel's tent reaches a whole pixel to both sides, 4 columns: the weights of its own
	// columns are 5, 7, 7, 5 eighths, those of a neighbour's 1 + 3 eighths each, of 4 in all;
	// outside the picture none, so that there the sum is 3.5.
	left, middle := 200*3.0/3.5, 200*(0.5+0.5)/4
	for _, p := range []struct {
		at   int
		want float64
	}{{0, left}, {1, middle}, {2, left}} {
		if got := float64(dst[p.at]); got < p.want-1 || got > p.want+1 {
			t.Errorf("red of column %d is %g, want %g", p.at, got, p.want)
		}
	}
}

func TestJPEGIsNear(t *testing.T) {
	var b bytes.Buffer
	im := image.NewNRGBA(image.Rect(0, 0, 16, 16))
	for i := 0; i < len(im.Pix); i += 4 {
		copy(im.Pix[i:], []uint8{30, 120, 210, 255})
	}
	if err := jpeg.Encode(&b, im, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	dst := make([]uint8, 3*16*16)
	if err := decode(dst, b.Bytes(), []int{3, 16, 16}, NoResize); err != nil {
		t.Fatal(err)
	}
	for i, v := range dst {
		if want := []int{30, 120, 210}[i/256]; int(v) < want-2 || int(v) > want+2 {
			t.Fatalf("element %d is %d, want %d within 2", i, v, want)
		}
	}
}

func TestCIFAR10(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "test_batch.bin"), models.Sample())
	s := mustLoad(t, dir, Options{}, []int{3, 32, 32}, 10)
	var b Batch
	if err := s.Read(&b, 999, 1); err != nil || s.Len() != 1000 {
		t.Fatal(s.Len(), err)
	}
	record := models.Sample()[999*3073:]
	if b.Labels[0] != int32(record[0]) || !bytes.Equal(b.Bytes, record[1:]) {
		t.Error("the last image differs from its record")
	}
	for _, tt := range []struct {
		o       Options
		shape   []int
		classes int
		want    string
	}{
		{Options{}, []int{3, 33, 32}, 10, "CIFAR-10 images are [3 32 32]: the network takes [3 33 32]"},
		{Options{}, []int{3, 32, 32}, 11, "CIFAR-10 has 10 classes: the network gives 11 values an image"},
		{Options{Split: Train}, []int{3, 32, 32}, 10, "no data_batch_1.bin here"},
		{Options{Labels: "x"}, []int{3, 32, 32}, 10, "has its labels in it"},
	} {
		if _, err := load(t, dir, tt.o, tt.shape, tt.classes); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
