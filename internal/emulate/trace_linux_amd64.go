package emulate

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Run starts this program anew with other arguments (without its name) and
// environment, emulates what its CPU lacks, and waits for its end. Standard
// output and standard error of the child are out, which must be a file. The
// error tells why there was no emulation (then it wraps ErrUnsupported) or which
// instruction was wrong.
func Run(out *os.File, env []string, args ...string) (Result, error) {
	self, err := os.Executable()
	if err != nil {
		return Result{}, err
	}
	runtime.LockOSThread() // only the thread that started a child may trace it
	defer runtime.UnlockOSThread()
	defer oneProcessor()()
	p, err := os.StartProcess(self, append([]string{self}, args...), &os.ProcAttr{
		Env: env, Files: []*os.File{nil, out, out}, Sys: &unix.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		return Result{}, fmt.Errorf("%w: starting a traced process: %w", ErrUnsupported, err)
	}
	t := &tracer{pid: p.Pid, threads: map[int]*thread{p.Pid: {started: true}}, known: map[uint64]instr{}, counts: map[string]int{}, vectors: make([]byte, vectorMemory)}
	code, err := t.run()
	if err != nil {
		_ = p.Kill()
		t.reap()
	}
	_ = p.Release()
	return Result{Code: code, Counts: t.counts}, err
}

// oneProcessor keeps this thread, and what it starts, on one processor, until the
// function that it returns is called: parent and child wait for one another, and
// to wake another processor takes longer than to emulate an instruction.
func oneProcessor() (end func()) {
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return func() {} // slower
	}
	for i := range 8 * int(unsafe.Sizeof(old)) {
		if old.IsSet(i) { // the last one stays
			one.Zero()
			one.Set(i)
		}
	}
	_ = unix.SchedSetaffinity(0, &one)
	return func() { _ = unix.SchedSetaffinity(0, &old) }
}

// tracer follows the threads of one process.
type tracer struct {
	pid     int
	threads map[int]*thread
	known   map[uint64]instr // by address: a program's text does not change, but by exec
	counts  map[string]int
	vectors []byte // memory of a vectorState
}

type thread struct {
	started bool // its first stop, which tracing brings about, is over
	tiles   *tiles
}

// waitAny waits for any thread of ours, but not for what other threads of this
// process have started.
const waitAny = unix.WALL | unix.WNOTHREAD

func (t *tracer) run() (code int, err error) {
	var ws unix.WaitStatus
	if _, err := wait(t.pid, &ws); err != nil { // at its start
		return 0, err
	}
	if !ws.Stopped() {
		return 0, fmt.Errorf("%w: a traced process did not stop at its start (%#x)", ErrUnsupported, int(ws))
	}
	if err := unix.PtraceSetOptions(t.pid, unix.PTRACE_O_TRACECLONE|unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_EXITKILL); err != nil {
		return 0, fmt.Errorf("%w: ptrace options: %w", ErrUnsupported, err)
	}
	if err := unix.PtraceCont(t.pid, 0); err != nil {
		return 0, fmt.Errorf("%w: ptrace: %w", ErrUnsupported, err)
	}
	for {
		tid, err := wait(-1, &ws)
		if err != nil {
			return 0, err
		}
		switch {
		case ws.Stopped():
			if err := t.stopped(tid, ws); err != nil && !errors.Is(err, unix.ESRCH) { // ESRCH: killed meanwhile
				return 0, err
			}
		case tid != t.pid:
			delete(t.threads, tid)
		case ws.Exited():
			return ws.ExitStatus(), nil
		case ws.Signaled():
			return 128 + int(ws.Signal()), nil
		}
	}
}

func wait(pid int, ws *unix.WaitStatus) (tid int, err error) {
	for {
		tid, err = unix.Wait4(pid, ws, waitAny, nil)
		if err != unix.EINTR {
			return tid, err
		}
	}
}

// reap waits for the end of a process that was killed.
func (t *tracer) reap() {
	var ws unix.WaitStatus
	for {
		tid, err := wait(-1, &ws)
		if err != nil || tid == t.pid && (ws.Exited() || ws.Signaled()) {
			return
		}
	}
}

// stopped lets a thread go on: behind the instructions that it could not do, or
// with the signal that it is to get.
func (t *tracer) stopped(tid int, ws unix.WaitStatus) error {
	th := t.threads[tid]
	if th == nil {
		th = &thread{}
		t.threads[tid] = th
	}
	signal := ws.StopSignal()
	switch {
	case signal == unix.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_CLONE:
		signal = 0
	case signal == unix.SIGTRAP && ws.TrapCause() == unix.PTRACE_EVENT_EXEC: // as the race detector does at its start
		signal = 0
		clear(t.known)
	case signal == unix.SIGSTOP && !th.started:
		signal, th.started = 0, true
	case signal == unix.SIGILL:
		n, err := t.emulate(tid, th)
		if err != nil {
			return err
		}
		if n > 0 {
			signal = 0
		}
	}
	return unix.PtraceCont(tid, int(signal))
}

// emulate executes the instructions of ours that a thread stands before, and
// tells how many.
func (t *tracer) emulate(tid int, th *thread) (n int, err error) {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &regs); err != nil {
		return 0, err
	}
	vectors := vectorState{tid: tid, memory: t.vectors}
	for ; ; n++ {
		in, err := t.fetch(regs.Rip)
		if err != nil || in.op == none {
			if n == 0 {
				return 0, nil // it is the program's own fault
			}
			break
		}
		if err := t.execute(in, th, &regs, &vectors); err != nil {
			return n, fmt.Errorf("%s at %#x: %w", mnemonics[in.op], regs.Rip, err)
		}
		t.counts[mnemonics[in.op]]++
		regs.Rip += uint64(in.size)
	}
	if err := vectors.write(); err != nil {
		return n, err
	}
	return n, unix.PtraceSetRegs(tid, &regs)
}

// fetch decodes the instruction at an address.
func (t *tracer) fetch(at uint64) (instr, error) {
	in, ok := t.known[at]
	if !ok {
		code := make([]byte, 15) // the longest there is; the text goes on behind ours
		if err := (childMemory{t.pid}).read(at, 0, [][]byte{code}); err != nil {
			return in, err
		}
		in = decode(code)
		t.known[at] = in
	}
	return in, nil
}

func (t *tracer) execute(in instr, th *thread, regs *unix.PtraceRegs, vectors *vectorState) (err error) {
	mem := childMemory{t.pid}
	switch in.op {
	case dotBytes, dotWords:
		return vectors.vnni(in)
	case release:
		th.tiles = nil
		return nil
	}
	at := general(regs, in.base) + uint64(in.disp)
	distance := uint64(0)
	if in.index >= 0 {
		distance = general(regs, in.index) << in.shift
	}
	if in.op != loadConfig {
		return th.tiles.do(in, at, distance, mem)
	}
	cfg := make([]byte, 64)
	if err := mem.read(at+distance, 0, [][]byte{cfg}); err != nil {
		return err
	}
	th.tiles, err = configure(cfg)
	return err
}

// general is a general register by its number in an instruction.
func general(r *unix.PtraceRegs, n int) uint64 {
	return [...]uint64{r.Rax, r.Rcx, r.Rdx, r.Rbx, r.Rsp, r.Rbp, r.Rsi, r.Rdi, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15}[n]
}
