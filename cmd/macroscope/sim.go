package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"macroscope/dtype"
	"macroscope/graph"
	"macroscope/internal/atomicfile"
	"macroscope/internal/regular"
	"macroscope/internal/table"
	"macroscope/models"
	"macroscope/simhw"
	"macroscope/simhw/design"
	"macroscope/simhw/energy"
	"macroscope/workload"
)

type simCmd struct {
	Design   string `required:"" help:"The accelerator: a name that macroscope designs lists, a YAML file, or a SCALE-Sim .cfg (then with that program's exact formulas)." placeholder:"D"`
	Model    string `help:"The network: a built-in name, an ONNX or a TFLite file. Without --workload: cifar10cnn." placeholder:"M"`
	Workload string `help:"Layer shapes instead of a network: a SCALE-Sim topology, of convolutions or of M, N, K, or a Timeloop problem (.yaml)." placeholder:"FILE"`
	DType    string `name:"dtype" default:"int8" help:"Number format: float32, binary or int1 to int16; other integers than int8 take the shapes of an int8 network." placeholder:"D"`
	Weights  int    `name:"weight-bits" help:"Width of integer weights, where it is not that of --dtype." placeholder:"N"`
	fileFlags
	Energy   string `help:"Prices of the energy and area of operations and memories, in place of those that macroscope designs --energy prints." placeholder:"FILE.yaml"`
	Output   string `short:"o" enum:"text,json,csv,md,scalesim" default:"text" help:"Format: ${enum}. scalesim is its COMPUTE_REPORT." placeholder:"FORMAT"`
	Reports  string `help:"With a .cfg: write SCALE-Sim's three reports into this folder." placeholder:"DIR"`
	Topology string `help:"Write the layers as a SCALE-Sim topology, padded." placeholder:"FILE.csv"`
	Timeloop string `help:"Write a Timeloop problem for each layer into this new folder, and for a spatial design Accelergy's energy reference table (ERT) and action counts." placeholder:"DIR"`
	accuracyFlags
}

// Help is the longer text of macroscope sim --help.
func (*simCmd) Help() string {
	return `Says what a network costs on an accelerator, by layer and in total: cycles split into compute, fill and drain, stall and prefetch, traffic, time and energy. It is an analytical model; every result says what such a design was compared with and what it leaves out. With --accuracy it computes the network with the array's own sums instead, of as many bits as its accumulators have.`
}

