package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"macroscope/dtype"
	"macroscope/internal/table"
	"macroscope/numeric"
	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// accuracyFlags are those of sim --accuracy.
type accuracyFlags struct {
	Accuracy     bool    `help:"Instead of costs: how many images the int8 network gets right with the sums of the design's accumulators (a systolic array's)."`
	Accumulators []int64 `help:"With --accuracy: sums of these widths as well, wrapping around and saturating: 16,20,24." placeholder:"BITS"`
	Data         string  `help:"With --accuracy: images and labels, as eval has them; a float32 file is calibrated on their training images. Without it: the built-in sample of 1,000 CIFAR-10 test images." placeholder:"PATH"`
	Limit        int     `help:"With --accuracy: only N images; 0 is all." placeholder:"N"`
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
	case c.Workload != "" || c.DType != "int8" || c.Weights != 0 || c.Reports != "" || c.Topology != "" || c.Energy != "":
		return usageError{errors.New("--accuracy is of an int8 network: want none of --workload, --weight-bits, --energy, --reports, --topology, and --dtype int8")}
	case c.Output != "text" && c.Output != "json" && c.Output != "md":
		return usageError{fmt.Errorf("--accuracy -o %s: want text, json or md", c.Output)}
	case c.Limit < 0 || c.Threads < 1:
		return usageError{fmt.Errorf("--limit %d, --threads %d: want a limit of at least 0 and at least one thread", c.Limit, c.Threads)}
	}
	list := []systolic.Accumulator{{Bits: 32}, systolic.AccumulatorOf(&s)}
	for _, bits := range c.Accumulators {
		if bits == 0 { // the zero value of Accumulator.Bits is another width
			return usageError{errors.New("--accumulators 0: want 2 to 32 bits")}
		}
		list = append(list, systolic.Accumulator{Bits: bits}, systolic.Accumulator{Bits: bits, Saturate: true})
	}
	for _, a := range list {
		if err := a.Check(); err != nil {
			return usageError{err}
		}
	}
	ev := evalCmd{Model: c.Model, Data: c.Data, Limit: c.Limit, Range: "max", fileFlags: c.fileFlags}
	if ev.Model == "" {
		ev.Model = "cifar10cnn"
	}
	if err := ev.check(ev.Model, ev.Data); err != nil {
		return err
	}
	bar := e.progress()
	defer bar.done()
	g, err := ev.network(e, dtype.Int8, bar)
	if err != nil {
		return err
	}
	set, closeSet, err := ev.images(g)
	if err != nil {
		return err
	}
	defer closeSet()
	var rows []accuracyRow
	var wide []int32 // classes with 32 bits
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
		classes, labels, err := net.Classes(e.ctx, set, c.Threads, func(done, of int) { bar.set(done, of, a.String()) })
		if err != nil {
			return err
		}
		if wide == nil {
			wide = classes
		}
		right := numeric.Agree(classes, labels)
		overflow := design.OverflowWrap
		if a.Saturate {
			overflow = design.OverflowSaturate
		}
		rows = append(rows, accuracyRow{s.Name, ev.Model, a.Bits, overflow.String(), set.Name(), set.Len(), right, float64(right) / float64(set.Len()), numeric.Agree(classes, wide)})
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
	if _, err := fmt.Fprintf(e.stdout, "%s in int8 on %s (%s), %s\n\n", ev.Model, s.Name, strings.TrimSpace(order), set.Name()); err != nil {
		return err
	}
	return e.writeTable(c.Output, &t)
}
