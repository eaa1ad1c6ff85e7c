// Package regular opens files to read, and nothing else: opening a pipe would
// wait for a writer for ever.
package regular

import (
	"fmt"
	"os"
)

// Open opens a regular file for reading. The error names the path, as
// os.Open's does.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	return os.Open(path)
}
