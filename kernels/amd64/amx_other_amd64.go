//go:build !purego && !linux

package amd64

import (
	"fmt"
	"runtime"
)

// permitAMX does not know how to ask.
func permitAMX() error { return fmt.Errorf("AMX: permission unknown on %s", runtime.GOOS) }
