package reports

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// tree lists what a folder holds.
func tree(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && p != dir {
			rel, _ := filepath.Rel(dir, p)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWriteFiles(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(filepath.Join(dir, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); len(got) != 2 {
		t.Errorf("opening made %v, want the folders only", got)
	}
	for range 2 { // a second report takes the first one's place
		paths, err := f.Write(t.Context(), fixture())
		if err != nil || len(paths) != 4 {
			t.Fatalf("%v, %v", paths, err)
		}
		for _, p := range paths {
			if info, err := os.Stat(p); err != nil || info.Size() < 100 {
				t.Errorf("%s: %v, %v", p, info, err)
			}
		}
	}
	if got := tree(t, dir); len(got) != 6 {
		t.Errorf("folder holds %v, want four files", got)
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "taken", "report.md"), 0o777); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	for _, path := range []string{"", file, filepath.Join(file, "below"), filepath.Join(dir, "taken"), filepath.Join(dir, "new", "\x00")} {
		if f, err := OpenFolder(path); err == nil {
			t.Errorf("%q: opened %v", path, f)
		}
	}
	if after := tree(t, dir); len(after) != len(before) {
		t.Errorf("folder holds %v, want %v", after, before)
	}
}

func TestDiscardTakesBackOnlyItsOwn(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(filepath.Join(dir, "a", "b", "c"))
	if err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if got := tree(t, dir); len(got) != 0 {
		t.Errorf("left %v", got)
	}

	if f, err = OpenFolder(filepath.Join(dir, "a", "b")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a", "mine"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if got := tree(t, dir); len(got) != 2 {
		t.Errorf("holds %v, want a and a/mine", got)
	}

	// A folder that was there stays, even empty.
	there := t.TempDir()
	if f, err = OpenFolder(there); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	if _, err := os.Stat(there); err != nil {
		t.Error(err)
	}
}

func TestWriteIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "report.md")
	if err := os.WriteFile(old, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	check := func(want int) {
		t.Helper()
		if text, err := os.ReadFile(old); err != nil || string(text) != "old" {
			t.Errorf("the old report is %q, %v", text, err)
		}
		if got := tree(t, dir); len(got) != want {
			t.Errorf("folder holds %v", got)
		}
	}

	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if paths, err := f.Write(ctx, fixture()); !errors.Is(err, stop) || paths != nil {
		t.Errorf("%v, %v: want the context's cause", paths, err)
	}
	check(1)

	// The last file's place is taken meanwhile: the first ones must not appear.
	if err := os.Mkdir(filepath.Join(dir, "bench.txt"), 0o777); err != nil {
		t.Fatal(err)
	}
	if paths, err := f.Write(t.Context(), fixture()); err == nil {
		t.Errorf("wrote %v over a folder", paths)
	}
	check(2)
}
