package attempts

import (
	"os"
	"strings"
)

// bootID names the time since the machine was started, the same for every process and container on it; empty: it has no name.
// It is Linux's (random(4)).
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
