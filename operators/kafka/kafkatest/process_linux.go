package kafkatest

import (
	"os/exec"
	"syscall"
)

// endWithParent has the kernel kill a program when the thread ends that starts it.
func endWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
