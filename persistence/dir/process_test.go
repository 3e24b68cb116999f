package dir

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/weirflow/weir/persistence"
)

// The test binary is also the other process: with childMode set it runs one of
// the roles instead of the tests, on the folder in childFolder.
const (
	childMode   = "WEIR_DIR_TEST_MODE"
	childFolder = "WEIR_DIR_TEST_FOLDER"
)

func TestMain(m *testing.M) {
	mode := os.Getenv(childMode)
	if mode == "" {
		os.Exit(m.Run())
	}
	s := Open(os.Getenv(childFolder)).(*store)
	if err := child(s, mode); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

func child(s *store, mode string) error {
	role, arg, _ := strings.Cut(mode, ":")
	switch role {
	case "race":
		return race(s, arg)
	case "slow":
		return slowPut(s)
	case "die":
		op, step, _ := strings.Cut(arg, ":")
		return dieAt(s, op, step)
	}
	return fmt.Errorf("no role %q", role)
}

const raceSlots = 40

// race takes slots from the moment that stdin closes, and prints those it won.
func race(s *store, name string) error {
	if err := waitForEnd(os.Stdin); err != nil {
		return err
	}
	for slot := range raceSlots {
		err := s.PutIfAbsent(context.Background(), fmt.Sprintf("job/log/%d", slot), []byte(name))
		if err == nil {
			fmt.Println(slot)
		} else if !errors.Is(err, persistence.ErrExists) {
			return err
		}
	}
	return nil
}

func waitForEnd(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// slowPut is in the middle of a Put until stdin closes.
func slowPut(s *store) error {
	return s.Put(context.Background(), "job/data/slow", func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("slow", 100_000))
		fmt.Println("writing")
		return errors.Join(err, waitForEnd(os.Stdin))
	})
}

// dieAt kills its process at a step of a call.
func dieAt(s *store, op, step string) error {
	if err := s.PutIfAbsent(context.Background(), "job/data/first", nil); err != nil { // makes the folders
		return err
	}
	die := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	s.step = func(name, _ string) error {
		if name == step {
			die()
		}
		return nil
	}
	write := func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat("new", 100_000))
		if step == "half written" {
			die()
		}
		return err
	}
	if op == "Put" {
		return s.Put(context.Background(), "job/data/x", write)
	}
	return s.PutIfAbsent(context.Background(), "job/data/x", []byte("new"))
}

// process is a child that runs.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t *testing.T, folder, mode string) *process {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), childMode+"="+mode, childFolder+"="+folder)
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2, c.Start()); err != nil {
		t.Fatal(err)
	}
	return &process{Cmd: c, in: in, out: bufio.NewReader(out)}
}

// end closes the child's stdin and waits for it; it gives what it printed.
func (p *process) end(t *testing.T) (lines []string, err error) {
	t.Helper()
	closing := p.in.Close()
	out, reading := io.ReadAll(p.out)
	if err := errors.Join(closing, reading); err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out)), p.Wait()
}

// S10: of several processes exactly one takes a slot.
func TestOneOfManyProcessesWins(t *testing.T) {
	folder := t.TempDir()
	names := []string{"a", "b", "c", "d"}
	var ps []*process
	for _, name := range names {
		ps = append(ps, start(t, folder, "race:"+name))
	}
	for _, p := range ps { // all are let go before any is waited for
		if err := p.in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	winner := map[string]string{}
	for i, p := range ps {
		out, err := io.ReadAll(p.out)
		if err := errors.Join(err, p.Wait()); err != nil {
			t.Fatalf("%s: %v: %s", names[i], err, out)
		}
		for _, slot := range strings.Fields(string(out)) {
			if w := winner[slot]; w != "" {
				t.Errorf("slot %s was won by %s and %s", slot, w, names[i])
			}
			winner[slot] = names[i]
		}
	}
	if len(winner) != raceSlots {
		t.Errorf("%d of %d slots were won", len(winner), raceSlots)
	}
	for slot, name := range winner {
		if got := contents(t, Open(folder), "job/log/"+slot); got != name {
			t.Errorf("slot %s was won by %s and holds %q", slot, name, got)
		}
	}
	wantNoTemps(t, folder)
}

// S11: a kill at any step of a write leaves the old object, or all of the new
// one, and what it left besides is removed at the next start.
func TestKilledWriter(t *testing.T) {
	newData := strings.Repeat("new", 100_000)
	for _, c := range []struct {
		op, step string
		old      string // "": none
		want     string
	}{
		{"Put", "write", "old", "old"},
		{"Put", "half written", "old", "old"},
		{"Put", "half written", "", ""},
		{"Put", "sync", "old", "old"},
		{"Put", "rename", "old", "old"},
		{"Put", "rename", "", ""},
		{"Put", "sync folder", "old", newData},
		{"PutIfAbsent", "write", "", ""},
		{"PutIfAbsent", "sync", "", ""},
		{"PutIfAbsent", "link", "", ""},
		{"PutIfAbsent", "sync folder", "", "new"},
	} {
		t.Run(fmt.Sprintf("%s %s %s", c.op, c.step, c.old), func(t *testing.T) {
			folder := t.TempDir()
			before := Open(folder)
			if c.old != "" {
				put(t, before, "job/data/x", c.old)
			}
			_, err := start(t, folder, "die:"+c.op+":"+c.step).end(t)
			if e := (*exec.ExitError)(nil); !errors.As(err, &e) || e.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the child ended with %v; want SIGKILL", err)
			}
			if len(temps(t, folder)) == 0 && c.step != "sync folder" {
				t.Error("the killed process left no temporary file: it was not killed in the middle")
			}
			if got := contents(t, before, "job/data/x"); got != c.want {
				t.Errorf("the object holds %.20q; want %.20q", got, c.want)
			}
			after := Open(folder)
			if got := contents(t, after, "job/data/x"); got != c.want {
				t.Errorf("after the next start the object holds %.20q; want %.20q", got, c.want)
			}
			wantNoTemps(t, folder)
		})
	}
}

// A store that starts removes nothing of a process that runs.
func TestLiveWriterIsLeftAlone(t *testing.T) {
	folder := t.TempDir()
	p := start(t, folder, "slow")
	if line, err := p.out.ReadString('\n'); line != "writing\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	live := temps(t, folder)
	if err := Open(folder).(*store).Validate(); err != nil {
		t.Fatal(err)
	}
	if got := temps(t, folder); len(live) != 1 || !slices.Equal(got, live) {
		t.Errorf("temporary files are %v, were %v; want the one that is being written", got, live)
	}
	if lines, err := p.end(t); err != nil {
		t.Fatalf("%v: %v", err, lines)
	}
	if got := contents(t, Open(folder), "job/data/slow"); got != strings.Repeat("slow", 100_000) {
		t.Errorf("the object holds %d bytes %.20q", len(got), got)
	}
	wantNoTemps(t, folder)
}

func put(t *testing.T, s persistence.CheckpointStore, key, data string) {
	t.Helper()
	err := s.Put(t.Context(), key, func(w io.Writer) error {
		_, err := io.WriteString(w, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// contents gives "" for an object that is not there.
func contents(t *testing.T, s persistence.CheckpointStore, key string) string {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if errors.Is(err, persistence.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func temps(t *testing.T, folder string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(path), "~") {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func wantNoTemps(t *testing.T, folder string) {
	t.Helper()
	if left := temps(t, folder); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}
