package energy

import (
	"fmt"
	"math"
	"sort"
)

// node is one technology of Stillmaker and Baas, "Scaling equations for the
// accurate prediction of CMOS device performance from 180 nm to 7 nm"
// (Integration 58, 2017), with the coefficients as listed in
// wromaszkan/nodeScale and Accelergy hwcomponents techscaling.py: the energy
// of an operation is in proportion to a·V² + b·V + c. From 45 nm on it is the
// high-performance series.
type node struct {
	nm, a, b, c float64
	area        float64 // relative to 45 nm, 0 where not given
}

var nodes = []node{
	{180, 0, 24.64, -17.98, 0},
	{130, 7.171, -6.709, 2.904, 0},
	{90, 4.762, -4.781, 2.092, 0},
	{65, 3.755, -4.398, 1.975, 1.5},
	{45, 1.018, -0.3107, 0.1539, 1},
	{32, 0.8367, -0.4341, 0.1701, 0.46},
	{20, 0.373, -0.1582, 0.04104, 0.21},
	{16, 0.2958, -0.1241, 0.03024, 0.19},
	{14, 0.2363, -0.09675, 0.02239, 0.17},
	{10, 0.2068, -0.09311, 0.02375, 0.1},
	{7, 0.1776, -0.09097, 0.02447, 0.059},
}

// Range of technologies and supply voltages that EnergyScale takes.
const (
	MinNodeNM, MaxNodeNM = 7.0, 180.0
	MinV, MaxV           = 0.4, 1.8
)

// factor is the node's energy at v volts, in the equations' own unit.
func (n node) factor(v float64) (float64, error) {
	at := func(v float64) float64 { return n.a*v*v + n.b*v + n.c }
	// Below the parabola's lowest point less voltage would cost more energy, and where it
	// falls to less than half of what the voltage's square leaves it is on its way to 0:
	// the fit does not reach there.
	e := at(v)
	if !(e > 0.5*at(MaxV)*v*v/(MaxV*MaxV)) || !(2*n.a*v+n.b > 0) {
		return 0, fmt.Errorf("%g V at %g nm: outside the scaling equation's fit", v, n.nm)
	}
	return e, nil
}

// bracket returns the nodes around nm and the position between them on a
// logarithmic scale, 0 at the larger one.
func bracket(nm float64) (hi, lo node, t float64, err error) {
	if !(nm >= MinNodeNM && nm <= MaxNodeNM) {
		return node{}, node{}, 0, fmt.Errorf("%g nm: want %g to %g", nm, MinNodeNM, MaxNodeNM)
	}
	i := sort.Search(len(nodes), func(i int) bool { return nodes[i].nm <= nm })
	if nodes[i].nm == nm {
		return nodes[i], nodes[i], 0, nil
	}
	hi, lo = nodes[i-1], nodes[i]
	return hi, lo, math.Log(hi.nm/nm) / math.Log(hi.nm/lo.nm), nil
}

func rawEnergy(nm, v float64) (float64, error) {
	hi, lo, t, err := bracket(nm)
	if err != nil {
		return 0, err
	}
	a, err := hi.factor(v)
	if err != nil {
		return 0, err
	}
	b, err := lo.factor(v)
	if err != nil {
		return 0, err
	}
	return math.Exp((1-t)*math.Log(a) + t*math.Log(b)), nil
}

// EnergyScale is what an operation at toNM and toV costs relative to the same
// one at fromNM and fromV. Between the published nodes it interpolates the
// logarithm of energy over the logarithm of size (assumed: the equations give
// no other node).
func EnergyScale(fromNM, fromV, toNM, toV float64) (float64, error) {
	if !(toV >= MinV && toV <= MaxV) {
		return 0, fmt.Errorf("%g V: want %g to %g", toV, MinV, MaxV)
	}
	from, err := rawEnergy(fromNM, fromV)
	if err != nil {
		return 0, err
	}
	to, err := rawEnergy(toNM, toV)
	if err != nil {
		return 0, err
	}
	return to / from, nil
}

// AreaScale is the area of a block at toNM relative to fromNM. ok is false
// where the source has no factor (above 65 nm).
func AreaScale(fromNM, toNM float64) (scale float64, ok bool) {
	area := func(nm float64) float64 {
		hi, lo, t, err := bracket(nm)
		if err != nil || hi.area == 0 || lo.area == 0 {
			return 0
		}
		return math.Exp((1-t)*math.Log(hi.area) + t*math.Log(lo.area))
	}
	from, to := area(fromNM), area(toNM)
	if from == 0 || to == 0 {
		return 0, false
	}
	return to / from, true
}
