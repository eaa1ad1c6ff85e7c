package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"macroscope/bench"
	"macroscope/cifar10"
	"macroscope/dtype"
	"macroscope/internal/table"
	"macroscope/numeric"
	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// accuracyFlags are those of sim --accuracy.
type accuracyFlags struct {
	Accuracy     bool    `help:"Instead of costs: how many CIFAR-10 images the int8 network gets right with the sums of the design's accumulators (a systolic array's)."`
	Accumulators []int64 `help:"With --accuracy: sums of these widths as well, wrapping around and saturating: 16,20,24." placeholder:"BITS"`
	Data         string  `help:"With --accuracy: folder with the CIFAR-10 test file. Without it: the built-in sample of 1,000 test images." placeholder:"DIR"`
	Limit        int     `help:"With --accuracy: only the first N images; 0 is all." placeholder:"N"`
	Threads      int     `default:"1" help:"With --accuracy: threads."`
}

// accuracyRow is one accumulator's result in JSON.
type accuracyRow struct {
	Design   string  `json:"design"`
	Model    string  `json:"model"`
	Bits     int64   `json:"accumulator_bits"`
	Overflow string  `json:"accumulator_overflow"`
	Source   string  `json:"source"`
	Images   int     `json:"images"`
	Correct  int     `json:"correct"`
	Accuracy float64 `json:"accuracy"` // share, 0…1
	Same     int     `json:"same_class_as_32_bits"`
}

// accuracy runs the network through the array's arithmetic.
func (c *simCmd) accuracy(e *env, des *design.Design) error {
	s := des.Spec()
	switch {
	case s.Family != design.FamilySystolic || s.ScaleSim || s.Lanes(dtype.Int8) == 0:
		return usageError{fmt.Errorf("--accuracy with design %s: want a systolic array that computes int8", s.Name)}
	case c.Workload != "" || c.DType != "int8" || c.Reports != "" || c.Topology != "" || c.Energy != "":
		return usageError{errors.New("--accuracy is of an int8 network: want none of --workload, --energy, --reports, --topology, and --dtype int8")}
	case c.Output != "text" && c.Output != "json" && c.Output != "md":
		return usageError{fmt.Errorf("--accuracy -o %s: want text, json or md", c.Output)}
	case c.Limit < 0 || c.Threads < 1:
		return usageError{fmt.Errorf("--limit %d, --threads %d: want a limit of at least 0 and at least one thread", c.Limit, c.Threads)}
	}
	list := []systolic.Accumulator{{Bits: 32}, systolic.AccumulatorOf(&s)}
	for _, bits := range c.Accumulators {
		list = append(list, systolic.Accumulator{Bits: bits}, systolic.Accumulator{Bits: bits, Saturate: true})
	}
	for _, a := range list {
		if err := a.Check(); err != nil {
			return usageError{err}
		}
	}
	ev := evalCmd{Model: c.Model, Data: c.Data, Limit: c.Limit, Range: "max"}
	if ev.Model == "" {
		ev.Model = "cifar10cnn"
	}
	bar := e.progress()
	defer bar.done()
	g, err := ev.network(e, dtype.Int8, bar)
	if err != nil {
		return err
	}
	set, source := (*cifar10.Set)(nil), "the built-in sample of the test images"
	if c.Data == "" {
		set, err = bench.Sample()
	} else {
		set, err = cifar10.LoadTest(c.Data)
		source = "test images of " + c.Data
	}
	if err != nil {
		return err
	}
	if c.Limit > 0 {
		set = set.Head(c.Limit)
	}
	var rows []accuracyRow
	var wide []uint8 // classes with 32 bits
	done := map[systolic.Accumulator]bool{}
	for _, a := range list {
		if done[a] {
			continue
		}
		done[a] = true
		net, err := numeric.New(g, numeric.Machine{Array: systolic.ArrayOf(&s), Lanes: int64(s.Lanes(dtype.Int8)), Accumulator: a})
		if err != nil {
			return err
		}
		classes, err := net.Classes(e.ctx, set, c.Threads, func(done, of int) { bar.set(done, of, a.String()) })
		if err != nil {
			return err
		}
		if wide == nil {
			wide = classes
		}
		right := numeric.Agree(classes, set.Labels)
		overflow := design.OverflowWrap
		if a.Saturate {
			overflow = design.OverflowSaturate
		}
		rows = append(rows, accuracyRow{s.Name, ev.Model, a.Bits, overflow.String(), source, set.Len(), right, float64(right) / float64(set.Len()), numeric.Agree(classes, wide)})
	}
	bar.done()
	if c.Output == "json" {
		return e.writeJSON(rows)
	}
	t := table.Table{Head: []string{"accumulator", "overflow", "images", "right", "accuracy %", "same class as 32 bits"}, Right: []bool{0: true, 2: true, 3: true, 4: true, 5: true}}
	for _, r := range rows {
		t.Add(fmt.Sprintf("%d bits", r.Bits), r.Overflow, strconv.Itoa(r.Images), strconv.Itoa(r.Correct), fmt.Sprintf("%.2f", 100*r.Accuracy), strconv.Itoa(r.Same))
	}
	order := "all products of a sum in the element"
	if s.Dataflow != design.OS {
		order = fmt.Sprintf("%d rows of %d products, then the sums of those", s.Array.Rows, s.Lanes(dtype.Int8))
	}
	if _, err := fmt.Fprintf(e.stdout, "%s in int8 on %s (%s), %s\n\n", ev.Model, s.Name, strings.TrimSpace(order), source); err != nil {
		return err
	}
	return e.writeTable(c.Output, &t)
}
