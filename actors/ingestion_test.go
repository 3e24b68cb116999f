package actors

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// arrivals is a source of 1, 2, 3, one a batch, each a gap behind the one before:
// reading it moves the world's clock, by step.
type arrivals struct{ pass func() }

func (a arrivals) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}
func (a arrivals) Splits(context.Context) ([]string, error) { return []string{"0"}, nil }

func (a arrivals) Open(_ context.Context, _ string, position []byte) (operators.Reader[int64], error) {
	r := &arriving{arrivals: a}
	if len(position) > 0 {
		r.read = int64(position[0])
	}
	return r, nil
}

type arriving struct {
	arrivals
	read int64
}

func (r *arriving) NonBlocking() bool { return true }
func (r *arriving) Close() error      { return nil }
func (r *arriving) Position() []byte  { return []byte{byte(r.read)} }

func (r *arriving) Read(_ context.Context, b *operators.Batch[int64], _ int) error {
	if r.read == 3 {
		return io.EOF
	}
	r.read++
	r.pass()
	b.Append(r.read, operators.NoTime)
	return nil
}

// arrive starts a source subtask with two channels behind it, before which its
// three records come a gap apart, the first a gap after 1000.
func arrive(t *testing.T, strategy operators.WatermarkStrategy[int64], gap time.Duration, credits int) *bench {
	b := newBench(t, &datadriven.TestData{})
	b.world.system.Root.Stop(b.pid)
	top := operators.NewTopology("script")
	in := operators.From(top, "in", arrivals{func() { b.world.at = b.world.at.Add(gap) }}, strategy)
	in.To("first", sinkOf{}).Unchained()
	in.To("second", sinkOf{}).Unchained()
	p, err := top.Build()
	if err != nil {
		t.Fatal(err)
	}
	o := *b.options
	o.Plan, o.Credits, o.BatchRecords = p, credits, 1
	b.options, b.pid = &o, nil
	b.spawn(&o, "in", nil)
	return b
}

// batches are those among what a subtask says, each channel's own.
func batches(said string) (all []string) {
	for _, line := range strings.Split(said, "\n") {
		if _, batch, ok := strings.Cut(line, " batch "); ok {
			all = append(all, batch)
		}
	}
	return all
}

// S38: event-time marks and times do not depend on the speed of arrival; ingestion
// time is the source's clock, assigned once, so both channels behind it get the
// same.
func TestS38_TimesAtTheSource(t *testing.T) {
	once := func(each ...string) (both []string) {
		for _, s := range each {
			both = append(both, s, s)
		}
		return both
	}
	event := once("1@1 wm0", "2@2 wm1", "3@3 wm2", "wmmax")
	for _, c := range []struct {
		strategy operators.WatermarkStrategy[int64]
		gap      time.Duration
		want     []string
	}{
		{operators.Monotonous(func(v int64) int64 { return v }), time.Millisecond, event},
		{operators.Monotonous(func(v int64) int64 { return v }), time.Hour, event},
		{operators.IngestionTime[int64](), time.Millisecond, once("1@1001 wm1000", "2@1002 wm1001", "3@1003 wm1002", "wmmax")},
		{operators.IngestionTime[int64](), 150 * time.Millisecond, once("1@1150 wm1149", "2@1300 wm1299", "3@1450 wm1449", "wmmax")},
		{operators.IngestionTime[int64](), -150 * time.Millisecond, once("1@850 wm849", "2@850", "3@850", "wmmax")},
	} {
		b := arrive(t, c.strategy.Granularity(0), c.gap, 8)
		b.step("start")
		if got := batches(b.drain()); !slices.Equal(got, c.want) {
			t.Errorf("%v, %v apart: %q, want %q", c.strategy, c.gap, got, c.want)
		}
		b.close()
	}
}

// S38: ingestion time and its watermark are in the snapshot. What is read again
// gets a new time, not before the old ones though the clock was set back.
func TestS38_IngestionTimeAfterARestore(t *testing.T) {
	b := arrive(t, operators.IngestionTime[int64](), 10*time.Second, 1)
	defer b.close()
	b.step("start") // one record at 11000, then there is no more credit
	b.drain()
	b.step("trigger 1")
	b.drain()
	again := newSource(b.sub, b.sub.source.n)
	if err := again.assign(b.acked.GetSnapshot().GetOperators()[0].GetSplits()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now  int64
		want string
	}{{5000, "batch 2@11000"}, {10_999, "batch 2@11000"}, {25_000, "batch 2@25000 wm24999"}} {
		e := &element{batch: again.spec.Type.New(1)}
		*e.batch.Values.(*[]int64), e.batch.Times = []int64{2}, []int64{operators.NoTime}
		if err := again.splits[0].observe(e.batch, c.now); err != nil {
			t.Fatal(err)
		}
		if got := showElement(e); got != c.want {
			t.Errorf("read again at %d: %s, want %s", c.now, got, c.want)
		}
	}
}

// Nothing follows the end of input: a source that was stopped has neither a
// periodic watermark nor an idle split any more.
func TestNoMarkBehindTheEnd(t *testing.T) {
	b := arrive(t, operators.IngestionTime[int64]().Idle(time.Second), time.Second, 1)
	defer b.close()
	b.step("start")
	b.drain()
	b.say(&messages.StopSources{Attempt: uint64(b.attempt)})
	b.step("credit 1")
	if said := b.drain(); !strings.Contains(said, " end") {
		t.Fatalf("it did not end: %s", said)
	}
	for range 3 { // the tick, and what it would send when the batch has lingered
		b.step("wait 5s")
		if said := b.drain(); said != "" {
			t.Errorf("behind the end: %s", said)
		}
	}
}
