package design

import (
	"fmt"
	"strings"
	"testing"

	"macroscope/dtype"
)

// Names that reports look up are held against what there is, where they stand.
func TestKernelNames(t *testing.T) {
	source, err := Source("zen1")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	line := func(prefix string, nth int) int {
		for i, l := range lines {
			if strings.HasPrefix(strings.TrimSpace(l), prefix) {
				if nth--; nth < 0 {
					return i
				}
			}
		}
		t.Fatalf("zen1 has no line %q", prefix)
		return 0
	}
	int8, cpu, name := line("kernel:", 1), line("cpu:", 0), line("name:", 0)
	for _, c := range []struct {
		line int
		text string
		want string
	}{
		{int8, "kernel: avx2", ""},
		{int8, "kernel: avx512vnni", ""},
		{int8, "kernel: dotprod", ""},
		{int8, "kernel: avx512", `loops[1].kernel "avx512": no kernel of int8: did you mean "avx2"? want generic, avx2, avxvnni,`},
		{int8, "kernel: avx512vni", `loops[1].kernel "avx512vni": no kernel of int8: did you mean "avx512vnni"?`},
		{int8, `kernel: ""`, `loops[1].kernel "": want one line of 1 to 32 bytes`},
		{cpu, "", `loops[0].kernel "avx2": applies to designs with cpu only`},
		{cpu, "cpu: AMD family 26", ""},
		{cpu, "cpu: AMD family 25 model 16-31, 97, 160-175", ""},
		{cpu, "cpu: AMD family 25 model 31-16", `cpu "AMD family 25 model 31-16": want VENDOR family N`},
		{cpu, "cpu: AMD family 25 model 17,97", `cpu "AMD family 25 model 17,97": want VENDOR family N`},
		{cpu, "cpu: AMD family 25 model 17, ,", `cpu "AMD family 25 model 17, ,": want VENDOR family N`},
		{cpu, "cpu: Amd family 26", `cpu "Amd family 26": vendor "Amd": did you mean "AMD"?`},
		{cpu, "cpu: AMD EPYC 7601", `cpu "AMD EPYC 7601": want VENDOR family N`},
		{cpu, "cpu: AMD family 0x17", `cpu "AMD family 0x17": want VENDOR family N`},
		{cpu, "cpu: AMD family 23 model", `cpu "AMD family 23 model": want VENDOR family N`},
		{cpu, "cpu: AMD family 23 model one", `cpu "AMD family 23 model one": want VENDOR family N`},
		{cpu, "cpu: AMD family 23 model 01", `cpu "AMD family 23 model 01": want VENDOR family N`},
		{line("kernel:", 0), "", `cpu "AMD family 23 model 1": want a loop of float32 with its kernel`},
		{line("- dtype: int8", 0), "- dtype: int7", `loops[1].kernel "avx2": this program has no kernel of int7`},
		{name, `name: "a\e[31mb"`, `name "a\x1b[31mb": want one line of 1 to 64 bytes, all of it printable`},
	} {
		changed := append([]string(nil), lines...)
		old := changed[c.line]
		changed[c.line] = old[:len(old)-len(strings.TrimLeft(old, " "))] + c.text
		_, err := parse(strings.Join(changed, "\n"))
		if c.want == "" && err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if c.want == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "t.yaml:") {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	// At the line where it stands.
	changed := append([]string(nil), lines...)
	changed[int8] = "    kernel: avx513"
	if _, err := parse(strings.Join(changed, "\n")); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("t.yaml:%d: loops[1].kernel", int8+1)) {
		t.Errorf("%v, want line %d", err, int8+1)
	}
}

// A format may have several loops, each with its own kernel; estimates take the first.
func TestSeveralKernels(t *testing.T) {
	source, err := Source("sapphire_rapids")
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(string(source))
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	const amx = 3
	first := s.Vector.Loop(dtype.Int8)
	if first.Kernel != "avx512vnni" || s.Vector.Loops[amx].Kernel != "amxint8" {
		t.Fatalf("int8 by %s first, loop %d is %s", first.Kernel, amx, s.Vector.Loops[amx].Kernel)
	}
	s.Vector.Prefer(amx)
	if got := s.Vector.Loop(dtype.Int8).Kernel; got != "amxint8" || s.Vector.Loops[amx].Kernel != "avx512vnni" {
		t.Errorf("preferred amxint8, int8 is by %s, loop %d is %s", got, amx, s.Vector.Loops[amx].Kernel)
	}
	preferred := s
	if s.Vector.Prefer(1); s != preferred {
		t.Error("preferring the first changed something")
	}
	for _, c := range []struct {
		change func(*VectorLoop)
		want   string
	}{
		{func(l *VectorLoop) { l.Kernel = "avx512vnni" }, `loops[3].kernel "avx512vnni": there is a loop for it already`},
		{func(l *VectorLoop) { l.Kernel = "" }, `loops[3].dtype "int8": there is a loop for it already: of several each wants its kernel`},
		{func(l *VectorLoop) { l.PaddingOutputs = 4 }, "loops[3].padding_outputs 4: applies with skips_padding only"},
	} {
		s := d.Spec()
		c.change(&s.Vector.Loops[amx])
		if _, err := New(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestIsCPU(t *testing.T) {
	for _, c := range []struct {
		cpu, machine string
		want         bool
	}{
		{"AMD family 26", "AMD family 26 model 2", true},
		{"AMD family 26", "AMD family 26", true},
		{"AMD family 26", "AMD family 261 model 2", false},
		{"AMD family 2", "AMD family 26 model 2", false},
		{"AMD family 23 model 1", "AMD family 23 model 1", true},
		{"AMD family 23 model 1", "AMD family 23 model 17", false},
		{"AMD family 23 model 1", "AMD family 23", false},
		{"AMD family 25 model 16-31, 97", "AMD family 25 model 17", true},
		{"AMD family 25 model 16-31, 97", "AMD family 25 model 97", true},
		{"AMD family 25 model 16-31, 97", "AMD family 25 model 33", false},
		{"", "AMD family 26 model 2", false},
		{"", "", false},
	} {
		if v := (&Vector{CPU: c.cpu}); v.IsCPU(c.machine) != c.want {
			t.Errorf("%q is %q: want %v", c.machine, c.cpu, c.want)
		}
	}
}
