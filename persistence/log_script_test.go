package persistence_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/datadriven"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// TestLogScripts runs the log's protocol: several coordinators with logs of one
// job, interleaved, over a store that fails when told to. It holds
//
//   - S10, S30: the decision is durable before Publish returns (decide.txt)
//   - S95: the latest n remain, cancel leaves 0, failure keeps (retain.txt)
//   - S105: a corrupt newest manifest is reported, the one before is used (damage.txt)
func TestLogScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/log", func(t *testing.T, path string) {
		w := &logWorld{store: persistencetest.Faulty(memory.Store(0), nil), logs: map[string]*persistence.Log{}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			run := map[string]func(*testing.T, *datadriven.TestData) string{
				"open": w.open, "claim": w.claim, "publish": w.publish, "retain": w.retain, "delete-all": w.deleteAll,
				"manifests": w.manifests, "last-checkpoint": w.lastCheckpoint, "fault": w.fault, "damage": w.damage,
				"blob": w.blob, "store": w.list, "remove": w.remove, "put": w.put,
			}[d.Cmd]
			if run == nil {
				d.Fatalf(t, "no command %s", d.Cmd)
			}
			return run(t, d)
		})
	})
}

// logWorld is what the scripts act on. Logs go by the name of their coordinator.
type logWorld struct {
	store *persistencetest.FaultyStore
	logs  map[string]*persistence.Log
}

var ctx = context.Background()

const job = messages.JobID("tips")

func (w *logWorld) log(t *testing.T, d *datadriven.TestData) *persistence.Log {
	l := w.logs[d.CmdArgs[0].Key]
	if l == nil {
		d.Fatalf(t, "log %q is not open", d.CmdArgs[0].Key)
	}
	return l
}

func outcome(err error, ok string) string {
	if err == nil {
		return ok
	}
	kind := "error"
	if e := (*persistence.FencedError)(nil); errors.As(err, &e) {
		kind = "fenced"
	} else if e := (*persistence.UncertainError)(nil); errors.As(err, &e) {
		kind = "uncertain"
	} else if e := (*persistence.FormatError)(nil); errors.As(err, &e) {
		kind = "format"
	}
	return kind + ": " + err.Error()
}

// open NAME [job=JOB]
func (w *logWorld) open(t *testing.T, d *datadriven.TestData) string {
	name := string(job)
	d.MaybeScanArgs(t, "job", &name)
	l, err := persistence.OpenLog(ctx, w.store, messages.JobID(name))
	if err == nil {
		w.logs[d.CmdArgs[0].Key] = l
	}
	return outcome(err, "ok")
}

// claim NAME [reason=WORD]: the owner is named and numbered after the log.
func (w *logWorld) claim(t *testing.T, d *datadriven.TestData) string {
	reason := "start"
	d.MaybeScanArgs(t, "reason", &reason)
	name := d.CmdArgs[0].Key
	a, err := w.log(t, d).Claim(ctx, persistence.Owner{Name: "host/" + name, Nonce: xxhash.Sum64String(name)}, reason, 1_700_000_000_000)
	return outcome(err, fmt.Sprintf("attempt %d", a))
}

// publish NAME CHECKPOINT [savepoint] [blobs=(a,b)]: blobs are named by attempt.operator
func (w *logWorld) publish(t *testing.T, d *datadriven.TestData) string {
	l := w.log(t, d)
	var cp uint64
	if _, err := fmt.Sscan(d.CmdArgs[1].Key, &cp); err != nil {
		d.Fatalf(t, "checkpoint: %v", err)
	}
	m := &messages.Manifest{Checkpoint: cp, Savepoint: d.HasArg("savepoint")}
	if arg, ok := d.Arg("blobs"); ok {
		o := &messages.OperatorSnapshot{}
		for _, key := range arg.Vals {
			o.Blobs = append(o.Blobs, &messages.Blob{Key: key})
		}
		m.Subtasks = []*messages.SubtaskSnapshot{{Operators: []*messages.OperatorSnapshot{o}}}
	}
	return outcome(l.Publish(ctx, m), fmt.Sprintf("checkpoint %d is decided by attempt %d", cp, l.Attempt()))
}

// retain NAME KEEP
func (w *logWorld) retain(t *testing.T, d *datadriven.TestData) string {
	var keep int
	if _, err := fmt.Sscan(d.CmdArgs[1].Key, &keep); err != nil {
		d.Fatalf(t, "keep: %v", err)
	}
	return outcome(w.log(t, d).Retain(ctx, keep), "ok")
}

// delete-all NAME
func (w *logWorld) deleteAll(t *testing.T, d *datadriven.TestData) string {
	l := w.log(t, d)
	err := l.DeleteAll(ctx, 1_700_000_001_000)
	return outcome(err, fmt.Sprintf("ok, attempt %d", l.Attempt()))
}

