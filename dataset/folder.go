package dataset

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"macroscope/internal/regular"
)

// pictures are the files of a folder, read one by one.
type pictures struct {
	paths  []string
	shape  []int
	resize Resize
}

// The names of the folders that tell training from test images.
var splitDirs = map[Split][]string{Test: {"test", "val"}, Train: {"train"}}

// otherPictures are extensions of pictures that are not read: to leave them out would
// miscount in silence.
var otherPictures = []string{".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".heic", ".avif"}

func openFolder(dir string, o Options) (*Source, error) {
	name := "images of " + dir
	in := splitDir(dir, o.Split)
	if in != "" {
		name, dir = fmt.Sprintf("%v images of %s", o.Split, dir), in
	}
	var paths []string
	var labels []int32
	var classes []string // nil with a file of labels
	var err error
	if o.Labels != "" {
		paths, labels, err = readLabels(dir, o.Labels)
	} else {
		paths, labels, classes, err = byClass(dir)
	}
	if err != nil {
		return nil, err
	}
	fit := func(shape []int, n int) (*Set, error) {
		if len(shape) != 3 || shape[0] != 1 && shape[0] != 3 {
			return nil, fmt.Errorf("%s: pictures have 1 or 3 channels: the network takes %v", dir, shape)
		}
		if classes != nil && len(classes) != n {
			return nil, fmt.Errorf("%s: %d sub-folders with images (%s): the network gives %d values, want a folder for each, or a file of labels", dir, len(classes), some(classes), n)
		}
		from := dir
		if o.Labels != "" {
			from = o.Labels
		}
		if err := checkLabels(from, labels, n, func(i int) string { return paths[i] }); err != nil {
			return nil, err
		}
		return &Set{name: name, shape: shape, size: elements(shape), labels: labels, classes: n, apart: in != "", images: &pictures{paths, shape, o.Resize}}, nil
	}
	return &Source{path: dir, name: name, fit: fit}, nil
}

// splitDir is the sub-folder of a folder that tells training from test images, "" if it
// does not.
func splitDir(dir string, s Split) string {
	find := func(s Split) string {
		for _, name := range splitDirs[s] {
			in := filepath.Join(dir, name)
			if info, err := os.Stat(in); err == nil && info.IsDir() {
				return in
			}
		}
		return ""
	}
	if find(Test) == "" || find(Train) == "" {
		return ""
	}
	return find(s)
}

// byClass lists the pictures of the sub-folders, and of the folders within them: the
// sub-folders in the order of their names are classes 0, 1, ..., those without a
// picture left out.
func byClass(dir string) (paths []string, labels []int32, classes []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return nil, nil, nil, err
		}
		if hidden(e.Name()) || !info.IsDir() {
			continue
		}
		before := len(paths)
		// The last slash, so that a link to a folder is walked like one.
		if paths, err = walk(paths, path+string(filepath.Separator)); err != nil {
			return nil, nil, nil, err
		}
		if len(paths) == before {
			continue
		}
		for range paths[before:] {
			labels = append(labels, int32(len(classes)))
		}
		classes = append(classes, e.Name())
	}
	if len(classes) == 0 {
		return nil, nil, nil, fmt.Errorf("%s: no test_batch.bin and no sub-folder with PNG or JPEG files: want CIFAR-10's binary version, a folder of images a class, or a file of labels", dir)
	}
	return paths, labels, classes, nil
}

// walk appends the pictures below a folder in the order of their names.
func walk(paths []string, dir string) ([]string, error) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden(e.Name()) && path != dir {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			return nil
		}
		switch ext := strings.ToLower(filepath.Ext(path)); {
		case ext == ".png" || ext == ".jpg" || ext == ".jpeg":
			if len(paths) == maxImages {
				return fmt.Errorf("%s: %w", dir, errTooMany)
			}
			paths = append(paths, path)
		case slices.Contains(otherPictures, ext):
			return fmt.Errorf("%s: a %s file: want PNG or JPEG", path, ext)
		}
		return nil
	})
	return paths, err
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// some lists the first few of many names.
func some(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// readLabels reads a file of names and labels.
func readLabels(dir, path string) (paths []string, labels []int32, err error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexAny(line, ",\t ")
		if at < 0 {
			return nil, nil, fmt.Errorf("%s:%d: %.80q: want a file's name and a label, such as cats/1.png,3", path, number, line)
		}
		name, word := strings.TrimSpace(line[:at]), line[at+1:]
		label, err := strconv.ParseInt(word, 10, 32)
		if err != nil || label < 0 {
			return nil, nil, fmt.Errorf("%s:%d: label %.40q: want a class's index, 0 or more", path, number, word)
		}
		name = strings.TrimSpace(strings.TrimSuffix(name, ","))
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, nil, fmt.Errorf("%s:%d: file %.80q: want a name within %s", path, number, name, dir)
		}
		if len(paths) == maxImages {
			return nil, nil, fmt.Errorf("%s:%d: %w", path, number, errTooMany)
		}
		paths = append(paths, filepath.Join(dir, filepath.FromSlash(name)))
		labels = append(labels, int32(label))
	}
	if err := lines.Err(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return paths, labels, nil
}

func (p *pictures) read(b *Batch, from, n int) error {
	size := elements(p.shape)
	b.Bytes = grow(b.Bytes, n*size)
	for i := range n {
		path := p.paths[from+i]
		data, err := readPicture(path)
		if err == nil {
			err = decode(b.Bytes[i*size:(i+1)*size], data, p.shape, p.resize)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}
