package window_test

import (
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/window"
)

// Counts of windows of ten milliseconds, which stay open five longer for late
// records.
func Example() {
	tens, lateness := window.NewTumbling(10, 0), int64(5)
	open := window.NewOpen[int](lateness, messages.NoWatermark)
	record := func(ts int64) {
		w := tens.Assign(ts)
		if open.TooLate(w, open.Watermark()) {
			fmt.Println(ts, "is too late for", w)
			return
		}
		pane := open.Find(w)
		if pane == nil {
			pane = open.Add(w, 0)
		}
		pane.State++
	}
	watermark := func(at int64) {
		if !open.Advance(at) {
			return
		}
		for _, pane := range open.Due() {
			fmt.Println("at", at, "fires", pane.Window, "with", pane.State)
		}
		for _, pane := range open.Clear() {
			fmt.Println("at", at, "ends", pane.Window, "with", pane.State)
		}
	}

	record(3)
	record(12)
	record(8)
	watermark(9)
	record(7)
	watermark(14)
	record(6)
	watermark(messages.MaxWatermark)
	// Output:
	// at 9 fires [0,10) with 2
	// at 14 ends [0,10) with 3
	// 6 is too late for [0,10)
	// at 9223372036854775807 fires [10,20) with 1
	// at 9223372036854775807 ends [10,20) with 1
}

// Windows lie the same way before 1970 as after it.
func ExampleTumbling_Assign() {
	tens := window.NewTumbling(10, 2)
	for _, ts := range []int64{-1, 1, 2, 25} {
		w := tens.Assign(ts)
		fmt.Println(ts, "belongs to", w, w.Contains(ts), "which ends at", w.MaxTimestamp())
	}
	// Output:
	// -1 belongs to [-8,2) true which ends at 1
	// 1 belongs to [-8,2) true which ends at 1
	// 2 belongs to [2,12) true which ends at 11
	// 25 belongs to [22,32) true which ends at 31
}
