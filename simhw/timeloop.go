package simhw

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
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
// layer's mapping has, which is the design's or the best found. NN counts from 01.
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
	if machine != nil {
		machine.mu.Lock()
		defer machine.mu.Unlock()
		err := add("ERT.yaml", func(w io.Writer) error {
			if _, err := io.WriteString(w, accelergyNote); err != nil {
				return err
			}
			return machine.arch.WriteERT(w, system)
		})
		if err != nil {
			return nil, nil, err
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
			return machine.arch.WriteCounts(w, system, &r)
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return files, skipped, nil
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
