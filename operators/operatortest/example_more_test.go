package operatortest_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// tooLate is where visits go that come behind the watermark.
var tooLate = operators.NewTag[Visit]("too-late")

// punctual counts visits, and puts those aside that are late.
func punctual(in *operators.Stream[Visit]) *operators.Stream[operators.WindowResult[string, int]] {
	pages := operators.KeyBy(in, func(v Visit) string { return v.Page })
	return operators.Aggregate(pages.Window(operators.Tumbling(time.Minute)).SideOutputLate(tooLate), "visits", visits{})
}

// Side gives what went to a side output. Epochs gives results with the watermark
// that was there when they came out: none yet, for a window leaves before its own.
func ExampleSide() {
	h := operatortest.Keyed(t, punctual)
	h.Process(Visit{"/"}, 1_000)
	h.Watermark(59_999)
	h.Process(Visit{"/late"}, 2_000)
	for _, e := range h.Epochs() {
		fmt.Println(e.Watermark == messages.NoWatermark, e.Records)
	}
	fmt.Println(operatortest.Side(h, tooLate))
	// Output:
	// true [{Key:/ Start:0 End:60000 Value:1} @59999]
	// [{Page:/late} @2000]
}

// A script expects of a side output what it expects of the main one.
func ExampleExpectSide() {
	type result = operators.WindowResult[string, int]
	script := operatortest.NewScript[Visit, result]().
		Watermark(59_999).
		Process(Visit{"/late"}, 2_000)
	operatortest.RunScript(t, punctual, operatortest.ExpectSide(script, tooLate, operatortest.At(Visit{"/late"}, 2_000)).
		End().Expect())
	fmt.Println("the same each time")
	// Output: the same each time
}

// reminder says of a page, a second of the clock after a visit, that it is over.
type reminder struct{}

func (reminder) ProcessElement(ctx *operators.Context[string, string], _ Visit) error {
	ctx.RegisterProcessingTimer(ctx.CurrentProcessingTime() + 1_000)
	return nil
}

func (reminder) OnTimer(ctx *operators.Context[string, string], _ int64, _ operators.Domain) error {
	ctx.Emit(ctx.Key() + " is over")
	return nil
}

func remind(in *operators.Stream[Visit]) *operators.Stream[string] {
	pages := operators.KeyBy(in, func(v Visit) string { return v.Page })
	return operators.Process(pages, "remind", func(*operators.States[string]) reminder { return reminder{} })
}

// The clock of the node stands still until a test moves it.
func ExampleScript_AdvanceProcessingTime() {
	operatortest.RunScript(t, remind, operatortest.NewScript[Visit, string]().
		Process(Visit{"/"}, operators.NoTime).
		AdvanceProcessingTime(999*time.Millisecond).Expect().
		AdvanceProcessingTime(time.Millisecond).Expect(operatortest.At("/ is over", operators.NoTime)))
	fmt.Println("the same each time")
	// Output: the same each time
}

// Timers tells what is pending in a whole topology, Ended whether its sources are
// closed.
func ExampleDriver_AdvanceProcessingTime() {
	top := operators.NewTopology("reminders")
	remind(operators.From(top, "log", operators.Slice[Visit](), operators.NoWatermarks[Visit]())).To("mail", discard[string]{})

	d := operatortest.Drive(t, top)
	log, mail := operatortest.In[Visit](d, "log"), operatortest.Out[string](d, "mail")
	log.Send(Visit{"/"}, operators.NoTime)
	fmt.Println(d.Timers(), "pending")
	d.AdvanceProcessingTime(time.Second)
	log.Close()
	fmt.Println(mail.Records(), d.Timers(), mail.Ended())
	// Output:
	// 1 pending
	// [/ is over @none] 0 true
}

// An input that has ended holds no watermark back.
func ExampleTwoInput_EndA() {
	h := operatortest.Two(t, followed)
	h.ProcessA(Visit{"/"}, 1_000)
	h.ProcessB(Visit{"/"}, 1_700)
	h.EndA()
	h.WatermarkB(5_000)
	fmt.Println(h.Output(), h.StateSize())
	h.EndB()
	// Output: [/ again @1700] 0
}
