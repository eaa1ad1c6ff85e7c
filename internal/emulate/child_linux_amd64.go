package emulate

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childMemory is the memory of a process.
type childMemory struct{ pid int }

func (c childMemory) read(at, distance uint64, rows [][]byte) error {
	return c.move("reads", unix.ProcessVMReadv, at, distance, rows)
}

func (c childMemory) write(at, distance uint64, rows [][]byte) error {
	return c.move("writes", unix.ProcessVMWritev, at, distance, rows)
}

func (c childMemory) move(what string, call func(int, []unix.Iovec, []unix.RemoteIovec, uint) (int, error), at, distance uint64, rows [][]byte) error {
	local, remote, want := make([]unix.Iovec, len(rows)), make([]unix.RemoteIovec, len(rows)), 0
	for i, r := range rows {
		local[i].Base = unsafe.SliceData(r)
		local[i].SetLen(len(r))
		remote[i] = unix.RemoteIovec{Base: uintptr(at + uint64(i)*distance), Len: len(r)}
		want += len(r)
	}
	n, err := call(c.pid, local, remote, 0)
	if err != nil || n != want {
		return fmt.Errorf("%s %d rows of %d bytes at %#x, distance %#x: only %d bytes can be had (%v)", what, len(rows), len(rows[0]), at, distance, n, err)
	}
	return nil
}

// vectorState is the vector registers of a stopped thread: read when first
// needed, written back if changed.
type vectorState struct {
	tid     int
	memory  []byte // to read into
	area    []byte // XSAVE's, in its standard form (Intel SDM, volume 1, section 13.4); nil: not read yet
	changed bool
}

const (
	ntX86XState = 0x202 // NT_X86_XSTATE of Linux's elf.h
	// Places in the area, and components by their bits in its header.
	xmmAt, headerAt      = 160, 512
	sseBit, avxBit, zBit = 1, 2, 6
)

// vectorMemory is more than any CPU's area today, that with AMX included.
const vectorMemory = 16 << 10

var (
	avxAt = sync.OnceValue(func() int { return int(xstateOffset(avxBit)) })
	zAt   = sync.OnceValue(func() int { return int(xstateOffset(zBit)) })
)

// xstateOffset is where a component lies in the area.
func xstateOffset(component uint32) uint32

func (v *vectorState) transfer(request int) error {
	iov := unix.Iovec{Base: unsafe.SliceData(v.area)}
	iov.SetLen(len(v.area))
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(v.tid), ntX86XState, uintptr(unsafe.Pointer(&iov)), 0, 0); errno != 0 {
		return errno
	}
	v.area = v.area[:iov.Len]
	return nil
}

func (v *vectorState) write() error {
	if !v.changed {
		return nil
	}
	return v.transfer(unix.PTRACE_SETREGSET)
}

// ymm gives the two halves of a register.
func (v *vectorState) ymm(n int) (low, high []byte) {
	return v.area[xmmAt+16*n:][:16], v.area[avxAt()+16*n:][:16]
}

// vnni executes VPDPBUSD or VPDPWSSD, which clear what is above 256 bits.
func (v *vectorState) vnni(in instr) error {
	if v.area == nil {
		v.area = v.memory
		if err := v.transfer(unix.PTRACE_GETREGSET); err != nil {
			return err
		}
	}
	var r [3][32]byte
	for i, n := range []int{in.dst, in.a, in.b} {
		low, high := v.ymm(n)
		copy(r[i][:], low)
		copy(r[i][16:], high)
	}
	map[op]func(sums, a, b *[32]byte){dotBytes: vpdpbusd, dotWords: vpdpwssd}[in.op](&r[0], &r[1], &r[2])
	low, high := v.ymm(in.dst)
	copy(low, r[0][:16])
	copy(high, r[0][16:])
	used := binary.LittleEndian.Uint64(v.area[headerAt:])
	if used>>zBit&1 != 0 {
		clear(v.area[zAt()+32*in.dst:][:32])
	}
	binary.LittleEndian.PutUint64(v.area[headerAt:], used|1<<sseBit|1<<avxBit)
	v.changed = true
	return nil
}
