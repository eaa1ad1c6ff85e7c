package workload

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadSCALESimForms(t *testing.T) {
	head := "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
	for _, c := range []struct {
		name, text string
		want       Layer
	}{
		{"trailing comma", head + "Conv1, 34, 34, 3, 3, 3, 32, 1,\n", Layer{Name: "Conv1", H: 34, W: 34, C: 3, OutC: 32, KH: 3, KW: 3, StrideH: 1, StrideW: 1}},
		{"no comma, no newline, no heading", "Conv1,34,34,3,3,3,32,2", Layer{Name: "Conv1", H: 34, W: 34, C: 3, OutC: 32, KH: 3, KW: 3, StrideH: 2, StrideW: 2}},
		{"two strides", head + "a,9,8,3,2,1,4,2,1,", Layer{Name: "a", H: 9, W: 8, C: 1, OutC: 4, KH: 3, KW: 2, StrideH: 2, StrideW: 1}},
		{"spaces, blank lines, carriage returns, byte-order mark", "\ufeff" + strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\t \r\nConv1     ,224         ,224        ,11           ,11          ,3       ,96        ,4      ,\r\n\r\n,,,,\r\n",
			Layer{Name: "Conv1", H: 224, W: 224, C: 3, OutC: 96, KH: 11, KW: 11, StrideH: 4, StrideW: 4}},
		{"dense sparsity column", head + "a,9,8,3,2,1,4,2,4:4,", Layer{Name: "a", H: 9, W: 8, C: 1, OutC: 4, KH: 3, KW: 2, StrideH: 2, StrideW: 2}},
		{"depthwise", head + "DPdw,18,18,3,3,4,2,1,", Layer{Name: "DPdw", H: 18, W: 18, C: 4, OutC: 8, Groups: 4, KH: 3, KW: 3, StrideH: 1, StrideW: 1}},
		{"matrix product", "Layer, M, N, K,\nfc, 1, 10, 2048,\n", Layer{Name: "fc", Kind: Gemm, M: 1, N: 10, K: 2048}},
		{"matrix product with a dense sparsity column", "Layer, M, N, K, Sparsity,\nfc, 1, 10, 2048, 1:1,\n", Layer{Name: "fc", Kind: Gemm, M: 1, N: 10, K: 2048}},
		{"no name", head + ",1,1,1,1,5,6,1,", Layer{Name: "layer1", H: 1, W: 1, C: 5, OutC: 6, KH: 1, KW: 1, StrideH: 1, StrideW: 1}},
	} {
		w, err := ReadSCALESim("dir/net.csv", strings.NewReader(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if w.Name != "net" || len(w.Layers) != 1 || w.Layers[0] != c.want {
			t.Errorf("%s: got %q %+v, want %+v", c.name, w.Name, w.Layers, c.want)
		}
	}
}

func TestReadSCALESimErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "t.csv: no layers: want rows of name, IFMAP Height"},
		{"Layer name, IFMAP Height,\n", "t.csv: no layers"},
		{"a,x,y\nb,34,34,3,3,3,32,1", ""}, // any heading will do
		{"h,h\na,34,34,3,3x,3,32,1,", `t.csv:2: Filter Width "3x": want a whole number from 1 to 16777216`},
		{"h,h\n\na,34,34,3,3,3,32,0,", `t.csv:3: Strides "0": want a whole number from 1 to 65536`},
		{"a,34,34,3,3,3,32,1,-1", `t.csv:1: Strides (columns) "-1"`},
		{"a,34,34,3,3,3,32,1,2:4", `t.csv:1: column Sparsity "2:4": want dense`},
		{"a,1,10,2048,2:4", `t.csv:1: column Sparsity "2:4": want dense`},
		{"a,34,34,3,3,3,32,1,2:x", `t.csv:1: column Sparsity "2:x": want N:M`},
		{"a,34,34,3,3,3,32", "t.csv:1: 6 fields after the name: want 7"},
		{"a,34,34,3,3,3,32,1,1,1", "t.csv:1: 9 fields after the name"},
		{"a,2,2,3,3,3,32,1", "t.csv:1: kernel spans 3: want at most the padded height, 2"},
		{"a,99999999999999999999,2,3,3,3,32,1", `t.csv:1: IFMAP Height "99999999999999999999"`},
		{"a,16777216,16777216,3,3,3,32,1", "t.csv:1: more multiply-accumulates"},
		{"a,1,2,3,1:1,\nb,1,2,3,4:4\nc,1,2,3", ""},
		{"a,1,2,3\nb,34,34,3,3,3,32,1", "t.csv:2: convolutions and M, N, K rows in one file"},
		{"a,0,2,3", `t.csv:1: M "0"`},
		{"DPx,1,1,1,1,16777216,2,1", "t.csv:1: column Num Filter 2 of each of 16777216 depthwise channels"},
		{strings.Repeat("a", maxLine+1), "t.csv:1: line longer than"},
	} {
		_, err := ReadSCALESim("t.csv", strings.NewReader(c.text))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.text, err)
		case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%.40q: got %v, want %q", c.text, err, c.want)
		}
	}
}

