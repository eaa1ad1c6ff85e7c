package atomicfile

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// only fails unless dir holds exactly the named files.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(names, " ") {
		t.Errorf("folder holds %q, want %q", got, names)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	for _, want := range []string{"first", "second, longer", ""} {
		if err := WriteBytes(t.Context(), path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != want {
			t.Errorf("content %q, want %q", got, want)
		}
	}
	only(t, dir, "a.txt")
}

func TestNothingUnderTheNameUntilCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	f, err := Create(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before Commit: stat says %v, want no such file", err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := len(content(t, path)); got != 1<<20 {
		t.Errorf("after Commit: %d bytes, want %d", got, 1<<20)
	}
	f.Abort() // must not touch the finished file
	if err := f.Commit(); err == nil {
		t.Error("second Commit: no error")
	}
	only(t, dir, "a.txt")
}

func TestFailureKeepsTheOldFile(t *testing.T) {
	boom := errors.New("boom")
	ctx, cancel := context.WithCancelCause(t.Context())
	tests := []struct {
		name string
		ctx  context.Context
		fill func(w io.Writer) error
		want string
	}{
		{"fill fails", t.Context(), func(w io.Writer) error { io.WriteString(w, "half"); return boom }, "boom"},
		{"cancelled while filling", ctx, func(w io.Writer) error {
			io.WriteString(w, "half")
			cancel(boom)
			return nil
		}, "boom"},
		{"cancelled before", ctx, func(w io.Writer) error { t.Error("fill was called"); return nil }, "boom"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a.txt")
			if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			err := Write(tt.ctx, path, tt.fill)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if got := content(t, path); got != "old" {
				t.Errorf("content %q, want the old one", got)
			}
			only(t, dir, "a.txt")
		})
	}
}

func TestPanicLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() { _ = recover() }()
		_ = Write(t.Context(), filepath.Join(dir, "a.txt"), func(io.Writer) error { panic("boom") })
	}()
	only(t, dir)
}

func TestWriteAfterCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	f, err := Create(ctx, filepath.Join(dir, "a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := f.Write([]byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Write: %v, want %v", err, context.Canceled)
	}
	if err := f.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v, want %v", err, context.Canceled)
	}
	only(t, dir)
}

func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"no folder", filepath.Join(dir, "absent", "a.txt"), "cannot write into folder"},
		{"folder is a file", filepath.Join(plain, "a.txt"), "cannot write into folder"},
		{"name is a folder", dir, "is a folder"},
		{"empty name", "", "name is empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := WriteBytes(t.Context(), tt.path, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.path) {
				t.Fatalf("error %v, want one with %q and the path", err, tt.want)
			}
			if strings.Contains(err.Error(), ".tmp") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q: shows the temporary name or more than one line", err)
			}
		})
	}
	only(t, dir, "plain")
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("windows has no permission bits")
	}
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := WriteBytes(t.Context(), path, []byte("x")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 {
		t.Errorf("permissions %v, want those of the old file, -rw-r-----", info.Mode())
	}
}

func TestSymbolicLinkIsFollowed(t *testing.T) {
	dir := t.TempDir()
	link, target := filepath.Join(dir, "link"), filepath.Join(dir, "target")
	if err := os.WriteFile(target, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target", link); err != nil {
		t.Skipf("this system makes no symbolic links: %v", err)
	}
	if err := WriteBytes(t.Context(), link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := content(t, target); got != "new" {
		t.Errorf("target holds %q, want %q", got, "new")
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became %v (%v), want a link still", info, err)
	}
}

func TestDeviceIsNotReplaced(t *testing.T) {
	info, err := os.Stat(os.DevNull)
	if err != nil || info.Mode().IsRegular() || runtime.GOOS == "windows" {
		t.Skipf("no device to write to: %v, %v", info, err)
	}
	if err := WriteBytes(t.Context(), os.DevNull, []byte("x")); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(os.DevNull)
	if err != nil || after.Mode() != info.Mode() {
		t.Fatalf("%s became %v (%v), want %v", os.DevNull, after, err, info.Mode())
	}
}
