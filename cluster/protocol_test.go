package cluster_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

const records = 20000

// through is a job that carries 0..records-1 to the outside by an exchange.
func through(o *outside, see func(v int64)) *operators.Topology {
	numbers := make([]int64, records)
	for i := range numbers {
		numbers[i] = int64(i)
	}
	top := operators.NewTopology("through").Parallelism(2)
	in := operators.From(top, "numbers", operators.Slice(numbers...), operators.NoWatermarks[int64]())
	seen := operators.Map(in, "see", func(v int64) int64 { see(v); return v })
	operators.Reduce(operators.KeyBy(seen, func(v int64) int64 { return v }), "key", func(_, b int64) int64 { return b }).To("out", o)
	return top
}

func fast() cluster.Config {
	return cluster.Config{
		Checkpoint: cluster.Checkpoints{Interval: 3 * time.Millisecond, TolerableFailures: 1000},
		Restart:    cluster.FixedDelay{Attempts: 5, Delay: time.Millisecond},
		Store:      memory.Store(64 << 20), BatchRecords: 64,
	}
}

// slowly makes a job last longer than a few checkpoints.
func slowly() func(int64) {
	var n atomic.Int64
	return func(int64) {
		if n.Add(1)%500 == 0 {
			<-time.After(time.Millisecond)
		}
	}
}

// S31, S32, S33: begin (write)* prepare begin ... with commits in between, for
// every writer of a run without failures.
func TestS31_Grammar(t *testing.T) {
	o := newOutside()
	if _, err := cluster.Run(context.Background(), through(o, slowly()), fast()); err != nil {
		t.Fatal(err)
	}
	o.checkGrammar(t)
	o.checkOnce(t, records)
	if len(o.committed) < 4 {
		t.Errorf("%d transactions: the job was too short to show anything", len(o.committed))
	}
}

// gate is a store whose log accepts no manifest until it is opened.
type gate struct {
	persistence.CheckpointStore
	closed  atomic.Bool
	waiting chan struct{} // one signal when a manifest waits
	open    chan struct{}
	once    sync.Once
}

func (g *gate) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	if g.closed.Load() && strings.Contains(key, "/log/") {
		g.once.Do(func() { close(g.waiting) })
		<-g.open
	}
	return g.CheckpointStore.PutIfAbsent(ctx, key, data)
}

