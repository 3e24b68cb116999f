package operators_test

import (
	"context"
	"fmt"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// Rides reports how long a zone was busy: from its first trip until none came
// for a quarter of an hour.
type Rides struct {
	began operators.ValueState[int64]
	ends  operators.ValueState[int64] // the timer that is set
}

const pause = int64(15 * 60_000)

func newRides(s *operators.States[string]) *Rides {
	return &Rides{
		began: operators.NewValueState[int64](s, "began"),
		ends:  operators.NewValueState[int64](s, "ends"),
	}
}

// ProcessElement moves the timer behind the latest trip. When the pause was long
// enough before this trip, but no watermark has said so yet, it does what the
// timer would have done.
func (f *Rides) ProcessElement(ctx *operators.Context[string, string], t Trip) error {
	if ends, busy := f.ends.Get(); busy {
		ctx.DeleteEventTimer(ends)
		if ends <= ctx.Time() {
			f.report(ctx, ends)
		}
	}
	if _, busy := f.began.Get(); !busy {
		f.began.Set(ctx.Time())
	}
	f.ends.Set(ctx.Time() + pause)
	ctx.RegisterEventTimer(ctx.Time() + pause)
	return nil
}

// OnTimer runs when the watermark has passed the pause.
func (f *Rides) OnTimer(ctx *operators.Context[string, string], ends int64, _ operators.Domain) error {
	f.report(ctx, ends)
	return nil
}

// report tells it with the time of the last trip, and forgets the zone.
func (f *Rides) report(ctx *operators.Context[string, string], ends int64) {
	began, _ := f.began.Get()
	last := ends - pause
	ctx.EmitAt(fmt.Sprintf("%s from %v to %v", ctx.Key(), clock(began), clock(last)), last)
	f.began.Clear()
	f.ends.Clear()
}

var _ operators.TimerHandler[string, string] = (*Rides)(nil)

// A zone's rides end with a pause. A timer finds the one that no trip ends.
func ExampleTimerHandler() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 1, at(1, 0)}, Trip{"Harlem", 2, at(1, 10)}, Trip{"Harlem", 3, at(1, 20)}, Trip{"Harlem", 4, at(3, 0)})
	operators.Process(operators.KeyBy(trips, zone), "rides", newRides).To("out", printer[string]{})

	run(top)

	// Output:
	// Harlem from 1h0m0s to 1h20m0s
	// Harlem from 3h0m0s to 3h0m0s
}

// Patience answers a message when it has had a millisecond to think, by the
// clock on the wall.
type Patience struct{ asked operators.ValueState[string] }

// ProcessElement sets two timers and takes one of them back.
func (f *Patience) ProcessElement(ctx *operators.Context[string, string], text string) error {
	f.asked.Set(text)
	now := ctx.CurrentProcessingTime()
	ctx.RegisterProcessingTimer(now + 1)
	ctx.RegisterProcessingTimer(now + 2)
	ctx.DeleteProcessingTimer(now + 2)
	return nil
}

// OnTimer answers. A function with timers of both kinds asks which it was.
func (f *Patience) OnTimer(ctx *operators.Context[string, string], _ int64, domain operators.Domain) error {
	if domain == operators.EventTime {
		return nil
	}
	text, _ := f.asked.Get()
	ctx.Emit(text + ", said " + ctx.Key() + " by " + operators.ProcessingTime.String())
	return nil
}

// answers is a sink whose records come out of a channel.
type answers struct {
	printer[string]
	c chan string
}

func (a answers) Open(context.Context, operators.SinkContext) (operators.Writer[string], error) {
	return a, nil
}

func (a answers) Write(_ context.Context, b *operators.Batch[string]) error {
	for _, text := range b.Values {
		a.c <- text
	}
	return nil
}

// Timers in processing time fire while the job runs: what is pending at the end of
// the input does not, so the inbox stays open until the answer is there.
func ExampleContext_RegisterProcessingTimer() {
	in, out := make(Inbox), answers{c: make(chan string, 10)}
	top := operators.NewTopology("messages")
	messages := operators.From(top, "inbox", in, operators.NoWatermarks[string]())
	operators.Process(operators.KeyBy(messages, func(string) string { return "somebody" }), "patience", func(s *operators.States[string]) *Patience {
		return &Patience{asked: operators.NewValueState[string](s, "asked")}
	}).To("out", out)
	job, err := cluster.Start(context.Background(), top, cluster.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	in <- "hello"
	fmt.Println(<-out.c)
	close(in)
	fmt.Println(job.Wait(), len(out.c))

	// Output:
	// hello, said somebody by processing time
	// <nil> 0
}

// Rates is a function that gets ready before it works, and counts.
type Rates struct {
	dollars float64
	empty   *plan.Counter
}

// Open runs in each subtask before its first record.
func (f *Rates) Open(info operators.OpenContext) error {
	fmt.Printf("%s %d of %d, attempt %d, restored: %v\n", info.Operator, info.Index+1, info.Parallelism, info.Attempt, info.Restored)
	f.dollars, f.empty = 0.01, info.Counter("empty")
	return nil
}

// ProcessElement handles one record.
func (f *Rates) ProcessElement(ctx *operators.Context[string, float64], t Trip) error {
	if t.Tip == 0 {
		f.empty.Add(1)
		return nil
	}
	ctx.Emit(float64(t.Tip) * f.dollars)
	return nil
}

// Close runs at the end, also after a failure.
func (f *Rates) Close() error {
	fmt.Println("closed")
	return nil
}

var _ operators.Opener = (*Rates)(nil)

func ExampleOpener() {
	top := operators.NewTopology("tips")
	trips := some(top, Trip{"Harlem", 250, at(1, 0)}, Trip{"Harlem", 0, at(1, 1)})
	operators.Process(operators.KeyBy(trips, zone), "rates", func(*operators.States[string]) *Rates { return &Rates{} }).
		To("out", printer[float64]{})
	job, err := cluster.Run(context.Background(), top, cluster.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("empty:", job.Status().Operators[1].Counters["empty"])

	// Output:
	// rates 1 of 1, attempt 1, restored: false
	// 2.5
	// closed
	// empty: 1
}
