package onnx_test

import (
	"archive/zip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"macroscope/onnx"
)

// exportersBound is how far a value may be from the framework's that made the network,
// relative to the network's largest value or 1: both add up float32, in other orders.
const exportersBound = 1e-5

// refusedExports are networks that are there to be refused: the operators, one of which
// the error must name with a node and its place.
var refusedExports = map[string]string{
	"attention": "MatMul", // of two computed values
	"recurrent": "GRU",
	"resized":   "Resize",
	"shrinks":   "Less|LessOrEqual",
	"unet":      "ConvTranspose",
}

// Small networks as exporters write them (testdata/zoo/make_*.py says which) are read, and
// give what the framework that made them gives; those with operators that are not for this
// program are refused with node, operator and place.
func TestExporters(t *testing.T) {
	for name, least := range map[string]int{"pytorch": 150, "brevitas": 70} {
		t.Run(name, func(t *testing.T) {
			dir := unzip(t, filepath.Join("testdata", "zoo", name+".zip"))
			models, err := filepath.Glob(filepath.Join(dir, "*.onnx"))
			if err != nil || len(models) < least {
				t.Fatalf("%d models, error %v: want at least %d", len(models), err, least)
			}
			for _, path := range models {
				base := strings.TrimSuffix(path, ".onnx")
				if _, err := os.Stat(base + ".in"); err != nil {
					checkRefused(t, path)
				} else if err := compareExport(base); err != nil {
					t.Errorf("%s: %v", filepath.Base(base), strings.TrimPrefix(err.Error(), path+": "))
				}
			}
		})
	}
}

func compareExport(base string) error {
	g, in, want, err := readCase(base)
	if err != nil {
		return err
	}
	if g.Output.Scale != 0 { // integers, exact: in steps of the scale
		n, beside, err := compareBytes(base, float64(g.Output.Scale))
		if err == nil && (beside != 0 || n != len(want)) {
			err = fmt.Errorf("%d of %d values are a step beside: want none", beside, n)
		}
		return err
	}
	return compareImages(g, in, want, exportersBound)
}

func checkRefused(t *testing.T, path string) {
	name := filepath.Base(path)
	_, err := onnx.ReadFile(path)
	if err == nil {
		t.Errorf("%s: read: want it refused", name)
		return
	}
	network := name[:strings.LastIndex(name, "_")]
	ops, ok := refusedExports[network]
	place := regexp.MustCompile(`node "[^"]+" \((` + ops + `), byte \d+\)|\b(` + ops + `) \(\d+ nodes?: "[^"]+" at byte \d+`)
	if !ok || !place.MatchString(err.Error()) {
		t.Errorf("%s: %v: want a node, its place, and its operator %q", name, err, ops)
	}
}

// unzip writes a zip file's files into a folder.
func unzip(t *testing.T, path string) string {
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	dir := t.TempDir()
	for _, f := range z.File {
		data, err := fs.ReadFile(z, f.Name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(f.Name)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
