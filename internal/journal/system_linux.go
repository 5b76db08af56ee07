package journal

import (
	"os"
	"syscall"
)

// syncFile puts a file's data on disk, and of what is known about it only what is needed to read them.
func syncFile(file *os.File) error {
	for {
		err := syscall.Fdatasync(int(file.Fd()))
		if err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
