//go:build linux && amd64

package emulate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// The bytes as GNU as 2.40 writes them for the instruction beside, in AT&T's
// order of operands.
func TestDecode(t *testing.T) {
	const ax, cx, bx, sp, bp, r8, r9, r12, r13, r14, r15 = 0, 1, 3, 4, 5, 8, 9, 12, 13, 14, 15
	for _, c := range []struct {
		gas  string
		code []byte
		want instr
	}{
		{"ldtilecfg (%rax)", []byte{0xc4, 0xe2, 0x78, 0x49, 0x00}, instr{op: loadConfig, base: ax, index: -1}},
		{"ldtilecfg 6144(%r12)", []byte{0xc4, 0xc2, 0x78, 0x49, 0x84, 0x24, 0x00, 0x18, 0x00, 0x00}, instr{op: loadConfig, base: r12, index: -1, disp: 6144}},
		{"tilerelease", []byte{0xc4, 0xe2, 0x78, 0x49, 0xc0}, instr{op: release}},
		{"tilezero %tmm5", []byte{0xc4, 0xe2, 0x7b, 0x49, 0xe8}, instr{op: zero, dst: 5}},
		{"tileloadd (%rax,%rcx,1), %tmm3", []byte{0xc4, 0xe2, 0x7b, 0x4b, 0x1c, 0x08}, instr{op: load, dst: 3, base: ax, index: cx}},
		{"tileloadd (%rax,%rcx,8), %tmm3", []byte{0xc4, 0xe2, 0x7b, 0x4b, 0x1c, 0xc8}, instr{op: load, dst: 3, base: ax, index: cx, shift: 3}},
		{"tileloadd (%rax), %tmm3", []byte{0xc4, 0xe2, 0x7b, 0x4b, 0x1c, 0x20}, instr{op: load, dst: 3, base: ax, index: -1}},
		{"tileloadd -64(%r8,%r9,1), %tmm4", []byte{0xc4, 0x82, 0x7b, 0x4b, 0x64, 0x08, 0xc0}, instr{op: load, dst: 4, base: r8, index: r9, disp: -64}},
		{"tileloadd 1024(%r14,%r15,1), %tmm7", []byte{0xc4, 0x82, 0x7b, 0x4b, 0xbc, 0x3e, 0x00, 0x04, 0x00, 0x00}, instr{op: load, dst: 7, base: r14, index: r15, disp: 1024}},
		{"tileloadd 0(%r13,%rbx,1), %tmm0", []byte{0xc4, 0xc2, 0x7b, 0x4b, 0x44, 0x1d, 0x00}, instr{op: load, dst: 0, base: r13, index: bx}},
		{"tileloadd (%rsp,%rbp,1), %tmm1", []byte{0xc4, 0xe2, 0x7b, 0x4b, 0x0c, 0x2c}, instr{op: load, dst: 1, base: sp, index: bp}},
		{"tilestored %tmm3, 2112(%r12,%r13,1)", []byte{0xc4, 0x82, 0x7a, 0x4b, 0x9c, 0x2c, 0x40, 0x08, 0x00, 0x00}, instr{op: store, dst: 3, base: r12, index: r13, disp: 2112}},
		{"tdpbssd %tmm6, %tmm4, %tmm0", []byte{0xc4, 0xe2, 0x4b, 0x5e, 0xc4}, instr{op: dotSS, dst: 0, a: 4, b: 6}},
		{"tdpbsud %tmm1, %tmm2, %tmm3", []byte{0xc4, 0xe2, 0x72, 0x5e, 0xda}, instr{op: dotSU, dst: 3, a: 2, b: 1}},
		{"tdpbusd %tmm1, %tmm2, %tmm3", []byte{0xc4, 0xe2, 0x71, 0x5e, 0xda}, instr{op: dotUS, dst: 3, a: 2, b: 1}},
		{"tdpbuud %tmm1, %tmm2, %tmm3", []byte{0xc4, 0xe2, 0x70, 0x5e, 0xda}, instr{op: dotUU, dst: 3, a: 2, b: 1}},
		{"{vex} vpdpbusd %ymm1, %ymm2, %ymm3", []byte{0xc4, 0xe2, 0x6d, 0x50, 0xd9}, instr{op: dotBytes, dst: 3, a: 2, b: 1}},
		{"{vex} vpdpbusd %ymm14, %ymm8, %ymm12", []byte{0xc4, 0x42, 0x3d, 0x50, 0xe6}, instr{op: dotBytes, dst: 12, a: 8, b: 14}},
		{"{vex} vpdpwssd %ymm1, %ymm2, %ymm3", []byte{0xc4, 0xe2, 0x6d, 0x52, 0xd9}, instr{op: dotWords, dst: 3, a: 2, b: 1}},
		{"{vex} vpdpwssd %ymm14, %ymm8, %ymm12", []byte{0xc4, 0x42, 0x3d, 0x52, 0xe6}, instr{op: dotWords, dst: 12, a: 8, b: 14}},
	} {
		c.want.size = len(c.code)
		got := decode(append(c.code, 0x90, 0x90))
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.gas, got, c.want)
		}
		for n := range c.code {
			if in := decode(c.code[:n]); in.op != none {
				t.Errorf("%s: cut to %d bytes it is %+v", c.gas, n, in)
			}
		}
	}
}

