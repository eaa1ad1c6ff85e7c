package bench

import (
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels"
	"macroscope/nn"
	"macroscope/ptq"
)

// Both paths are measured of each case, and networks have all hidden layers of few bits.
func TestBitSerialCases(t *testing.T) {
	cases, err := BitSerialCases("cifar10cnn")
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]int{}
	for _, c := range cases {
		way := kernelOf(c.Name)
		ways[strings.Replace(c.Name, way, "", 1)]++
		c.Run(1)
	}
	if want := len(lowBits) * (5 + 1); len(ways) != want {
		t.Errorf("%d cases: want %d", len(ways), want)
	}
	for name, n := range ways {
		if n != 2 {
			t.Errorf("%s is measured %d ways: want 2", name, n)
		}
	}
	g, err := LoadNetwork("cifar10cnn", dtype.Int8, ptq.Options{})
	if err != nil {
		t.Fatal(err)
	}
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range lowBits {
		few, err := narrowed(g, f.values, f.inputs)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := nn.Compile(few, nn.Options{Kernels: choice})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, l := range plan.Layers() {
			if l.FewBits {
				n++
			}
		}
		if n != 5 {
			t.Errorf("weights %s, %d bits: %d layers of few bits: want 5", f.weights, f.inputs, n)
		}
	}
}

// kernelOf is the part of a case's name that says who computes it.
func kernelOf(name string) string {
	for _, part := range strings.Split(name, "/") {
		if strings.HasPrefix(part, "impl=") {
			return part
		}
	}
	return ""
}
