package arm64_test

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"macroscope/dtype"
	"macroscope/kernels/arm64"
)

// classes tells an instruction's class, a field of arm64.Mix, from its word: the
// bits of mask are those of word (Arm Architecture Reference Manual, DDI 0487,
// C4.1). It does not use the generator's table, which it is to check.
var classes = []struct {
	field      string
	mask, word uint32
}{
	{"LoadQ", 0xffe0fc00, 0x3ce06800},    // LDR Qt, [Xn, Xm]
	{"LoadPair", 0xffc00000, 0xad400000}, // LDP Qt, Qt2, [Xn, #imm]
	{"FMLA", 0xffc0f400, 0x4f801000},     // by element, 4S
	{"SDOT", 0xffc0f400, 0x4f80e000},     // by element
	{"SMMLA", 0xffe0fc00, 0x4e80a400},
	{"SMULL", 0xbfe0fc00, 0x0e20c000}, // and SMULL2, 8H
	{"SMULL", 0xbfe0fc00, 0x0e208000}, // SMLAL and SMLAL2, 8H
	{"SADALP", 0xfffffc00, 0x4e606800},
	{"EOR", 0xffe0fc00, 0x6e201c00},
	{"CNT", 0xfffffc00, 0x4e205800},
	{"UADALP", 0xff3ffc00, 0x6e206800},
	{"Add", 0xff20fc00, 0x4e208400},
	{"Permute", 0xffe0fc00, 0x4e000400}, // DUP of an element
	{"Permute", 0xff20bc00, 0x4e003800}, // ZIP1 and ZIP2
	{"Scalar", 0xff800000, 0x91000000},  // ADD Xd, Xn, #imm
	{"Scalar", 0xff800000, 0xf1000000},  // SUBS Xd, Xn, #imm
	{"Branch", 0xff000010, 0x54000000},  // B.cond

	// SVE, Z registers (C4.1.37)
	{"LoadQ", 0xffc0e000, 0x85804000},    // LDR Zt, [Xn, #imm, MUL VL]
	{"LoadLane", 0xffe0e000, 0xa5000000}, // LD1RQW, scalar and scalar
	{"LoadLane", 0xffc0e000, 0x8540c000}, // LD1RW
	{"FMLA", 0xffe0fc00, 0x64a00000},     // by element, S
	{"SDOT", 0xffe0fc00, 0x44a00000},     // by element, S
	{"UDOT", 0xffe0fc00, 0x44800400},     // S
	{"EOR", 0xffe0fc00, 0x04a03000},
	{"CNT", 0xffffe000, 0x041aa000},    // B
	{"Scalar", 0xff200000, 0x8b000000}, // ADD Xd, Xn, Xm, shift
}

// TestExecutedInstructions counts, in an emulator, the instructions that each
// tile executes for few and for more words of K, and holds the difference of a
// trip, class by class, against what the generator counted. A tile of pieces
// executes the same for a piece of all rows, and for half of the rows half of
// it, but all of B's loads.
func TestExecutedInstructions(t *testing.T) {
	if testing.Short() {
		t.Skip("short: builds a program for arm64 and runs it step by step")
	}
	qemu, err := exec.LookPath("qemu-aarch64")
	if err != nil {
		t.Skip("no qemu-aarch64 (package qemu-user)")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command")
	}
	program := filepath.Join(t.TempDir(), "trips")
	build := exec.Command(tool, "build", "-buildvcs=false", "-o", program, "./testdata/trips")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build for arm64: %v\n%s", err, out)
	}

	all := slices.Concat(arm64.Mixes, arm64.SVEMixes)
	holdCounts(t, qemu, program, all)
	var whole, half []arm64.Mix
	for _, m := range all {
		if m.FMLA+m.SDOT+m.UDOT+m.SMMLA == 0 {
			continue // no tile of pieces
		}
		whole = append(whole, m)
		ofRows := []*int{&m.MACs, &m.LoadQ, &m.FMLA, &m.SDOT, &m.SMMLA, &m.Permute}
		if m.Impl == "sve" {
			ofRows = []*int{&m.MACs, &m.LoadLane, &m.FMLA, &m.SDOT, &m.EOR, &m.CNT, &m.UDOT}
			if m.DType == dtype.Binary {
				m.Scalar -= m.MR / 2 // each row's ADD
			}
		}
		for _, n := range ofRows {
			*n /= 2
		}
		half = append(half, m)
	}
	holdCounts(t, qemu, program, whole, "0")
	holdCounts(t, qemu, program, half, "1")
	holdCounts(t, qemu, program, half, "2")
}

