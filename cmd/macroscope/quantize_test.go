package main

import (
	"path/filepath"
	"strings"
	"testing"

	"macroscope/internal/shared"
)

// A float file is calibrated on training images, quantized, written, and gives
// right answers when it is read again.
func TestQuantizeFile(t *testing.T) {
	root := repoRoot(t)
	data := shared.CIFAR10(t)
	out := filepath.Join(t.TempDir(), "int8.onnx")
	command := func(args ...string) string {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), &stdout, &stderr, args); code != exitDone {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr.String())
		}
		return stdout.String()
	}
	said := command("quantize", filepath.Join(root, "models", "cifar10cnn-float32.onnx"), "--data", data, "--images", "20", "-o", out)
	if !strings.Contains(said, "calibrated on the first 20 CIFAR-10 training images") {
		t.Errorf("it said %q", said)
	}
	// The float32 network has all of the first five right.
	if said := command("eval", "--dtype", "int8", "--model", out, "--limit", "5"); !strings.Contains(said, "int8 by") || !strings.Contains(said, "5 of 5 right") {
		t.Errorf("it said %q", said)
	}
}
