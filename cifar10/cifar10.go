// Package cifar10 reads the CIFAR-10 data set in its official binary version
// (https://www.cs.toronto.edu/~kriz/cifar.html): files of records, each one byte
// of label, 0 to 9, and 3072 bytes of pixels: the red, the green and the blue
// plane of a 32×32 image, row by row.
//
// Alex Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.
package cifar10

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"macroscope/internal/regular"
)

const (
	// Classes is the number of classes.
	Classes = 10
	// PixelBytes is the size of one image: 3 planes of 32 rows of 32.
	PixelBytes = 3 * 32 * 32
	// RecordBytes is the size of one record: the label and the image.
	RecordBytes = 1 + PixelBytes

	// maxImages is the most that one file is read for; the official files hold
	// 10,000 each.
	maxImages = 100_000
)

// ClassNames are the classes by label, as in the data set's batches.meta.txt.
var ClassNames = [Classes]string{
	"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
}

// Set is a list of labelled images.
type Set struct {
	Labels []uint8 // [Len], 0 to 9
	Pixels []uint8 // [Len][3][32][32]
}

// Len is the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Image is the pixels of image i, [3][32][32], aliasing the set.
func (s *Set) Image(i int) []uint8 {
	return s.Pixels[i*PixelBytes : (i+1)*PixelBytes : (i+1)*PixelBytes]
}

// Floats writes image i's pixels to dst[:3072] as numbers from 0 to 255, in the
// same order.
func (s *Set) Floats(dst []float32, i int) {
	dst = dst[:PixelBytes]
	for j, p := range s.Image(i) {
		dst[j] = float32(p)
	}
}

// Head is the first n images, or all where there are fewer, aliasing the set.
func (s *Set) Head(n int) *Set {
	n = max(0, min(n, s.Len()))
	return &Set{Labels: s.Labels[:n:n], Pixels: s.Pixels[: n*PixelBytes : n*PixelBytes]}
}

// Read reads records until r ends, at most 100,000. name stands for r in errors,
// which give the byte offset.
func Read(r io.Reader, name string) (*Set, error) {
	s := &Set{}
	if err := s.read(r, name, maxImages); err != nil {
		return nil, err
	}
	return s, nil
}

// ReadFile reads the records of one file.
func ReadFile(path string) (*Set, error) {
	s := &Set{}
	if err := s.readFile(path); err != nil {
		return nil, err
	}
	return s, nil
}

// readFile appends the file's records.
func (s *Set) readFile(path string) error {
	f, err := regular.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.read(f, path, maxImages)
}

// read appends r's records, at most limit. What it allocates follows what r
// really gives.
func (s *Set) read(r io.Reader, name string, limit int) error {
	br := bufio.NewReaderSize(r, 1<<16)
	var record [RecordBytes]byte
	for at, count := int64(0), 0; ; at, count = at+RecordBytes, count+1 {
		n, err := io.ReadFull(br, record[:])
		switch {
		case err == io.EOF && count == 0:
			return fmt.Errorf("%s: byte 0: empty: want CIFAR-10 records of %d bytes", name, RecordBytes)
		case err == io.EOF:
			return nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%s: byte %d: record %d ends after %d bytes: want %d (label, 3072 pixels)", name, at, count, n, RecordBytes)
		case err != nil:
			return fmt.Errorf("%s: byte %d: %w", name, at+int64(n), err)
		case record[0] >= Classes:
			return fmt.Errorf("%s: byte %d: label %d of record %d: want 0 to %d", name, at, record[0], count, Classes-1)
		case count == limit:
			return fmt.Errorf("%s: byte %d: more than %d records: want a CIFAR-10 file", name, at, limit)
		}
		s.Labels = append(s.Labels, record[0])
		s.Pixels = append(s.Pixels, record[1:]...)
	}
}

// ArchiveDir is the folder that the official archive unpacks to.
const ArchiveDir = "cifar-10-batches-bin"

var (
	trainFiles = []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"}
	testFiles  = []string{"test_batch.bin"}
)

// LoadTest reads the test images, test_batch.bin: 10,000 in the official set. dir
// holds the file itself or the archive's folder cifar-10-batches-bin.
func LoadTest(dir string) (*Set, error) { return load(dir, testFiles) }

// LoadTrain reads the training images, data_batch_1.bin to data_batch_5.bin in
// order: 50,000 in the official set. dir is as in LoadTest.
func LoadTrain(dir string) (*Set, error) { return load(dir, trainFiles) }

func load(dir string, files []string) (*Set, error) {
	in, err := find(dir, files[0])
	if err != nil {
		return nil, err
	}
	s := &Set{}
	for _, name := range files {
		if err := s.readFile(filepath.Join(in, name)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// find is dir or its folder cifar-10-batches-bin, whichever holds file.
func find(dir, file string) (string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("CIFAR-10: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s: a file: want the folder with %s", dir, file)
	}
	for _, in := range []string{dir, filepath.Join(dir, ArchiveDir)} {
		_, err := os.Stat(filepath.Join(in, file))
		if err == nil {
			return in, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: no %s here or in %s: want CIFAR-10's binary version", dir, file, ArchiveDir)
}
