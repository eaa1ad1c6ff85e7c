package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"macroscope/graph"
	"macroscope/onnx"
	"macroscope/tflite"
)

// shapeFlags are those of every verb that reads a network from a file which may leave
// dimensions open.
type shapeFlags struct {
	FixBatch int      `help:"The batch of a file that leaves it open, for files that compute with it." placeholder:"N"`
	Input    []string `help:"An input's shape in place of the file's, the batch first." placeholder:"NAME:1x3x32x32"`
}

// options are the flags as the reader takes them.
func (f *shapeFlags) options() (onnx.ReadOptions, error) {
	o := onnx.ReadOptions{Batch: f.FixBatch, Inputs: map[string][]int{}}
	if f.FixBatch < 0 {
		return o, usageError{fmt.Errorf("--fix-batch %d: want at least 1", f.FixBatch)}
	}
	for _, given := range f.Input {
		at := strings.LastIndex(given, ":")
		if at < 0 {
			return o, usageError{fmt.Errorf("--input %s: want NAME:SHAPE", given)}
		}
		name, shape := given[:at], given[at+1:]
		for _, word := range strings.FieldsFunc(shape, func(r rune) bool { return r == 'x' || r == ',' }) {
			d, err := strconv.Atoi(word)
			if err != nil || d < 1 {
				return o, usageError{fmt.Errorf("--input %s:%s: %q: want a shape such as 1x3x32x32", name, shape, word)}
			}
			o.Inputs[name] = append(o.Inputs[name], d)
		}
	}
	return o, nil
}

// isFile says whether a --model is a file rather than a built-in name.
func isFile(model string) bool {
	return strings.EqualFold(filepath.Ext(model), ".onnx") || tflite.IsFile(model)
}

// readModel reads a network from a file.
func (f *shapeFlags) readModel(path string) (*graph.Graph, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	if tflite.IsFile(path) {
		return f.readTFLite(path)
	}
	return onnx.ReadFileWith(path, o)
}

// readShapes is readModel for who wants shapes alone: weights may be missing.
func (f *shapeFlags) readShapes(path string) (*graph.Graph, error) {
	o, err := f.options()
	if err != nil {
		return nil, err
	}
	if tflite.IsFile(path) {
		return f.readTFLite(path)
	}
	o.Weightless = true
	return onnx.ReadFileWith(path, o)
}

// readTFLite reads a TFLite file, whose shapes are given.
func (f *shapeFlags) readTFLite(path string) (*graph.Graph, error) {
	if f.FixBatch != 0 || len(f.Input) > 0 {
		return nil, usageError{fmt.Errorf("--fix-batch and --input are for ONNX files: %s says its shapes", path)}
	}
	return tflite.ReadFile(path)
}
