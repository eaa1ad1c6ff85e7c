package systolic

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"macroscope/simhw/design"
	"macroscope/workload"
)

var dataflows = map[string]design.Dataflow{"os": design.OS, "ws": design.WS, "is": design.IS}

// golden reads a table of SCALE-Sim results as maps by column.
func golden(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]map[string]string, 0, len(rows)-1)
	for _, r := range rows[1:] {
		m := map[string]string{}
		for i, c := range r {
			m[rows[0][i]] = c
		}
		out = append(out, m)
	}
	return out
}

func whole(t *testing.T, row map[string]string, col string) int64 {
	t.Helper()
	v, err := strconv.ParseInt(row[col], 10, 64)
	if err != nil {
		t.Fatalf("%s %q: %v", col, row[col], err)
	}
	return v
}

// topologies holds the golden runs' layers by topology and name. SCALE-Sim
// names the channels of a depthwise layer <name>Channel_0, ...
func topologies(t *testing.T) map[string]map[string]workload.Layer {
	t.Helper()
	all := map[string]map[string]workload.Layer{}
	for _, name := range []string{"Resnet18", "alexnet", "cifar10_cnn", "cifar10_gemm", "edge_cases"} {
		w, err := workload.LoadSCALESim(filepath.Join("..", "..", "workload", "testdata", name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = map[string]workload.Layer{}
		for _, l := range w.Layers {
			all[name][l.Name] = l
		}
	}
	return all
}

// Every row of SCALE-Sim's own results, to the last digit.
func TestScaleSimGolden(t *testing.T) {
	layers := topologies(t)
	const kib = 64 << 10
	compared, withDRAM, own := 0, 0, 0
	for file, want := range map[string]int{"compute_only.csv": 396, "compute_only_edge.csv": 708, "full.csv": 237} {
		rows := golden(t, file)
		if len(rows) != want {
			t.Errorf("%s: %d rows, want %d", file, len(rows), want)
		}
		divided := 0
		for _, row := range rows {
			name, _, _ := strings.Cut(row["name"], "Channel_")
			l, ok := layers[row["topology"]][name]
			if !ok {
				t.Fatalf("no layer %s in %s", name, row["topology"])
			}
			s := ScaleSim{Rows: whole(t, row, "rows"), Cols: whole(t, row, "cols"), Dataflow: dataflows[row["dataflow"]],
				IfmapBytes: kib, FilterBytes: kib, OfmapBytes: kib}
			// Replaying the largest layers takes most of the time.
			replay := file == "full.csv" && !(testing.Short() && row["topology"] == "Resnet18")
			evaluate := s.Compute
			if replay {
				evaluate = s.Layer
			}
			got, err := evaluate(&l)
			if err != nil {
				t.Fatal(err)
			}
			where := file + " " + row["topology"] + " " + row["rows"] + "x" + row["cols"] + " " + row["dataflow"] + " " + row["name"]
			if row["status"] != "ok" {
				// One product on one element: SCALE-Sim divides by its own
				// cycle count, 0. Here that is a result without utilization.
				divided++
				if !strings.Contains(row["status"], "ZeroDivisionError") || got.TotalCycles != 0 || got.OverallUtil != 0 || got.MACs != 1 {
					t.Errorf("%s: %s, here %+v", where, row["status"], got)
				}
				continue
			}
			compared++
			if file == "full.csv" {
				withDRAM++
			}
			// The same array by our own formula, where the output size, which
			// SCALE-Sim rounds up, is the same: as many cycles, counted from 1.
			if m, n, k := l.GEMM(); m == got.M {
				own++
				a := Array{Rows: s.Rows, Cols: s.Cols, Dataflow: s.Dataflow}
				if p := a.Map(m, n, k, 1, 1); p.Cycles() != got.TotalCycles+1 {
					t.Errorf("%s: our formula gives %d cycles, SCALE-Sim %d and one", where, p.Cycles(), got.TotalCycles)
				}
			}
			type column struct {
				name string
				got  int64
			}
			columns := []column{{"M", got.M}, {"N", got.N}, {"K", got.K}, {"Sr", got.Sr}, {"Sc", got.Sc}, {"T", got.T}, {"macs", got.MACs},
				{"total_cycles", got.TotalCycles}, {"stall_cycles", got.StallCycles}, {"sram_ifmap_reads", got.IfmapSRAMReads},
				{"sram_filter_reads", got.FilterSRAMReads}, {"sram_ofmap_writes", got.OfmapSRAMWrites}}
			if replay {
				if !got.DRAMKnown {
					t.Errorf("%s: DRAM traffic not replayed", where)
				}
				columns = append(columns, column{"dram_ifmap_reads", got.IfmapDRAMReads}, column{"dram_filter_reads", got.FilterDRAMReads},
					column{"dram_ofmap_writes", got.OfmapDRAMWrites}, column{"total_cycles_incl_prefetch", got.TotalCyclesInclPrefetch})
			}
			for _, c := range columns {
				if want := whole(t, row, c.name); c.got != want {
					t.Errorf("%s: %s = %d, SCALE-Sim gives %d", where, c.name, c.got, want)
				}
			}
			for _, c := range []struct {
				name string
				got  float64
			}{{"overall_util_pct", got.OverallUtil}, {"mapping_eff_pct", got.MappingEff}, {"compute_util_pct", got.ComputeUtil}} {
				want, err := strconv.ParseFloat(row[c.name], 64)
				if err != nil || c.got != want {
					t.Errorf("%s: %s = %v, SCALE-Sim gives %v", where, c.name, c.got, want)
				}
			}
		}
		if want := map[string]int{"compute_only_edge.csv": 1}[file]; divided != want {
			t.Errorf("%s: %d rows without a result, want %d", file, divided, want)
		}
	}
	if compared != goldenRuns || withDRAM != goldenDRAMRuns || own != goldenOwnRuns {
		t.Errorf("%d runs, %d with DRAM traffic, %d with a convolution's output size: the evidence claims %d, %d, %d",
			compared, withDRAM, own, goldenRuns, goldenDRAMRuns, goldenOwnRuns)
	}
}
