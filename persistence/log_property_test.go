package persistence_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// S10: several coordinators claim, publish, retain and delete, interleaved at
// every visit to a store that fails before or after the effect. Whatever happens,
//
//   - every claim has a greater attempt than all before it,
//   - a manifest is published only while its attempt's claim is the newest,
//   - a slot decides for one attempt at most,
//   - what was published last is what a fresh log finds newest, blob included.
func TestLogProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		newRace(t, persistencetest.Before, persistencetest.After).run()
	})
}

// The same over a disk that tears writes and lies: what it loses may be lost,
// but an older attempt never publishes once a newer one has claimed.
func TestLogPropertyBrokenDisk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRace(t, persistencetest.Before, persistencetest.After, persistencetest.Torn, persistencetest.Rotten)
		r.broken = true
		r.run()
	})
}

// race is some coordinators, and what has really happened in the store.
type race struct {
	*rapid.T
	store        *persistencetest.FaultyStore
	faults       []persistencetest.Fault
	broken       bool // the store may lose what it confirmed
	coordinators [3]*coordinator
	depth        int // of interleaving

	checkpoint uint64           // last id given out
	claimed    messages.Attempt // greatest that Claim returned
	newest     messages.Attempt // greatest that stands in the log
	greatest   string           // slot ever taken
	decided    []uint64         // checkpoints, as they came to stand in the log
	by         map[uint64]messages.Attempt
	slots      map[string]messages.Attempt // whose manifest came to stand in a slot
}

type coordinator struct {
	name    string
	log     *persistence.Log
	attempt messages.Attempt
	pending *messages.Manifest // Publish said uncertain
	busy    bool
}

func newRace(t *rapid.T, faults ...persistencetest.Fault) *race {
	r := &race{T: t, faults: faults, by: map[uint64]messages.Attempt{}, slots: map[string]messages.Attempt{}}
	r.store = persistencetest.Faulty(recorder{memory.Store(0), r.onRecord}, r.fault)
	r.store.SetSlow(r.interleave)
	for i := range r.coordinators {
		r.coordinators[i] = &coordinator{name: string(rune('a' + i))}
	}
	return r
}

// recorder tells every record that really came to stand in the log.
type recorder struct {
	persistence.CheckpointStore
	onRecord func(key string, data []byte)
}

func (r recorder) PutIfAbsent(c context.Context, key string, data []byte) error {
	err := r.CheckpointStore.PutIfAbsent(c, key, data)
	if err == nil {
		r.onRecord(key, data)
	}
	return err
}

func (r *race) onRecord(key string, data []byte) {
	rec := &messages.LogRecord{}
	if r.broken || proto.Unmarshal(data[20:], rec) != nil {
		return
	}
	if key < r.greatest {
		return // the slot was taken before and deleted: it counts for nobody
	}
	r.greatest = key
	if c := rec.GetClaim(); c != nil {
		if a := messages.Attempt(c.Attempt); a <= r.newest {
			r.Fatalf("%s claims attempt %d behind attempt %d", c.Owner, a, r.newest)
		}
		r.newest = messages.Attempt(c.Attempt)
		if c.Discards {
			r.decided = nil
		}
		return
	}
	m, a := rec.GetManifest(), messages.Attempt(rec.GetManifest().GetAttempt())
	if before, ok := r.slots[key]; ok && before != a {
		r.Fatalf("slot %s decides for attempt %d, and did for %d", key, a, before)
	}
	r.slots[key] = a
	if a == r.newest {
		r.decided = append(r.decided, m.Checkpoint)
		r.by[m.Checkpoint] = a
	}
}

func (r *race) fault(persistencetest.Op, string) persistencetest.Fault {
	if r.chance(8) {
		return rapid.SampledFrom(r.faults).Draw(r.T, "fault")
	}
	return persistencetest.None
}

func (r *race) chance(oneIn int) bool { return rapid.IntRange(1, oneIn).Draw(r.T, "chance") == oneIn }

// interleave lets another coordinator act in the middle of a call.
func (r *race) interleave(persistencetest.Op, string) {
	if r.depth < 2 && r.chance(6) {
		r.act()
	}
}

func (r *race) run() {
	for range rapid.IntRange(5, 40).Draw(r.T, "steps") {
		r.act()
		r.check()
	}
}

func (r *race) act() {
	c := r.coordinators[rapid.IntRange(0, len(r.coordinators)-1).Draw(r.T, "coordinator")]
	if c.busy {
		return
	}
	c.busy = true
	r.depth++
	defer func() { c.busy = false; r.depth-- }()
	if c.log == nil {
		c.log, _ = persistence.OpenLog(ctx, r.store, job)
		return
	}
	switch rapid.IntRange(0, 9).Draw(r.T, "action") {
	case 0, 1:
		r.claim(c)
	case 2:
		c.log, c.pending, c.attempt = nil, nil, 0 // a crash
	case 3, 4:
		r.logf(c, "retain", c.log.Retain(ctx, rapid.IntRange(1, 3).Draw(r.T, "keep")))
	case 5:
		r.deleteAll(c)
	default:
		r.publish(c)
	}
}

