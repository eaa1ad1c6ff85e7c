package simhw

import (
	"encoding/json"
	"math"
)

// Roofline is the least time that a layer's products and its traffic allow: the largest
// of MACs at the machine's peak, bytes at DRAM's bandwidth, and words at the width of the
// buffers where a design gives one. The zero value is not known, null in JSON.
type Roofline struct {
	ComputeCycles int64 // MACs over all lanes of all elements
	DRAMCycles    int64 // bytes over bandwidth
	BufferCycles  int64 // of the busiest buffer of a systolic array; 0: as wide as its edges
}

// rooflineOf bounds a layer of a machine that does macsPerCycle at best.
func rooflineOf(macs int64, macsPerCycle, dramBytes, bytesPerCycle float64) Roofline {
	r := Roofline{ComputeCycles: int64(math.Ceil(float64(macs) / macsPerCycle))}
	if dramBytes > 0 {
		// Traffic is in whole bits: rounded down, so as to stay a bound.
		r.DRAMCycles = int64(dramBytes / bytesPerCycle)
	}
	return r
}

// Known tells whether there is a roofline.
func (r *Roofline) Known() bool { return r.ComputeCycles > 0 }

// Cycles is the bound.
func (r *Roofline) Cycles() int64 { return max(r.ComputeCycles, r.DRAMCycles, r.BufferCycles) }

// Bound names what bounds: "compute", "dram" or "buffers"; "" where it is not known.
func (r *Roofline) Bound() string {
	switch {
	case !r.Known():
		return ""
	case r.BufferCycles > max(r.ComputeCycles, r.DRAMCycles):
		return "buffers"
	case r.DRAMCycles > r.ComputeCycles:
		return "dram"
	}
	return "compute"
}

// Share is how much of the bound a layer of so many cycles reaches, 0…1; 0 where it is
// not known.
func (r *Roofline) Share(cycles int64) float64 {
	if !r.Known() || cycles == 0 {
		return 0
	}
	return float64(r.Cycles()) / float64(cycles)
}

type rooflineJSON struct {
	Cycles  int64  `json:"cycles"`
	Bound   string `json:"bound"`
	Compute int64  `json:"compute_cycles"`
	DRAM    int64  `json:"dram_cycles"`
	Buffers int64  `json:"buffer_cycles,omitempty"`
}

// MarshalJSON writes null for what is not known.
func (r Roofline) MarshalJSON() ([]byte, error) {
	if !r.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(rooflineJSON{r.Cycles(), r.Bound(), r.ComputeCycles, r.DRAMCycles, r.BufferCycles})
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (r *Roofline) UnmarshalJSON(b []byte) error {
	*r = Roofline{}
	if string(b) == "null" {
		return nil
	}
	var j rooflineJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*r = Roofline{j.Compute, j.DRAM, j.Buffers}
	return nil
}
