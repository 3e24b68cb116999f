package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// S12, S16, S18, S27, S31, S32, S33, S34, S35: the scripts of testdata/sink say
// which at their heads. The commands:
//
//	open w=NAME [attempt=N] [index=N] [of=N] [job=NAME] [op=NAME] [dir=PATH] [size=N] [every=MS]   a subtask's writer
//	recover w [restored] [keep=(h...)]   begin w   write w (records on lines)   flush w
//	prepare w h=NAME   commit w h=NAME   abort w   close w
//	drop w               forget the writer, as a crash does
//	put PATH   rm PATH   mv FROM TO   link FROM TO   mkdir PATH   somebody else's doing
//	fail op=NAME err=NAME [times=N]      the next disk operations fail
//	clock MS             sets processing time
//	ls                   files below the folder, with their contents
//
// Every command but ls prints the disk operations and steps it caused.
func TestSinkScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/sink", func(t *testing.T, path string) {
		w := newSinkWorld(t)
		datadriven.RunTest(t, path, w.run)
	})
}

type sinkWorld struct {
	t       *testing.T
	root    string
	now     int64
	log     strings.Builder
	writers map[string]operators.TransactionalWriter[string]
	handles map[string][]byte
	errs    map[string]error // of a disk operation, while times > 0
	times   map[string]int
}

func newSinkWorld(t *testing.T) *sinkWorld {
	return &sinkWorld{t: t, root: t.TempDir(), writers: map[string]operators.TransactionalWriter[string]{},
		handles: map[string][]byte{}, errs: map[string]error{}, times: map[string]int{}}
}

// loud is the real disk that logs what it does and fails on demand.
func (w *sinkWorld) loud() *disk {
	real := realDisk()
	do := func(op, path string) error {
		fmt.Fprintf(&w.log, "  %s %s\n", op, w.short(path))
		if w.times[op] > 0 {
			w.times[op]--
			return &fs.PathError{Op: op, Path: path, Err: w.errs[op]}
		}
		return nil
	}
	return &disk{
		create: func(path string) (*os.File, error) {
			if err := do("create", path); err != nil {
				return nil, err
			}
			return real.create(path)
		},
		write: func(f *os.File, p []byte) (int, error) {
			if err := do("write", f.Name()); err != nil {
				n, _ := f.Write(p[:len(p)/2]) // torn
				return n, err
			}
			return real.write(f, p)
		},
		sync: func(f *os.File) error {
			if err := do("sync", f.Name()); err != nil {
				return err
			}
			return real.sync(f)
		},
		rename: func(from, to string) error {
			if err := do("rename", to); err != nil {
				return err
			}
			return real.rename(from, to)
		},
		remove: func(path string) error {
			if _, err := os.Lstat(path); err != nil {
				return err
			}
			if err := real.remove(path); err != nil {
				return err
			}
			return do("remove", path)
		},
		syncDir: func(path string) error {
			if err := do("syncdir", path); err != nil {
				return err
			}
			return real.syncDir(path)
		},
	}
}

func (w *sinkWorld) short(path string) string {
	if path == w.root {
		return "."
	}
	return strings.TrimPrefix(path, w.root+"/")
}

func (w *sinkWorld) run(t *testing.T, d *datadriven.TestData) string {
	w.t = t
	w.log.Reset()
	err := w.command(d)
	if d.Cmd == "ls" {
		return w.tree()
	}
	if err != nil {
		fmt.Fprintf(&w.log, "error: %s\n", strings.ReplaceAll(err.Error(), w.root, "ROOT"))
		if errors.Is(err, operators.ErrInDoubt) {
			w.log.WriteString("is in doubt\n")
		}
		if errors.Is(err, operators.ErrBroken) {
			w.log.WriteString("is broken\n")
		}
	}
	if w.log.Len() == 0 {
		return "ok\n"
	}
	return w.log.String()
}

func (w *sinkWorld) command(d *datadriven.TestData) error {
	first := ""
	if len(d.CmdArgs) > 0 {
		first = d.CmdArgs[0].Key
	}
	switch d.Cmd {
	case "open":
		return w.open(d)
	case "clock":
		_, err := fmt.Sscan(first, &w.now)
		return err
	case "fail":
		return w.fail(d)
	case "put":
		return os.WriteFile(filepath.Join(w.root, first), []byte(d.Input), 0o644)
	case "mkdir":
		return os.MkdirAll(filepath.Join(w.root, first), 0o755)
	case "rm":
		return os.RemoveAll(filepath.Join(w.root, first))
	case "mv":
		return os.Rename(filepath.Join(w.root, first), filepath.Join(w.root, d.CmdArgs[1].Key))
	case "link":
		return os.Link(filepath.Join(w.root, first), filepath.Join(w.root, d.CmdArgs[1].Key))
	case "drop":
		delete(w.writers, first)
		return nil
	case "ls":
		return nil
	}
	writer := w.writers[first]
	if writer == nil {
		d.Fatalf(w.t, "no writer %q", first)
	}
	return w.call(d, writer)
}

