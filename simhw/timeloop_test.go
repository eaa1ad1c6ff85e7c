package simhw

import (
	"math"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"

	"github.com/goccy/go-yaml"
)

// timeloopLayers are convolutions, a matrix product, a pool and a depthwise layer.
func timeloopLayers() workload.Workload {
	conv := workload.Layer{Name: "conv/1: a", Kind: workload.Conv, DType: dtype.Int8, Batch: 1, H: 16, W: 12, C: 4, OutC: 8, KH: 3, KW: 3, StrideH: 2, StrideW: 1, PadTop: 1, PadLeft: 1, PadBottom: 1, PadRight: 1}
	depthwise := conv
	depthwise.Name, depthwise.OutC, depthwise.Groups = "dw", 4, 4
	return workload.Workload{Name: "net", Layers: []workload.Layer{conv,
		{Name: "pool", Kind: workload.Other, Op: "maxpool", DType: dtype.Int8, Elements: 100},
		depthwise, {Name: "fc", Kind: workload.Gemm, DType: dtype.Int8, M: 2, N: 10, K: 64}}}
}

// TestTimeloopFiles reads what is written by a YAML library: the problems are the
// layers again, and the counts times the table are the estimate's energy.
func TestTimeloopFiles(t *testing.T) {
	d, err := design.Load("eyeriss") // operands and sums are as wide
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	w := timeloopLayers()
	est, err := m.Evaluate(&w)
	if err != nil {
		t.Fatal(err)
	}
	files, skipped, err := m.Timeloop(&w)
	if err != nil {
		t.Fatal(err)
	}
	if len(skipped) != 2 || skipped[0] != "pool (maxpool)" || !strings.HasPrefix(skipped[1], "dw (4 groups") {
		t.Errorf("skipped %q", skipped)
	}
	var names []string
	price := map[string]float64{}
	sums := map[string]float64{}
	for _, f := range files {
		names = append(names, f.Name)
		switch {
		case f.Name == "ERT.yaml":
			var e struct {
				ERT struct {
					Version float64
					Tables  []struct {
						Name    string
						Actions []struct {
							Name   string
							Energy float64
						}
					}
				} `yaml:"ERT"`
			}
			if err := yaml.Unmarshal(f.Data, &e); err != nil {
				t.Fatal(err)
			}
			for _, c := range e.ERT.Tables {
				for _, a := range c.Actions {
					price[c.Name+" "+a.Name] = a.Energy
				}
			}
		case strings.HasSuffix(f.Name, ".action_counts.yaml"):
			var c struct {
				Counts struct {
					Local []struct {
						Name    string
						Actions []struct {
							Name   string
							Counts int64
						} `yaml:"action_counts"`
					}
				} `yaml:"action_counts"`
			}
			if err := yaml.Unmarshal(f.Data, &c); err != nil {
				t.Fatal(err)
			}
			for _, l := range c.Counts.Local {
				for _, a := range l.Actions {
					p, ok := price[l.Name+" "+a.Name]
					if !ok {
						t.Errorf("%s: %s %s has no price", f.Name, l.Name, a.Name)
					}
					sums[f.Name] += p * float64(a.Counts)
				}
			}
		default:
			again, err := ReadTimeloop(f.Name, strings.NewReader(string(f.Data)), dtype.Int8)
			if err != nil {
				t.Fatal(err)
			}
			i := map[string]int{"01": 0, "04": 3}[f.Name[:2]]
			if a, b := again.MACs(), w.Layers[i].MACs(); a != b || a == 0 {
				t.Errorf("%s: %d MACs, want %d", f.Name, a, b)
			}
			if a, b := again.Layers[0].OutputWords(), w.Layers[i].OutputWords(); a != b {
				t.Errorf("%s: %d outputs, want %d", f.Name, a, b)
			}
		}
	}
	want := "ERT.yaml 01_conv_1__a.problem.yaml 01_conv_1__a.action_counts.yaml 03_dw.action_counts.yaml 04_fc.problem.yaml 04_fc.action_counts.yaml"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for i, name := range []string{"01_conv_1__a", "03_dw", "04_fc"} {
		e := &est.Layers[i].Energy
		if got, want := sums[name+".action_counts.yaml"], e.TotalPJ()-e.LeakagePJ; math.Abs(got-want) > 1e-9*want || want <= 0 {
			t.Errorf("%s: %v pJ by counts and table, the estimate has %v without leakage", name, got, want)
		}
	}
}

// TestTimeloopWithoutMapping: other families have problems only.
func TestTimeloopWithoutMapping(t *testing.T) {
	d, err := design.Load("array32")
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	w := timeloopLayers()
	files, _, err := m.Timeloop(&w)
	if err != nil || len(files) != 2 {
		t.Errorf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name, ".problem.yaml") {
			t.Errorf("%s of a systolic array", f.Name)
		}
	}
	big := "problem: {P: 100000000, R: 2}"
	if _, err := ReadTimeloop("big.yaml", strings.NewReader(big), dtype.Int8); err == nil || !strings.HasPrefix(err.Error(), "big.yaml:1: with P 100000000: ") {
		t.Errorf("an image beyond the limits: %v", err)
	}
}

// A design that packs has a table for each width of operands, whatever was worked out
// before: 160 pJ a word of 16 bits at 10 pJ a bit of DRAM, 40 a word of 4.
func TestTimeloopTablesOfWidths(t *testing.T) {
	s := smallSpatial()
	s.Spatial.OperandBits, s.Spatial.Packed, s.Spatial.Levels[1].WeightBytes, s.Spatial.Levels[1].InputBytes = 16, true, 32, 16
	d, err := design.New(s)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(&d)
	if err != nil {
		t.Fatal(err)
	}
	net := workload.Workload{Name: "net", Layers: []workload.Layer{{Name: "conv", DType: dtype.Int8, H: 6, W: 6, C: 4, OutC: 8, KH: 3, KW: 3}}}
	narrow, wide := net.WithIntegers(4, 4), net.WithIntegers(16, 16)
	both := workload.Workload{Name: "both", Layers: []workload.Layer{wide.Layers[0], narrow.Layers[0], wide.Layers[0]}}
	for range 2 {
		for _, c := range []struct {
			w    workload.Workload
			want map[string]string // of DRAM.Weights
		}{
			{narrow, map[string]string{"ERT.yaml": "40"}},
			{wide, map[string]string{"ERT.yaml": "160"}},
			{both, map[string]string{"ERT_16x16.yaml": "160", "ERT_4x4.yaml": "40"}},
		} {
			files, _, err := m.Timeloop(&c.w)
			if err != nil {
				t.Fatal(err)
			}
			tables := 0
			for _, f := range files {
				switch text := string(f.Data); {
				case strings.HasPrefix(f.Name, "ERT"):
					tables++
					if _, after, _ := strings.Cut(text, "name: system.DRAM.Weights"); c.want[f.Name] == "" || !strings.Contains(after[:90], "energy: "+c.want[f.Name]+"}") {
						t.Errorf("%s of %s: %s", f.Name, c.w.Name, after[:90])
					}
				case strings.HasSuffix(f.Name, "counts.yaml") && len(c.want) > 1:
					want := "# table: ERT_16x16.yaml"
					if strings.HasPrefix(f.Name, "02") {
						want = "# table: ERT_4x4.yaml"
					}
					if !strings.Contains(text, want) {
						t.Errorf("%s: no %q", f.Name, want)
					}
				}
			}
			if tables != len(c.want) {
				t.Errorf("%s: %d tables, want %d", c.w.Name, tables, len(c.want))
			}
		}
	}
}
