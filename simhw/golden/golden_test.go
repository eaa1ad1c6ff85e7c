package golden

import (
	"bufio"
	"encoding/csv"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"macroscope/internal/shared"
)

// original reads a recorded table as it came, of any width.
func original(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open(shared.File(t, "simgold/"+file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// byName reads one as maps by column.
func byName(t *testing.T, file string) (list []map[string]string) {
	t.Helper()
	rows := original(t, file)
	for _, r := range rows[1:] {
		m := map[string]string{}
		for i, h := range rows[0] {
			m[h] = r[i]
		}
		list = append(list, m)
	}
	return list
}

// embedded reads one of ours as rows of cells.
func embedded(t *testing.T, file string) (columns []string, rows [][]string) {
	t.Helper()
	err := read(file, func(tb *table) {
		if columns == nil {
			columns = make([]string, len(tb.columns))
			for name, i := range tb.columns {
				columns[i] = name
			}
		}
		rows = append(rows, tb.row)
	})
	if err != nil {
		t.Fatal(err)
	}
	return columns, rows
}

func same(t *testing.T, file string, got [][]string, want [][]string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d rows, the originals %d", file, len(got), len(want))
	}
	for i := range got {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("%s, row %d: %v, the original has %v", file, i+1, got[i], want[i])
		}
	}
}

// Tables are read to the last row.
func TestRead(t *testing.T) {
	scale, err := ScaleSim()
	failed := 0
	for i := range scale {
		if scale[i].Failed {
			failed++
		}
	}
	if err != nil || len(scale) != 1341 || failed != 1 {
		t.Errorf("SCALE-Sim: %d runs, %d without a result, %v; want 1341 and 1", len(scale), failed, err)
	}
	loops, err := Timeloop()
	counts := 0
	for i := range loops {
		counts += len(loops[i].Levels)
	}
	if err != nil || len(loops) != 120 || counts != 976 {
		t.Errorf("Timeloop: %d mappings, %d counts, %v; want 120 and 976", len(loops), counts, err)
	}
	arrays, err := RTL()
	if err != nil || len(arrays) != 142 {
		t.Errorf("Verilog: %d runs, %v; want 100 of single folds and 42 of several", len(arrays), err)
	}
	engines, err := XNOR()
	if err != nil || len(engines) != 7 {
		t.Errorf("XNOR engine: %d runs, %v; want 7", len(engines), err)
	}
	mesh, err := STONNE()
	if err != nil || len(mesh) != 15 {
		t.Errorf("STONNE: %d runs, %v; want 15", len(mesh), err)
	}
	reruns, err := MAESTRO()
	if err != nil || len(reruns) != 5 {
		t.Errorf("MAESTRO: %d layers, %v; want 5", len(reruns), err)
	}
	sheet, err := NVDLAResNet50()
	if err != nil || len(sheet) != 54 {
		t.Errorf("NVDLA: %d layers, %v; want 54", len(sheet), err)
	}
	for _, name := range []string{"Resnet18", "alexnet", "cifar10_cnn", "cifar10_gemm", "edge_cases"} {
		if w, err := Topology(name); err != nil || len(w.Layers) < 5 {
			t.Errorf("%s: %d layers, %v", name, len(w.Layers), err)
		}
	}
	if _, err := Topology("none"); err == nil {
		t.Error("no error for a topology that there is not")
	}
}

// Faults of a table name their place.
func TestReadFaults(t *testing.T) {
	for want, f := range map[string]func(*table){
		"rtl.csv: no column nothing":    func(t *table) { t.text("nothing") },
		"rtl.csv, row 1, kind: strconv": func(t *table) { t.whole("kind") },
	} {
		if err := read("rtl.csv", f); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestScaleSimIsOriginal(t *testing.T) {
	columns, rows := embedded(t, "scalesim.csv")
	var want [][]string
	for _, file := range []string{"compute_only", "compute_only_edge", "full"} {
		for _, r := range byName(t, "scalesim/"+file+".csv") {
			if r["status"] == "ok" && r["stall_cycles"] != "0" || r["status"] != "ok" && !strings.Contains(r["status"], "ZeroDivisionError") || r["mode"] != "CALC" {
				t.Errorf("%s: %v", file, r)
			}
			// What we left out follows from what is there.
			axes := map[string][3]string{"os": {r["M"], r["N"], r["K"]}, "ws": {r["K"], r["N"], r["M"]}, "is": {r["K"], r["M"], r["N"]}}[r["dataflow"]]
			if axes != [3]string{r["Sr"], r["Sc"], r["T"]} {
				t.Errorf("%s: folds of %s, %s, %s from M, N, K", r["name"], r["Sr"], r["Sc"], r["T"])
			}
			cells := make([]string, len(columns))
			for i, c := range columns {
				cells[i] = r[c]
			}
			want = append(want, cells)
		}
	}
	same(t, "scalesim.csv", rows, want)
}

func TestTopologiesAreOriginal(t *testing.T) {
	for _, name := range []string{"Resnet18", "alexnet", "cifar10_cnn", "cifar10_gemm", "edge_cases"} {
		theirs, err := os.ReadFile(shared.File(t, "simgold/scalesim/topologies/"+name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		ours, err := files.ReadFile("topologies/" + name + ".csv")
		if err != nil || string(ours) != string(theirs) {
			t.Errorf("%s is not the original (%v)", name, err)
		}
	}
}

func TestTimeloopIsOriginal(t *testing.T) {
	columns, rows := embedded(t, "timeloop.csv")
	var want [][]string
	for _, r := range byName(t, "timeloop/summary.csv") {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = r[c]
		}
		want = append(want, cells)
	}
	same(t, "timeloop.csv", rows, want)

	_, rows = embedded(t, "timeloop_levels.csv")
	want = nil
	for _, r := range byName(t, "timeloop/levels.csv") {
		if r["Data tile shape"] == "" || r["dataspace"] == "" {
			continue // multipliers, networks
		}
		want = append(want, []string{r["case"], r["level"], r["dataspace"], r["Utilized instances (max)"], r["Data tile shape"], r["Actual scalar reads (per-instance)"],
			r["Actual scalar fills (per-instance)"], r["Actual scalar updates (per-instance)"], strings.TrimSuffix(r["Energy (total)"], " pJ")})
	}
	same(t, "timeloop_levels.csv", rows, want)
}

func TestVerilogIsOriginal(t *testing.T) {
	number := regexp.MustCompile(`-?\d+`)
	var arrays, engines [][]string
	for _, file := range []string{"rtl_runs.csv", "rtl_db.csv"} {
		f, err := os.Open(shared.File(t, "simgold/rtl/"+file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for sc := bufio.NewScanner(f); sc.Scan(); {
			line := strings.TrimSpace(sc.Text())
			if line == "" {
				continue
			}
			if !strings.Contains(line, "errs=0") {
				t.Errorf("%s: not every sum was right", line)
			}
			cells := strings.Split(line, ",")
			v := make([]string, len(cells)) // the numbers behind =, or alone
			for i, c := range cells[1:] {
				v[i+1] = number.FindString(c[strings.IndexByte(c, '=')+1:])
			}
			switch cells[0] {
			case "OS":
				arrays = append(arrays, []string{"OS", v[1], v[2], v[3], "1", v[4], v[5]})
			case "WS":
				arrays = append(arrays, []string{"WS", v[1], v[2], v[3], "1", v[4], ""})
			case "XNOR":
				engines = append(engines, v[1:7])
			default:
				arrays = append(arrays, []string{cells[0], v[1], v[2], v[3], v[4], v[5], ""})
			}
		}
	}
	_, rows := embedded(t, "rtl.csv")
	same(t, "rtl.csv", rows, arrays)
	_, rows = embedded(t, "xnor.csv")
	same(t, "xnor.csv", rows, engines)
}

func TestSTONNEIsOriginal(t *testing.T) {
	var want [][]string
	for _, r := range original(t, "stonne/os_mesh.csv")[1:] {
		if r[8] == "1" {
			want = append(want, r[:8])
		}
	}
	_, rows := embedded(t, "stonne.csv")
	same(t, "stonne.csv", rows, want)
}

func TestMAESTROIsOriginal(t *testing.T) {
	var want [][]string
	for _, r := range original(t, "maestro/alexnet_rs_eyeriss.csv") {
		want = append(want, []string{r[1], r[3]})
	}
	_, rows := embedded(t, "maestro.csv")
	same(t, "maestro.csv", rows, want)
}

func TestNVDLAIsOriginal(t *testing.T) {
	var want [][]string
	var with, without int64 // its totals
	for _, r := range original(t, "nvdla/ResNet50.csv") {
		if len(r) < 46 {
			continue
		}
		if r[35] == "Total Cycle" {
			with, _ = strconv.ParseInt(r[36], 10, 64)
			without, _ = strconv.ParseInt(r[44], 10, 64)
		}
		if r[3] != "conv" && r[3] != "conv + elwise" && r[3] != "fc" {
			continue
		}
		cells := []string{r[2], r[3]}
		for _, i := range []int{4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 25, 29, 30, 32, 34, 35, 36, 40, 42, 43, 44} {
			cells = append(cells, r[i])
		}
		want = append(want, cells)
	}
	_, rows := embedded(t, "nvdla_resnet50.csv")
	same(t, "nvdla_resnet50.csv", rows, want)
	layers, err := NVDLAResNet50()
	if err != nil {
		t.Fatal(err)
	}
	for i := range layers {
		with, without = with-layers[i].With.Max, without-layers[i].Without.Max
	}
	if with != 0 || without != 0 {
		t.Errorf("the layers' cycles and the sheet's totals differ by %d and %d", with, without)
	}
}
