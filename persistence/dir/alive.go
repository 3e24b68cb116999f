package dir

import (
	"errors"
	"os"
	"syscall"
)

// isAlive tells whether a process of this place runs; in doubt it does.
func isAlive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return true
	}
	defer p.Release()
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
