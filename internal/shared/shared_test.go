package shared

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("MACROSCOPE_SHARED", dir)
	want := filepath.Join(dir, "cifar10")
	if err := os.Mkdir(want, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := File(t, "cifar10"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := CIFAR10(t); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	skipped := true
	t.Run("absent", func(t *testing.T) {
		File(t, "nothing")
		skipped = false
	})
	if !skipped {
		t.Error("a test went on without its data")
	}
	t.Setenv("MACROSCOPE_SHARED", "")
	if want := filepath.Join(root(t), "..", "shared"); folder(t) != want {
		t.Errorf("%s, want %s", folder(t), want)
	}
}
