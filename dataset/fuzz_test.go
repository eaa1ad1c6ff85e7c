package dataset

import (
	"bytes"
	"image/png"
	"os"
	"testing"
)

// memoryFile is a file for readNPZ.
type memoryFile struct{ *bytes.Reader }

func (memoryFile) Close() error { return nil }

// FuzzNPZ reads arrays out of any bytes: an error or images, never a panic.
func FuzzNPZ(f *testing.F) {
	for _, name := range []string{"both.npz", "plain.npz"} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src, err := readNPZ("fuzz.npz", memoryFile{bytes.NewReader(data)}, Options{Layout: ByShape})
		if err != nil {
			return
		}
		defer src.Close()
		for _, shape := range [][]int{{3, 2, 5}, {30}} {
			set, err := src.Set(shape, 3)
			if err != nil {
				continue
			}
			var b Batch
			for i := range min(set.Len(), 4) {
				if set.Read(&b, i, 1) == nil && (len(b.Labels) != 1 || len(b.Bytes) != 30 && len(b.Floats) != 30) {
					t.Fatalf("image %d: %d labels, %d bytes, %d floats", i, len(b.Labels), len(b.Bytes), len(b.Floats))
				}
			}
		}
	})
}

// FuzzNPYHeader parses any header: what is accepted says how long the array is.
func FuzzNPYHeader(f *testing.F) {
	for _, text := range []string{
		"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3, 2, 5), }   \n",
		`{"shape": (), "fortran_order": True, "descr": "|u1"}`, "{'shape': (7,)}", "{'descr': [('a', '<i4')]}", "{'shape': (99999999999, )",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseNPYHeader(text)
		if err != nil {
			return
		}
		if len(h.shape) > maxRank {
			t.Fatalf("%d dimensions", len(h.shape))
		}
		for _, d := range h.shape {
			if d < 0 {
				t.Fatalf("shape %v", h.shape)
			}
		}
		if len(h.shape) > 0 && h.items() < -1 {
			t.Fatalf("%d elements", h.items())
		}
		if order, _, size := h.number(); order != nil && size < 1 {
			t.Fatalf("type %q takes %d bytes", h.descr, size)
		}
	})
}

// FuzzPicture decodes any bytes into a small image.
func FuzzPicture(f *testing.F) {
	var b bytes.Buffer
	if err := png.Encode(&b, coloured(3, 2)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), false)
	f.Add(b.Bytes(), true)
	f.Fuzz(func(t *testing.T, data []byte, grey bool) {
		shape := []int{3, 2, 3}
		if grey {
			shape[0] = 1
		}
		// An error is as good as a picture.
		_ = decode(make([]uint8, elements(shape)), data, shape, NoResize)
	})
}
