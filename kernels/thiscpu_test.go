//go:build amd64 && !purego

package kernels

import (
	"testing"

	"github.com/klauspost/cpuid/v2"

	"macroscope/dtype"
	"macroscope/kernels/tile"
)

// Small images take fewer weights, not fewer products, where weights come from afar; where
// they stay near, or nobody measured how far they come, products alone count.
func TestWinogradFor(t *testing.T) {
	intel, zen4 := tile.CPU{Vendor: cpuid.Intel, Family: 6, Model: 207}, tile.CPU{Vendor: cpuid.AMD, Family: 25, Model: 17}
	const cache, fits, far = 2 << 20, 2 << 20, 2<<20 + 1
	for _, c := range []struct {
		name        string
		on          tile.CPU
		bytes, h, w int
		want        int
	}{
		{"avx512", intel, far, 16, 16, 4}, {"avx512", intel, far, 8, 16, 4}, {"avx512", intel, far, 8, 12, 2}, {"avx512", intel, far, 8, 8, 2},
		{"avx512", intel, far, 4, 8, 2}, {"avx512", intel, far, 4, 4, 0}, {"avx512", intel, far, 12, 12, 4},
		{"avx512", intel, fits, 8, 8, 4}, {"avx512", intel, fits, 4, 4, 4}, {"avx512", zen4, far, 8, 8, 4},
		{"avx512", tile.CPU{}, far, 4, 4, 4}, {"avx512", intel, fits, 6, 10, 2}, {"avx512", intel, far, 6, 10, 2},
		{"avx512", intel, far, 7, 8, 0}, {"avx512", intel, fits, 2, 2, 2}, {"avx512", intel, far, 2, 2, 0},
		{"avx2", intel, far, 8, 8, 4}, {"avx2", intel, far, 4, 8, 2}, {"avx2", intel, far, 4, 4, 2},
		{"generic", intel, far, 4, 4, 4},
	} {
		im, err := Lookup(dtype.Float32, c.name)
		if err != nil {
			t.Fatal(err)
		}
		if m := im.winogradFor(c.h, c.w, c.bytes, c.on, cache); m != c.want {
			t.Errorf("%v on %+v, %d×%d sums, %d bytes of weights: F(%d, 3), want %d", im, c.on, c.h, c.w, c.bytes, m, c.want)
		}
		if m, near := im.winogradFor(c.h, c.w, c.bytes, c.on, -1), im.winogradFor(c.h, c.w, fits, c.on, cache); m != near {
			t.Errorf("%v on %+v, %d×%d sums, a cache of unknown size: F(%d, 3), want %d", im, c.on, c.h, c.w, m, near)
		}
	}
}

// What was measured on one kind of CPU decides nothing on another: each has its own
// numbers, and what holds for others is no more than what held wherever it was measured.
func TestMeasuredByCPU(t *testing.T) {
	zen4, zen5 := tile.CPU{Vendor: cpuid.AMD, Family: 25, Model: 17}, tile.CPU{Vendor: cpuid.AMD, Family: 26, Model: 2}
	emerald, sapphire := tile.CPU{Vendor: cpuid.Intel, Family: 6, Model: 207}, tile.CPU{Vendor: cpuid.Intel, Family: 6, Model: 143}
	alderLake := tile.CPU{Vendor: cpuid.Intel, Family: 6, Model: 151}
	unknown := tile.CPU{Vendor: cpuid.VIA, Family: 7}
	row := func(d dtype.DType, name string) *Impl {
		t.Helper()
		im, err := Lookup(d, name)
		if err != nil {
			t.Fatal(err)
		}
		return im
	}
	for _, c := range []struct {
		on                     tile.CPU
		avx2, avxvnni, avx512  int // m of F(m×m, 3×3) with 64 channels
		serial512, serialAVX2s int // products of bits
	}{
		{zen4, 4, 0, 4, 3, 1},
		{zen5, 4, 0, 0, 3, 1},
		{emerald, 4, 4, 0, 2, 1},
		{sapphire, 4, 4, 0, 2, 1},
		{alderLake, 4, 0, 0, 2, 1}, // of the same family, but nothing was measured on its model
		{unknown, 4, 0, 0, 2, 1},
		{tile.CPU{}, 4, 0, 0, 2, 1},
	} {
		for name, want := range map[string]int{"avx2": c.avx2, "avxvnni": c.avxvnni, "avx512vnni": c.avx512, "amxint8": 0} {
			im := row(dtype.Int8, name)
			if m := im.winogradPays(64, c.on); m != want {
				t.Errorf("%+v: %v by F(%d, 3): want %d", c.on, im, m, want)
			}
			if m := im.winogradPays(8, c.on); m != 0 {
				t.Errorf("%+v: %v with 8 channels by F(%d, 3): fewer than was measured", c.on, im, m)
			}
		}
		for name, want := range map[string]int{"avx512vnni": c.serial512, "amxint8": 0} {
			if n := row(dtype.Binary, "avx512vpopcntdq").serialPays(row(dtype.Int8, name), 64, c.on); n != want {
				t.Errorf("%+v: %d products of bits for one of %s: want %d", c.on, n, name, want)
			}
		}
		for _, name := range []string{"avx2", "avxvnni"} {
			if n := row(dtype.Binary, "avx2").serialPays(row(dtype.Int8, name), 64, c.on); n != c.serialAVX2s {
				t.Errorf("%+v: %d products of bits for one of %s: want %d", c.on, n, name, c.serialAVX2s)
			}
		}
	}
	if want := (tile.CPU{Vendor: cpuid.CPU.VendorID, Family: cpuid.CPU.Family, Model: cpuid.CPU.Model}); thisCPU != want {
		t.Errorf("this CPU is %+v, cpuid says %+v", thisCPU, want)
	}
}