func (r *race) logf(c *coordinator, what string, err error) {
	r.Logf("%*s%s %s: %v", 2*r.depth, "", c.name, what, err)
}

func (r *race) claim(c *coordinator) {
	c.pending, c.attempt = nil, 0
	nonce := rapid.Uint64().Draw(r.T, "nonce")
	a, err := c.log.Claim(ctx, persistence.Owner{Name: "same for all", Nonce: nonce ^ uint64(c.name[0])<<56}, "", 0)
	r.logf(c, fmt.Sprintf("claim -> %d", a), err)
	if err == nil {
		r.onClaimed(c, a)
	}
}

func (r *race) onClaimed(c *coordinator, a messages.Attempt) {
	c.attempt = a
	if a <= r.claimed && !r.claimedMeanwhile(a) {
		r.Fatalf("%s got attempt %d, %d was given before", c.name, a, r.claimed)
	}
	r.claimed = max(r.claimed, a)
}

// claimedMeanwhile tells whether a greater attempt was claimed while the call
// that returned a was on its way: then a is no mistake, but fenced already.
func (r *race) claimedMeanwhile(a messages.Attempt) bool {
	for _, c := range r.coordinators {
		if c.attempt == a && !c.busy {
			return false
		}
	}
	return a < r.claimed
}

func (r *race) deleteAll(c *coordinator) {
	c.pending = nil
	err := c.log.DeleteAll(ctx, 0)
	r.logf(c, "delete all", err)
	c.attempt = 0
	if a := c.log.Attempt(); a != 0 {
		c.attempt = a
		r.claimed = max(r.claimed, a)
	}
}

func (r *race) publish(c *coordinator) {
	m := c.pending
	if m == nil {
		r.checkpoint++
		m = &messages.Manifest{Checkpoint: r.checkpoint}
		r.putBlob(m, c.attempt)
	}
	newest := r.claimed
	err := c.log.Publish(ctx, m)
	r.logf(c, fmt.Sprintf("publish %d", m.Checkpoint), err)
	c.pending = nil
	if uncertain := (*persistence.UncertainError)(nil); errors.As(err, &uncertain) {
		c.pending = m
	}
	if err == nil {
		r.onPublished(c, m, newest)
	}
}

// onPublished looks at a Publish that returned nil; newest is the greatest
// attempt that had been given out when it was called.
func (r *race) onPublished(c *coordinator, m *messages.Manifest, newest messages.Attempt) {
	if c.attempt < newest {
		r.Fatalf("%s published checkpoint %d by attempt %d, %d had claimed before", c.name, m.Checkpoint, c.attempt, newest)
	}
	if !r.broken && r.by[m.Checkpoint] != c.attempt {
		r.Fatalf("%s was told that checkpoint %d is published, but it never stood in the log under attempt %d", c.name, m.Checkpoint, c.attempt)
	}
}

func (r *race) putBlob(m *messages.Manifest, a messages.Attempt) {
	key := persistence.BlobPrefix(job, a, messages.CheckpointID(m.Checkpoint), "sum", 0) + "heap"
	m.Subtasks = []*messages.SubtaskSnapshot{{Operators: []*messages.OperatorSnapshot{{Blobs: []*messages.Blob{{Key: key}}}}}}
	err := r.store.CheckpointStore.Put(ctx, key, func(w io.Writer) error {
		_, err := io.WriteString(w, "state")
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
}

// check opens the log afresh, over the store without faults.
func (r *race) check() {
	l, err := persistence.OpenLog(ctx, r.store.CheckpointStore, job)
	if err != nil {
		r.Fatal(err)
	}
	ms, damaged := l.Manifests()
	if r.broken {
		return
	}
	if len(damaged) > 0 {
		r.Fatalf("damaged slots %v without a fault that damages", damaged)
	}
	switch {
	case len(r.decided) == 0 && len(ms) > 0:
		r.Fatalf("checkpoint %d is found, none was published", ms[0].Checkpoint)
	case len(r.decided) > 0 && len(ms) == 0:
		r.Fatalf("no checkpoint is found, %v were published", r.decided)
	case len(ms) > 0:
		r.checkNewest(ms[0])
	}
}

func (r *race) checkNewest(m *messages.Manifest) {
	if want := r.decided[len(r.decided)-1]; m.Checkpoint != want {
		r.Fatalf("the newest is checkpoint %d, %d was published last", m.Checkpoint, want)
	}
	key := m.Subtasks[0].Operators[0].Blobs[0].Key
	keys, err := r.store.CheckpointStore.List(ctx, string(job)+"/data")
	if err != nil || !strings.Contains(strings.Join(keys, " "), key) {
		r.Fatalf("blob %s of the newest checkpoint is gone: %v, %v", key, keys, err)
	}
}
