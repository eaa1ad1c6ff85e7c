package models

import (
	_ "embed"
	"fmt"
	"strings"

	"macroscope/dtype"
)

var (
	//go:embed cifar10cnn-float32.calibration.json
	cifar10cnnFloat32Calibration []byte
	//go:embed cifar10cnn-binary.calibration.json
	cifar10cnnBinaryCalibration []byte
)

// calibrations has what "macroscope calibrate" recorded of each network on
// training images, by the format that the network is to be run in.
var calibrations = map[string]map[dtype.DType][]byte{
	"cifar10cnn": {
		dtype.Int8:   cifar10cnnFloat32Calibration,
		dtype.Binary: cifar10cnnBinaryCalibration,
	},
}

// Calibration gives the activation ranges that quantizing the network Load
// gives for d needs, as JSON that package ptq reads.
func Calibration(name string, d dtype.DType) ([]byte, error) {
	byType, ok := calibrations[name]
	if !ok {
		return nil, fmt.Errorf("model %q: want %s", name, strings.Join(Names(), ", "))
	}
	data, ok := byType[d]
	if !ok {
		return nil, fmt.Errorf("model %q: no calibration for %v", name, d)
	}
	return data, nil
}
