package watermark_test

import (
	"fmt"

	"github.com/weirflow/weir/actors/watermark"
	"github.com/weirflow/weir/messages"
)

// The slower input decides, unless it is idle.
func Example() {
	clock := watermark.NewMerge(2)
	fmt.Println("none yet:", clock.Current() == messages.NoWatermark)

	clock.Advance(0, 500)
	clock.Advance(1, 100)
	fmt.Println("the slower one:", clock.Current())
	clock.SetIdle(1, true)
	fmt.Println("without it:", clock.Current())

	clock.SetIdle(1, false)
	fmt.Println("it is back, and behind:", clock.Lagging(1))
	clock.Advance(0, 600)
	fmt.Println("so it holds nothing up:", clock.Current())
	// Output:
	// none yet: true
	// the slower one: 100
	// without it: 500
	// it is back, and behind: true
	// so it holds nothing up: 600
}
