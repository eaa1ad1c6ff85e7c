package validate

import (
	"testing"

	"macroscope/simhw/golden"
)

// The networks are the published ones, by their numbers of MACs and layers.
func TestNVDLANetworks(t *testing.T) {
	res, addition := resNet50()
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
	if len(addition) != len(res.Layers) || len(alexOutput) != len(alex.Layers) {
		t.Error("not every layer has an output")
	}
}

// ResNet-50 is the sheet's, layer by layer, but for its third line, which has 256 input
// channels where the network has 64.
func TestResNet50IsTheSheets(t *testing.T) {
	sheet, err := golden.NVDLAResNet50()
	if err != nil {
		t.Fatal(err)
	}
	res, addition := resNet50()
	if len(sheet) != len(res.Layers) {
		t.Fatalf("%d layers, the sheet has %d", len(res.Layers), len(sheet))
	}
	for i := range sheet {
		theirs, err := nvdlaLayer(&sheet[i])
		if err != nil {
			t.Fatal(err)
		}
		if i == 2 {
			theirs.C = 64
		}
		ours := &res.Layers[i]
		oh, ow := ours.OutSize()
		th, tw := theirs.OutSize()
		if theirs.MACs() != ours.MACs() || theirs.WeightWords() != ours.WeightWords() || oh != th || ow != tw || addition[i] != sheet[i].Addition {
			t.Errorf("layer %d, %s: %+v, the sheet has %+v", i, sheet[i].Name, *ours, theirs)
		}
	}
}

// YOLOv3-tiny, layer by layer of its configuration: pixels, products of an output, outputs.
func TestYOLOTiny(t *testing.T) {
	w := yoloTiny()
	if err := w.Validate(); err != nil {
		t.Fatal(err)
	}
	want := int64(416*416*9*3*16 + 208*208*9*16*32 + 104*104*9*32*64 + 52*52*9*64*128 + 26*26*9*128*256 + 13*13*9*256*512 + 13*13*9*512*1024 +
		13*13*1024*256 + 13*13*9*256*512 + 13*13*512*255 + 13*13*256*128 + 26*26*9*(128+256)*256 + 26*26*256*255)
	if w.MACs() != want || len(w.Layers) != 13+6 {
		t.Errorf("%d MACs in %d layers, want %d in 13 and 6 pools", w.MACs(), len(w.Layers), want)
	}
}
