package operators_test

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/weirflow/weir/operators"
)

// Countdown is a source: the numbers from one down to 1. Its position is the
// next number.
type Countdown struct{ From int }

// Info says that a countdown ends, and is the same each time.
func (c Countdown) Info() operators.SourceInfo {
	return operators.SourceInfo{Bounded: true, Replayable: true}
}

// Validate is asked by Build.
func (c Countdown) Validate() error {
	if c.From < 1 {
		return fmt.Errorf("Countdown.From is %d; give at least 1", c.From)
	}
	return nil
}

// Splits says that there is one thing to read.
func (c Countdown) Splits(context.Context) ([]string, error) { return []string{"all"}, nil }

// Open begins at a position, or at the beginning.
func (c Countdown) Open(_ context.Context, split string, position []byte) (operators.Reader[int], error) {
	if position == nil {
		return &countdown{next: c.From}, nil
	}
	next, err := strconv.Atoi(string(position))
	return &countdown{next: next}, err
}

type countdown struct{ next int }

func (r *countdown) Read(_ context.Context, b *operators.Batch[int], max int) error {
	for ; max > 0 && r.next > 0; max-- {
		b.Append(r.next, operators.NoTime)
		r.next--
	}
	if r.next == 0 {
		return io.EOF
	}
	return nil
}

func (r *countdown) Position() []byte  { return strconv.AppendInt(nil, int64(r.next), 10) }
func (r *countdown) Close() error      { return nil }
func (r *countdown) NonBlocking() bool { return true } // Read never waits

var _ operators.NonBlocking = (*countdown)(nil)

func ExampleSource() {
	top := operators.NewTopology("start")
	operators.From(top, "countdown", Countdown{From: 3}, operators.NoWatermarks[int]()).To("out", printer[int]{})

	run(top)

	// Output:
	// 3
	// 2
	// 1
}

// The runtime makes these calls. After a failure it opens the split at the
// position that is in the checkpoint, and must get the same records again.
func ExampleReader() {
	ctx, source := context.Background(), Countdown{From: 5}
	var b operators.Batch[int]
	first, _ := source.Open(ctx, "all", nil)
	fmt.Println(first.Read(ctx, &b, 2), b.Values)
	position := first.Position()
	fmt.Println(first.Read(ctx, &b, 2), b.Values, first.Close())

	b = operators.Batch[int]{}
	second, _ := source.Open(ctx, "all", position)
	fmt.Println(second.Read(ctx, &b, 100), b.Values, second.Close())
	// Output:
	// <nil> [5 4]
	// <nil> [5 4 3 2] <nil>
	// EOF [3 2 1] <nil>
}

var _ operators.Validator = Countdown{}

// A source that can say what is wrong with it is heard by Build.
func ExampleValidator() {
	top := operators.NewTopology("start")
	operators.From(top, "countdown", Countdown{}, operators.NoWatermarks[int]()).To("out", printer[int]{})

	show(top)

	// Output:
	// topology "start" cannot run:
	// operator "countdown": its source: Countdown.From is 0; give at least 1
}

// Inbox is a source of what others put into a channel, until they close it.
// What was taken out cannot be read again.
type Inbox chan string

// Info says that there is an end, and no second reading.
func (in Inbox) Info() operators.SourceInfo { return operators.SourceInfo{Bounded: true} }

// Splits says that there is one thing to read.
func (in Inbox) Splits(context.Context) ([]string, error) { return []string{"inbox"}, nil }

// Open cannot go back to a position.
func (in Inbox) Open(context.Context, string, []byte) (operators.Reader[string], error) {
	return in, nil
}

// Read waits for a message; it may, since it does not say that it is
// NonBlocking.
func (in Inbox) Read(ctx context.Context, b *operators.Batch[string], max int) error {
	select {
	case text, ok := <-in:
		if !ok {
			return io.EOF
		}
		b.Append(text, operators.NoTime)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Position is never nil, though here it says nothing.
func (in Inbox) Position() []byte { return []byte{} }

// Close leaves the channel to those who send.
func (in Inbox) Close() error { return nil }

// The plan says what a source costs that cannot be read again.
func ExampleSourceInfo() {
	in := make(Inbox, 2)
	in <- "hello"
	in <- "goodbye"
	close(in)
	top := operators.NewTopology("messages")
	operators.From(top, "inbox", in, operators.NoWatermarks[string]()).To("out", printer[string]{})

	show(top)
	run(top)

	// Output:
	// topology messages: 2 operators, 1 chain, 1 subtask, 1 region, max parallelism 128
	//
	// chain 0 ×1, region 0
	//   inbox  source  operators_test.Inbox, bounded, not replayable; no watermarks
	//   out    sink    printer; plain
	//
	// edges
	//   0  inbox → out  forward, chained  string
	//
	// end to end, with exactly-once checkpoints
	//   out: no guarantee: source "inbox" cannot read again what it read before a failure, and a plain sink shows twice what is written again
	// hello
	// goodbye
}

// A source of values for tests and examples.
func ExampleSlice() {
	top := operators.NewTopology("numbers")
	operators.From(top, "numbers", operators.Slice(1, 2, 3), operators.NoWatermarks[int]()).To("out", printer[int]{})

	run(top)

	// Output:
	// 1
	// 2
	// 3
}

// Splits let several subtasks read at once; each value is read by one of them.
func ExampleSliceSource_InSplits() {
	top := operators.NewTopology("numbers").Parallelism(2)
	source := operators.Slice(1, 2, 3, 4).InSplits(2)
	operators.From(top, "numbers", source, operators.NoWatermarks[int]()).To("out", printer[int]{})
	fmt.Println(source)

	run(top)

	// Unordered output:
	// slice of 4
	// 2
	// 4
	// 1
	// 3
}

// What does not decode says where it was found.
func ExampleMalformed() {
	m := operators.Malformed{Split: "trips.csv", Line: 7, Field: "tip", Raw: []byte("Harlem,many\n"), Reason: `"many" is no number`}
	fmt.Println(m)
	// Output:
	// trips.csv:7: field tip: "many" is no number
}
