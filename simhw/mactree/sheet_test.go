package mactree

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"

	"macroscope/workload"
)

// sheetRow is a layer of the vendor's sheet with its results: of the columns
// with a second memory (a), and of those without (b).
type sheetRow struct {
	name           string
	layer          workload.Layer
	x              SheetLayer
	a, b           SheetTime
	winograd, conv bool
}

// resNet50 reads the sheet. Where tensors live in the columns with a second
// memory is not a formula there: a layer's inputs come from DRAM, or its
// outputs go there too, where its DRAM traffic exceeds its weights.
func resNet50(t *testing.T) (rows []sheetRow, totalA, totalB int64) {
	t.Helper()
	f, err := os.Open("testdata/nvdla_resnet50.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	num := func(s string) float64 {
		if s == "" {
			return 0
		}
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, v := range all {
		if len(v) < 46 {
			continue
		}
		if v[35] == "Total Cycle" {
			totalA, totalB = int64(num(v[36])), int64(num(v[44]))
		}
		if v[3] != "conv" && v[3] != "conv + elwise" && v[3] != "fc" {
			continue
		}
		at := func(i int) int { return int(num(v[i])) }
		row := sheetRow{name: v[2], winograd: v[38] == "True"}
		row.layer = workload.Layer{Name: v[2], Kind: workload.Conv, C: at(4), H: at(5), W: at(6), OutC: at(7), KH: at(8), KW: at(9), StrideH: at(11), StrideW: at(12)}
		if row.conv = v[3] != "fc"; !row.conv {
			row.layer = workload.Layer{Name: v[2], Kind: workload.Gemm, M: 1, K: int64(at(4)), N: int64(at(7))}
		} else {
			// The sheet gives the output's size, not the padding.
			p := at(13)
			l := &row.layer
			l.PadTop = max((p-1)*l.StrideH+l.KH-l.H, 0)
			l.PadLeft = max((p-1)*l.StrideW+l.KW-l.W, 0)
			if h, w := l.OutSize(); h != int64(p) || w != int64(at(14)) {
				t.Fatalf("%s: output %d×%d, the sheet has %d×%s", v[2], h, w, p, v[14])
			}
		}
		row.x = SheetLayer{Addition: v[3] == "conv + elwise", OutputKiB: num(v[25])}
		i := func(j int) int64 { return int64(num(v[j])) }
		row.a = SheetTime{num(v[29]), i(30), i(32), i(34), i(35), i(36)}
		row.b = SheetTime{num(v[40]), i(42), 0, 0, i(43), i(44)}
		rows = append(rows, row)
	}
	return rows, totalA, totalB
}

// Every figure of the vendor's sheet for ResNet-50: 2,048 int8 MACs, 512 KiB,
// 10 GB/s of DRAM, with and without 4 MiB of second memory at 25 GB/s.
func TestSheet(t *testing.T) {
	rows, totalA, totalB := resNet50(t)
	if len(rows) != 54 {
		t.Fatalf("%d layers, want ResNet-50's 54", len(rows))
	}
	a := Sheet{MACs: 2048, BufferKiB: 512, DRAMGBs: 10, SRAMGBs: 25, KernelPad: 16, Winograd: true, FCBatch: 16}
	b := Sheet{MACs: 2048, BufferKiB: 512, DRAMGBs: 10, KernelPad: 128, Winograd: true, FCBatch: 1}
	sumA, sumB := int64(0), int64(0)
	for _, r := range rows {
		if got := b.Layer(&r.layer, r.x); got != r.b {
			t.Errorf("%s: %+v, the sheet has %+v", r.name, got, r.b)
		} else {
			sumB += got.Max
		}
		x := r.x
		x.FromDRAM = r.a.SRAMRead == 0 || !r.conv
		x.ToDRAM = !x.FromDRAM && r.a.DRAMKiB > a.Layer(&r.layer, x).DRAMKiB
		got := a.Layer(&r.layer, x)
		if got != r.a {
			t.Errorf("%s: with a second memory %+v, the sheet has %+v", r.name, got, r.a)
		}
		sumA += got.Max
	}
	if sumA != totalA || sumB != totalB {
		t.Errorf("totals %d and %d cycles, the sheet has %d and %d", sumA, sumB, totalA, totalB)
	}
}
