//go:build !linux || !amd64

package emulate

import (
	"fmt"
	"os"
	"runtime"
)

// Run is not to be had: its error wraps ErrUnsupported.
func Run(out *os.File, env []string, args ...string) (Result, error) {
	return Result{}, fmt.Errorf("%w: made for linux/amd64, this is %s/%s", ErrUnsupported, runtime.GOOS, runtime.GOARCH)
}
