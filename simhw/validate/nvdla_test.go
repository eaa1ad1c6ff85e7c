package validate

import "testing"

// The networks are the published ones, by their numbers of MACs and layers.
func TestNVDLANetworks(t *testing.T) {
	res, output, addition := resNet50()
	alex, alexOutput := alexNet()
	small := resNetCIFAR()
	for _, c := range []struct {
		name         string
		macs, want   int64
		layers, have int
	}{
		// The sheet's column of products, its third line counted with the
		// network's 64 channels.
		{"ResNet-50", res.MACs(), 3896508416 - 51380224 + 12845056, 54, len(res.Layers)},
		{"AlexNet", alex.MACs(), 724406816, 8, len(alex.Layers)},                          // Krizhevsky et al. with two groups
		{"ResNet-18 for CIFAR-10", small.MACs(), 36094592, 20 + 8 + 1, len(small.Layers)}, // with weights, additions, a pool
	} {
		if c.macs != c.want || c.layers != c.have {
			t.Errorf("%s has %d MACs in %d layers, want %d in %d", c.name, c.macs, c.have, c.want, c.layers)
		}
	}
	if len(output) != len(res.Layers) || len(addition) != len(res.Layers) || len(alexOutput) != len(alex.Layers) {
		t.Error("not every layer has an output")
	}
}
