package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"macroscope/bench"
	"macroscope/internal/atomicfile"
)

// The files that a report consists of.
var fileNames = []string{"report.html", "report.md", "report.json", "bench.txt"}

// Folder is where a report goes. It is made, and found out to be writable,
// before the measuring begins.
type Folder struct {
	path string
	made string // the topmost folder that OpenFolder made, "" if it made none
}

// OpenFolder makes the folder path where it does not exist, and tells if no
// file can be written into it.
func OpenFolder(path string) (*Folder, error) {
	if path == "" {
		return nil, errors.New("output folder: name is empty")
	}
	f := &Folder{path: path, made: topmostMissing(path)}
	if err := os.MkdirAll(path, 0o777); err != nil {
		f.Discard()
		return nil, fmt.Errorf("%s: cannot make this folder: %w", path, reason(err))
	}
	for _, name := range fileNames {
		probe, err := atomicfile.Create(context.Background(), filepath.Join(path, name))
		if err != nil {
			f.Discard()
			return nil, err
		}
		probe.Abort()
	}
	return f, nil
}

// topmostMissing is the first part of path that does not exist, "" if all of
// it does.
func topmostMissing(path string) (missing string) {
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		if _, err := os.Lstat(p); err == nil {
			return missing
		}
		missing = p
		if p == filepath.Dir(p) {
			return missing
		}
	}
}

// Discard takes folders away that OpenFolder made, unless something is in them.
func (f *Folder) Discard() {
	if f.made == "" {
		return
	}
	for p := filepath.Clean(f.path); ; p = filepath.Dir(p) {
		// What could not be made cannot be removed either; what is in use stays.
		_ = os.Remove(p)
		if p == f.made || p == filepath.Dir(p) {
			return
		}
	}
}

// Write writes the report's files and gives their names. All are written before
// the first takes its name, so that an error or the end of ctx leaves what was
// there before.
func (f *Folder) Write(ctx context.Context, r *Report) (paths []string, err error) {
	fill := map[string]func(io.Writer) error{
		"report.html": r.WriteHTML,
		"report.md":   r.WriteMarkdown,
		"report.json": r.WriteJSON,
		"bench.txt":   r.WriteBench,
	}
	// Once every file is whole, nothing may stop the renaming half-way.
	lasting := context.WithoutCancel(ctx)
	var files []*atomicfile.File
	for _, name := range fileNames {
		path := filepath.Join(f.path, name)
		file, err := atomicfile.Create(lasting, path)
		if err != nil {
			return nil, err
		}
		defer file.Abort()
		if err := fill[name](file); err != nil {
			return nil, err
		}
		files, paths = append(files, file), append(paths, path)
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	for _, file := range files {
		if err := file.Commit(); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// WriteJSON writes every number of the report.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(r)
}

// WriteBench writes the single measurements in the Go benchmark format, with
// the machine's description. A report read back from JSON has none.
func (r *Report) WriteBench(w io.Writer) error {
	var settings []bench.Setting
	for _, s := range r.Machine {
		settings = append(settings, bench.Setting(s))
	}
	return bench.NewWriter(w, settings).Write(r.results...)
}

// reason leaves out the path and the system call, which the message has.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