func TestDecodeLeavesOthers(t *testing.T) {
	for _, c := range []struct {
		gas  string
		code []byte
	}{
		{"ud2", []byte{0x0f, 0x0b, 0x90, 0x90, 0x90}},
		{"sttilecfg (%rax)", []byte{0xc4, 0xe2, 0x79, 0x49, 0x00}},
		{"tileloaddt1 (%rax,%rcx,8), %tmm3", []byte{0xc4, 0xe2, 0x79, 0x4b, 0x1c, 0xc8}},
		{"tdpbf16ps %tmm1, %tmm2, %tmm3", []byte{0xc4, 0xe2, 0x72, 0x5c, 0xda}},
		{"{vex} vpdpbusd %xmm1, %xmm2, %xmm3", []byte{0xc4, 0xe2, 0x69, 0x50, 0xd9}},
		{"{vex} vpdpbusds %ymm1, %ymm2, %ymm3", []byte{0xc4, 0xe2, 0x6d, 0x51, 0xd9}},
		{"{vex} vpdpwssds %ymm1, %ymm2, %ymm3", []byte{0xc4, 0xe2, 0x6d, 0x53, 0xd9}},
		{"{vex} vpdpbusd (%rax), %ymm2, %ymm3", []byte{0xc4, 0xe2, 0x6d, 0x50, 0x18}},
		{"vfmadd231ps %ymm1, %ymm2, %ymm3", []byte{0xc4, 0xe2, 0x6d, 0xb8, 0xd9}},
		{"nop", []byte{0x90, 0x90, 0x90, 0x90, 0x90}},
		{"(TILERELEASE with another register)", []byte{0xc4, 0xe2, 0x78, 0x49, 0xc8}},
		{"(tile 8)", []byte{0xc4, 0x62, 0x7b, 0x49, 0xe8}},
	} {
		if in := decode(c.code); in.op != none {
			t.Errorf("%s: got %+v, want none of ours", c.gas, in)
		}
	}
}

// config makes what LDTILECFG reads of rows and bytes of each tile.
func config(sizes ...[2]int) []byte {
	cfg := make([]byte, 64)
	cfg[0] = 1
	for i, s := range sizes {
		cfg[48+i], cfg[16+2*i] = byte(s[0]), byte(s[1])
	}
	return cfg
}

func TestConfigure(t *testing.T) {
	for _, c := range []struct {
		name, want string
		change     func(cfg []byte)
	}{
		{"good", "", func([]byte) {}},
		{"palette", "palette 2", func(cfg []byte) { cfg[0] = 2 }},
		{"start row", "start row 1", func(cfg []byte) { cfg[1] = 1 }},
		{"reserved", "reserved", func(cfg []byte) { cfg[7] = 1 }},
		{"ninth tile", "reserved", func(cfg []byte) { cfg[56] = 1 }},
		{"rows", "17 rows", func(cfg []byte) { cfg[48] = 17 }},
		{"bytes", "65 bytes", func(cfg []byte) { cfg[16] = 65 }},
		{"no rows", "0 rows of 12", func(cfg []byte) { cfg[49] = 0 }},
	} {
		cfg := config([2]int{16, 64}, [2]int{3, 12})
		c.change(cfg)
		tl, err := configure(cfg)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			}
		} else if err != nil || tl.rows[1] != 3 || tl.bytes[1] != 12 || tl.rows[2] != 0 {
			t.Errorf("%s: got %+v, %v", c.name, tl, err)
		}
	}
	if tl, err := configure(make([]byte, 64)); tl != nil || err != nil {
		t.Errorf("palette 0: got %v, %v, want none", tl, err)
	}
}

