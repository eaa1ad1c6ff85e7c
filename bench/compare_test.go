package bench

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("%s differs; if the change is right, run go test -update ./bench. Got:\n%s", path, got)
	}
}

func in(names ...string) []string {
	for i, n := range names {
		label, file, ok := strings.Cut(n, "=")
		if !ok {
			label, file = strings.TrimSuffix(n, ".txt"), n
		}
		names[i] = label + "=" + filepath.Join("testdata", "compare", file)
	}
	return names
}

func TestCompareGolden(t *testing.T) {
	tests := []struct {
		name    string
		paths   []string
		opt     CompareOptions
		formats []string
	}{
		{"machines", in("old.txt", "new.txt"), CompareOptions{}, Formats},
		{"machines-base-new", in("old.txt", "new.txt"), CompareOptions{Base: "new", Filter: ".unit:sec/op"}, []string{"text"}},
		{"impls", in("old.txt"), CompareOptions{}, Formats},
		{"impls-base", in("old.txt"), CompareOptions{By: "impl", Base: "avx512vnni", Filter: "/dtype:int8 .unit:GMAC/s"}, []string{"text"}},
		{"impls-two-files", in("old.txt", "new.txt"), CompareOptions{By: "impl", Filter: "/dtype:int8 .unit:ns/op"}, []string{"text"}},
		{"one-machine", in("old.txt"), CompareOptions{By: "machine", Filter: ".unit:GMAC/s"}, []string{"text"}},
		{"three", in("old.txt", "few.txt", "new.txt"), CompareOptions{Filter: ".unit:sec/op"}, []string{"text"}},
		{"same-file-twice", []string{"testdata/compare/old.txt", "testdata/compare/old.txt"}, CompareOptions{Filter: ".name:Dot .unit:sec/op"}, []string{"text"}},
		{"bad-lines", in("bad.txt", "bad2=bad.txt"), CompareOptions{}, []string{"text", "json"}},
	}
	for _, tt := range tests {
		for _, format := range tt.formats {
			t.Run(tt.name+"/"+format, func(t *testing.T) {
				c, err := Compare(tt.paths, tt.opt)
				if err != nil {
					t.Fatal(err)
				}
				var b strings.Builder
				if err := c.Write(&b, format); err != nil {
					t.Fatal(err)
				}
				ext := format
				if ext == "text" {
					ext = "txt"
				}
				golden(t, filepath.Join("compare", tt.name+".golden."+ext), filepath.ToSlash(b.String()))
			})
		}
	}
}

func TestCompareErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := write("a.txt", "BenchmarkX/impl=generic 1 5 ns/op\n")
	other := write("other.txt", "BenchmarkX/impl=generic 1 5 furlongs\n")
	tests := []struct {
		name  string
		paths []string
		opt   CompareOptions
		want  string
	}{
		{"missing file", []string{a, filepath.Join(dir, "absent.txt")}, CompareOptions{}, "absent.txt: no such file"},
		{"folder", []string{dir}, CompareOptions{}, dir},
		{"empty", []string{a, write("empty.txt", "")}, CompareOptions{}, "empty.txt: no benchmark result"},
		{"no results", []string{a, write("log.txt", "PASS\nok x 1s\n")}, CompareOptions{}, "log.txt: no benchmark result"},
		{"unit differs", []string{a, other}, CompareOptions{}, "no benchmark and unit in common"},
		{"filter syntax", []string{a}, CompareOptions{Filter: "("}, `filter "(": `},
		{"filter leaves nothing", []string{a}, CompareOptions{Filter: "/impl:avx2"}, "filter leaves no"},
		{"by unknown key", []string{a}, CompareOptions{By: "colour"}, "no benchmark name has /colour="},
		{"by nonsense", []string{a}, CompareOptions{By: "a,b"}, `by "a,b": want machine`},
		{"unknown base", []string{a}, CompareOptions{Base: "amx"}, `base "amx": want generic`},
		{"huge line", []string{write("huge.txt", "x: "+strings.Repeat("y", 1<<20))}, CompareOptions{}, "huge.txt:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Compare(tt.paths, tt.opt)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v (%v), want one line with %q", err, c, tt.want)
			}
		})
	}
	if err := (&Comparison{}).Write(&strings.Builder{}, "xml"); err == nil {
		t.Error("format xml: no error")
	}
}

