package simhw

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// A buffer that holds no tile is a fault of the design's file, on a line of it.
func TestTooSmallBuffersSayWhere(t *testing.T) {
	net := workload.Workload{Name: "w", Layers: []workload.Layer{{Name: "c", DType: dtype.Int8, H: 20, W: 20, C: 64, OutC: 64, KH: 3, KW: 3}}}
	for _, c := range []struct {
		design, line, small, parent, more string
		bits                              int
	}{
		{"nvdla_small", "  kib: {value: 128,", "  kib: {value: 1,", "", "", 8},
		{"xnor64", "  weights_kib: {value: 320,", "  weights_kib: {value: 1,", "", "", 8},
		{"xnor64", "  activations_kib: {value: 96,", "  activations_kib: {value: 1,", "", "", 8},
		// A byte holds weights of up to 8 bits.
		{"eyeriss", "    weights_bytes: {value: 448,", "    weights_bytes: {value: 1,", "levels:", "packed: true\n", 9},
	} {
		w := net.WithIntegers(c.bits, c.bits)
		source, err := design.Source(c.design)
		if err != nil {
			t.Fatal(err)
		}
		before, after, ok := strings.Cut(string(source), c.line)
		if !ok {
			t.Fatalf("%s has no %q", c.design, c.line)
		}
		line := 1 + strings.Count(before, "\n")
		if c.parent != "" {
			line = 1 + strings.Count(before[:strings.Index(before, "\n"+c.parent)+1], "\n")
		}
		line += strings.Count(c.more, "\n")
		file := filepath.Join(t.TempDir(), "small.yaml")
		if err := os.WriteFile(file, []byte(c.more+before+c.small+after), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := design.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Evaluate(&d, &w)
		if want := fmt.Sprintf("%s:%d: design ", file, line); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s...", c.small, err, want)
		}
		// A spec made in code has no file.
		plain, err := design.New(d.Spec())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Evaluate(&plain, &w); err == nil || !strings.HasPrefix(err.Error(), "design "+c.design) {
			t.Errorf("in code: %v", err)
		}
	}
}

// What makes an output of a finished sum is priced or named.
func TestOutputsAreNamed(t *testing.T) {
	w := cifar(t, dtype.Int8)
	for _, name := range []string{"array32", "eyeriss", "nvdla_small", "xnor64"} {
		d := load(t, name)
		e, err := Evaluate(&d, &w)
		if err != nil {
			t.Fatal(err)
		}
		if limits := strings.Join(e.Limits, ", "); !strings.Contains(limits, "requantization") {
			t.Errorf("%s leaves out, it says, %s", name, limits)
		}
	}
}

// A processor's price has a range where the design gives one, and says where not.
func TestCoreEnergyRange(t *testing.T) {
	d, w := load(t, "cortex_m4"), cifar(t, dtype.Int8)
	s := d.Spec()
	ranged := evaluateSpec(t, s, &w)
	s.Vector.Energy.Low, s.Vector.Energy.High = 0, 0
	plain := evaluateSpec(t, s, &w)
	for _, c := range []struct {
		e    *Estimate
		want string
	}{{&ranged, "by the range of its price; by the cycle"}, {&plain, "one price without a range"}} {
		if notes := strings.Join(c.e.Notes(), "\n"); !strings.Contains(notes, c.want) || strings.Contains(notes, "all low") {
			t.Errorf("want %q: %s", c.want, notes)
		}
	}
}
