//go:build !unix

package guard

import "testing"

// Available says whether this system has guard pages.
const Available = false

// Tail returns n bytes; there is no guard on this system.
func Tail(_ testing.TB, n int) []byte { return make([]byte, n) }

// Head returns n bytes; there is no guard on this system.
func Head(_ testing.TB, n int) []byte { return make([]byte, n) }
