package bench

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestDescribeMachine(t *testing.T) {
	m := DescribeMachine()
	if m.GOOS != runtime.GOOS || m.GOARCH != runtime.GOARCH || m.CPUCount != runtime.NumCPU() {
		t.Errorf("got %s/%s with %d CPUs, want %s/%s with %d", m.GOOS, m.GOARCH, m.CPUCount, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	}
	if runtime.GOARCH == "amd64" {
		if m.CPU == "" || m.Virtual == "" || !strings.Contains(m.CPUFamily, " family ") {
			t.Errorf("cpu %q, %q, virtual machine %q: amd64 always tells all", m.CPU, m.CPUFamily, m.Virtual)
		}
		if len(m.Features) == 0 {
			t.Error("no features on amd64, where SSE4.2 is as good as certain")
		}
	}
	for _, f := range m.Features {
		if f != strings.ToLower(f) || strings.HasPrefix(f, "unknown") {
			t.Errorf("feature %q: want a lower-case name", f)
		}
	}
}

func TestMachineSettings(t *testing.T) {
	m := Machine{GOOS: "linux", GOARCH: "amd64", CPU: "CPU 9000", CPUFamily: "AMD family 26 model 2", CPUCount: 2, Features: []string{"avx", "avx2"}, Threads: 1}
	m.readBuild([]debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "true"},
		{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}, {Key: "GOAMD64", Value: "v1"},
	})
	var got []string
	for _, s := range m.Settings() {
		got = append(got, s.Key+": "+s.Value)
	}
	want := []string{
		"commit: 0123abc+dirty", "commit-time: 2026-01-02T03:04:05Z", "goos: linux", "goarch: amd64", "goamd64: v1",
		"cpu: CPU 9000", "cpu-family: AMD family 26 model 2", "cpu-count: 2", "cpu-features: avx avx2", "threads: 1",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMachineWarnings(t *testing.T) {
	tests := []struct {
		m    Machine
		want []string
	}{
		{Machine{CPUCount: 4}, nil},
		{Machine{CPUCount: 4, Governor: "performance", Virtual: "no", Load: "0.10"}, nil},
		{Machine{CPUCount: 4, Governor: "powersave"}, []string{"governor"}},
		{Machine{CPUCount: 4, Virtual: "yes", Load: "3.5"}, []string{"virtual machine", "load average"}},
	}
	for _, tt := range tests {
		got := tt.m.Warnings()
		if len(got) != len(tt.want) {
			t.Errorf("%+v: warnings %q, want %d", tt.m, got, len(tt.want))
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], tt.want[i]) {
				t.Errorf("warning %q, want one about %q", got[i], tt.want[i])
			}
		}
	}
}
