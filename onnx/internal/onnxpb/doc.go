// Package onnxpb is ONNX's protobuf schema as Go types, generated from
// onnx.proto. Nothing but package onnx should need it.
package onnxpb

//go:generate ./generate.sh
