package spatial

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"macroscope/dtype"

	"github.com/goccy/go-yaml"
)

func TestProblemYAML(t *testing.T) {
	want := Problem{Bounds: Factors{R: 3, S: 5, P: 8, Q: 9, C: 16, K: 32, N: 2, G: 1}, StrideP: 2, StrideQ: 1, DilationR: 1, DilationS: 3}
	var b bytes.Buffer
	if err := WriteProblem(&b, &want); err != nil {
		t.Fatal(err)
	}
	for _, text := range append([]string{b.String()}, rightProblems...) {
		if got, err := ReadProblem("p.yaml", strings.NewReader(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	want.Bounds[G] = 2
	if err := WriteProblem(&b, &want); err == nil {
		t.Error("groups in a cnn-layer")
	}
	for _, c := range wrongProblems {
		if _, err := ReadProblem("p.yaml", strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %s", c.text, err, c.want)
		}
	}
}

// rightProblems are all one problem, wrongProblems none, and why.
var rightProblems = []string{
	"problem: {R: 3, S: 5, P: 8, Q: 9, C: 16, K: 32, N: 2, Wstride: 2, Hdilation: 3}",
	"problem:\n  shape:\n    name: CNN-Layer\n    dimensions: [C, K, R, S, N, P, Q]\n  instance: {R: 3, S: 5, P: 8, Q: 9, C: 16, K: 32, N: 2, Wstride: 2, Hdilation: 3}\n",
	"\ufeffproblem:\r\n  shape: cnn_layer\r\n  instance: {R: 3, S: 5, P: 8, Q: 9, C: 16, K: 32, N: 2, Wstride: 2, Hdilation: 3}\r\n",
}

var wrongProblems = []struct{ text, want string }{
	{"", "p.yaml:1: no problem: want problem"},
	{"mapping: 3", "p.yaml:1: no problem"},
	{"problem: 3", "p.yaml:1: no dimensions"},
	{"problem:\n  R: 0", `p.yaml:2: R "0": want a whole number from 1`},
	{"problem:\n  R: 3\n  X: 4", `p.yaml:3: key "X": want a letter of RSPQCKNG`},
	{"problem:\n  R: [3]", `p.yaml:2: R "[3]": want a whole number`},
	{"problem: {R: 2000000, S: 2000000, P: 2000000}", "multiply-accumulates: want 2^50 at most"},
	{"problem:\n  R: &a 3\n  S: *a", "p.yaml:2: anchors"},
	{"problem: " + strings.Repeat("[", 100), "p.yaml:1: anchors, aliases and nesting"},
	{strings.Repeat(" ", maxProblem+1), "p.yaml: more than"},
	{"problem:\n  R: {S: 3", "p.yaml:2: "},
	{"problem:\n  - {R = 3}}", "p.yaml:2: "},
	{"problem:\n  shape: depthwise\n  R: 3", "p.yaml:2: shape: want cnn-layer"},
	{"problem:\n  shape: {dimensions: [R]}\n  R: 3", "p.yaml:2: shape: want cnn-layer"},
	{"problem:\n  shape: {name: Conv1D}\n  R: 3", "p.yaml:2: shape: want cnn-layer"},
	{"problem:\n  shape: [R]\n  R: 3", "p.yaml:2: shape: want cnn-layer"},
	{"problem:\n  shape:\n  R: 3", "p.yaml:2: shape: want cnn-layer"},
}

func FuzzReadProblem(f *testing.F) {
	f.Add("problem: {instance: {R: 3, S: 3, Wstride: 2}}")
	f.Add("problem:\n  shape: {name: x}\n  R: 1\n---\n")
	for _, text := range rightProblems {
		f.Add(text)
	}
	for _, c := range wrongProblems {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ReadProblem("p", strings.NewReader(text))
		if err != nil {
			return
		}
		if p.Check() != nil {
			t.Errorf("%q is taken for %+v", text, p)
		}
		if l, err := p.Layer("l", dtype.Int8); err == nil && l.MACs() != p.Bounds.Product() {
			t.Errorf("%q: a layer of %d MACs of %+v", text, l.MACs(), p)
		}
	})
}

// TestAccelergy: the action counts times the reference table are the energy.
func TestAccelergy(t *testing.T) {
	a, p := rowArray(), conv6()
	var m Mapping
	var r Result
	if err := (&Search{Arch: &a}).Find(&p, &m, &r); err != nil {
		t.Fatal(err)
	}
	var ert, counts bytes.Buffer
	if err := a.WriteERT(&ert, "system"); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteCounts(&counts, "system", &r); err != nil {
		t.Fatal(err)
	}
	var table struct {
		ERT struct {
			Tables []struct {
				Name    string
				Actions []struct {
					Name   string
					Energy float64
				}
			}
		} `yaml:"ERT"`
	}
	var done struct {
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
	if err := yaml.Unmarshal(ert.Bytes(), &table); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(counts.Bytes(), &done); err != nil {
		t.Fatal(err)
	}
	price := map[string]float64{}
	for _, c := range table.ERT.Tables {
		for _, a := range c.Actions {
			price[c.Name+" "+a.Name] = a.Energy
		}
	}
	sum := 0.0
	for _, c := range done.Counts.Local {
		for _, a := range c.Actions {
			p, ok := price[c.Name+" "+a.Name]
			if !ok {
				t.Errorf("%s %s has no price", c.Name, a.Name)
			}
			sum += p * float64(a.Counts)
		}
	}
	if math.Abs(sum-r.EnergyPJ) > 1e-9*r.EnergyPJ || sum == 0 {
		t.Errorf("%v pJ, want %v", sum, r.EnergyPJ)
	}
}
