//go:build unix

package kernels

import (
	"testing"

	"golang.org/x/sys/unix"
)

// disturbBySignal sends the process a signal that some thread must take.
func disturbBySignal(t *testing.T) {
	if err := unix.Kill(unix.Getpid(), unix.SIGUSR1); err != nil {
		t.Error(err)
	}
}
