//go:build !purego

package amd64

import (
	"fmt"
	"sync"
)

// amxUsable says why tiles cannot be used although the CPU announces them. It
// asks the system for permission, once.
var amxUsable = sync.OnceValue(func() error {
	// Intel SDM, volume 1, section 13.3: bit 17 is the state of tiles'
	// configuration, bit 18 of their data.
	const tiles = 1<<17 | 1<<18
	if x := xcr0(); x&tiles != tiles {
		return fmt.Errorf("AMX: the system does not keep the state of tiles (XCR0 is %#x)", x)
	}
	if palettes, _, _, _ := cpuidLeaf(0x1d, 0); palettes < 1 {
		return fmt.Errorf("AMX: CPUID leaf 0x1d lists no palette")
	}
	size, names, rows, _ := cpuidLeaf(0x1d, 1)
	if err := checkPalette(size, names, rows); err != nil {
		return err
	}
	return permitAMX()
})

// checkPalette looks at the registers EAX, EBX and ECX of CPUID leaf 0x1d, 1.
func checkPalette(size, names, rows uint32) error {
	if size>>16 < 1024 || names>>16 < 8 || names&0xffff < 64 || rows&0xffff < 16 {
		return fmt.Errorf("AMX: palette 1 has %d tiles of %d bytes in %d rows of %d: want 8 of 1024 in 16 of 64", names>>16, size>>16, rows&0xffff, names&0xffff)
	}
	return nil
}
