//go:build race

package models_test

// The plain evaluation is some fifteen times slower under the race detector and
// has one goroutine: one image is enough there.
func init() { *images = 1 }
