package kafkatest

import (
	"bytes"
	"context"
	"os/exec"
	"runtime"
)

// process is a program that runs. The goroutine that has started it waits for it, and
// ends with it.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait; to be read once done is closed
}

// launch starts a program. It ends with this one, where the kernel can see to that.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	endWithParent(cmd)
	started := make(chan error)
	go func() {
		// What the kernel takes for the parent is the thread: it stays as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	return p, <-started
}

// kill ends it at once, and waits until it has.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
}

// ended tells whether it has.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// output runs a program to its end and gives what it printed. It is killed when ctx is
// done first.
func output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.done:
		return out.Bytes(), p.err
	case <-ctx.Done():
		p.kill()
		return out.Bytes(), ctx.Err()
	}
}
