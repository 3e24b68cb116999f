package cluster_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/coordinator"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// race is a source of one record a millisecond: 2*time, plus one from the slow side.
// The fast one gives as much as is asked for, the slow one a record at a time, after
// the fast one has begun.
type race struct {
	length int64
	slow   bool
	may    <-chan struct{} // the slow one begins
	begun  func()          // the fast one gave records
	ended  func()
}

func (r *race) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}
func (r *race) Splits(context.Context) ([]string, error) { return []string{"0"}, nil }
func (r *race) Open(context.Context, string, []byte) (operators.Reader[int64], error) {
	return &runner{race: r}, nil
}

type runner struct {
	*race
	next int64
}

func (r *runner) Close() error      { return nil }
func (r *runner) Position() []byte  { return []byte{1} }
func (r *runner) NonBlocking() bool { return !r.slow }

func (r *runner) Read(ctx context.Context, b *operators.Batch[int64], most int) error {
	side := int64(0)
	if r.slow {
		side, most = 1, 1
		select {
		case <-r.may:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for ; most > 0 && r.next < r.length; most-- {
		b.Append(2*r.next+side, r.next)
		r.next++
	}
	r.begun()
	if r.next == r.length {
		r.ended()
		return io.EOF
	}
	return nil
}

// waiting holds every record until the watermark of both sides has reached it, as a
// join does, and counts how many it holds at most.
type waiting struct{ holds, most *int64 }

func (w waiting) ProcessElement(ctx *operators.Context[int64, int64], v int64) error {
	*w.holds++
	*w.most = max(*w.most, *w.holds)
	ctx.RegisterEventTimer(v / 2)
	ctx.Emit(v)
	return nil
}

func (w waiting) OnTimer(_ *operators.Context[int64, int64], _ int64, _ operators.Domain) error {
	*w.holds--
	return nil
}

// run lets a fast and a slow source meet, and gives what was held at most.
func (r *raceRun) run(t *testing.T, strategy operators.WatermarkStrategy[int64], may <-chan struct{}) {
	t.Helper()
	top := operators.NewTopology("race")
	fast := operators.From(top, "fast", &race{length: r.length, begun: sync.OnceFunc(r.begun), ended: sync.OnceFunc(r.ended)}, strategy)
	slow := operators.From(top, "slow", &race{length: r.length, slow: true, may: may, begun: func() {}, ended: func() {}}, strategy)
	var holds int64
	both := operators.KeyBy(operators.Union(fast, slow), func(v int64) int64 { return v })
	p := &plain{}
	operators.Process(both, "wait", func(*operators.States[int64]) waiting { return waiting{&holds, &r.most} }).To("out", p)
	job, err := cluster.Run(context.Background(), top, cluster.Config{BatchRecords: raceBatch})
	if err != nil {
		t.Fatal(err)
	}
	r.out, r.status = p.sorted(), job.Status()
}

type raceRun struct {
	length, most int64
	begun, ended func()
	out          []int64
	status       coordinator.Status
}

const raceBatch = 32

// S111: without alignment the fast one of two sources is held in state as a
// whole, with it as much as the drift and what is under way. The output is the same.
func TestAlignedSourcesHoldLess(t *testing.T) {
	const length, drift = 20_000, 1000
	strategy := operators.Monotonous[int64](nil).Granularity(10 * time.Millisecond)
	hasEnded, hasBegun := make(chan struct{}), make(chan struct{})
	free := raceRun{length: length, begun: func() {}, ended: func() { close(hasEnded) }}
	free.run(t, strategy, hasEnded)
	held := raceRun{length: length, begun: func() { close(hasBegun) }, ended: func() {}}
	held.run(t, strategy.Align("race", drift*time.Millisecond), hasBegun)
	if !slices.Equal(free.out, held.out) || len(held.out) != 2*length {
		t.Errorf("%d records with alignment, %d without, or others", len(held.out), len(free.out))
	}
	// Of each source: two channels' credits, what waits for them, and a batch too far.
	const underWay = 2 * 3 * 8 * raceBatch
	t.Logf("held at most %d without alignment, %d with it", free.most, held.most)
	if free.most < length || held.most > drift+underWay {
		t.Errorf("held at most %d without alignment, %d with it; want at least %d, at most %d", free.most, held.most, length, drift+underWay)
	}
	if n := counter(held.status, "fast", "alignment_pauses"); n == 0 {
		t.Error("the fast source never waited")
	}
	hasBegun = make(chan struct{})
	more := raceRun{length: length, begun: func() { close(hasBegun) }, ended: func() {}}
	more.run(t, strategy.Align("race", 4*drift*time.Millisecond), hasBegun)
	t.Logf("with four times the drift %d; the fast source waited %d times, then %d", more.most, counter(held.status, "fast", "alignment_pauses"), counter(more.status, "fast", "alignment_pauses"))
	if !slices.Equal(more.out, held.out) || more.most <= held.most || more.most > 4*drift+underWay {
		t.Errorf("with four times the drift %d records, at most %d held; with the drift %d", len(more.out), more.most, held.most)
	}
	for _, op := range held.status.Operators {
		if n := op.Counters["splits_paused"]; n != 0 || op.Furthest != messages.NoWatermark {
			t.Errorf("at the end %q has %d splits that wait, the furthest at %d", op.Operator, n, op.Furthest)
		}
	}
}

// Splits of a bounded source that wait to be opened do not count, or those that are
// open would wait for them for ever: 150 splits, 64 of which are read at a time, in
// an order of their own.
func TestAlignedSplitsThatWaitToBeOpened(t *testing.T) {
	times := make([]int64, 1500)
	for i := range times {
		times[i] = int64(i)
	}
	top := operators.NewTopology("many")
	strategy := operators.Monotonous(func(v int64) int64 { return v }).Granularity(0).Align("all", 5*time.Millisecond)
	many := operators.From(top, "many", operators.Slice(times...).InSplits(150), strategy)
	one := operators.From(top, "one", operators.Slice(times...), strategy)
	p := &plain{}
	operators.Union(many, one).To("out", p)
	job, err := cluster.Run(context.Background(), top, cluster.Config{BatchRecords: 4})
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Sorted(slices.Values(slices.Concat(times, times)))
	if got := p.sorted(); !slices.Equal(got, want) {
		t.Errorf("%d records of %d", len(got), len(want))
	}
	if n := counter(job.Status(), "many", "alignment_pauses"); n < 63 {
		t.Errorf("splits of the 64 that are open at first waited %d times", n)
	}
}

// S46: the larger bound drops fewer records as late and fires later: both are read
// from the status of two jobs that have read the same.
func TestS46_BoundIsATradeOff(t *testing.T) {
	f := newFeed()
	f.add("0", disorderly(2000)...)
	tight, wide := bounded(t, f, 0), bounded(t, f, 700*time.Millisecond)
	a, b := read2000(t, tight), read2000(t, wide)
	lateA, lateB := counter(a, "count", "records_late_dropped"), counter(b, "count", "records_late_dropped")
	if lateA <= lateB || lateB == 0 {
		t.Errorf("%d records are late with no bound, %d with one of 700 ms", lateA, lateB)
	}
	atA, atB := operatorOf(a, "count"), operatorOf(b, "count")
	if atA.Watermark-atB.Watermark != 700 || atA.RecordsOut <= atB.RecordsOut || atB.RecordsOut == 0 {
		t.Errorf("with no bound %d windows have fired up to %d, with one of 700 ms %d up to %d", atA.RecordsOut, atA.Watermark, atB.RecordsOut, atB.Watermark)
	}
	if src := operatorOf(a, "feed"); src.Furthest != src.Watermark || src.Furthest != atA.Watermark {
		t.Errorf("one split is at %d, the furthest at %d, the windows at %d", src.Watermark, src.Furthest, atA.Watermark)
	}
	for _, job := range []*cluster.Job{tight, wide} {
		job.Cancel()
		if err := job.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// disorderly gives times 10 ms apart, of which, after a second, every seventh is up
// to a second old.
func disorderly(n int64) []int64 {
	times := make([]int64, n)
	for i := range n {
		times[i] = 10 * i
		if i > 100 && i%7 == 6 {
			times[i] -= i * 37 % 1000
		}
	}
	return times
}

func bounded(t *testing.T, f *feed, bound time.Duration) *cluster.Job {
	t.Helper()
	top := operators.NewTopology("bounded")
	in := operators.From(top, "feed", f, operators.BoundedOutOfOrderness[int64](bound, nil))
	counts := operators.Aggregate(operators.KeyBy(in, func(int64) int64 { return 0 }).Window(operators.Tumbling(500*time.Millisecond)), "count", countInts{})
	operators.Map(counts, "row", func(r operators.WindowResult[int64, int64]) int64 { return r.Start + r.Value }).To("out", &plain{})
	job, err := cluster.Start(context.Background(), top, cluster.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// read2000 waits until the windows have all that the feed holds.
func read2000(t *testing.T, job *cluster.Job) coordinator.Status {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		s := job.Status()
		if operatorOf(s, "count").RecordsIn == 2000 {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the windows have %d of 2000 records", operatorOf(s, "count").RecordsIn)
		}
		if _, err := job.TriggerCheckpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func operatorOf(s coordinator.Status, name string) coordinator.OperatorStatus {
	return s.Operators[slices.IndexFunc(s.Operators, func(o coordinator.OperatorStatus) bool { return string(o.Operator) == name })]
}

func counter(s coordinator.Status, operator, name string) int64 {
	return operatorOf(s, operator).Counters[name]
}
