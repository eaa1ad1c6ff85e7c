package rtl

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"macroscope/simhw/design"
	"macroscope/simhw/systolic"
)

// Job is what an accelerator with a double-buffered memory does at a stretch: a
// product out of one half of its buffers. One without weights uses those of the
// job before; the first one has some.
type Job struct {
	Product
	Loads bool // brings weights: X and W are read, else X
}

// Words are what DRAM reads and writes for a job on an array of so many lanes: a
// word is as many operands, or one sum.
func (j *Job) Words(lanes int64) (reads, writes int64) {
	steps := (j.K + lanes - 1) / lanes
	if reads = j.M * steps; j.Loads {
		reads += j.N * steps
	}
	return reads, j.M * j.N
}

// System runs jobs on an int8 array behind a double-buffered memory whose DRAM
// moves width words a cycle, reads and writes together. It returns the clock cycles
// from the first word read until the last sum is written, and the sums that DRAM
// then holds. The array gives its sums at its edge: no DrainInPlace.
func (ic *Icarus) System(ctx context.Context, a systolic.Array, lanes, width int64, jobs []Job) (cycles int64, sums [][]int32, err error) {
	if err := checkArray(a, lanes); err != nil {
		return 0, nil, err
	}
	if a.Dataflow == design.OS && a.Drain == design.DrainInPlace {
		return 0, nil, fmt.Errorf("an array that is read in place has no edge to take sums from: want another drain")
	}
	if width < 1 || width > maxDimension || len(jobs) < 1 || len(jobs) > maxDimension/2 || !jobs[0].Loads {
		return 0, nil, fmt.Errorf("%d jobs, %d words a cycle: want 1 to %d of each, the first with weights", len(jobs), width, maxDimension/2)
	}
	var m, n, steps int64 = 1, 1, 1
	for i := range jobs {
		j := &jobs[i]
		if err := j.check(); err != nil {
			return 0, nil, err
		}
		if r, w := j.Words(lanes); max(r, w) > maxDimension {
			return 0, nil, fmt.Errorf("a job of %d words read, %d written: want up to %d", r, w, maxDimension)
		}
		if before := max(i-1, 0); !j.Loads && (j.N != jobs[before].N || j.K != jobs[before].K) {
			return 0, nil, fmt.Errorf("job %d of %d×%d weights uses those of a job of %d×%d", i, j.K, j.N, jobs[before].K, jobs[before].N)
		}
		m, n, steps = max(m, j.M), max(n, j.N), max(steps, (j.K+lanes-1)/lanes)
	}
	params := append(arrayParameters(a, lanes, m, n, steps), parameter{"WIDTH", width}, parameter{"F", int64(len(jobs))})
	sums = make([][]int32, len(jobs))
	err = ic.simulate(ctx, "system_bench", params, func(out io.Writer) error {
		w := bufio.NewWriter(out)
		fmt.Fprintln(w, len(jobs))
		for i := range jobs {
			j, loads := &jobs[i], 0
			if j.Loads {
				loads = 1
			}
			fmt.Fprintln(w, j.M, j.N, (j.K+lanes-1)/lanes, loads)
			writeInputs(w, lanes, &j.Product)
			if j.Loads {
				writeWeights(w, lanes, &j.Product)
			}
		}
		return w.Flush()
	}, func(in io.Reader) error {
		r := bufio.NewReader(in)
		if _, err := fmt.Fscan(r, &cycles); err != nil {
			return fmt.Errorf("cycles: %w", err)
		}
		for i := range jobs {
			if sums[i], err = readSums(r, &jobs[i].Product); err != nil {
				return fmt.Errorf("job %d: %w", i, err)
			}
		}
		return nil
	})
	return cycles, sums, err
}
