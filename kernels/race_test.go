//go:build race

package kernels

func init() { racing = true }
