//go:build !darwin

package bench

// systemCPUName knows nothing here: amd64 CPUs name themselves, and Linux on
// Arm has only a numeric part code, which is not a name.
func systemCPUName() string { return "" }
