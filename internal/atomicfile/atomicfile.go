// Package atomicfile writes files that are either whole or absent: the bytes
// go to a temporary file in the same folder, which takes the final name only
// after everything was written, flushed to the disk and not cancelled.
//
// It does not lock: of two writers of one file the last one to finish wins.
package atomicfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
)

// File is a file under construction. It is made by Create and ended by exactly
// one Commit; a deferred Abort cleans up on every other way out.
type File struct {
	ctx  context.Context
	path string // what the caller named
	dest string // what is replaced: path with symbolic links followed
	tmp  string // "" when dest is written in place, being no regular file
	f    *os.File
	w    *bufio.Writer
	done bool
}

// Create begins a file that will have the name path after Commit. Until then
// whatever path holds stays as it is. The folder must exist. A file that exists
// keeps its permissions; a new one gets 0666 less the umask. A symbolic link
// is followed. A device or pipe (/dev/stdout, /dev/null) is written directly,
// since renaming over it would destroy it.
//
// Once ctx is done, Write and Commit fail with ctx's cause.
func Create(ctx context.Context, path string) (*File, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if path == "" {
		return nil, errors.New("output file: name is empty")
	}
	dest := path
	perm, keep := fs.FileMode(0o666), false
	if info, err := os.Stat(path); err == nil {
		switch {
		case info.IsDir():
			return nil, fmt.Errorf("%s: is a folder, want a file", path)
		case !info.Mode().IsRegular():
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return nil, fmt.Errorf("%s: cannot write: %w", path, reason(err))
			}
			return &File{ctx: ctx, path: path, f: f, w: bufio.NewWriter(f)}, nil
		}
		perm, keep = info.Mode().Perm(), true
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dest = real
		}
	}
	dir := filepath.Dir(dest)
	f, err := createTemp(dir, filepath.Base(dest), perm)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot write into folder %s: %w", path, dir, reason(err))
	}
	if keep {
		// Best effort: the umask may have taken bits that the old file has.
		_ = f.Chmod(perm)
	}
	return &File{ctx: ctx, path: path, dest: dest, tmp: f.Name(), f: f, w: bufio.NewWriter(f)}, nil
}

// createTemp opens a new file in dir, named so that it is hidden and tells
// where it belongs if a killed program leaves it behind. os.CreateTemp would
// do but for its fixed permissions, 0600.
func createTemp(dir, base string, perm fs.FileMode) (*os.File, error) {
	for {
		name := filepath.Join(dir, fmt.Sprintf(".%s.tmp%08x", base, rand.Uint32()))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// Write adds p to the file.
func (f *File) Write(p []byte) (int, error) {
	if err := context.Cause(f.ctx); err != nil {
		return 0, fmt.Errorf("%s: %w", f.path, err)
	}
	n, err := f.w.Write(p)
	if err != nil {
		err = fmt.Errorf("%s: cannot write: %w", f.path, reason(err))
	}
	return n, err
}

// Commit makes the file appear under its name. If it fails, or if the context
// is done, the temporary file is removed and the name holds what it held.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("%s: file is already closed", f.path)
	}
	defer f.Abort()
	if err := context.Cause(f.ctx); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	err := f.w.Flush()
	if err == nil && f.tmp != "" {
		err = f.f.Sync()
	}
	if cerr := f.f.Close(); err == nil {
		err = cerr
	}
	if err == nil && f.tmp != "" {
		err = os.Rename(f.tmp, f.dest)
	}
	if err != nil {
		return fmt.Errorf("%s: cannot write: %w", f.path, reason(err))
	}
	f.done = true
	if f.tmp != "" {
		syncDir(filepath.Dir(f.dest))
	}
	return nil
}

// Abort gives the file up: the temporary file is removed. After Commit, and
// when called again, it does nothing.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	_ = f.f.Close()
	if f.tmp != "" {
		_ = os.Remove(f.tmp)
	}
}

// Write makes the file path with what fill writes. If fill returns an error
// or panics, or ctx is done before the end, path holds what it held before.
func Write(ctx context.Context, path string, fill func(w io.Writer) error) error {
	f, err := Create(ctx, path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := fill(f); err != nil {
		return err
	}
	return f.Commit()
}

// WriteBytes makes the file path with the content data.
func WriteBytes(ctx context.Context, path string, data []byte) error {
	return Write(ctx, path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// syncDir makes a rename survive a power cut where the system can do so; the
// file itself is whole either way, so a failure is of no interest.
func syncDir(dir string) {
	if runtime.GOOS == "windows" {
		return
	}
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// reason strips the path and the system call from err, which our own message
// already tells in the user's words (the temporary name means nothing to them).
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
