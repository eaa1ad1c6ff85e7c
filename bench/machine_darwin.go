package bench

import "golang.org/x/sys/unix"

// systemCPUName asks the kernel, since Arm CPUs have no brand name of their own.
func systemCPUName() string {
	name, err := unix.Sysctl("machdep.cpu.brand_string")
	if err != nil {
		return ""
	}
	return name
}
