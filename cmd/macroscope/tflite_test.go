package main

import (
	"strings"
	"testing"

	"macroscope/internal/shared"
)

// A TFLite file is taken wherever a built-in network is.
func TestTFLite(t *testing.T) {
	model := shared.File(t, "models/mlperf-tiny-resnet8-int8.tflite")
	command := func(args ...string) string {
		var stdout, stderr strings.Builder
		if code := run(t.Context(), &stdout, &stderr, args); code != exitDone {
			t.Fatalf("%v: exit code %d: %s", args, code, stderr.String())
		}
		return stdout.String()
	}
	for _, c := range []struct {
		args string
		want []string
	}{
		{"eval --limit 20 --model", []string{"int8 by", "of 20 right"}},
		{"inspect", []string{"TFLite, schema 3, by MLIR Converted.", "scale 1, zero point -128", "12501632", "conv2d/int8/"}},
		{"sim --design tpuv1 -o csv --model", []string{"model/dense/MatMul"}},
	} {
		said := command(append(strings.Fields(c.args), model)...)
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s: no %q in %s", c.args, want, said)
			}
		}
	}
	float := strings.Replace(model, "int8", "float32", 1)
	if said := command("eval", "--limit", "20", "--model", float); !strings.Contains(said, "float32 by") {
		t.Errorf("it said %q", said)
	}
}
