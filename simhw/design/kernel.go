package design

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"macroscope/dtype"
)

// kernelNames are those of package kernels on all architectures, in the order of its
// table. Designs are read on any of them, and do not import it; a test of package reports,
// which knows both, holds the lists together.
var kernelNames = []struct {
	dtype dtype.DType
	names []string
}{
	{dtype.Float32, []string{"generic", "avx2", "avx512", "neon", "sve"}},
	{dtype.Int8, []string{"generic", "avx2", "avxvnni", "avx512vnni", "amxint8", "neon", "dotprod", "i8mm", "sve"}},
	{dtype.Binary, []string{"generic", "avx2", "avx512carrysave", "avx512vpopcntdq", "neon", "sve"}},
}

// KernelNames lists this program's kernels of a format, on whatever architecture; none
// where it has none of its own.
func KernelNames(d dtype.DType) []string {
	for i := range kernelNames {
		if kernelNames[i].dtype == d {
			return slices.Clone(kernelNames[i].names)
		}
	}
	return nil
}

// hasKernel is KernelNames without allocating.
func hasKernel(d dtype.DType, name string) bool {
	for i := range kernelNames {
		if kernelNames[i].dtype == d && slices.Contains(kernelNames[i].names, name) {
			return true
		}
	}
	return false
}

// checkKernels holds the names of kernels and of the CPU against what reports look
// them up by.
func (v *Vector) checkKernels() *checkError {
	measured := false // the clock, by a float32 loop
	for i := range v.LoopCount {
		l := &v.Loops[i]
		switch {
		case l.Kernel == "":
			continue
		case l.WeightBits > 0:
			return &checkError{fmt.Sprintf("loops[%d].kernel", i), fmt.Sprintf("%q: this program has no kernel of weights of fewer bits: want the key left out", l.Kernel)}
		case !hasKernel(l.DType, l.Kernel):
			key := fmt.Sprintf("loops[%d].kernel", i)
			names := KernelNames(l.DType)
			if names == nil {
				return &checkError{key, fmt.Sprintf("%q: this program has no kernel of %v: want the key left out", l.Kernel, l.DType)}
			}
			return &checkError{key, fmt.Sprintf("%q: no kernel of %v: did you mean %q? want %s", l.Kernel, l.DType, nearest(l.Kernel, names), orList(names))}
		case v.CPU == "":
			return &checkError{fmt.Sprintf("loops[%d].kernel", i), fmt.Sprintf("%q: applies to designs with cpu only, where reports compare it", l.Kernel)}
		}
		measured = measured || l.DType == dtype.Float32
	}
	if v.CPU == "" {
		return nil
	}
	if err := checkCPU(v.CPU); err != "" {
		return &checkError{"cpu", fmt.Sprintf("%q: %s", v.CPU, err)}
	}
	if !measured {
		return &checkError{"cpu", fmt.Sprintf("%q: want a loop of float32 with its kernel too, by whose measured peak reports find the clock", v.CPU)}
	}
	return nil
}

// vendors are those of amd64, the one architecture that names families, as cpuid calls
// them.
var vendors = []string{"AMD", "Intel", "Hygon", "VIA"}

// checkCPU says what is wrong with the name of a CPU's family, "" if nothing is.
func checkCPU(cpu string) string {
	const want = "want VENDOR family N or VENDOR family N model LIST, such as AMD family 26 or AMD family 25 model 17, 96-127"
	vendor, rest, _ := strings.Cut(cpu, " ")
	if !slices.Contains(vendors, vendor) {
		return fmt.Sprintf("vendor %q: did you mean %q? %s", vendor, nearest(vendor, vendors), want)
	}
	family, models, more := strings.Cut(rest, " model ")
	family, ok := strings.CutPrefix(family, "family ")
	if _, plain := plainNumber(family); !ok || !plain {
		return want
	}
	for more && ok {
		var item string
		item, models, more = strings.Cut(models, ", ")
		if _, _, ok = modelRange(item); !ok {
			return want
		}
	}
	return ""
}

// IsCPU tells whether a CPU, as reports describe it ("AMD family 25 model 17"), is this
// core's.
func (v *Vector) IsCPU(cpu string) bool {
	family, models, some := strings.Cut(v.CPU, " model ")
	rest, ok := strings.CutPrefix(cpu, family)
	if !ok || family == "" || !some {
		return ok && family != "" && (rest == "" || strings.HasPrefix(rest, " model "))
	}
	model, err := strconv.Atoi(strings.TrimPrefix(rest, " model "))
	for err == nil && some {
		var item string
		item, models, some = strings.Cut(models, ", ")
		if from, to, ok := modelRange(item); ok && from <= model && model <= to {
			return true
		}
	}
	return false
}

// modelRange reads N or N-M.
func modelRange(s string) (from, to int, ok bool) {
	first, last, is := strings.Cut(s, "-")
	from, ok = plainNumber(first)
	if to = from; is && ok {
		to, ok = plainNumber(last)
	}
	return from, to, ok && from <= to
}

// plainNumber reads a number, if it is written as reports write it.
func plainNumber(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil && strconv.FormatUint(n, 10) == s
}