func TestVerdicts(t *testing.T) {
	base := []float64{100, 101, 102, 103, 104, 105}
	tests := []struct {
		name    string
		unit    string
		a, b    []float64
		ratio   float64
		verdict Verdict
		sig     bool
	}{
		{"time halved", "sec/op", base, []float64{50, 50.5, 51, 51.5, 52, 52.5}, 2, Faster, true},
		{"time doubled", "sec/op", base, []float64{200, 202, 204, 206, 208, 210}, 0.5, Slower, true},
		{"rate doubled", GMACPerSecond, base, []float64{200, 202, 204, 206, 208, 210}, 2, Faster, true},
		{"percent halved", PercentOfPeak, base, []float64{50, 50.5, 51, 51.5, 52, 52.5}, 0.5, Worse, true},
		{"interleaved", "sec/op", base, []float64{100.5, 101.5, 102.5, 103.5, 104.5, 99}, 102.5 / 102, WithinNoise, false},
		{"too few", "sec/op", base[:3], []float64{50, 51, 52}, 101.0 / 51, TooFewRuns, false},
		{"one against many", "sec/op", base, []float64{50}, 2.05, TooFewRuns, false},
		{"constant and equal", "allocs/op", []float64{2, 2, 2, 2, 2, 2}, []float64{2, 2, 2, 2, 2, 2}, 1, Equal, false},
		{"allocations fell", "allocs/op", []float64{4, 4, 4, 4, 4, 4}, []float64{2, 2, 2, 2, 2, 2}, 2, Better, true},
		{"to zero", "allocs/op", []float64{4, 4, 4, 4, 4, 4}, []float64{0, 0, 0, 0, 0, 0}, math.NaN(), Better, true},
		{"exact, smaller", WeightBytes, []float64{400}, []float64{100}, 4, Better, true},
		{"exact, equal", WeightBytes, []float64{400}, []float64{400, 400}, 1, Equal, false},
		{"direction unknown", "widgets", base, []float64{200, 202, 204, 206, 208, 210}, 2, More, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := lookUnit(tt.unit, nil)
			a, b := newStats(tt.a, u), newStats(tt.b, u)
			ch := newChange(&a, &b)
			if math.Abs(ch.Ratio-tt.ratio) > 1e-12 || math.IsNaN(ch.Ratio) != math.IsNaN(tt.ratio) {
				t.Errorf("ratio %v, want %v", ch.Ratio, tt.ratio)
			}
			if ch.Verdict != tt.verdict || ch.Significant != tt.sig {
				t.Errorf("verdict %q, significant %v; want %q, %v (p=%v)", ch.Verdict, ch.Significant, tt.verdict, tt.sig, ch.P)
			}
			if !math.IsNaN(ch.Ratio) && !(ch.Lo <= ch.Ratio && ch.Ratio <= ch.Hi) {
				t.Errorf("ratio %v is outside of its interval %v to %v", ch.Ratio, ch.Lo, ch.Hi)
			}
		})
	}
}

// The mean counts only cases that both columns have: by hand, 2 and 8 give 4.
func TestGeomeanOverCommonCases(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	os.WriteFile(a, []byte("BenchmarkX 1 100 ns/op\nBenchmarkY 1 100 ns/op\nBenchmarkOnlyA 1 1 ns/op\nBenchmarkZero 1 0 ns/op\n"), 0o666)
	os.WriteFile(b, []byte("BenchmarkX 1 50 ns/op\nBenchmarkY 1 12.5 ns/op\nBenchmarkOnlyB 1 1000 ns/op\nBenchmarkZero 1 0 ns/op\n"), 0o666)
	c, err := Compare([]string{a, b}, CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Tables) != 1 {
		t.Fatalf("%d tables, want 1: 0 ns/op is sec/op too", len(c.Tables))
	}
	g := c.Tables[0].Geomean[1]
	if g.N != 2 || math.Abs(g.Ratio-4) > 1e-12 {
		t.Errorf("geomean %v over %d cases, want 4 over 2", g.Ratio, g.N)
	}
}

func FuzzCompare(f *testing.F) {
	for _, name := range []string{"old.txt", "bad.txt", "few.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", "compare", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("Unit sec/op better=higher\nUnit sec/op better=lower\nBenchmarkX-1 1 1e309 ns/op 5 B/s\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.txt")
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		for _, opt := range []CompareOptions{{}, {By: "machine"}} {
			c, err := Compare([]string{path, "again=" + path}, opt)
			if err != nil {
				continue
			}
			for _, format := range Formats {
				if err := c.Write(&strings.Builder{}, format); err != nil {
					t.Errorf("%s: %v", format, err)
				}
			}
		}
	})
}
