package tflite

import (
	"archive/zip"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"macroscope/graph"
	"macroscope/nn"
)

// kerasRules are those of tensorflow-cpu 2.21.0's interpreter, which gave the zoo's bytes.
const kerasRules = graph.LiteRT

// refusedKeras are the zoo's networks that are there to be refused, some in int8 alone, and
// the operator that the error must name.
var refusedKeras = map[string]string{
	"cropped":    "STRIDED_SLICE", // of an image
	"hard_swish": "HARD_SWISH",
	"leaky":      "LEAKY_RELU",
	"maximal":    "REDUCE_MAX",
	"sigmoid":    "LOGISTIC",
	"subtracted": "SUB",
	"tanh":       "TANH",
	"transposed": "TRANSPOSE_CONV|SHAPE",
	"upsampled":  "EXPAND_DIMS", // to five dimensions
}

// Small Keras networks as TensorFlow's converter writes them (testdata/zoo/make_keras.py)
// are read and give what Keras does, in int8 the interpreter's bytes; those with operators
// that are not read are refused with operator and place.
func TestKeras(t *testing.T) {
	z, err := zip.OpenReader("testdata/zoo/keras.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		if files[f.Name], err = fs.ReadFile(z, f.Name); err != nil {
			t.Fatal(err)
		}
	}
	networks := 0
	for _, file := range slices.Sorted(maps.Keys(files)) {
		name, ok := strings.CutSuffix(file, ".tflite")
		if !ok {
			continue
		}
		networks++
		g, err := Read(files[file], name)
		in, kept := files[name+".in"]
		if !kept {
			network, _, _ := strings.Cut(name, "_float")
			network, _, _ = strings.Cut(network, "_int8")
			want := regexp.MustCompile(`operator \d+ (` + refusedKeras[network] + `) \(gives "[^)]+\) at offset \d+: `)
			if err == nil || refusedKeras[network] == "" || !want.MatchString(err.Error()) {
				t.Errorf("%s: error %v: want one with %s", name, err, want)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if g.Integer != graph.NotInteger {
			g.Integer = kerasRules
		}
		s := sample{name: name, g: g, in: in}
		plan, err := nn.Compile(g, nn.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := plan.NewRunner(1)
		image, out := make([]float32, plan.InputSize()), make([]float32, plan.OutputSize())
		for i := range 2 {
			s.image(image, i)
			if err := r.Run(out, image); err != nil {
				t.Fatal(err)
			}
			if n := s.differ(out, files[name+".out"], i); n > 0 {
				t.Errorf("%s, image %d: %d of %d elements differ", name, i, n, len(out))
			}
		}
		r.Close()
	}
	t.Logf("%d networks", networks)
	if networks < 50 {
		t.Errorf("%d networks: want at least 50", networks)
	}
}
