package barrier_test

import (
	"fmt"

	"github.com/weirflow/weir/actors/barrier"
)

// The barrier of the first channel waits for that of the second, and what is
// behind it waits, too.
func Example() {
	a := barrier.NewAligner(barrier.ExactlyOnce, 2, 0)

	fmt.Printf("%+v\n", a.OnBarrier(0, 1))
	fmt.Println("pending", a.Pending(), "blocked", a.Blocked(0), a.Blocked(1))
	fmt.Printf("%+v\n", a.OnBarrier(1, 1))
	fmt.Println("pending", a.Pending(), "blocked", a.Blocked(0), a.Blocked(1))
	// Output:
	// {Complete:0 GaveUp:0 Unblocked:false}
	// pending 1 blocked true false
	// {Complete:1 GaveUp:0 Unblocked:true}
	// pending 0 blocked false false
}

// A checkpoint that will never be holds nobody up.
func ExampleAligner_OnAborted() {
	a := barrier.NewAligner(barrier.ExactlyOnce, 2, 0)
	a.OnBarrier(0, 1)

	fmt.Printf("%+v\n", a.OnAborted(1))
	fmt.Println("blocked", a.Blocked(0))
	// Output:
	// {Complete:0 GaveUp:1 Unblocked:true}
	// blocked false
}
