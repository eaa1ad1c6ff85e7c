package bench

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Machine describes what measurements were made on. A field that cannot be
// read stays empty and gives no line: nothing here is guessed.
type Machine struct {
	Commit      string // of the program that measured, with "+dirty" after local changes
	CommitTime  string // RFC 3339
	GoVersion   string
	GOOS        string
	GOARCH      string
	GOAMD64     string // v1 to v4: what the compiler took for granted
	CPU         string // brand name
	CPUFamily   string // amd64: vendor, family and model number: "AMD family 26 model 2"
	CPUCount    int    // logical CPUs this process may use
	CPUPhysical int    // physical cores, 0 if unknown
	Features    []string
	Governor    string // Linux: of the first CPU
	Virtual     string // "yes" or "no", "" if unknown
	Load        string // Linux: load average of the last minute, before measuring
	Threads     int    // threads that each case uses
	Kernels     string // which kernels were chosen, set by whoever knows the kernel table
}

// features are those that some kernel may need, so that a file tells why a
// kernel did not run without listing hundreds of others.
var features = []cpuid.FeatureID{
	cpuid.SSE42, cpuid.POPCNT, cpuid.BMI2, cpuid.AVX, cpuid.F16C, cpuid.FMA3, cpuid.AVX2,
	cpuid.AVXVNNI, cpuid.AVXVNNIINT8, cpuid.GFNI,
	cpuid.AVX512F, cpuid.AVX512BW, cpuid.AVX512CD, cpuid.AVX512DQ, cpuid.AVX512VL,
	cpuid.AVX512VNNI, cpuid.AVX512VPOPCNTDQ, cpuid.AVX512BITALG, cpuid.AVX512BF16, cpuid.AVX512FP16,
	cpuid.AMXTILE, cpuid.AMXINT8, cpuid.AMXBF16, cpuid.AMXFP16,
	cpuid.ASIMD, cpuid.ASIMDDP, cpuid.ASIMDHP, cpuid.I8MM, cpuid.BF16, cpuid.SVE, cpuid.SVE2,
}

// DescribeMachine looks at the machine that this program runs on.
func DescribeMachine() Machine {
	m := Machine{
		GoVersion:   runtime.Version(),
		GOOS:        runtime.GOOS,
		GOARCH:      runtime.GOARCH,
		CPU:         cpuName(),
		CPUCount:    runtime.NumCPU(),
		CPUPhysical: cpuid.CPU.PhysicalCores,
		Governor:    firstField("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
		Load:        firstField("/proc/loadavg"),
		Threads:     1,
	}
	for _, f := range features {
		if cpuid.CPU.Supports(f) {
			m.Features = append(m.Features, strings.ToLower(f.String()))
		}
	}
	if m.GOARCH == "amd64" {
		// The hypervisor bit of CPUID; other architectures have no such bit.
		m.CPUFamily = fmt.Sprintf("%s family %d model %d", cpuid.CPU.VendorID, cpuid.CPU.Family, cpuid.CPU.Model)
		m.Virtual = "no"
		if cpuid.CPU.VM() {
			m.Virtual = "yes"
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.readBuild(info.Settings)
	}
	return m
}

func (m *Machine) readBuild(settings []debug.BuildSetting) {
	dirty := false
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			m.Commit = s.Value
		case "vcs.time":
			m.CommitTime = s.Value
		case "vcs.modified":
			dirty = s.Value == "true"
		case "GOAMD64":
			m.GOAMD64 = s.Value
		}
	}
	if m.Commit != "" && dirty {
		m.Commit += "+dirty"
	}
}

// Settings are the lines that a benchmark file says of the machine. The keys
// commit, commit-time, goos, goarch, cpu, cpu-count and cpu-physical-count are
// those of the format's specification.
func (m Machine) Settings() []Setting {
	number := func(n int) string {
		if n <= 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	all := []Setting{
		{"commit", m.Commit},
		{"commit-time", m.CommitTime},
		{"go-version", m.GoVersion},
		{"goos", m.GOOS},
		{"goarch", m.GOARCH},
		{"goamd64", m.GOAMD64},
		{"cpu", m.CPU},
		{"cpu-family", m.CPUFamily},
		{"cpu-count", number(m.CPUCount)},
		{"cpu-physical-count", number(m.CPUPhysical)},
		{"cpu-features", strings.Join(m.Features, " ")},
		{"governor", m.Governor},
		{"virtual-machine", m.Virtual},
		{"load-average", m.Load},
		{"threads", number(m.Threads)},
		{"kernels", m.Kernels},
	}
	set := all[:0]
	for _, s := range all {
		if s.Value != "" {
			set = append(set, s)
		}
	}
	return set
}

// Warnings say what about the machine makes measurements unsteady, and what
// to do about it.
func (m Machine) Warnings() []string {
	var w []string
	if m.Governor != "" && m.Governor != "performance" {
		w = append(w, fmt.Sprintf("cpu frequency governor is %q: set it to performance for steady clocks", m.Governor))
	}
	if m.Virtual == "yes" {
		w = append(w, "virtual machine: other guests may share this core; compare medians of several runs")
	}
	if load, err := strconv.ParseFloat(m.Load, 64); err == nil && load > 0.25*float64(m.CPUCount) {
		w = append(w, fmt.Sprintf("load average is %s on %d CPUs: close other programs and run again", m.Load, m.CPUCount))
	}
	return w
}

// cpuName is the brand name, from the CPU itself or from the system.
func cpuName() string {
	if name := strings.Join(strings.Fields(cpuid.CPU.BrandName), " "); name != "" {
		return name
	}
	if name := systemCPUName(); name != "" {
		return name
	}
	// Device trees of small boards name the board, which tells the CPU.
	board, err := os.ReadFile("/proc/device-tree/model")
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(board), "\x00\n ")
}

// firstField gives the first word of a file, "" if there is none.
func firstField(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(b))
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}