func TestShippedTopologies(t *testing.T) {
	layers := map[string]int{"Resnet18": 21, "alexnet": 5, "cifar10_cnn": 7, "cifar10_gemm": 7, "edge_cases": 12}
	for name, want := range layers {
		w, err := LoadSCALESim(filepath.Join("..", "simhw", "golden", "topologies", name+".csv"))
		if err != nil {
			t.Error(err)
		} else if len(w.Layers) != want {
			t.Errorf("%s: %d layers, want %d", name, len(w.Layers), want)
		}
	}
	w, err := LoadSCALESim("../simhw/golden/topologies/cifar10_cnn.csv")
	if err != nil {
		t.Fatal(err)
	}
	// 884,736 + 9,437,184 + 4,718,592 + 9,437,184 + 4,718,592 + 9,437,184 + 20,480
	if got := w.MACs(); got != 38653952 {
		t.Errorf("cifar10_cnn: %d multiply-accumulates, want 38653952", got)
	}
	if _, err := LoadSCALESim("testdata/none.csv"); !os.IsNotExist(err) {
		t.Errorf("missing file: got %v", err)
	}
}

func TestWriteSCALESim(t *testing.T) {
	w := Workload{Name: "n", Layers: []Layer{
		conv2,
		{Name: "pool,1", Kind: Other, Op: "maxpool", Elements: 8},
		{Name: "dw", H: 8, W: 8, C: 4, OutC: 8, Groups: 4, KH: 3, KW: 3},
		{Name: "grouped", H: 8, W: 8, C: 4, OutC: 6, Groups: 2, KH: 3, KW: 3},
		{Name: "ADPCM,x", Kind: Gemm, M: 2, N: 10, K: 20},
	}}
	var b bytes.Buffer
	skipped, err := WriteSCALESim(&b, &w)
	if err != nil {
		t.Fatal(err)
	}
	want := `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
conv2, 34, 34, 3, 3, 32, 32, 1,
DPdw, 8, 8, 3, 3, 4, 2, 1,
grouped_group0, 8, 8, 3, 3, 2, 3, 1,
grouped_group1, 8, 8, 3, 3, 2, 3, 1,
ADpCM_x, 2, 1, 1, 1, 20, 10, 1,
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	if len(skipped) != 1 || skipped[0] != "pool,1" {
		t.Errorf("skipped %q", skipped)
	}
	back, err := ReadSCALESim("n.csv", &b)
	if err != nil {
		t.Fatal(err)
	}
	if back.MACs() != w.MACs() {
		t.Errorf("read back: %d multiply-accumulates, written %d", back.MACs(), w.MACs())
	}
	dilated := Workload{Layers: []Layer{{Name: "d", H: 8, W: 8, C: 1, OutC: 1, KH: 3, KW: 3, DilationH: 2}}}
	if _, err := WriteSCALESim(&b, &dilated); err == nil || !strings.Contains(err.Error(), "dilation") {
		t.Errorf("dilation: got %v", err)
	}
}

func FuzzReadSCALESim(f *testing.F) {
	for _, s := range []string{"", "Layer, M, N, K,\nfc, 1, 10, 2048,\n", "a,34,34,3,3,3,32,1,", "DP,9,9,3,3,3,2,1,2,1:1", "h,h\na,b,c", ",,,", "a,1,1,1\x00"} {
		f.Add([]byte(s))
	}
	files, _ := filepath.Glob("../simhw/golden/topologies/*.csv")
	for _, p := range files {
		if b, err := os.ReadFile(p); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := ReadSCALESim("f.csv", bytes.NewReader(data))
		if err != nil {
			return
		}
		if err := w.Validate(); err != nil {
			t.Fatalf("read a workload that is not valid: %v", err)
		}
		var b bytes.Buffer
		if _, err := WriteSCALESim(&b, &w); err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		back, err := ReadSCALESim("f.csv", &b)
		if err != nil {
			t.Fatalf("cannot read back: %v\n%s", err, b.String())
		}
		if back.MACs() != w.MACs() || len(back.Layers) != len(w.Layers) {
			t.Fatalf("read back %d layers and %d multiply-accumulates, want %d and %d", len(back.Layers), back.MACs(), len(w.Layers), w.MACs())
		}
	})
}
