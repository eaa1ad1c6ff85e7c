//go:build race

package nn_test

// The plain loops are some fifteen times slower under the race detector.
func init() { slow = true }
