package onnx_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"macroscope/onnx"
)

// backendLeast is how many of the standard's tests passed with onnx 1.23.2; none may fail.
const backendLeast = 259

// backendBound is how far a value may be from the standard's, as its own runner allows
// relative to the value (https://github.com/onnx/onnx/blob/main/onnx/backend/test/runner: rtol 1e-3).
const backendBound = 1e-4

// The ONNX standard's own tests of operators: what Read takes in is computed right, what
// it does not is refused in a line that names the node.
func TestONNXBackend(t *testing.T) {
	python := python(t, "onnx")
	dir := t.TempDir()
	said, err := exec.Command(python, filepath.Join("testdata", "backend_tests.py"), dir).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	version := lines[len(lines)-1]
	place := regexp.MustCompile(`^.*?\.onnx: (node "[^"]*" \([^)]*\): )?`)
	passed, refused := 0, map[string][]string{}
	for _, line := range lines[:len(lines)-1] {
		words := strings.Fields(line)
		base, name := filepath.Join(dir, words[0]), words[1]
		g, err := onnx.ReadFile(base + ".onnx")
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: no line: %v", name, err)
			}
			why := place.ReplaceAllString(err.Error(), "")
			refused[fmt.Sprintf("%.80s", why)] = append(refused[fmt.Sprintf("%.80s", why)], name)
			continue
		}
		in, err := readFloats(base + ".in")
		if err == nil {
			var want []float32
			if want, err = readFloats(base + ".out"); err == nil {
				err = compareImages(g, in, want, backendBound)
			}
		}
		if err != nil {
			t.Errorf("%s (%s): %v", name, strings.Join(words[2:], " "), err)
			continue
		}
		passed++
	}
	count := 0
	var reasons []string
	for why, names := range refused {
		count += len(names)
		reasons = append(reasons, fmt.Sprintf("%4d %s: %s", len(names), why, strings.Join(names[:min(3, len(names))], " ")))
	}
	slices.SortFunc(reasons, func(a, b string) int { return strings.Compare(b, a) })
	t.Logf("%s: %d passed, %d refused:\n%s", version, passed, count, strings.Join(reasons, "\n"))
	if passed < backendLeast {
		t.Errorf("%d passed: want at least %d", passed, backendLeast)
	}
}