// S16, S30: between prepare and commit records flow into the next transaction,
// and nothing is committed before the decision is durable.
func TestS16_RecordsFlowBetweenPrepareAndCommit(t *testing.T) {
	o := newOutside()
	g := &gate{CheckpointStore: memory.Store(64 << 20), waiting: make(chan struct{}), open: make(chan struct{})}
	var before atomic.Int64
	enough := make(chan struct{})
	var once sync.Once
	o.onWrite = func(total int) {
		if b := before.Load(); b > 0 && int64(total) > b+2000 {
			once.Do(func() { close(enough) })
		}
	}
	cfg := fast()
	cfg.Store = g
	job, err := cluster.Start(context.Background(), through(o, slowly()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.TriggerCheckpoint(context.Background()); err != nil { // it runs: claims are through
		t.Fatal(err)
	}
	g.closed.Store(true)
	<-g.waiting
	o.mu.Lock()
	committed := len(o.committed)
	before.Store(int64(o.written))
	o.mu.Unlock()
	<-enough // 2000 records were written while the manifest waited
	o.mu.Lock()
	if len(o.committed) != committed {
		t.Errorf("%d transactions were committed before the manifest was durable", len(o.committed)-committed)
	}
	o.mu.Unlock()
	g.closed.Store(false)
	close(g.open)
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	o.checkGrammar(t)
	o.checkOnce(t, records)
}

// S27: a prepare that fails cancels its checkpoint; the job goes on, the next
// one succeeds, and the results are unchanged.
func TestS27_PrepareFails(t *testing.T) {
	o := newOutside()
	failures := 0
	o.onPrepare = func(_ *outside, h string) error {
		if failures < 3 && strings.Contains(h, "subtask 1") {
			failures++
			return errors.New("the disk is busy")
		}
		return nil
	}
	job, err := cluster.Run(context.Background(), through(o, slowly()), fast())
	if err != nil {
		t.Fatal(err)
	}
	if s := job.Status(); s.Restarts != 0 || failures != 3 {
		t.Errorf("%d restarts, %d failures", s.Restarts, failures)
	}
	o.checkOnce(t, records)
}

// S28: a commit that fails is tried again by the restart: the same transaction,
// nothing lost, nothing twice. S18: so it is when only some of a checkpoint's
// transactions were committed.
func TestS28_CommitFails(t *testing.T) {
	o := newOutside()
	commits, failed := 0, ""
	o.onCommit = func(_ *outside, h string) error {
		if commits++; commits == 4 {
			failed = h
			return errors.New("the answer got lost")
		}
		return nil
	}
	job, err := cluster.Run(context.Background(), through(o, slowly()), fast())
	if err != nil {
		t.Fatal(err)
	}
	if s := job.Status(); s.Restarts != 1 {
		t.Errorf("%d restarts, want 1", s.Restarts)
	}
	if !o.committed[failed] {
		t.Errorf("transaction %s was never committed", failed)
	}
	o.checkOnce(t, records)
}

// S14: while one participant votes against, no participant's effect becomes
// visible, and in the end nothing is left of any.
func TestS14_OneParticipantNeverPrepares(t *testing.T) {
	o := newOutside()
	o.onPrepare = func(_ *outside, h string) error {
		if strings.Contains(h, "subtask 1") {
			return fmt.Errorf("no: %w", operators.ErrBroken)
		}
		return nil
	}
	cfg := fast()
	cfg.Restart = cluster.FixedDelay{Attempts: 2, Delay: time.Millisecond}
	if _, err := cluster.Run(context.Background(), through(o, slowly()), cfg); err == nil {
		t.Fatal("the job succeeded without one of its participants")
	}
	if len(o.visible) != 0 || o.open != 0 {
		t.Errorf("%d records are visible, %d transactions are open", len(o.visible), o.open)
	}
}

// S18: a commit that can never succeed is reported with what it covers, and the
// job goes on; nothing is dropped without a word.
func TestS18_InDoubt(t *testing.T) {
	o := newOutside()
	doubted := ""
	o.onCommit = func(_ *outside, h string) error {
		if doubted == "" || doubted == h {
			doubted = h
			return fmt.Errorf("transaction %.40s expired: %w", h, operators.ErrInDoubt)
		}
		return nil
	}
	job, err := cluster.Run(context.Background(), through(o, slowly()), fast())
	if err == nil || !strings.Contains(err.Error(), "in doubt") || !strings.Contains(err.Error(), "expired") {
		t.Errorf("Wait: %v", err)
	}
	s := job.Status()
	if len(s.InDoubt) != 1 || string(s.InDoubt[0].GetHandle()) != doubted {
		t.Fatalf("in doubt: %v", s.InDoubt)
	}
	var h handle
	if err := json.Unmarshal([]byte(doubted), &h); err != nil {
		t.Fatal(err)
	}
	if len(o.visible)+len(h.Records) != records {
		t.Errorf("%d visible and %d in doubt of %d", len(o.visible), len(h.Records), records)
	}
}

// S22, S94: in every published checkpoint the sources' positions and what the
// sinks prepared speak of the same records: exactly those before the barrier.
func TestS22_BarrierSitsAtThePosition(t *testing.T) {
	o := newOutside()
	cfg := fast()
	cfg.Checkpoint.Retained = 1000
	if _, err := cluster.Run(context.Background(), through(o, slowly()), cfg); err != nil {
		t.Fatal(err)
	}
	log, err := persistence.OpenLog(context.Background(), cfg.Store, messages.JobID("through"))
	if err != nil {
		t.Fatal(err)
	}
	manifests, damaged := log.Manifests()
	if len(manifests) < 4 || len(damaged) > 0 {
		t.Fatalf("%d manifests, damaged: %v", len(manifests), damaged)
	}
	before := map[string]bool{} // handles of this and older checkpoints
	for i := len(manifests) - 1; i >= 0; i-- {
		position, total := 0, 0
		for _, sub := range manifests[i].GetSubtasks() {
			for _, op := range sub.GetOperators() {
				for _, sp := range op.GetSplits() {
					position += sliceIndex(t, sp.GetPosition())
				}
				for _, p := range op.GetPrepared() {
					before[string(p.GetHandle())] = true
				}
			}
		}
		for h := range before {
			var parsed handle
			if err := json.Unmarshal([]byte(h), &parsed); err != nil {
				t.Fatal(err)
			}
			total += len(parsed.Records)
		}
		if position != total {
			t.Errorf("checkpoint %d: position %d, %d records in its transactions and older ones", manifests[i].GetCheckpoint(), position, total)
		}
	}
}

// sliceIndex reads the position of a Slice source: a varint.
func sliceIndex(t *testing.T, p []byte) int {
	n, shift := 0, 0
	for _, b := range p {
		n |= int(b&0x7f) << shift
		shift += 7
	}
	return n
}

// plain shows everything it is given, at once.
type plain struct {
	mu  sync.Mutex
	all []int64
}

func (p *plain) Kind() operators.SinkKind { return operators.Plain }
func (p *plain) Open(context.Context, operators.SinkContext) (operators.Writer[int64], error) {
	return p, nil
}
func (p *plain) Write(_ context.Context, b *operators.Batch[int64]) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, b.Values...)
	return nil
}
func (p *plain) Flush(context.Context) error { return nil }
func (p *plain) Close() error                { return nil }

// S19: the state counts exactly with a plain sink that shows duplicates; with a
// transactional one there are none.
func TestS19_PlainSinkShowsDuplicates(t *testing.T) {
	o, p := newOutside(), &plain{}
	var failed atomic.Bool
	slow := slowly()
	numbers := make([]int64, records)
	for i := range numbers {
		numbers[i] = 1
	}
	top := operators.NewTopology("both").Parallelism(1)
	in := operators.From(top, "ones", operators.Slice(numbers...), operators.NoWatermarks[int64]())
	seen := operators.Map(in, "see", func(v int64) int64 { slow(v); return v })
	counts := operators.Reduce(operators.KeyBy(seen, func(v int64) int64 { return v }), "count", func(a, b int64) int64 {
		if a == records*3/4 && !failed.Swap(true) {
			panic("once")
		}
		return a + b
	})
	counts.To("plain", p)
	operators.Map(counts, "from-zero", func(v int64) int64 { return v - 1 }).To("exact", o)
	cfg := fast()
	if _, err := cluster.Run(context.Background(), top, cfg); err != nil {
		t.Fatal(err)
	}
	o.checkOnce(t, records) // every count once, so the state never counted a record twice
	times := map[int64]int{}
	for _, v := range p.all {
		times[v]++
	}
	if len(times) != records || len(p.all) == records {
		t.Errorf("the plain sink shows %d values in %d lines; it should show all, and some twice", len(times), len(p.all))
	}
}
