package operatortest_test

import (
	"fmt"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/operatortest"
)

// followed joins each visit with those of the same page in the second after it.
func followed(first, second *operators.Stream[Visit]) *operators.Stream[string] {
	page := func(v Visit) string { return v.Page }
	return operators.IntervalJoin(operators.KeyBy(first, page), operators.KeyBy(second, page), "followed", 0, time.Second,
		func(l, _ Visit) string { return l.Page + " again" })
}

// The watermark of an operator with two inputs is the smaller of theirs: only
// then is a visit forgotten that nothing can follow any more.
func ExampleTwo() {
	h := operatortest.Two(t, followed)
	h.ProcessA(Visit{"/"}, 1_000)
	h.ProcessB(Visit{"/"}, 1_700)
	h.WatermarkA(5_000)
	fmt.Println("second input behind:", h.Output(), h.StateSize())

	h.Restore(h.Snapshot(), 3)
	h.WatermarkB(2_500)
	fmt.Println("both inputs past it:", h.Output(), h.StateSize())
	// Output:
	// second input behind: [/ again @1700] 1
	// both inputs past it: [] 0
}

// A script for two inputs says of each step which one it is for.
func ExampleRunTwoInputScript() {
	operatortest.RunTwoInputScript(t, followed, operatortest.NewTwoInputScript[Visit, Visit, string]().
		ProcessB(Visit{"/"}, 1_700).
		ProcessA(Visit{"/"}, 1_000).Expect(operatortest.At("/ again", 1_700)).
		Watermark(1_500).
		ProcessA(Visit{"/"}, 1_499). // late
		ProcessA(Visit{"/"}, 1_500).Expect(operatortest.At("/ again", 1_700)).
		End().Expect())
	fmt.Println("the same each time")
	// Output: the same each time
}
