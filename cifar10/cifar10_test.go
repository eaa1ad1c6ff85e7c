package cifar10

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// records makes n records whose label and pixels follow from their number.
func records(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, byte(i%Classes))
		for j := range PixelBytes {
			b = append(b, byte(i*7+j*3))
		}
	}
	return b
}

func TestRead(t *testing.T) {
	b := records(23)
	// One byte at a time, so that a record may come in any number of pieces.
	for name, r := range map[string]io.Reader{"whole": bytes.NewReader(b), "bytes": iotest.OneByteReader(bytes.NewReader(b))} {
		s, err := Read(r, name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Len() != 23 {
			t.Fatalf("%s: %d images: want 23", name, s.Len())
		}
		for i := range s.Len() {
			want := b[i*RecordBytes : (i+1)*RecordBytes]
			if s.Labels[i] != want[0] || !bytes.Equal(s.Image(i), want[1:]) {
				t.Fatalf("%s: image %d differs", name, i)
			}
			f := make([]float32, PixelBytes)
			s.Floats(f, i)
			for j, v := range f {
				if v != float32(want[1+j]) {
					t.Fatalf("%s: image %d: element %d is %g: want %d", name, i, j, v, want[1+j])
				}
			}
		}
		if h := s.Head(5); h.Len() != 5 || !bytes.Equal(h.Image(4), s.Image(4)) {
			t.Errorf("%s: Head(5) is not the first 5", name)
		}
		if s.Head(99).Len() != 23 || s.Head(-1).Len() != 0 {
			t.Errorf("%s: Head beyond the ends", name)
		}
	}
}

func TestBadFiles(t *testing.T) {
	label := records(3)
	label[2*RecordBytes] = 10
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "f.bin: byte 0: empty: want CIFAR-10 records of 3073 bytes", nil},
		{"31 bytes", "f.bin: byte 0: record 0 ends after 31 bytes: want 3073 (label, 3072 pixels)", make([]byte, 31)},
		{"one short", "f.bin: byte 6146: record 2 ends after 3072 bytes: want 3073 (label, 3072 pixels)", records(3)[:3*RecordBytes-1]},
		{"one over", "f.bin: byte 9219: record 3 ends after 1 bytes: want 3073 (label, 3072 pixels)", append(records(3), 1)},
		{"label", "f.bin: byte 6146: label 10 of record 2: want 0 to 9", label},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Read(bytes.NewReader(c.data), "f.bin")
			if err == nil || err.Error() != c.want || s != nil {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
	broken := io.MultiReader(bytes.NewReader(records(1)), bytes.NewReader(make([]byte, 10)), iotest.ErrReader(errors.New("disk on fire")))
	if _, err := Read(broken, "f.bin"); err == nil || err.Error() != "f.bin: byte 3083: disk on fire" {
		t.Errorf("a failing reader: got %v", err)
	}
}

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestEndlessFile(t *testing.T) {
	err := new(Set).read(zeros{}, "z", 50)
	if want := "z: byte 153650: more than 50 records: want a CIFAR-10 file"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A file that claims nothing must cost no more than its size warrants.
func TestAllocation(t *testing.T) {
	b := records(200)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := Read(bytes.NewReader(b), "f"); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > uint64(8*len(b)+1<<20) {
		t.Errorf("reading %d bytes allocated %d", len(b), got)
	}
}

func TestLoad(t *testing.T) {
	write := func(path string, n int) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, records(n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, under := range []string{"", ArchiveDir} {
		dir := t.TempDir()
		write(filepath.Join(dir, under, "test_batch.bin"), 4)
		for i, name := range trainFiles {
			write(filepath.Join(dir, under, name), i+1)
		}
		test, err := LoadTest(dir)
		if err != nil {
			t.Fatal(err)
		}
		train, err := LoadTrain(dir)
		if err != nil {
			t.Fatal(err)
		}
		if test.Len() != 4 || train.Len() != 1+2+3+4+5 {
			t.Errorf("%d test and %d training images: want 4 and 15", test.Len(), train.Len())
		}
		// The files follow one another: after one image of batch 1, batch 2 begins.
		if got := train.Labels[:6]; !bytes.Equal(got, []byte{0, 0, 1, 0, 1, 2}) {
			t.Errorf("training labels %v", got)
		}
		if err := os.Remove(filepath.Join(dir, under, trainFiles[3])); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadTrain(dir); err == nil || !strings.Contains(err.Error(), "data_batch_4.bin") {
			t.Errorf("without data_batch_4.bin: got %v", err)
		}
	}
	empty := t.TempDir()
	for _, c := range []struct{ dir, want string }{
		{empty, "no test_batch.bin here or in cifar-10-batches-bin"},
		{filepath.Join(empty, "none"), "no such file"},
		{os.Args[0], "want the folder"},
	} {
		if _, err := LoadTest(c.dir); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("LoadTest(%q): got %v, want one line with %q", c.dir, err, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(make([]byte, 31))
	f.Add(records(2))
	f.Add(append(records(1), 255))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Read(bytes.NewReader(b), "f")
		if err != nil {
			if s != nil || strings.Contains(err.Error(), "\n") {
				t.Fatalf("set %v with error %v", s, err)
			}
			return
		}
		if s.Len() == 0 || s.Len()*RecordBytes != len(b) || len(s.Pixels) != s.Len()*PixelBytes {
			t.Fatalf("%d images, %d pixels of %d bytes", s.Len(), len(s.Pixels), len(b))
		}
		for i, l := range s.Labels {
			if l >= Classes || !bytes.Equal(s.Image(i), b[i*RecordBytes+1:(i+1)*RecordBytes]) {
				t.Fatalf("image %d differs", i)
			}
		}
	})
}
