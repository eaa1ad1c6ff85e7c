// Package simhw says what a workload costs on an accelerator: cycles, stalls,
// utilization, traffic, energy and area, by layer and in total.
//
//	d, err := design.Load("array32")
//	e, err := simhw.Evaluate(&d, &w)
//
// The model is analytical: closed forms per layer, microseconds a network. A
// machine's cycles are those of the stepped machine in its family's package, for
// some of recorded Verilog runs as well (Estimate.Validated lists which comparisons
// apply to a design); memory time follows the formula of package memory; energy is
// action counts times the prices of package energy. Nothing here is fitted to
// published hardware; package validate has the errors against what is published.
//
// What is not modelled is named in the estimate, and the total is marked
// partial; it is never counted as zero cost.
package simhw

import (
	"errors"
	"fmt"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/workload"
)

// Model is a design made ready for evaluation. It is safe for concurrent use
// as long as Set is not called.
type Model struct {
	spec    design.Spec
	next    design.Spec // what Set looks at: a copy, so that its argument need not be on the heap
	machine machine
	design  design.Design // for the places of its keys; empty after Set

	validated []design.Check
	warnings  []string
	assumed   []string
}

// machine is a family's model of a design, in a file of its own.
type machine interface {
	// set takes a checked spec of the machine's family. It allocates nothing
	// unless there is an error.
	set(*design.Spec) error
	// describe fills in what an estimate says of the design: its area, method,
	// limits.
	describe(*Estimate)
	// layers appends a Layer for each layer that is computed, adds it to the
	// total by Estimate.close, and may set Total's latency and interval. The
	// workload's formats are ones that the design computes.
	layers(*Estimate, *workload.Workload) error
	// checks lists what estimates of such a design were compared with.
	checks() []design.Check
}

// newMachine makes the model of a family.
func newMachine(f design.Family) (machine, error) {
	switch f {
	case design.FamilySystolic:
		return &systolicMachine{}, nil
	case design.FamilySpatial:
		return &spatialMachine{}, nil
	case design.FamilyStreaming:
		return &streamingMachine{}, nil
	case design.FamilyXNOR:
		return &xnorMachine{}, nil
	case design.FamilyMACTree:
		return &macTreeMachine{}, nil
	case design.FamilyVector:
		return &vectorMachine{}, nil
	}
	return nil, fmt.Errorf("family %s is not simulated", f)
}

// New makes a design ready.
func New(d *design.Design) (*Model, error) {
	m := &Model{warnings: d.Warnings(), assumed: d.Assumed()}
	s := d.Spec()
	if err := m.Set(&s); err != nil {
		return nil, err
	}
	m.validated = m.machine.checks()
	m.design = *d
	return m, nil
}

// Set changes the design's numbers, keeping its warnings. What it was
// validated against is kept only while its structure stays the same but for
// sizes. It is for evaluating many variants: it allocates nothing unless the
// family changes or the numbers break a rule.
func (m *Model) Set(spec *design.Spec) error {
	m.next = *spec
	s := &m.next
	if err := s.Check(); err != nil {
		return err
	}
	if m.machine == nil || s.Family != m.spec.Family {
		machine, err := newMachine(s.Family)
		if err != nil {
			return err
		}
		m.machine, m.validated = machine, nil
	} else if !m.spec.SameKind(s) {
		m.validated = nil
	}
	m.spec, m.design = *s, design.Design{}
	return m.machine.set(s)
}

// Spec returns the numbers that the model evaluates.
func (m *Model) Spec() design.Spec { return m.spec }

// Validated lists what the estimates of such a design were compared with.
func (m *Model) Validated() []design.Check { return m.validated }

// Evaluate works out a workload on a design.
func Evaluate(d *design.Design, w *workload.Workload) (Estimate, error) {
	m, err := New(d)
	if err != nil {
		return Estimate{}, err
	}
	return m.Evaluate(w)
}

// Evaluate works out a workload.
func (m *Model) Evaluate(w *workload.Workload) (Estimate, error) {
	var e Estimate
	err := m.EvaluateInto(&e, w)
	return e, err
}

// EvaluateInto is Evaluate into an estimate whose memory is used again: once
// that has grown to the workload's number of layers, nothing is allocated (designs in
// SCALE-Sim mode excepted). Searches for mappings grow memory of the model's, which is
// used again too. e shares the workload's strings. On an error e is not meaningful.
func (m *Model) EvaluateInto(e *Estimate, w *workload.Workload) error {
	if err := w.Validate(); err != nil {
		return err
	}
	e.reset(m, w)
	macs := [dtype.Count]int64{}
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Kind == workload.Other {
			e.UnmodelledLayers = append(e.UnmodelledLayers, Unmodelled{l.Name, l.Op, l.Elements})
			continue
		}
		if err := m.computes(l); err != nil {
			return err
		}
		macs[l.DType] += l.MACs()
	}
	for d, n := range macs {
		if n > macs[e.DType] {
			e.DType = dtype.DType(d)
		}
	}
	if err := m.machine.layers(e, w); err != nil {
		err = fmt.Errorf("design %s: %w", m.spec.Name, err)
		var fault *design.KeyError
		if errors.As(err, &fault) {
			if place := m.design.Place(fault.Key); place != "" {
				err = fmt.Errorf("%s: %w", place, err)
			}
		}
		return err
	}
	e.finish()
	return nil
}

// computes says what a layer lacks where the design has no unit for it.
func (m *Model) computes(l *workload.Layer) error {
	if _, ok := m.spec.Unit(l.DType, l.WeightBits()); ok {
		return nil
	}
	return fmt.Errorf("design %s cannot compute %s (layer %q): it has %s", m.spec.Name, operands(l.DType, l.WeightWidth), l.Name, strings.Join(m.spec.FormatNames(), ", "))
}

// operands names the number formats of inputs and weights: "int8", or "int4×int2" where
// they differ.
func operands(d dtype.DType, weightBits int) string {
	if weightBits == 0 || weightBits == d.Bits() {
		return d.String()
	}
	return d.String() + "×" + dtype.Int(weightBits).String()
}
