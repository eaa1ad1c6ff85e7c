package simhw

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"macroscope/dtype"
	"macroscope/simhw/design"
	"macroscope/simhw/spatial"
	"macroscope/workload"
)

// TimeloopFile is a file that Timeloop or Accelergy reads.
type TimeloopFile struct {
	Name string // without a folder
	Data []byte
}

// accelergyNote heads the files for Accelergy.
const accelergyNote = `# Energy is the counts times the table. An estimate of this project adds leakage, and
# counts an output that is finished with an operand's width at DRAM, not with a sum's;
# it leaves out what a design saves at operands that are zero.
`

// Timeloop writes a workload as Timeloop's problems, NN_LAYER.problem.yaml for each
// layer that Timeloop's cnn-layer can be; for a spatial design also ERT.yaml, what its
// accesses and multiplications cost (pJ), and NN_LAYER.action_counts.yaml, how many a
// layer's mapping has, which is the design's or the best found. NN counts from 01. Where
// a design packs operands and layers' widths differ, there is a table for each,
// ERT_INPUTxWEIGHT.yaml in bits, and action counts name theirs.
// Layers that are not in them are named in skipped, with the reason.
func (m *Model) Timeloop(w *workload.Workload) (files []TimeloopFile, skipped []string, err error) {
	if err := w.Validate(); err != nil {
		return nil, nil, err
	}
	machine, _ := m.machine.(*spatialMachine)
	var b bytes.Buffer
	add := func(name string, write func(io.Writer) error) error {
		b.Reset()
		if err := write(&b); err != nil {
			return err
		}
		files = append(files, TimeloopFile{name, bytes.Clone(b.Bytes())})
		return nil
	}
	const system = "system"
	table := func(widths) string { return "ERT.yaml" }
	several := false
	if machine != nil {
		machine.mu.Lock()
		defer machine.mu.Unlock()
		all := machine.allWidths(w)
		if several = len(all) > 1; several {
			table = func(w widths) string { return fmt.Sprintf("ERT_%dx%d.yaml", w.input, w.weight) }
		}
		for _, of := range all {
			machine.narrow(of)
			err := add(table(of), func(w io.Writer) error {
				if _, err := io.WriteString(w, accelergyNote); err != nil {
					return err
				}
				return machine.arch.WriteERT(w, system)
			})
			if err != nil {
				return nil, nil, err
			}
		}
	}
	for i := range w.Layers {
		l := &w.Layers[i]
		if l.Kind == workload.Other {
			skipped = append(skipped, fmt.Sprintf("%s (%s)", l.Name, l.Op))
			continue
		}
		var p spatial.Problem
		if err := p.Read(l); err != nil {
			return nil, nil, err
		}
		name := fmt.Sprintf("%02d_%s", i+1, fileName(l.Name))
		if err := add(name+".problem.yaml", func(w io.Writer) error { return spatial.WriteProblem(w, &p) }); err != nil {
			skipped = append(skipped, fmt.Sprintf("%s (%v)", l.Name, err))
		}
		if machine == nil {
			continue
		}
		if err := m.computes(l); err != nil {
			return nil, nil, err
		}
		if err := machine.read(&p, l); err != nil {
			return nil, nil, err
		}
		mapping, err := machine.mapping(l, &p, &unproven{})
		if err != nil {
			return nil, nil, fmt.Errorf("design %s: %w", m.spec.Name, err)
		}
		var r spatial.Result
		machine.arch.Evaluate(&p, mapping, &r)
		err = add(name+".action_counts.yaml", func(w io.Writer) error {
			if _, err := fmt.Fprintf(w, "%s# mapping: %s\n", accelergyNote, machine.arch.Text(mapping)); err != nil {
				return err
			}
			if several {
				if _, err := fmt.Fprintf(w, "# table: %s\n", table(machine.widths)); err != nil {
					return err
				}
			}
			return machine.arch.WriteCounts(w, system, &r)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return files, skipped, nil
}

// allWidths lists those of the layers, each once; those of whole words where no layer has
// operands.
func (m *spatialMachine) allWidths(w *workload.Workload) []widths {
	var all []widths
	for i := range w.Layers {
		if l := &w.Layers[i]; l.Kind != workload.Other && !slices.Contains(all, m.widthsOf(l)) {
			all = append(all, m.widthsOf(l))
		}
	}
	if all == nil {
		word := m.spec.Spatial.OperandBits
		return []widths{{word, word}}
	}
	return all
}

// HasActionCounts tells whether Model.Timeloop writes Accelergy's files for a design.
func HasActionCounts(s *design.Spec) bool { return s.Family == design.FamilySpatial }

// fileName is a layer's name as part of a file's: letters, digits, _, - and points
// inside, at most 64.
func fileName(layer string) string {
	s := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		}
		return '_'
	}, layer)
	return s[:min(len(s), 64)]
}

// ReadTimeloop reads a Timeloop problem as a workload of one layer, in the given format.
// Errors are those of spatial.ReadProblem, "file:line: what was expected".
func ReadTimeloop(file string, r io.Reader, d dtype.DType) (workload.Workload, error) {
	p, err := spatial.ReadProblem(file, r)
	if err != nil {
		return workload.Workload{}, err
	}
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), ".problem")
	l, err := p.Layer(name, d)
	if err != nil {
		return workload.Workload{}, fmt.Errorf("%s: %w", file, err)
	}
	return workload.Workload{Name: name, Layers: []workload.Layer{l}}, nil
}