// flat is memory from address 0 on.
type flat []byte

func (f flat) read(at, distance uint64, rows [][]byte) error {
	for i, r := range rows {
		copy(r, f[at+uint64(i)*distance:])
	}
	return nil
}

func (f flat) write(at, distance uint64, rows [][]byte) error {
	for i, r := range rows {
		copy(f[at+uint64(i)*distance:], r)
	}
	return nil
}

// By hand, 1×2 += 1×4 · 4×2 with bytes 255 and 128 that count as −1 and −128 where
// they are signed: a = 255 1 2 3, columns of b = 1 2 3 4 and 128 0 255 1.
//
//	signed·signed      −1+2+6+12 = 19     128+0−2+3 = 129
//	signed·unsigned    19                 −128+0+510+3 = 385
//	unsigned·signed    255+2+6+12 = 275   −32640+0−2+3 = −32639
//	unsigned·unsigned  275                32640+0+510+3 = 33153
func TestDotByHand(t *testing.T) {
	for o, want := range map[op][2]int32{dotSS: {19, 129}, dotSU: {19, 385}, dotUS: {275, -32639}, dotUU: {275, 33153}} {
		tl, err := configure(config([2]int{1, 8}, [2]int{1, 4}, [2]int{1, 8}))
		if err != nil {
			t.Fatal(err)
		}
		mem := flat{255, 1, 2, 3, 1, 2, 3, 4, 128, 0, 255, 1, 10, 0, 0, 0, 246, 255, 255, 255, 0x5a, 0x5a}
		for _, step := range []struct {
			in instr
			at uint64
		}{{instr{op: load, dst: 1}, 0}, {instr{op: load, dst: 2}, 4}, {instr{op: load, dst: 0}, 12}, {instr{op: o, dst: 0, a: 1, b: 2}, 0}, {instr{op: store, dst: 0}, 12}} {
			if err := tl.do(step.in, step.at, 0, mem); err != nil {
				t.Fatal(err)
			}
		}
		for i, w := range []int32{want[0] + 10, want[1] - 10} {
			if got := int32(uint32(mem[12+4*i]) | uint32(mem[13+4*i])<<8 | uint32(mem[14+4*i])<<16 | uint32(mem[15+4*i])<<24); got != w {
				t.Errorf("%s: column %d: got %d, want %d", mnemonics[o], i, got, w)
			}
		}
		if mem[20] != 0x5a {
			t.Errorf("%s: wrote past the tile", mnemonics[o])
		}
	}
}

// Random tiles against the product of matrices that their layout stands for.
func TestDotRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		m, n, k := 1+r.IntN(16), 1+r.IntN(16), 1+r.IntN(16)
		tl, err := configure(config([2]int{m, 4 * n}, [2]int{m, 4 * k}, [2]int{k, 4 * n}))
		if err != nil {
			t.Fatal(err)
		}
		a, b := make([]int, m*4*k), make([]int, 4*k*n)
		mem := make(flat, 16*80+2*16*64)
		for i := range a { // rows of A lie 80 bytes apart
			a[i] = r.IntN(256) - 128
			mem[i/(4*k)*80+i%(4*k)] = byte(a[i])
		}
		const atB, atC = 16 * 80, 16*80 + 16*64
		for i := range b { // four rows of B lie in a row of the tile
			b[i] = r.IntN(256) - 128
			row, col := i/n, i%n
			mem[atB+row/4*4*n+4*col+row%4] = byte(b[i])
		}
		for _, step := range []struct {
			in           instr
			at, distance uint64
		}{
			{instr{op: zero, dst: 0}, 0, 0}, {instr{op: load, dst: 1}, 0, 80}, {instr{op: load, dst: 2}, atB, uint64(4 * n)},
			{instr{op: dotSS, dst: 0, a: 1, b: 2}, 0, 0}, {instr{op: store, dst: 0}, atC, uint64(4 * n)},
		} {
			if err := tl.do(step.in, step.at, step.distance, mem); err != nil {
				t.Fatal(err)
			}
		}
		for i := range m * n {
			want := 0
			for j := range 4 * k {
				want += a[i/n*4*k+j] * b[j*n+i%n]
			}
			p := mem[atC+4*i:]
			if got := int(int32(uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16 | uint32(p[3])<<24)); got != want {
				t.Fatalf("%d×%d×%d: [%d][%d] is %d, want %d", m, n, k, i/n, i%n, got, want)
			}
		}
	}
}

