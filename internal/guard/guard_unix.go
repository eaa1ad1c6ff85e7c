//go:build unix

// Package guard gives tests memory that ends, or begins, at a page that nobody
// may touch: a read or write past a slice then faults instead of passing
// unseen.
package guard

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Available says whether this system has guard pages.
const Available = true

// Tail returns n bytes whose last one is followed by a forbidden page.
func Tail(t testing.TB, n int) []byte {
	m, size := pages(t, n)
	return m[size-n : size : size]
}

// Head returns n bytes whose first one is preceded by a forbidden page.
func Head(t testing.TB, n int) []byte {
	page := unix.Getpagesize()
	size := (n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, page+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("mmap: %v", err)
	}
	t.Cleanup(func() { _ = unix.Munmap(m) })
	if err := unix.Mprotect(m[:page], unix.PROT_NONE); err != nil {
		t.Fatalf("mprotect: %v", err)
	}
	return m[page : page+n : page+n]
}

func pages(t testing.TB, n int) (m []byte, size int) {
	page := unix.Getpagesize()
	size = (n + page - 1) / page * page
	m, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("mmap: %v", err)
	}
	t.Cleanup(func() { _ = unix.Munmap(m) })
	if err := unix.Mprotect(m[size:], unix.PROT_NONE); err != nil {
		t.Fatalf("mprotect: %v", err)
	}
	return m, size
}
