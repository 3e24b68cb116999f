package operatortest_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// A Visit of a page.
type Visit struct{ Page string }

// perMinute counts visits per page and minute.
func perMinute(in *operators.Stream[Visit]) *operators.Stream[operators.WindowResult[string, int]] {
	pages := operators.KeyBy(in, func(v Visit) string { return v.Page })
	return operators.Aggregate(pages.Window(operators.Tumbling(time.Minute)), "visits", visits{})
}

type visits struct{}

func (visits) CreateAccumulator() int { return 0 }
func (visits) Add(n int, _ Visit) int { return n + 1 }
func (visits) Merge(a, b int) int     { return a + b }
func (visits) Result(n int) int       { return n }

// t is the *testing.T of a test.
var t operatortest.TB = quiet{}

type quiet struct{}

func (quiet) Helper()                           {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A window gives its result when the watermark reaches its last millisecond, also
// after a restore on three subtasks, and holds nothing afterwards.
func ExampleHarness() {
	h := operatortest.Keyed(t, perMinute)
	h.Process(Visit{"/"}, 1_000)
	h.Process(Visit{"/"}, 59_999)
	h.Watermark(59_998)
	fmt.Println("before:", h.Output(), h.StateSize())

	h.Restore(h.Snapshot(), 3)
	h.Watermark(59_999)
	fmt.Println("after:", h.Output(), h.StateSize())
	// Output:
	// before: [] 1
	// after: [{Key:/ Start:0 End:60000 Value:2} @59999] 0
}

// A script says what goes in and what must come out; it is run in all the ways
// that a job may choose.
func ExampleRunScript() {
	type result = operators.WindowResult[string, int]
	operatortest.RunScript(t, perMinute, operatortest.NewScript[Visit, result]().
		Process(Visit{"/"}, 1_000).
		Process(Visit{"/about"}, 2_000).
		Process(Visit{"/"}, 59_999).
		Watermark(59_998).
		Expect().
		Watermark(59_999).
		Expect(
			operatortest.At(result{Key: "/", Start: 0, End: 60_000, Value: 2}, 59_999),
			operatortest.At(result{Key: "/about", Start: 0, End: 60_000, Value: 1}, 59_999)))
	fmt.Println("the same each time")
	// Output: the same each time
}

// A topology is driven as it is; pipes take the place of its sources and sinks.
func ExampleDrive() {
	top := operators.NewTopology("visits").Parallelism(2)
	stream := operators.From(top, "log", operators.Slice[Visit](), operators.Monotonous[Visit](nil))
	perMinute(stream).To("files", discard[operators.WindowResult[string, int]]{})

	d := operatortest.Drive(t, top)
	log, files := operatortest.In[Visit](d, "log"), operatortest.Out[operators.WindowResult[string, int]](d, "files")
	log.Send(Visit{"/"}, 1_000)
	log.Subtask(0).Watermark(60_000)
	fmt.Println("one of two subtasks is past the minute:", files.Records())
	log.Close()
	fmt.Println("both are:", files.Records(), files.Watermark() == messages.MaxWatermark)
	// Output:
	// one of two subtasks is past the minute: []
	// both are: [{Key:/ Start:0 End:60000 Value:1} @59999] true
}
