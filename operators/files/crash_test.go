package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// crashed is the panic of a process that dies.
type crashed struct{}

// mortalDisk is a disk whose process dies before the n-th thing it does, and
// that then may lose its power: what was not synced is gone.
type mortalDisk struct {
	real      *disk
	left      int // things until death; negative: immortal
	open      []*os.File
	unsynced  map[string]bool // files whose bytes are not durable
	unnamed   []string        // created, the name not durable
	unrenamed [][2]string     // renamed from, to; not durable
}

func newMortalDisk() *mortalDisk {
	return &mortalDisk{real: realDisk(), left: -1, unsynced: map[string]bool{}}
}

func (m *mortalDisk) step() {
	if m.left == 0 {
		panic(crashed{})
	}
	m.left--
}

func (m *mortalDisk) disk() *disk {
	return &disk{
		create: func(path string) (*os.File, error) {
			m.step()
			f, err := m.real.create(path)
			if err == nil {
				m.open, m.unsynced[path], m.unnamed = append(m.open, f), true, append(m.unnamed, path)
			}
			return f, err
		},
		write: func(f *os.File, p []byte) (int, error) {
			if m.left == 0 { // torn
				f.Write(p[:len(p)/2])
			}
			m.step()
			m.unsynced[f.Name()] = true
			return f.Write(p)
		},
		sync: func(f *os.File) error {
			m.step()
			delete(m.unsynced, f.Name())
			return nil
		},
		rename: func(from, to string) error {
			m.step()
			m.unrenamed = append(m.unrenamed, [2]string{from, to})
			return os.Rename(from, to)
		},
		remove: func(path string) error {
			m.step()
			return os.Remove(path)
		},
		syncDir: func(path string) error {
			m.step()
			m.unnamed = slices.DeleteFunc(m.unnamed, func(p string) bool { return filepath.Dir(p) == path })
			m.unrenamed = slices.DeleteFunc(m.unrenamed, func(r [2]string) bool { return filepath.Dir(r[1]) == path })
			return nil
		},
	}
}

