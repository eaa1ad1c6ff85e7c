//go:build race

package ptq

// The race detector has nothing to find in ten thousand images that it does not
// find in a few.
func init() { raceDetector = true }
