// Package models holds the networks that come with the program, embedded, so
// that nothing needs a file at run time, and a sample of the CIFAR-10 test
// images to try them on. README.md says where each file comes from.
package models

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/onnx"
)

var (
	//go:embed cifar10cnn-float32.onnx
	cifar10cnnFloat32 []byte
	//go:embed cifar10cnn-binary.onnx
	cifar10cnnBinary []byte
	//go:embed cifar10-sample.bin
	cifar10Sample []byte
)

// files has each network's ONNX files by the format that they were trained in.
// An int8 network is quantized after training from the float32 one (package ptq).
var files = map[string]map[dtype.DType][]byte{
	"cifar10cnn": {
		dtype.Float32: cifar10cnnFloat32,
		dtype.Int8:    cifar10cnnFloat32,
		dtype.Binary:  cifar10cnnBinary,
	},
}

// Names lists the networks, sorted.
func Names() []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Load gives the network of that name as trained for d: the float32 graph for
// Float32 and for Int8 (where it is to be quantized), the graph with ±1 weights
// for Binary. Each call reads anew, so the caller may change the graph.
func Load(name string, d dtype.DType) (*graph.Graph, error) {
	byType, ok := files[name]
	if !ok {
		return nil, fmt.Errorf("model %q: want %s, or a file whose name ends in .onnx or .tflite", name, strings.Join(Names(), ", "))
	}
	data, ok := byType[d]
	if !ok {
		return nil, fmt.Errorf("model %q: no %s network", name, d)
	}
	return onnx.Read(data, fmt.Sprintf("model %s (%s)", name, d))
}

// Sample is 1,000 CIFAR-10 test images in the data set's binary format, which
// package cifar10 reads: the first 100 of each class, in the order of
// test_batch.bin. Its first 100 are the first 100 test images. The bytes must not
// be changed.
func Sample() []byte { return cifar10Sample }