func (w *sinkWorld) call(d *datadriven.TestData, writer operators.TransactionalWriter[string]) error {
	switch d.Cmd {
	case "recover":
		return writer.Recover(ctx, w.recovery(d, writer))
	case "begin":
		return writer.Begin(ctx)
	case "write":
		return writer.Write(ctx, &operators.Batch[string]{Values: strings.Fields(d.Input), Times: make([]int64, len(strings.Fields(d.Input)))})
	case "flush":
		return writer.Flush(ctx)
	case "prepare":
		handle, err := writer.Prepare(ctx)
		if err == nil {
			fmt.Fprintf(&w.log, "handle %s\n", handle)
			w.handles[arg(d, "h", "h")] = handle
		}
		return err
	case "commit":
		return writer.Commit(ctx, w.handles[arg(d, "h", "h")])
	case "abort":
		return writer.AbortOpen(ctx)
	case "close":
		return writer.Close()
	}
	d.Fatalf(w.t, "unknown command")
	return nil
}

func (w *sinkWorld) open(d *datadriven.TestData) error {
	var options []SinkOption
	if d.HasArg("size") {
		options = append(options, RollSize(number(d, "size", 0)))
	}
	if d.HasArg("every") {
		options = append(options, RollEvery(time.Duration(number(d, "every", 0))*time.Millisecond))
	}
	options = append(options, AsFunc("txt", func(buf []byte, v string) ([]byte, error) { return append(append(buf, v...), '\n'), nil }))
	s := Sink[string](filepath.Join(w.root, arg(d, "dir", "out")), options...).(*sink[string])
	s.disk = w.loud()
	writer, err := s.OpenTransactional(context.Background(), operators.SinkContext{
		Operator: messages.OperatorID(arg(d, "op", "o")), Job: messages.JobID(arg(d, "job", "j")),
		Index: int(number(d, "index", 0)), Parallelism: int(number(d, "of", 1)), Attempt: messages.Attempt(number(d, "attempt", 1)),
		Now:  func() int64 { return w.now },
		Step: func(label string) { fmt.Fprintf(&w.log, "  step %s\n", label) },
	})
	w.writers[arg(d, "w", "w")] = writer
	return err
}

func (w *sinkWorld) recovery(d *datadriven.TestData, writer operators.TransactionalWriter[string]) operators.Recovery {
	who := writer.(*sinkWriter[string]).who
	r := operators.Recovery{Index: who.Index, Parallelism: who.Parallelism, Attempt: who.Attempt, Restored: d.HasArg("restored")}
	for _, a := range d.CmdArgs {
		for _, name := range a.Vals {
			if a.Key == "keep" {
				r.Keep = append(r.Keep, w.handles[name])
			}
		}
	}
	return r
}

func (w *sinkWorld) fail(d *datadriven.TestData) error {
	op := arg(d, "op", "")
	w.errs[op] = map[string]error{"ENOSPC": syscall.ENOSPC, "EIO": syscall.EIO, "EACCES": syscall.EACCES, "EROFS": syscall.EROFS}[arg(d, "err", "")]
	w.times[op] = int(number(d, "times", 1))
	return nil
}

// tree lists what is there, hidden or not.
func (w *sinkWorld) tree() string {
	var b strings.Builder
	err := filepath.WalkDir(w.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == w.root {
			return err
		}
		if entry.IsDir() {
			fmt.Fprintf(&b, "%s/\n", w.short(path))
			return nil
		}
		content, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s: %q\n", w.short(path), content)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}

func arg(d *datadriven.TestData, key, otherwise string) string {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) == 1 {
			return a.Vals[0]
		}
	}
	return otherwise
}

func number(d *datadriven.TestData, key string, otherwise int64) int64 {
	if text := arg(d, key, ""); text != "" {
		if _, err := fmt.Sscan(text, &otherwise); err != nil {
			panic(err)
		}
	}
	return otherwise
}
