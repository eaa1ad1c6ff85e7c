package onnx

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"macroscope/onnx/internal/onnxpb"
)

// A folder is where a model's external data may lie: the model's own, and nothing
// outside it, also not by way of links.
type folder struct {
	root  *os.Root
	files map[string]int64 // sizes of those that the budget knows
}

func openFolder(model string) (*folder, error) {
	root, err := os.OpenRoot(filepath.Dir(model))
	if err != nil {
		return nil, err
	}
	return &folder{root, map[string]int64{}}, nil
}

func (f *folder) close() { f.root.Close() }

// size is that of a regular file in the folder; the budget grows by it, once.
func (f *folder) size(path string, bud *budget) (int64, error) {
	if n, ok := f.files[path]; ok {
		return n, nil
	}
	info, err := f.root.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("not a regular file")
	}
	f.files[path] = info.Size()
	bud.allowFile(info.Size())
	return info.Size(), nil
}

// external is a tensor's place in a file beside the model.
type external struct {
	in     *folder
	path   string
	offset int64
	length int
}

// external is the place that the entries tell of n bytes of data; missing, without an
// error, where no such file exists and the caller can do without.
func (r *reader) external(entries []*onnxpb.StringStringEntryProto, n int) (e *external, missing bool, err error) {
	e = &external{in: r.folder, length: n}
	for _, p := range entries {
		switch key, value := p.GetKey(), p.GetValue(); key {
		case "location":
			e.path = value
		case "offset", "length":
			v, err := strconv.ParseInt(value, 10, 64)
			if err != nil || v < 0 {
				return nil, false, fmt.Errorf("external data: %s %s: want a number of bytes", key, quote(value))
			}
			if key == "offset" {
				e.offset = v
			} else if v != int64(n) {
				return nil, false, fmt.Errorf("external data: length %d: want %d", v, n)
			}
		case "checksum": // a hash for whoever wants to check it
		default:
			return nil, false, fmt.Errorf("external data: key %s: want location, offset, length or checksum", quote(key))
		}
	}
	if !filepath.IsLocal(e.path) {
		return nil, false, fmt.Errorf("data in an external file %s: want a path within the model's folder", quote(e.path))
	}
	if r.folder == nil {
		if r.options.Weightless {
			return nil, true, nil
		}
		return nil, false, fmt.Errorf("data in an external file %s: want a model that is read from a folder", quote(e.path))
	}
	size, err := r.folder.size(e.path, r.bud)
	if errors.Is(err, fs.ErrNotExist) && r.options.Weightless {
		return nil, true, nil
	}
	var at *fs.PathError
	if errors.As(err, &at) { // its own words name the call
		err = fmt.Errorf("%s: %w", quote(e.path), at.Err)
	}
	if err != nil {
		return nil, false, fmt.Errorf("external data: %w", err)
	}
	if e.offset > size || int64(n) > size-e.offset {
		return nil, false, fmt.Errorf("external data: %d bytes from byte %d on of %s: the file has %d", n, e.offset, quote(e.path), size)
	}
	return e, false, nil
}

// read gives the bytes.
func (e *external) read(bud *budget) ([]byte, error) {
	if err := bud.take(int64(e.length)); err != nil {
		return nil, err
	}
	f, err := e.in.root.Open(e.path)
	if err != nil {
		return nil, fmt.Errorf("external data: %w", err)
	}
	defer f.Close()
	data := make([]byte, e.length)
	if _, err := io.ReadFull(io.NewSectionReader(f, e.offset, int64(e.length)), data); err != nil {
		return nil, fmt.Errorf("external data: %s: %w", quote(e.path), err)
	}
	return data, nil
}