// die closes what the process had open and, without power, undoes what was not durable.
func (m *mortalDisk) die(t fataler, power bool) {
	for _, f := range m.open {
		f.Close() // many are closed already
	}
	if !power {
		for _, r := range slices.Backward(m.unrenamed) {
			check(t, os.Rename(r[1], r[0]))
		}
		for _, path := range m.unnamed {
			if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
				check(t, err)
			}
		}
		for path := range m.unsynced {
			if info, err := os.Stat(path); err == nil {
				check(t, os.Truncate(path, info.Size()/2))
			}
		}
	}
	*m = *newMortalDisk()
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func check(t fataler, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// tinyJob is a coordinator, a source and a sink in one loop: it writes the
// records 0..total-1, with a checkpoint after every third, and goes on from the
// last published checkpoint after a crash.
type tinyJob struct {
	t       fataler
	dir     string
	disk    *mortalDisk
	attempt int
	total   int

	// What the checkpoint store keeps.
	published bool
	position  int
	handles   [][]byte
}

const tinyInterval = 3

// run is one attempt. It tells whether the job came to its end alive.
func (j *tinyJob) run(parallelism int) (ended bool) {
	defer func() {
		if p := recover(); p != nil && p != (crashed{}) {
			panic(p)
		}
	}()
	j.attempt++
	writers := j.open(parallelism)
	j.restore(writers)
	for at := j.position; at < j.total; {
		for _, w := range writers {
			check(j.t, w.Begin(ctx))
		}
		for range min(tinyInterval, j.total-at) {
			b := operators.Batch[int]{Values: []int{at}, Times: []int64{0}}
			check(j.t, writers[at%2*at%parallelism].Write(ctx, &b))
			at++
		}
		j.checkpoint(writers, at)
	}
	for _, w := range writers {
		check(j.t, w.Close())
	}
	return true
}

func (j *tinyJob) open(parallelism int) []operators.TransactionalWriter[int] {
	s := Sink[int](j.dir, RollSize(4)).(*sink[int])
	s.disk = j.disk.disk()
	writers := make([]operators.TransactionalWriter[int], parallelism)
	for i := range writers {
		w, err := s.OpenTransactional(ctx, operators.SinkContext{
			Operator: "numbers", Job: "tiny", Index: i, Parallelism: parallelism, Attempt: messages.Attempt(j.attempt),
			Now: func() int64 { return 0 }, Step: func(string) { j.disk.step() },
		})
		check(j.t, err)
		writers[i] = w
	}
	return writers
}

// restore commits what is published, each handle by one subtask, though seldom
// the one that prepared it, and then ends all that lingers.
func (j *tinyJob) restore(writers []operators.TransactionalWriter[int]) {
	for i, w := range writers {
		r := operators.Recovery{Index: i, Parallelism: len(writers), Attempt: messages.Attempt(j.attempt), Keep: j.handles, Restored: j.published}
		for h := (i + 1) % len(writers); h < len(j.handles); h += len(writers) {
			r.Commit = append(r.Commit, j.handles[h])
			check(j.t, w.Commit(ctx, j.handles[h]))
		}
		check(j.t, w.Recover(ctx, r))
	}
}

func (j *tinyJob) checkpoint(writers []operators.TransactionalWriter[int], position int) {
	var handles [][]byte
	for _, w := range writers {
		h, err := w.Prepare(ctx)
		check(j.t, err)
		if h != nil {
			handles = append(handles, h)
		}
	}
	j.disk.step()
	j.published, j.position, j.handles = true, position, handles // the commit point
	j.disk.step()
	for i, h := range handles {
		check(j.t, writers[i%len(writers)].Commit(ctx, h))
	}
}

// requireExactlyOnce checks the folder at the end of the job.
func (j *tinyJob) requireExactlyOnce() {
	got, err := ReadAll[int](j.dir, AsJSONLines)
	check(j.t, err)
	slices.Sort(got)
	want := make([]int, j.total)
	for i := range want {
		want[i] = i
	}
	if !slices.Equal(got, want) {
		j.t.Fatalf("committed %v", got)
	}
	if left, err := os.ReadDir(filepath.Join(j.dir, hiddenFolder)); !errors.Is(err, fs.ErrNotExist) {
		j.t.Fatalf("left in progress: %v %v", left, err)
	}
}

// S18, S35, S37: a process that dies before any one step, with or without its
// power, leaves each record once after the restart, and no orphan.
func TestS18_S35_S37_CrashAtEveryStep(t *testing.T) {
	for _, power := range []bool{true, false} {
		steps := 0
		for alive := false; !alive; steps++ {
			job := &tinyJob{t: t, dir: filepath.Join(t.TempDir(), "out"), disk: newMortalDisk(), total: 8}
			job.disk.left = steps
			if alive = job.run(2); !alive {
				job.disk.die(t, power)
				if !job.run(2) {
					t.Fatalf("step %d: died again", steps)
				}
			}
			job.requireExactlyOnce()
		}
		if steps < 50 {
			t.Errorf("only %d steps: are they still counted?", steps)
		}
	}
}

// S11, S12: any number of crashes anywhere, at changing parallelism, loses and
// doubles nothing: whatever was voted for was durable.
func TestS12_CrashesAnywhere(t *testing.T) {
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		job := &tinyJob{t: t, dir: filepath.Join(root, fmt.Sprint(runs)), disk: newMortalDisk(), total: rapid.IntRange(0, 12).Draw(t, "total")}
		for crashes := rapid.IntRange(0, 6).Draw(t, "crashes"); crashes > 0; crashes-- {
			job.disk.left = rapid.IntRange(0, 60).Draw(t, "steps")
			if job.run(rapid.IntRange(1, 3).Draw(t, "parallelism")) {
				break
			}
			job.disk.die(t, rapid.Bool().Draw(t, "power"))
		}
		job.disk.left = -1
		if !job.run(rapid.IntRange(1, 3).Draw(t, "parallelism")) {
			t.Fatalf("died at the end")
		}
		job.requireExactlyOnce()
	})
}
