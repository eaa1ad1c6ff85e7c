package onnx

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"macroscope/graph"
	"macroscope/onnx/internal/onnxpb"
)

// Streams: a value that goes round binary layers as int16 (graph.Value.Stream) is an
// ordinary float32 tensor in the file, with its scale and an int16 zero point of 0 in
// the graph's quantization_annotation, as ONNX provides for. Other runtimes pass over
// that and compute in float32; QuantizeLinear to int16 would ask for opset 21.

const scaleKey, zeroKey = "SCALE_TENSOR", "ZERO_POINT_TENSOR"

// annotate writes a stream's annotation.
func (w *writer) annotate(v *graph.Value) {
	if v.Stream == 0 {
		return
	}
	scale := w.number(fmt.Sprintf("stream_scale_%08x", math.Float32bits(v.Stream)), rawFloats(nil, []float32{v.Stream}))
	zero := w.number("stream_zero_point", rawTensor(onnxpb.TensorProto_INT16, nil, []byte{0, 0}))
	w.g.QuantizationAnnotation = append(w.g.QuantizationAnnotation, &onnxpb.TensorAnnotation{
		TensorName: proto.String(v.Name),
		QuantParameterTensorNames: []*onnxpb.StringStringEntryProto{
			{Key: proto.String(scaleKey), Value: proto.String(scale)},
			{Key: proto.String(zeroKey), Value: proto.String(zero)},
		},
	})
}

// streams reads the annotations with an int16 zero point. Others, and those of values
// that the output does not need, say nothing of the graph.
func (r *reader) streams() error {
	for _, a := range r.g.QuantizationAnnotation {
		names := map[string]string{}
		for _, p := range a.QuantParameterTensorNames {
			names[p.GetKey()] = p.GetValue()
		}
		v, zero := r.named[a.GetTensorName()].value, r.named[names[zeroKey]].constant
		if v == nil || zero == nil || zero.kind() != onnxpb.TensorProto_INT16 {
			continue
		}
		s, err := r.streamScale(r.named[names[scaleKey]].constant, zero)
		if err == nil && v.Stream != 0 && v.Stream != s {
			err = fmt.Errorf("scales %g and %g: want one", v.Stream, s)
		}
		if err != nil {
			return fmt.Errorf("annotation of %s: %w", quote(a.GetTensorName()), err)
		}
		v.Stream = s
	}
	return nil
}

func (r *reader) streamScale(scale, zero *constant) (float32, error) {
	z, err := zero.ints(r.bud)
	if err != nil {
		return 0, err
	}
	if len(z) != 1 || z[0] != 0 {
		return 0, errors.New("zero point: want a single 0: only symmetric quantization is supported")
	}
	if scale == nil {
		return 0, fmt.Errorf("an int16 zero point without a %s: want a tensor", scaleKey)
	}
	f, err := scale.floats(r.bud)
	if err != nil {
		return 0, fmt.Errorf("scale: %w", err)
	}
	if len(f) != 1 || !(f[0] > 0) || math.IsInf(float64(f[0]), 0) {
		return 0, errors.New("scale: want a single positive number")
	}
	return f[0], nil
}
