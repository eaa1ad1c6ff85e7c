package cifar10

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Archive is a gzipped tar file of the binary version and where to get it.
type Archive struct {
	URL string
	MD5 string // 32 lower-case hexadecimal digits
}

// Official is the archive that the data set's page offers, 170,052,171 bytes, with
// the MD5 sum given there (https://www.cs.toronto.edu/~kriz/cifar.html).
var Official = Archive{
	URL: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
	MD5: "c32a1d4ab5d03f1284b67883e8d87530",
}

const (
	maxArchiveBytes = 256 << 20
	maxFileBytes    = maxImages * RecordBytes
)

// Fetch puts the data set into dir/cifar-10-batches-bin: it downloads the archive
// to a temporary file in dir, compares its MD5 sum, unpacks it beside, reads
// every file once to see that it is whole, and only then moves the files into
// place. Files that stand there already are left and nothing is fetched. It may
// be interrupted by ctx; temporary files are then removed. Progress in words goes
// to progress, a line rewritten with carriage returns.
func Fetch(ctx context.Context, dir string, from Archive, progress io.Writer) error {
	target := filepath.Join(dir, ArchiveDir)
	if complete(target) {
		fmt.Fprintf(progress, "%s is there already\n", target)
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(dir, ".fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	archive := filepath.Join(temp, "archive.tar.gz")
	if err := download(ctx, archive, from, progress); err != nil {
		return err
	}
	files, err := unpack(ctx, archive, temp, from.URL)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(target, 0o755); err != nil {
		return err
	}
	for _, name := range files {
		if err := os.Rename(filepath.Join(temp, name), filepath.Join(target, name)); err != nil {
			return err
		}
	}
	fmt.Fprintf(progress, "%s is ready\n", target)
	return nil
}

// complete reports whether dir holds all six files, each of whole records.
func complete(dir string) bool {
	for _, name := range slices.Concat(trainFiles, testFiles) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.Size()%RecordBytes != 0 {
			return false
		}
	}
	return true
}

// download writes what from.URL gives to path and checks its sum.
func download(ctx context.Context, path string, from Archive, progress io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from.URL, nil)
	if err != nil {
		return err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = time.Minute
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("fetching %s: %w", from.URL, ctx.Err())
		}
		return fmt.Errorf("cannot reach the network: %w: want a connection, or CIFAR-10's binary files put there by hand", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("fetching %s: status %s: want 200", from.URL, res.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := md5.New()
	p := &meter{w: progress, total: res.ContentLength}
	n, err := io.Copy(io.MultiWriter(f, sum, p), io.LimitReader(res.Body, maxArchiveBytes+1))
	p.end()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("fetching %s: %w", from.URL, ctx.Err())
	case err != nil:
		return fmt.Errorf("fetching %s: byte %d: %w", from.URL, n, err)
	case n > maxArchiveBytes:
		return fmt.Errorf("fetching %s: more than %d bytes: want the CIFAR-10 archive", from.URL, maxArchiveBytes)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != from.MD5 {
		return fmt.Errorf("fetching %s: MD5 %s of %d bytes: want %s", from.URL, got, n, from.MD5)
	}
	return f.Close()
}

// unpack writes the archive's files into dir, reads the .bin files through once,
// and gives their names. It accepts only regular files directly in the archive's
// folder, under names that the data set has, so that nothing is written elsewhere.
func unpack(ctx context.Context, archive, dir, url string) ([]string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("unpacking %s: %w", url, err)
	}
	bins := slices.Concat(trainFiles, testFiles)
	known := append([]string{"batches.meta.txt", "readme.html"}, bins...)
	var files []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", url, err)
		}
		if h.Typeflag == tar.TypeDir && path.Clean(h.Name) == ArchiveDir {
			continue
		}
		in, name := path.Split(h.Name)
		if h.Typeflag != tar.TypeReg || in != ArchiveDir+"/" || !slices.Contains(known, name) || slices.Contains(files, name) {
			return nil, fmt.Errorf("%s: entry %.100q: want each of %s/{%s} once, as a file", url, h.Name, ArchiveDir, strings.Join(known, ","))
		}
		if h.Size > maxFileBytes {
			return nil, fmt.Errorf("%s: entry %q: %d bytes: want at most %d", url, h.Name, h.Size, maxFileBytes)
		}
		if err := writeFile(ctx, filepath.Join(dir, name), tr); err != nil {
			return nil, fmt.Errorf("%s: entry %q: %w", url, h.Name, err)
		}
		files = append(files, name)
	}
	for _, name := range bins {
		if !slices.Contains(files, name) {
			return nil, fmt.Errorf("%s: no %s/%s", url, ArchiveDir, name)
		}
		if _, err := ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// writeFile copies r to a new file, and stops when ctx does.
func writeFile(ctx context.Context, path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	}))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// meter writes how much has come, anew for each MiB.
type meter struct {
	w           io.Writer
	total       int64 // or -1
	done, shown int64
}

func (m *meter) Write(p []byte) (int, error) {
	m.done += int64(len(p))
	if m.done>>20 > m.shown {
		m.shown = m.done >> 20
		if m.total > 0 {
			fmt.Fprintf(m.w, "\r%d of %d MiB", m.shown, (m.total+1<<20-1)>>20)
		} else {
			fmt.Fprintf(m.w, "\r%d MiB", m.shown)
		}
	}
	return len(p), nil
}

// end ends the rewritten line, if there is one.
func (m *meter) end() {
	if m.shown > 0 {
		fmt.Fprintln(m.w)
	}
}
