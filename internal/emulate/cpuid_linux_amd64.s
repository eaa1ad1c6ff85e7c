#include "textflag.h"

// func xstateOffset(component uint32) uint32
//
// CPUID leaf 13: where a component lies in the standard form of XSAVE's area.
TEXT ·xstateOffset(SB), NOSPLIT, $0-12
	MOVL $13, AX
	MOVL component+0(FP), CX
	CPUID
	MOVL BX, ret+8(FP)
	RET
