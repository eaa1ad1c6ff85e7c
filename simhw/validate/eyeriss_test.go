package validate

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"macroscope/simhw"
	"macroscope/simhw/design"
)

// Time within 10 % and power within 20 % are promised of every layer of both networks.
func TestEyerissBounds(t *testing.T) {
	rows, err := eyeriss()
	if err != nil {
		t.Fatal(err)
	}
	bounded := map[string]int{}
	for _, r := range rows {
		network, _, _ := strings.Cut(r.What, " ")
		for what, bound := range map[string]float64{", processing time": 0.10, ", power without DRAM": 0.20} {
			if strings.HasSuffix(r.What, what) && !strings.Contains(r.What, " all,") && !strings.Contains(r.What, " by ") {
				if r.Bound < 0 || r.Bound > bound || !r.Holds() {
					t.Errorf("%s: error %.1f %%, bound %g: want a promise of %g that holds", r.What, 100*r.Error(), r.Bound, bound)
				}
				bounded[network+what]++
			}
		}
	}
	for what, n := range map[string]int{"alexnet, processing time": 5, "alexnet, power without DRAM": 5, "vgg16, processing time": 13, "vgg16, power without DRAM": 13} {
		if bounded[what] != n {
			t.Errorf("%d rows of %s, want %d", bounded[what], what, n)
		}
	}
}

// The numbers that are calibrated are CONV1's: shares of its measured power by cycle
// and element.
func TestEyerissCalibration(t *testing.T) {
	d, err := design.Load("eyeriss")
	if err != nil {
		t.Fatal(err)
	}
	s := d.Spec()
	conv1 := &eyerissAlexNet.layers[0]
	perPercent := conv1.power / 100 * 1e9 / (s.ClockMHz * 1e6) / conv1.active // pJ
	for _, c := range []struct {
		name       string
		got, share float64
	}{{"clock", s.Spatial.Clock.Value, 32.9}, {"control", s.Spatial.Control.Value, 100 - 32.9 - 8.9 - 45}} {
		if want := c.share * perPercent; math.Abs(c.got-want) > 0.005 {
			t.Errorf("%s: %g pJ, CONV1's %.1f %% are %.3f", c.name, c.got, c.share, want)
		}
	}
}

// Section VI-A: multipliers and adders take less than 10 % of the power, scratchpads,
// buffer and networks up to 45 %, and both less in CONV5 than in CONV1.
func TestEyerissPowerDivides(t *testing.T) {
	d, err := design.Load("eyeriss")
	if err != nil {
		t.Fatal(err)
	}
	e, err := simhw.Evaluate(&d, eyerissAlexNet.workload())
	if err != nil {
		t.Fatal(err)
	}
	var multipliers, moving [2]float64
	for i, l := range [2]*simhw.Layer{&e.Layers[0], &e.Layers[4]} {
		b, chip := &l.Energy, eyerissChipPJ(l)
		multipliers[i] = b.MACPJ / chip
		moving[i] = (b.RegisterPJ + b.FilterSRAMPJ + b.IfmapSRAMPJ + b.OfmapSRAMPJ + b.NetworkPJ) / chip
		if multipliers[i] > 0.10 || moving[i] > 0.45 {
			t.Errorf("%s: %.1f %% in multipliers, %.1f %% in moving data", l.Name, 100*multipliers[i], 100*moving[i])
		}
	}
	if multipliers[1] >= multipliers[0] || moving[1] >= moving[0] {
		t.Errorf("multipliers %v, moving %v: want less in CONV5", multipliers, moving)
	}
}

// The header's account of what the choice of costs hangs on is what the model gives
// without each of them: the range over a network's layers of the power's error, in %.
func TestEyerissHeader(t *testing.T) {
	d, err := design.Load("eyeriss")
	if err != nil {
		t.Fatal(err)
	}
	evaluate := func(n *eyerissNetwork, change func(*design.Spec)) simhw.Estimate {
		s := d.Spec()
		change(&s)
		other, err := design.New(s)
		if err != nil {
			t.Fatal(err)
		}
		e, err := simhw.Evaluate(&other, n.workload())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	low, high := math.Inf(1), math.Inf(-1)
	over := func(n *eyerissNetwork, power func(i int) float64) {
		for i := range n.layers {
			e := 100 * (power(i)/n.layers[i].power - 1)
			low, high = min(low, e), max(high, e)
		}
	}
	text := func() string {
		defer func() { low, high = math.Inf(1), math.Inf(-1) }()
		if high < 0 {
			return fmt.Sprintf("%.0f to %.0f %%", -high, -low)
		}
		return fmt.Sprintf("%.0f to %.0f %%", low, high)
	}
	without := func(change func(*design.Spec)) (alexnet, vgg string) {
		for _, n := range []*eyerissNetwork{&eyerissAlexNet, &eyerissVGG} {
			e := evaluate(n, change)
			over(n, func(i int) float64 { return eyerissMW(&e.Layers[i], eyerissChipPJ(&e.Layers[i])) })
			alexnet, vgg = vgg, text()
		}
		return alexnet, vgg
	}
	source, err := design.Source("eyeriss")
	if err != nil {
		t.Fatal(err)
	}
	header := strings.Join(strings.Fields(strings.ReplaceAll(string(source), "\n#", " ")), " ")
	has := func(want string) {
		if !strings.Contains(header, want) {
			t.Errorf("the header does not say %q", want)
		}
	}
	a, v := without(func(s *design.Spec) { s.Spatial.Control = design.Ranged{} })
	has("without control power would be " + a + " too low in AlexNet and " + v + " in VGG-16")
	a, v = without(func(s *design.Spec) {
		for i := range s.Spatial.Levels {
			s.Spatial.Levels[i].AccessMACs = 0
		}
	})
	has("instead of the authors' " + a + " and " + v)
	for _, n := range []*eyerissNetwork{&eyerissAlexNet, &eyerissVGG} {
		e := evaluate(n, func(s *design.Spec) { s.LeakageMWPerMM2 = 0 })
		over(n, func(i int) float64 { return eyerissMW(&e.Layers[i], eyerissChipPJ(&e.Layers[i])) })
	}
	has("with its leakage " + text() + " too high")
	for _, n := range []*eyerissNetwork{&eyerissAlexNet, &eyerissVGG} {
		e, all := evaluate(n, func(*design.Spec) {}), evaluate(n, func(s *design.Spec) { s.Spatial.GatesZeros = false })
		over(n, func(i int) float64 {
			// Registers hold inputs, which are read either way, and sums.
			return eyerissMW(&e.Layers[i], eyerissChipPJ(&e.Layers[i])+all.Layers[i].Energy.RegisterPJ-e.Layers[i].Energy.RegisterPJ)
		})
	}
	has(fmt.Sprintf("up to %.0f %% too high", high))
}
