package spatial

import (
	"math/rand/v2"
	"testing"
)

// TestMappingText: what Text writes ParseMapping reads, with the same counts.
func TestMappingText(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		a, p, m := randomNest(rng, 2000)
		for i := range a.Count {
			a.Levels[i].Name = string(rune('a' + i))
			// Which direction a loop takes the text does not tell.
			for d := range Dims {
				m[i].X[d], m[i].Y[d] = m[i].X[d]*m[i].Y[d], 1
			}
			a.Levels[i].FanoutX, a.Levels[i].FanoutY = m[i].X.Product(), 1
		}
		text := a.Text(&m)
		if text == "" {
			continue
		}
		back, err := a.ParseMapping(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var want, got Result
		a.Evaluate(&p, &m, &want)
		a.Evaluate(&p, &back, &got)
		if got != want {
			t.Fatalf("%q: counts differ", text)
		}
	}
}

func TestMappingErrors(t *testing.T) {
	a := rowArray()
	for _, c := range []struct{ text, want string }{
		{"", "a part without a level: want such as buffer K3 P55; across S11"},
		{"buffer K3;", "a part without a level: want such as buffer K3 P55; across S11"},
		{"across K3", "across: want it once, after a level"},
		{"buffer K3; across K3; across C2", "across: want it once, after a level"},
		{"cache K3", `level "cache": want the levels from DRAM inwards`},
		{"registers K3; buffer C2", `level "buffer": want the levels from DRAM inwards`},
		{"buffer K3 K2", "buffer: two loops over K: want one"},
		{"buffer K0", `loop "K0": want a letter of RSPQCKNG and a whole number from 1 to 2^31, such as K16`},
		{"buffer Z3", `loop "Z3": want a letter of RSPQCKNG and a whole number from 1 to 2^31, such as K16`},
		{"buffer K99999999999999999999", `loop "K99999999999999999999": want a letter of RSPQCKNG and a whole number from 1 to 2^31, such as K16`},
	} {
		if _, err := a.ParseMapping(c.text); err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.text, err, c.want)
		}
	}
}

// TestCovers pads a layer to what a mapping's loops make, not to twice that.
func TestCovers(t *testing.T) {
	a := rowArray()
	m, err := a.ParseMapping("DRAM Q8; buffer P55; across Q7; registers K4")
	if err != nil {
		t.Fatal(err)
	}
	p := Problem{Bounds: Ones(), StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
	p.Bounds[P], p.Bounds[Q], p.Bounds[K] = 55, 55, 4
	padded, ok := m.Covers(a.Count, &p)
	if !ok || padded.Bounds[Q] != 56 || padded.Bounds[P] != 55 {
		t.Errorf("padded to %v, %v", padded.Bounds, ok)
	}
	for _, k := range []int64{2, 5} {
		p.Bounds[K] = k
		if _, ok := m.Covers(a.Count, &p); ok {
			t.Errorf("4 outputs cover %d", k)
		}
	}
}

func TestCheckMapping(t *testing.T) {
	a := rowArray()
	p := Problem{Bounds: Ones(), StrideP: 1, StrideQ: 1, DilationR: 1, DilationS: 1}
	p.Bounds[K] = 400
	for _, c := range []struct{ text, want string }{
		{"buffer K400", ""},
		{"buffer K200", "loops over K make 200: want the layer's 400"},
		{"DRAM K2; buffer K400", "level DRAM: loops over K exceed the layer's 400"},
		{"buffer K20; across K20", "level buffer: loops over 20×1 children: it has 14×12"},
		{"buffer K8; registers K50", "level registers: tiles of 800 bits: it holds 384"},
	} {
		m, err := a.ParseMapping(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.CheckMapping(&p, &m); (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
}
