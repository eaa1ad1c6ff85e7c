#!/bin/sh
# Generates onnx.pb.go from onnx.proto. Needs protoc (Debian and Ubuntu:
# protobuf-compiler); protoc-gen-go is built at the version that go.mod names, so
# that the generated code and the library agree. The comment that names protoc's
# version is dropped: the code does not depend on it.
set -eu
cd "$(dirname "$0")"
command -v protoc >/dev/null || { echo "generate.sh: protoc not found: install protobuf-compiler" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT INT TERM
go build -o "$tmp/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
protoc --plugin="$tmp/protoc-gen-go" --proto_path=. --go_out="$tmp" \
	--go_opt=paths=source_relative --go_opt=Monnx.proto=macroscope/onnx/internal/onnxpb onnx.proto
sed '/^\/\/ 	protoc  *v/d' "$tmp/onnx.pb.go" >"$tmp/out"
mv "$tmp/out" onnx.pb.go
