package reports

import (
	"strings"
	"testing"

	"macroscope/bench"
	"macroscope/dtype"
	"macroscope/kernels"
)

// The sentence about int8 by minimal filtering tells what the library does on this CPU.
func TestFilteredByDefault(t *testing.T) {
	for usual, want := range map[bool]string{
		true:  "which is what the library and macroscope eval do on this CPU unless told otherwise.",
		false: "; the library and macroscope eval take the direct kernels on this CPU unless told otherwise.",
	} {
		r := fixture()
		r.Runs[4].Usual = usual
		if list := r.filtered(); len(list) != 1 || !strings.HasSuffix(list[0], want) {
			t.Errorf("usual %v: %q: want an end %q", usual, list, want)
		}
	}
}

// What is usual is asked of the network, of the chosen implementation's run alone.
func TestMarkUsual(t *testing.T) {
	networks, err := bench.BuiltinNetworks("cifar10cnn")
	if err != nil {
		t.Fatal(err)
	}
	choice, err := kernels.Default()
	if err != nil {
		t.Fatal(err)
	}
	r := &Report{Kernels: []Kernel{{DType: dtype.Float32, Impl: "fast", Chosen: true}, {DType: dtype.Int8, Impl: "slow"}, {DType: dtype.Int8, Impl: "fast", Chosen: true}}}
	for _, d := range []dtype.DType{dtype.Float32, dtype.Int8} {
		for _, impl := range []string{"slow", "fast"} {
			for _, algo := range []string{"", bench.WinogradAlgo} {
				r.Runs = append(r.Runs, Run{DType: d, Impl: impl, Algo: algo})
			}
		}
	}
	if err := r.markUsual(networks); err != nil {
		t.Fatal(err)
	}
	for i, run := range r.Runs {
		want := run.DType == dtype.Int8 && run.Impl == "fast" && run.Algo != "" && choice.For(dtype.Int8).WinogradPays(64) > 0
		if run.Usual != want {
			t.Errorf("run %d, %v by %s: usual %v, want %v", i, run.DType, run.title(), run.Usual, want)
		}
	}
}
