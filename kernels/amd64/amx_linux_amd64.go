//go:build !purego

package amd64

import (
	"fmt"
	"syscall"
)

// permitAMX asks Linux for the state of tiles' data, which a process must do
// before its first use of them; it holds for all threads, also those that run
// already. Documentation/arch/x86/xstate.rst.
func permitAMX() error {
	const reqXCompPerm, tileData = 0x1023, 18 // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
	if _, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, reqXCompPerm, tileData, 0); errno != 0 {
		return fmt.Errorf("AMX: Linux gives no permission (arch_prctl ARCH_REQ_XCOMP_PERM: %w)", errno)
	}
	return nil
}