func (c *simCmd) Run(e *env) error {
	d, err := dtype.ParseAny(c.DType)
	if err != nil {
		return usageError{err}
	}
	if c.Weights != 0 && !(d.Integer() && c.Weights >= 1 && c.Weights <= dtype.MaxIntBits) {
		return usageError{fmt.Errorf("--weight-bits %d with --dtype %s: want 1 to %d with a format of integers", c.Weights, d, dtype.MaxIntBits)}
	}
	if c.Model != "" && c.Workload != "" {
		return usageError{errors.New("--model and --workload: want one of them")}
	}
	des, err := loadDesign(c.Design)
	if err != nil {
		return err
	}
	switch {
	case c.Accuracy:
		return c.accuracy(e, &des)
	case len(c.Accumulators) > 0 || c.Data != "" || c.Limit != 0:
		return usageError{errors.New("--accumulators, --data and --limit go with --accuracy")}
	}
	for _, flag := range c.ofImages() {
		return usageError{fmt.Errorf("%s goes with --accuracy: shapes are all that an estimate takes", flag)}
	}
	if c.Energy != "" {
		if des, err = c.priced(&des); err != nil {
			return err
		}
	}
	if spec := des.Spec(); c.Reports != "" && !spec.ScaleSim {
		return usageError{fmt.Errorf("--reports with design %s: want a SCALE-Sim .cfg", spec.Name)}
	}
	w, err := c.layers(d)
	if err != nil {
		return err
	}
	model, err := simhw.New(&des)
	if err != nil {
		return err
	}
	est, err := model.Evaluate(&w)
	if err != nil {
		return err
	}
	if est.FIFOs, err = model.FIFOs(&w); err != nil {
		e.warn(err.Error())
	}
	if c.Topology != "" {
		err := writeWhole(e, c.Topology, func(out io.Writer) error {
			skipped, err := workload.WriteSCALESim(out, &w)
			if len(skipped) > 0 {
				e.warn(fmt.Sprintf("not in %s, which has no such layers: %s", c.Topology, strings.Join(skipped, ", ")))
			}
			if slices.ContainsFunc(w.Layers, func(l workload.Layer) bool { return max(1, l.StrideH) != max(1, l.StrideW) && l.Kind == workload.Conv }) {
				e.warn(fmt.Sprintf("%s has two strides a layer, which SCALE-Sim v2 reads and v3 does not", c.Topology))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if c.Reports != "" {
		if err := c.reports(e, &est); err != nil {
			return err
		}
	}
	if c.Timeloop != "" {
		if err := c.timeloop(e, model, &w); err != nil {
			return err
		}
	}
	if c.Output == "text" {
		return simText(e.stdout, &est)
	}
	e.warn(des.Warnings()...)
	return simhw.Write(e.stdout, c.Output, &est)
}

// priced is the design with the prices of a file.
func (c *simCmd) priced(d *design.Design) (design.Design, error) {
	f, err := regular.Open(c.Energy)
	if err != nil {
		return design.Design{}, err
	}
	defer f.Close()
	t, err := energy.ParseTable(c.Energy, f)
	if err != nil {
		return design.Design{}, err
	}
	return d.WithEnergyTable(t)
}

// loadDesign tells a wrong name, which is wrong use, from a bad file.
func loadDesign(name string) (design.Design, error) {
	d, err := design.Load(name)
	if err != nil && filepath.Ext(name) == "" {
		return d, usageError{err}
	}
	return d, err
}

// layers are the shapes to evaluate. Integers of any width have those of an int8 network.
func (c *simCmd) layers(d dtype.DType) (workload.Workload, error) {
	if !d.Integer() || d == dtype.Int8 && c.Weights == 0 {
		return c.shapes(d)
	}
	weights := c.Weights
	if weights == 0 {
		weights = d.Bits()
	}
	w, err := c.shapes(dtype.Int8)
	return w.WithIntegers(d.Bits(), weights), err
}

// shapes are the layers in float32, int8 or binary.
func (c *simCmd) shapes(d dtype.DType) (workload.Workload, error) {
	if isProblem(c.Workload) {
		return readProblem(c.Workload, d)
	}
	if c.Workload != "" {
		w, err := workload.LoadSCALESim(c.Workload)
		return w.WithDType(d), err
	}
	name := c.Model
	if name == "" {
		name = "cifar10cnn"
	}
	var g *graph.Graph
	var err error
	if isFile(name) {
		g, err = c.readShapes(name)
	} else if g, err = models.Load(name, d); err != nil {
		err = usageError{err}
	}
	if err != nil {
		return workload.Workload{}, err
	}
	return g.Workload(d)
}

// writeWhole writes a file that is whole or not there.
func writeWhole(e *env, path string, write func(io.Writer) error) error {
	f, err := atomicfile.Create(e.ctx, path)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := write(f); err != nil {
		return err
	}
	return f.Commit()
}

func (c *simCmd) reports(e *env, est *simhw.Estimate) error {
	if err := os.MkdirAll(c.Reports, 0o777); err != nil {
		return err
	}
	for _, r := range []struct {
		name  string
		write func(io.Writer, *simhw.Estimate) error
	}{
		{"COMPUTE_REPORT.csv", simhw.WriteComputeReport},
		{"BANDWIDTH_REPORT.csv", simhw.WriteBandwidthReport},
		{"DETAILED_ACCESS_REPORT.csv", simhw.WriteAccessReport},
	} {
		path := filepath.Join(c.Reports, r.name)
		if err := writeWhole(e, path, func(out io.Writer) error { return r.write(out, est) }); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// roofline says how much of its bound a layer reaches, and which bound that is.
func roofline(l *simhw.Layer) string {
	r := &l.Roofline
	if !r.Known() {
		return ""
	}
	return fmt.Sprintf("%.1f of %s", 100*r.Share(l.Cycles), r.Bound())
}

// simText prints an estimate for people.
func simText(out io.Writer, est *simhw.Estimate) error {
	t := table.Table{
		Head:  []string{"layer", "dtype", "MACs", "cycles", "compute", "fill+drain", "stall", "prefetch", "util %", "roofline %", "DRAM bytes", "µs", "µJ", "waits most for"},
		Right: []bool{2: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true, 9: true, 10: true, 11: true, 12: true, 13: false},
	}
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	known := func(ok bool, format string, v float64) string {
		if !ok {
			return "not modelled"
		}
		return fmt.Sprintf(format, v)
	}
	add := func(name, dtype string, macs, cycles, compute, fill, stall, prefetch int64, util float64, roof string, bytes simhw.Count, us, pj simhw.Quantity, cause string) {
		t.Add(name, dtype, n(macs), n(cycles), n(compute), n(fill), n(stall), n(prefetch), fmt.Sprintf("%.1f", 100*util), roof,
			known(bytes != simhw.Unknown, "%.0f", float64(bytes)), known(us.Known, "%.2f", us.Value), known(pj.Known, "%.3f", pj.Value/1e6), cause)
	}
	for i := range est.Layers {
		l := &est.Layers[i]
		add(l.Name, l.Operands(), l.MACs, l.Cycles, l.ComputeCycles, l.FillDrainCycles, l.StallCycles, l.PrefetchCycles, l.Utilization, roofline(l), l.DRAM.Bytes, l.TimeUS, l.EnergyPJ, l.Stalls.Main())
	}
	s := &est.Total
	add("total", est.DType.String(), s.MACs, s.Cycles, s.ComputeCycles, s.FillDrainCycles, s.StallCycles, s.PrefetchCycles, s.Utilization, "", s.DRAM.Bytes, s.TimeUS, s.EnergyPJ, s.Stalls.Main())
	clock := ""
	if est.ClockMHz.Known {
		clock = fmt.Sprintf(" at %g MHz", est.ClockMHz.Value)
	}
	if _, err := fmt.Fprintf(out, "%s on %s%s\n\n", est.Workload, est.Design, clock); err != nil {
		return err
	}
	if err := t.Text(out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", strings.Join(est.Notes(), "\n"))
	return err
}
