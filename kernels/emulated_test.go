package kernels

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/cpuid/v2"

	"macroscope/internal/emulate"
)

// emulatedEnv names to a child process of TestEmulated the rows that it shall
// take for available. Only tests read it, and only in a traced process.
const emulatedEnv = "MACROSCOPE_TEST_EMULATED"

// emulated are the rows whose instructions are emulated in this process.
var emulated = func() map[*Impl]bool {
	rows := map[*Impl]bool{}
	if names := os.Getenv(emulatedEnv); names != "" && emulate.Traced() {
		for _, im := range table {
			if slices.Contains(strings.Split(names, ","), im.String()) {
				im.reason = ""
				rows[im] = true
			}
		}
	}
	return rows
}()

// racing says that the race detector runs.
var racing bool

// emulable says whether a row lacks nothing but instructions that can be emulated.
func emulable(im *Impl) bool {
	features := []cpuid.FeatureID{cpuid.AMXTILE, cpuid.AMXINT8, cpuid.AVXVNNI}
	lacks := false
	for _, f := range im.k.Needs {
		if !cpuid.CPU.Supports(f) {
			if lacks = true; !slices.Contains(features, f) {
				return false
			}
		}
	}
	return lacks
}

// Rows that this CPU lacks are tested all the same, as far as the lacking
// instructions can be emulated: the int8 tests run in a child process, with
// fewer cases. Each row has a child of its own, so that what is tested of it does
// not depend on which others this CPU lacks.
func TestEmulated(t *testing.T) {
	if os.Getenv(EnvVar) != "" {
		t.Skipf("%s is set: emulated rows are tested without", EnvVar)
	}
	if racing {
		t.Skip("race detector: rows that run here share all that emulated ones do")
	}
	rows := 0
	for _, im := range Table() {
		if emulable(im) {
			rows++
			t.Run(im.Name(), func(t *testing.T) { testEmulated(t, im) })
		}
	}
	if rows == 0 {
		t.Skip("no row lacks only what can be emulated")
	}
}

func testEmulated(t *testing.T, im *Impl) {
	row, name := im.String(), im.Name()
	own := map[string]struct{ tests, mnemonics []string }{
		"avxvnni": {[]string{"TestWinogradInt8", "TestWinogradInt8Extremes"}, []string{"VPDPBUSD", "VPDPWSSD"}},
		"amxint8": {[]string{"TestStress", "TestNetwork"}, []string{"TDPBSSD"}},
	}[name]
	named := []string{"TestConv", "TestConvWide", "TestConv2D", "TestGemm"} // subtests are dtype/name
	flat := append([]string{"TestDotInt8", "TestDotUint8", "TestConvAllocatesNothing", "TestPeak"}, own.tests...)

	file := filepath.Join(t.TempDir(), "out")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	result, err := emulate.Run(out, append(os.Environ(), emulatedEnv+"="+row),
		"-test.v", fmt.Sprintf("-test.short=%v", testing.Short()), "-test.run=^("+strings.Join(slices.Concat(named, flat), "|")+")$", fmt.Sprintf("-seed=%d", *seed))
	text, readErr := os.ReadFile(file)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if errors.Is(err, emulate.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || result.Code != 0 {
		t.Fatalf("exit code %d, %v\n%s", result.Code, err, text)
	}
	var want []string
	for _, test := range named {
		want = append(want, test+"/"+row)
	}
	for _, test := range flat {
		want = append(want, test+"/"+name)
	}
	for _, w := range want {
		if !strings.Contains(string(text), "--- PASS: "+w+" (") {
			t.Errorf("no pass of %s\n%s", w, text)
		}
	}
	for _, mnemonic := range own.mnemonics {
		if result.Counts[mnemonic] == 0 {
			t.Errorf("no %s was emulated", mnemonic)
		}
	}
	if c := result.Counts; c["LDTILECFG"] != c["TILERELEASE"] {
		t.Errorf("tiles were configured %d times and released %d times", c["LDTILECFG"], c["TILERELEASE"])
	}
	t.Logf("emulated %v", result.Counts)
}
