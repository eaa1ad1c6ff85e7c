package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"macroscope/dtype"
	"macroscope/internal/regular"
	"macroscope/simhw"
	"macroscope/workload"
)

// isProblem tells a Timeloop problem from a topology.
func isProblem(file string) bool {
	ext := strings.ToLower(filepath.Ext(file))
	return ext == ".yaml" || ext == ".yml"
}

func readProblem(file string, d dtype.DType) (workload.Workload, error) {
	f, err := regular.Open(file)
	if err != nil {
		return workload.Workload{}, err
	}
	defer f.Close()
	return simhw.ReadTimeloop(file, f, d)
}

// timeloop writes the files of Timeloop and Accelergy into a new folder, or one that is
// empty: all of them or none.
func (c *simCmd) timeloop(e *env, m *simhw.Model, w *workload.Workload) (err error) {
	dir := filepath.Clean(c.Timeloop)
	if old, err := os.ReadDir(dir); err == nil && len(old) > 0 {
		return fmt.Errorf("%s: has %s and %d more: want a folder that is empty or not there", dir, old[0].Name(), len(old)-1)
	} else if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("%s: want a folder that is empty or not there: %w", dir, err)
	}
	files, skipped, err := m.Timeloop(w)
	if err != nil {
		return err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(partial)
		}
	}()
	for _, f := range files {
		err := writeWhole(e, filepath.Join(partial, f.Name), func(out io.Writer) error {
			_, err := out.Write(f.Data)
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := os.Chmod(partial, 0o755); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !os.IsNotExist(err) { // empty
		return err
	}
	if err := os.Rename(partial, dir); err != nil {
		return err
	}
	if len(skipped) > 0 {
		e.warn(fmt.Sprintf("no problem in %s for what Timeloop has no such layers: %s", dir, strings.Join(skipped, ", ")))
	}
	if s := m.Spec(); !simhw.HasActionCounts(&s) {
		e.warn(fmt.Sprintf("no ERT and no action counts in %s: design %s is not of the spatial family", dir, s.Name))
	}
	return nil
}
