#include "textflag.h"

GLOBL seconds<>(SB), NOPTR, $8

// read is clock_gettime(clock DI, time SI) by the conventions of C: the kernel's answer, with the wall clock off.
TEXT ·read(SB), NOSPLIT|NOFRAME, $0-0
	MOVQ $228, AX // SYS_clock_gettime
	SYSCALL
	CMPL DI, $0   // CLOCK_REALTIME
	JNE  done
	MOVQ seconds<>(SB), CX
	ADDQ CX, 0(SI)
done:
	RET

// func install(seconds int64)
TEXT ·install(SB), NOSPLIT, $0-8
	MOVQ seconds+0(FP), AX
	MOVQ AX, seconds<>(SB)
	LEAQ ·read(SB), AX
	MOVQ AX, runtime·vdsoClockgettimeSym(SB)
	RET