// manifests NAME
func (w *logWorld) manifests(t *testing.T, d *datadriven.TestData) string {
	var b strings.Builder
	ms, damaged := w.log(t, d).Manifests()
	for _, m := range ms {
		fmt.Fprintf(&b, "checkpoint %d of attempt %d\n", m.Checkpoint, m.Attempt)
	}
	for _, e := range damaged {
		fmt.Fprintf(&b, "damaged: %v\n", e)
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

// last-checkpoint NAME
func (w *logWorld) lastCheckpoint(t *testing.T, d *datadriven.TestData) string {
	id, err := w.log(t, d).LastCheckpoint(ctx)
	return outcome(err, fmt.Sprint(id))
}

// fault OP FAULT...: for the next calls of OP
func (w *logWorld) fault(t *testing.T, d *datadriven.TestData) string {
	names := []persistencetest.Fault{persistencetest.None, persistencetest.Before, persistencetest.After, persistencetest.Torn, persistencetest.Rotten}
	script := map[persistencetest.Op][]persistencetest.Fault{}
	op := persistencetest.Op("")
	for _, a := range d.CmdArgs {
		i := slices.IndexFunc(names, func(f persistencetest.Fault) bool { return f.String() == a.Key })
		if i < 0 {
			op = persistencetest.Op(a.Key)
			continue
		}
		script[op] = append(script[op], names[i])
	}
	w.store.SetDecide(func(op persistencetest.Op, _ string) persistencetest.Fault {
		f := persistencetest.None
		if len(script[op]) > 0 {
			f, script[op] = script[op][0], script[op][1:]
		}
		return f
	})
	return "ok"
}

func slotKey(slot int) string { return fmt.Sprintf("%s/log/%020d", job, slot) }

// damage SLOT flip|cut|empty|newer-frame|newer-manifest|other-job|nonsense
func (w *logWorld) damage(t *testing.T, d *datadriven.TestData) string {
	var slot int
	if _, err := fmt.Sscan(d.CmdArgs[0].Key, &slot); err != nil {
		d.Fatalf(t, "slot: %v", err)
	}
	data := read(t, w.store, slotKey(slot))
	switch how := d.CmdArgs[1].Key; how {
	case "flip":
		data[len(data)-1] ^= 1
	case "cut":
		data = data[:len(data)-3]
	case "empty":
		data = nil
	case "nonsense":
		data = []byte("these are not the bytes that were written")
	case "newer-frame":
		binary.LittleEndian.PutUint32(data[4:], 7)
		seal(data)
	case "newer-manifest":
		data = reframe(t, data, func(m *messages.Manifest) { m.Format = 9 })
	case "other-job":
		data = reframe(t, data, func(m *messages.Manifest) { m.Job = "rides" })
	case "other-blob":
		data = reframe(t, data, func(m *messages.Manifest) { m.Subtasks[0].Operators[0].Blobs[0].Key = "rides/data/x" })
	default:
		d.Fatalf(t, "damage %s", how)
	}
	write(t, w.store, slotKey(slot), data)
	return "ok"
}

// seal makes the checksum of a frame right again.
func seal(data []byte) {
	h := xxhash.New()
	_, _ = h.Write(data[4:12])
	_, _ = h.Write(data[20:])
	binary.LittleEndian.PutUint64(data[12:], h.Sum64())
}

// reframe changes the manifest in a frame.
func reframe(t *testing.T, data []byte, change func(*messages.Manifest)) []byte {
	r := &messages.LogRecord{}
	if err := proto.Unmarshal(data[20:], r); err != nil {
		t.Fatal(err)
	}
	change(r.GetManifest())
	data, err := proto.MarshalOptions{}.MarshalAppend(data[:20], r)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(data[8:], uint32(len(data)-20))
	seal(data)
	return data
}

// blob CHECKPOINT ATTEMPT: an object of that checkpoint; gives its key.
func (w *logWorld) blob(t *testing.T, d *datadriven.TestData) string {
	var cp, attempt uint64
	if _, err := fmt.Sscan(d.CmdArgs[0].Key+" "+d.CmdArgs[1].Key, &cp, &attempt); err != nil {
		d.Fatalf(t, "blob: %v", err)
	}
	key := persistence.BlobPrefix(job, messages.Attempt(attempt), messages.CheckpointID(cp), "sum", 0) + "heap"
	write(t, w.store, key, []byte("state"))
	return key
}

// put KEY: an object that weir did not write
func (w *logWorld) put(t *testing.T, d *datadriven.TestData) string {
	write(t, w.store, d.CmdArgs[0].Key, []byte("x"))
	return "ok"
}

// remove SLOT
func (w *logWorld) remove(t *testing.T, d *datadriven.TestData) string {
	var slot int
	if _, err := fmt.Sscan(d.CmdArgs[0].Key, &slot); err != nil {
		d.Fatalf(t, "slot: %v", err)
	}
	if err := w.store.CheckpointStore.Delete(ctx, slotKey(slot)); err != nil {
		t.Fatal(err)
	}
	return "ok"
}

// store: all there is
func (w *logWorld) list(t *testing.T, d *datadriven.TestData) string {
	keys, err := w.store.CheckpointStore.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&b, "%s%s\n", short(key), describe(t, w.store, key))
	}
	return b.String()
}

// short drops the zeros that a reader need not see.
func short(key string) string {
	for _, part := range strings.Split(key, "/") {
		if trimmed := strings.TrimLeft(part, "0"); len(part) >= 20 {
			key = strings.Replace(key, part, trimmed, 1)
		}
	}
	return key
}

func describe(t *testing.T, store *persistencetest.FaultyStore, key string) string {
	if !strings.HasPrefix(key, string(job)+"/log/") {
		return ""
	}
	data := read(t, store, key)
	r := &messages.LogRecord{}
	if len(data) < 20 || proto.Unmarshal(data[20:], r) != nil {
		return " unreadable"
	}
	switch x := r.Record.(type) {
	case *messages.LogRecord_Claim:
		return fmt.Sprintf(" claim of attempt %d by %s: %s", x.Claim.Attempt, x.Claim.Owner, x.Claim.Reason)
	case *messages.LogRecord_Manifest:
		return fmt.Sprintf(" manifest of checkpoint %d, attempt %d", x.Manifest.Checkpoint, x.Manifest.Attempt)
	default:
		return " unreadable"
	}
}

func read(t testing.TB, store *persistencetest.FaultyStore, key string) []byte {
	r, err := store.CheckpointStore.Open(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, store *persistencetest.FaultyStore, key string, data []byte) {
	err := store.CheckpointStore.Put(ctx, key, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