// holdCounts runs all tiles, or those of pieces of the given rows.
func holdCounts(t *testing.T, qemu, program string, mixes []arm64.Mix, rows ...string) {
	t.Helper()
	// Both are whole trips, and the binary tile widens its bytes in neither.
	const few, more = 8, 24
	var less, counts map[string]map[string]int
	var names map[string]string
	// A busy machine lets the runtime tell a goroutine to yield, on which a tile's
	// stack check is executed twice, in one of the two runs: run again. What a
	// loop executes in truth is there each time.
	for range 5 {
		less, names = execute(t, qemu, program, few, rows...)
		counts, _ = execute(t, qemu, program, more, rows...)
		if !differOutsideClasses(less, counts) {
			break
		}
	}

	if len(names) != len(mixes) {
		t.Fatalf("%d tiles ran, %d are counted: %v", len(names), len(mixes), names)
	}
	of := ""
	if rows != nil {
		of = ", a piece of rows " + rows[0]
	}
	for _, m := range mixes {
		kernel := fmt.Sprintf("%v %s %t", m.DType, m.Impl, m.NonNegative)
		function, ok := names[kernel]
		if !ok {
			t.Errorf("%s%s did not run", kernel, of)
			continue
		}
		trips := (more - few) / m.KWords
		total, want := 0, 0
		for f := range reflect.TypeFor[arm64.Mix]().Fields() {
			if !isClass(f.Name) {
				continue
			}
			n := int(reflect.ValueOf(m).FieldByName(f.Name).Int())
			got := counts[function][f.Name] - less[function][f.Name]
			if got != n*trips {
				t.Errorf("%s%s: %d %s executed in %d trips, counted %d a trip", kernel, of, got, f.Name, trips, n)
			}
			want += n
		}
		for class, n := range counts[function] {
			total += n - less[function][class]
			if !isClass(class) && n != less[function][class] {
				t.Errorf("%s%s: %d instructions of no class in %d trips: %s", kernel, of, n-less[function][class], trips, class)
			}
		}
		t.Logf("%-20s %4d instructions a trip, %.4f a MAC; counted %4d, %.4f%s", kernel, total/trips, float64(total)/float64(trips*m.MACs), want, float64(want)/float64(m.MACs), of)
	}
}

// differOutsideClasses tells whether two runs executed different instructions of
// no class.
func differOutsideClasses(a, b map[string]map[string]int) bool {
	for function := range b {
		for class, n := range b[function] {
			if !isClass(class) && n != a[function][class] {
				return true
			}
		}
		for class, n := range a[function] {
			if !isClass(class) && n != b[function][class] {
				return true
			}
		}
	}
	return false
}

// isClass says whether a field of arm64.Mix counts instructions.
func isClass(field string) bool {
	for _, c := range classes {
		if c.field == field {
			return true
		}
	}
	return false
}

// Lines of qemu's log of executed blocks, each of one instruction, with the
// program counter. A block that a signal stopped has been logged, but was not
// executed, and is logged again.
var (
	trace   = regexp.MustCompile(`^Trace .*\[[0-9a-f]+/([0-9a-f]+)/`)
	stopped = regexp.MustCompile(`^Stopped execution .*\[([0-9a-f]+)\]`)
)

// execute runs the program over words of K, with rows if it is of pieces, and gives, for each tile's function,
// how many instructions of each class it executed, and the functions' names by
// kernel.
func execute(t *testing.T, qemu, program string, words int, rows ...string) (counts map[string]map[string]int, names map[string]string) {
	t.Helper()
	text, functions, ranges := tiles(t, program)
	log := filepath.Join(t.TempDir(), "trace")
	run := exec.Command(qemu, "-cpu", "max,sve-default-vector-length=16", single(t, qemu), "-d", "exec,nochain", "-dfilter", strings.Join(ranges, ","), "-D", log, program, strconv.Itoa(words))
	run.Args = append(run.Args, rows...)
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", run, err, stderr.Bytes())
	}
	names = map[string]string{}
	for line := range strings.Lines(string(out)) {
		at := strings.LastIndexByte(line, ' ')
		names[line[:at]] = strings.TrimSpace(line[at:])
	}

	f, err := os.Open(log)
	if err != nil {
		t.Skipf("qemu wrote no log of what it executed: %v", err)
	}
	defer f.Close()
	counts = map[string]map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		m, n := trace.FindStringSubmatch(lines.Text()), 1
		if m == nil {
			if m, n = stopped.FindStringSubmatch(lines.Text()), -1; m == nil {
				continue
			}
		}
		pc, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range functions {
			if s.Value <= pc && pc < s.Value+s.Size {
				name := strings.TrimSuffix(s.Name, ".abi0")
				if counts[name] == nil {
					counts[name] = map[string]int{}
				}
				counts[name][classOf(text, pc)] += n
			}
		}
	}
	return counts, names
}

// single is qemu's flag for one instruction a block, which has changed its name.
func single(t *testing.T, qemu string) string {
	t.Helper()
	help, err := exec.Command(qemu, "-help").Output()
	if err != nil {
		t.Skipf("qemu-aarch64 -help: %v", err)
	}
	for _, flag := range []string{"-one-insn-per-tb", "-singlestep"} {
		if bytes.Contains(help, []byte(flag)) {
			return flag
		}
	}
	t.Skip("this qemu-aarch64 cannot go instruction by instruction")
	return ""
}

// tiles finds the tiles' code in the program, and the ranges as qemu takes them.
func tiles(t *testing.T, program string) (text *elf.Section, functions []elf.Symbol, ranges []string) {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		if strings.HasPrefix(s.Name, "macroscope/kernels/arm64.tile") && strings.HasSuffix(s.Name, ".abi0") {
			functions = append(functions, s)
			ranges = append(ranges, fmt.Sprintf("%#x+%#x", s.Value, s.Size))
		}
	}
	if len(functions) == 0 {
		t.Fatal("no tile functions in the program")
	}
	return f.Section(".text"), functions, ranges
}

// classOf is the class of the instruction at pc, or its word in hexadecimal.
func classOf(text *elf.Section, pc uint64) string {
	var b [4]byte
	if _, err := text.ReadAt(b[:], int64(pc-text.Addr)); err != nil {
		return err.Error()
	}
	word := binary.LittleEndian.Uint32(b[:])
	for _, c := range classes {
		if word&c.mask == c.word {
			return c.field
		}
	}
	return fmt.Sprintf("%08x", word)
}
