package credit_test

import (
	"fmt"
	"strings"

	"github.com/weirflow/weir/actors/credit"
)

// Two batches may be under way; what comes after them waits, in its order,
// until the receiver has worked one off.
func Example() {
	isBatch := func(e string) bool { return strings.HasPrefix(e, "batch") }
	w := credit.NewWindow(2, isBatch, func(e string) { fmt.Println("sent:", e) })

	for _, e := range []string{"batch 1", "batch 2", "batch 3", "barrier"} {
		w.Offer(e)
	}
	fmt.Println(w.Waiting(), "wait; open:", w.Open())
	if err := w.Return(1); err != nil {
		fmt.Println(err)
	}
	fmt.Println(w.Waiting(), "wait; credits:", w.Credits())
	// Output:
	// sent: batch 1
	// sent: batch 2
	// 2 wait; open: false
	// sent: batch 3
	// sent: barrier
	// 0 wait; credits: 0
}
