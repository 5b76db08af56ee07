// Package clock sets this process's wall clock off, as those of a fleet's machines are. Only time.Now's reading of the time
// of day is shifted: the monotonic reading, timers and deadlines stay as they are, as after a step of a machine's clock.
//
// Go reads the clock through a function of the kernel's that it finds once, at the start. On Linux on amd64 this package
// puts a function of its own in its place, so that everything that a program is linked from sees the same clock. A
// toolchain that reads the clock otherwise does not link it.
package clock
