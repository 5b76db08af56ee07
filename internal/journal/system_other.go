//go:build !linux

package journal

import "os"

// syncFile puts a file on disk.
func syncFile(file *os.File) error { return file.Sync() }