func TestTilesRefuse(t *testing.T) {
	tl, err := configure(config([2]int{2, 8}, [2]int{2, 12}, [2]int{3, 8}, [2]int{2, 8}, [2]int{3, 12}))
	if err != nil {
		t.Fatal(err)
	}
	if err := tl.do(instr{op: dotSS, dst: 0, a: 1, b: 2}, 0, 0, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		t    *tiles
		in   instr
	}{
		{"not configured", nil, instr{op: zero}},
		{"tile 6 is not configured", tl, instr{op: load, dst: 6}},
		{"three different", tl, instr{op: dotSS, dst: 0, a: 1, b: 1}},
		{"three different", tl, instr{op: dotSS, dst: 0, a: 0, b: 2}},
		{"do not fit", tl, instr{op: dotSS, dst: 0, a: 3, b: 2}},
		{"do not fit", tl, instr{op: dotSS, dst: 0, a: 1, b: 4}},
		{"do not fit", tl, instr{op: dotSS, dst: 2, a: 1, b: 4}},
	} {
		if err := c.t.do(c.in, 0, 0, flat{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.in, err, c.want)
		}
	}
}

func TestVPDPBUSD(t *testing.T) {
	var sums, a, b [32]byte
	copy(sums[4:], []byte{255, 255, 255, 127})                  // the greatest int32
	copy(a[:], []byte{255, 1, 2, 3, 0, 0, 0, 1})                // unsigned
	copy(b[:], []byte{128, 255, 3, 4, 9, 9, 9, 1})              // signed: −128, −1, 3, 4
	vpdpbusd(&sums, &a, &b)                                     // −32640 − 1 + 6 + 12 = −32623
	want := []byte{0x91, 0x80, 0xff, 0xff, 0, 0, 0, 0x80, 0, 0} // and 2³¹ − 1 + 1 wraps
	if got := sums[:len(want)]; string(got) != string(want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestVPDPWSSD(t *testing.T) {
	var sums, a, b [32]byte
	copy(sums[4:], []byte{255, 255, 255, 127})            // the greatest int32
	copy(a[:], []byte{0, 128, 255, 255, 1, 0, 0, 0})      // −32768, −1, 1, 0
	copy(b[:], []byte{0, 128, 5, 0, 2, 0, 9, 9})          // −32768, 5, 2
	vpdpwssd(&sums, &a, &b)                               // 2³⁰ − 5
	want := []byte{0xfb, 255, 255, 0x3f, 1, 0, 0, 128, 0} // and 2³¹ − 1 + 2 wraps
	if got := sums[:len(want)]; string(got) != string(want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

const childEnv = "MACROSCOPE_TEST_TRACED"

// A traced program behaves as it would alone: threads, signals, its own faults
// and its exit code.
func TestRun(t *testing.T) {
	if how := os.Getenv(childEnv); how != "" {
		child(how)
	}
	for how, want := range map[string]string{
		"exit": "code 7: traced true", "threads": "code 0: sum 28000", "illegal": "code 2: SIGILL", "killed": "code 137: ",
	} {
		t.Run(how, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "out")
			out, err := os.Create(file)
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			result, err := Run(out, append(os.Environ(), childEnv+"="+how), "-test.run=^TestRun$")
			if errors.Is(err, ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("code %d: %s", result.Code, text); !strings.HasPrefix(got, want) || len(result.Counts) != 0 {
				t.Errorf("got %q, emulated %v: want %q, nothing emulated", got, result.Counts, want)
			}
		})
	}
	if Traced() {
		t.Error("this process is traced, or its child was taken for it")
	}
}

func child(how string) {
	switch how {
	case "exit":
		fmt.Printf("traced %v", Traced())
		os.Exit(7)
	case "threads":
		var wg sync.WaitGroup
		var mu sync.Mutex
		sum := 0
		for i := range 8 {
			wg.Go(func() {
				runtime.LockOSThread() // a thread each, which ends with its goroutine
				for range 1000 {
					mu.Lock()
					sum += i
					mu.Unlock()
				}
				runtime.GC()
			})
		}
		wg.Wait()
		fmt.Printf("sum %d", sum)
		os.Exit(0)
	case "illegal":
		_ = unix.Kill(unix.Getpid(), unix.SIGILL)
		select {}
	case "killed":
		_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
		select {}
	}
}
