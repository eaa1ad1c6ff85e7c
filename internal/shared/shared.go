// Package shared finds the data that tests may use where they are at hand: the
// official CIFAR-10, networks of others, recorded runs of other programs. They
// lie in the folder that MACROSCOPE_SHARED names, by default in "shared" beside
// the repository.
package shared

import (
	"os"
	"path/filepath"
	"testing"
)

// File is the path of a file or folder of the shared data, "simgold/stonne/os_mesh.csv".
// The test is skipped where there is none.
func File(t testing.TB, path string) string {
	t.Helper()
	file := filepath.Join(folder(t), filepath.FromSlash(path))
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no %s: MACROSCOPE_SHARED names the folder that holds it", file)
	}
	return file
}

// CIFAR10 is the folder of the official CIFAR-10: the shared one, or data/, where
// make data puts it. The test is skipped where there is neither.
func CIFAR10(t testing.TB) string {
	t.Helper()
	candidates := []string{filepath.Join(folder(t), "cifar10"), filepath.Join(root(t), "data")}
	for _, dir := range candidates {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	t.Skipf("neither %s nor %s holds the official CIFAR-10: make data fetches it", candidates[0], candidates[1])
	return ""
}

func folder(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("MACROSCOPE_SHARED"); dir != "" {
		return dir
	}
	return filepath.Join(root(t), "..", "shared")
}

// root is the repository's folder: the one above the test's that has go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			t.Fatalf("no go.mod above %s", dir)
		}
	}
}
