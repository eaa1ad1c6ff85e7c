package kernels

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/cpuid/v2"

	"macroscope/dtype"
)

func TestChoose(t *testing.T) {
	best, err := Choose("")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dtype.All {
		if im := best.For(d); !im.Available() || im.DType() != d || best.Why(d) == "" {
			t.Errorf("%v: chose %v, why %q", d, im, best.Why(d))
		}
	}
	plain, err := Choose("generic")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := plain.String(), "float32=generic,int8=generic,binary=generic"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	one, err := Choose("int8=generic")
	if err != nil {
		t.Fatal(err)
	}
	if one.For(dtype.Int8).Name() != "generic" || one.For(dtype.Float32) != best.For(dtype.Float32) {
		t.Errorf("int8=generic gave %v", one)
	}
	if again, err := Choose(best.String()); err != nil || again.impl != best.impl {
		t.Errorf("a choice's own text gave %v, %v", again, err)
	}
	for _, d := range dtype.All { // walking down each ladder ends at generic, each step another row
		without := ""
		for {
			c, err := Choose(without)
			if err != nil {
				t.Fatal(err)
			}
			name := c.For(d).Name()
			if name == "generic" {
				break
			}
			if strings.Contains(without, "="+"-"+name) {
				t.Fatalf("%v was chosen although left out: %s", c.For(d), without)
			}
			without += "," + d.String() + "=-" + name
		}
	}
}

// Only what was measured is said to be: no row of arm64 was.
func TestWhyTellsMeasuredFromExpected(t *testing.T) {
	c, err := Choose("")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dtype.All {
		im, why := c.For(d), c.Why(d)
		measured := im.Name() != "generic" && runtime.GOARCH != "arm64" && im.Name() != "amxint8"
		if strings.Contains(why, "in measured order") && !measured {
			t.Errorf("%v: %q, but nobody measured it", im, why)
		}
	}
	generic := 0
	for _, im := range Table() {
		if im.Name() == "generic" {
			generic++
		} else if runtime.GOARCH == "arm64" && !im.k.Unmeasured {
			t.Errorf("%v counts as measured", im)
		}
	}
	if generic == len(Table()) && c.Why(dtype.Int8) != "the only one in this build" {
		t.Errorf("with generic alone: %q", c.Why(dtype.Int8))
	}
}

// What this CPU must choose, where whoever runs the test knows its CPU, as those
// who name one to an emulator do.
func TestExpectedChoice(t *testing.T) {
	want := os.Getenv("MACROSCOPE_EXPECT")
	if want == "" {
		t.Skip("MACROSCOPE_EXPECT names no choice")
	}
	c, err := Choose("")
	if err != nil {
		t.Fatal(err)
	}
	if c.String() != want {
		t.Errorf("chose %s, want %s", c, want)
	}
	for _, im := range Table() {
		if !im.Available() {
			t.Logf("%v: %s", im, im.Reason())
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	cases := map[string]string{
		"avx1024":              "want one of generic",
		"int8=avx1024":         "want one of generic",
		"-nothing":             "want one of generic",
		"float16=generic":      "want float32, int8, binary",
		"-generic,generic":     "no implementation left",
		"int8=":                "want one of",
		"generic,int8=generic": "",
	}
	for _, im := range Table() {
		if !im.Available() {
			cases[im.DType().String()+"="+im.Name()] = "not available here: " + im.Reason()
		} else if im.Name() != "generic" {
			cases["generic,"+im.DType().String()+"="+im.Name()] = "is already generic"
		}
	}
	for spec, want := range cases {
		_, err := Choose(spec)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Choose(%q): got %v, want %q", spec, err, want)
		}
	}
}

// The override is obeyed by a fresh process; a wrong one is an error there.
func TestEnvironment(t *testing.T) {
	if os.Getenv("MACROSCOPE_TEST_CHILD") != "" {
		c, err := Default()
		if err != nil {
			os.Stdout.WriteString("error: " + err.Error())
		} else {
			os.Stdout.WriteString("choice: " + c.String())
		}
		os.Exit(0)
	}
	for value, want := range map[string]string{
		"generic": "choice: float32=generic,int8=generic,binary=generic",
		"bogus":   `error: MACROSCOPE_KERNELS: "bogus": want one of`,
	} {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestEnvironment$")
		cmd.Env = append(os.Environ(), "MACROSCOPE_TEST_CHILD=1", EnvVar+"="+value)
		out, err := cmd.Output()
		if errors.Is(err, syscall.ENOEXEC) {
			t.Skip("this program runs under an emulator and cannot start itself")
		}
		if err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("%s=%s: got %q, %v; want %q", EnvVar, value, out, err, want)
		}
	}
}

// What one instruction set implies must be seen together, or the detector is
// wrong about one of them.
func TestDetector(t *testing.T) {
	has := cpuid.CPU.Supports
	for _, c := range [][2]cpuid.FeatureID{
		{cpuid.AVX2, cpuid.AVX}, {cpuid.FMA3, cpuid.AVX}, {cpuid.AVX512F, cpuid.AVX2}, {cpuid.AVX512BW, cpuid.AVX512F},
		{cpuid.AVX512VL, cpuid.AVX512F}, {cpuid.AVX512VNNI, cpuid.AVX512F}, {cpuid.AVX512VPOPCNTDQ, cpuid.AVX512F}, {cpuid.AVXVNNI, cpuid.AVX2},
		{cpuid.AMXINT8, cpuid.AMXTILE}, {cpuid.AMXTILE, cpuid.AVX512F},
	} {
		if has(c[0]) && !has(c[1]) {
			t.Errorf("CPU shows %v without %v", c[0], c[1])
		}
	}
	for _, im := range Table() {
		if im.Available() != (im.Reason() == "") {
			t.Errorf("%v: available %v with reason %q", im, im.Available(), im.Reason())
		}
		if !im.Available() {
			t.Logf("%v: %s", im, im.Reason())
		}
	}
}
