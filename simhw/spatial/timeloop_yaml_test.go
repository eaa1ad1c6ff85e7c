package spatial

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
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
	{"problem:\n  R: 200\n  K: 30000\n  C: 30000\n  Q: 30000\n  N: 2", "p.yaml:5: with Q 30000: 5.4e+15 multiply-accumulates: want 2^50 at most"},
	{"problem:\n  K: 3\n  Hstride: 65537", "p.yaml:3: with Hstride 65537: stride of rows 65537: want 1 to 65536"},
	{"problem:\n  R: 2\n  P: 100000000", "p.yaml:3: with P 100000000: "},
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

// In whatever order its keys stand, a problem is read if a layer can be made of it.
func TestProblemKeysInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	read, refused := 0, 0
	for range 3000 {
		p := Problem{Bounds: Ones(), StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
		lines := []string{}
		value := func(key string, at *int64) {
			if rng.IntN(2) == 0 {
				*at = 1 + rng.Int64N(int64(1)<<rng.IntN(22))
				lines = append(lines, fmt.Sprintf("  %s: %d\n", key, *at))
			}
		}
		for d := range Dim(Dims) {
			value(d.String(), &p.Bounds[d])
		}
		for key, at := range instanceKeys {
			value(key, at(&p))
		}
		if len(lines) == 0 {
			continue
		}
		rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		want := p.Check()
		if want == nil {
			_, want = p.Layer("l", dtype.Int8)
		}
		got, err := ReadProblem("p", strings.NewReader("problem:\n"+strings.Join(lines, "")))
		if (err == nil) != (want == nil) || err == nil && got != p {
			t.Fatalf("%q: %v, want %v", lines, err, want)
		}
		if err == nil {
			read++
		} else {
			refused++
		}
	}
	if read < 300 || refused < 300 {
		t.Errorf("%d read, %d refused", read, refused)
	}
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
