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

// pixelFlags say what a network from a file wants in place of the data set's raw pixels.
type pixelFlags struct {
	Mean       []float32 `help:"Taken off each pixel, after --pixel-range: one number, or one a channel." placeholder:"M,..."`
	Std        []float32 `help:"What each pixel is divided by then: one number, or one a channel." placeholder:"S,..."`
	PixelRange string    `help:"What pixels 0 and 255 become first, 0:1 or -1:1. Without it: what the file's metadata says, or 0:255." placeholder:"LO:HI"`
	Layout     string    `enum:"chw,hwc" default:"chw" help:"The input's order: planes of channels (chw) or pixel after pixel (hwc): ${enum}."`
}

// pixelRanges are the ranges that ONNX's metadata name
// (https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md), as far as they are linear.
var pixelRanges = map[string][2]float32{"NominalRange_0_255": {0, 255}, "Normalized_0_1": {0, 1}, "Normalized_1_1": {-1, 1}}

// prepare puts before g what turns CIFAR-10's raw pixels into what it wants.
func (f *pixelFlags) prepare(g *graph.Graph, path string) (*graph.Graph, error) {
	p := graph.Preparation{Mean: f.Mean, Std: f.Std, HWC: f.Layout == "hwc"}
	if f.PixelRange != "" {
		lo, hi, ok := strings.Cut(f.PixelRange, ":")
		low, err := strconv.ParseFloat(lo, 32)
		high, herr := strconv.ParseFloat(hi, 32)
		if !ok || err != nil || herr != nil || !(low < high) {
			return nil, usageError{fmt.Errorf("--pixel-range %s: want two numbers such as 0:1", f.PixelRange)}
		}
		p.Lo, p.Hi = float32(low), float32(high)
	} else if s, err := onnx.SurveyFile(path); err == nil && s.Metadata["Image.NominalPixelRange"] != "" {
		name := s.Metadata["Image.NominalPixelRange"]
		r, ok := pixelRanges[name]
		if !ok {
			return nil, usageError{fmt.Errorf("%s: its metadata say pixels are %.80q: give --pixel-range", path, name)}
		}
		p.Lo, p.Hi = r[0], r[1]
	}
	prepared, err := graph.Prepare(g, p)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	if want := (graph.Shape{3, 32, 32}); !prepared.Input.Shape.Equal(want) {
		return nil, usageError{fmt.Errorf("%s: input %v: CIFAR-10 images are %v; --layout hwc turns them, --input gives another shape", path, prepared.Input.Shape, want)}
	}
	return prepared, nil
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
