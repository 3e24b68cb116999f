package operators_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/weirflow/weir/operators"
)

// Dozens is a writer that lets go of numbers in full dozens only. What waits
// for its dozen is Checkpointed.
type Dozens struct {
	operators.SinkContext
	waiting []int
}

// Write prints each dozen as it gets full.
func (w *Dozens) Write(_ context.Context, b *operators.Batch[int]) error {
	w.waiting = append(w.waiting, b.Values...)
	for len(w.waiting) >= 12 {
		fmt.Println(w.waiting[:12])
		w.waiting = w.waiting[12:]
	}
	return nil
}

// SnapshotState gives what has been written but is not out.
func (w *Dozens) SnapshotState() ([]byte, error) { return json.Marshal(w.waiting) }

// RestoreState takes this subtask's share of what all of them gave.
func (w *Dozens) RestoreState(parts [][]byte) error {
	for i, part := range parts {
		if i%w.Parallelism != w.Index {
			continue
		}
		var waiting []int
		if err := json.Unmarshal(part, &waiting); err != nil {
			return err
		}
		w.waiting = append(w.waiting, waiting...)
	}
	return nil
}

// Finish lets go of the rest: no later run would.
func (w *Dozens) Finish() error {
	fmt.Println("rest:", w.waiting)
	w.waiting = nil
	return nil
}

// The runtime makes these calls. Between them the job failed, and goes on from
// the checkpoint with one subtask where there were two.
func ExampleCheckpointed() {
	ctx := context.Background()
	var parts [][]byte
	for index := range 2 {
		w := &Dozens{SinkContext: operators.SinkContext{Index: index, Parallelism: 2}}
		if err := w.Write(ctx, &operators.Batch[int]{Values: []int{1, 2, 3, 4, 5, 6, 7}}); err != nil {
			panic(err)
		}
		part, err := w.SnapshotState()
		if err != nil {
			panic(err)
		}
		parts = append(parts, part)
	}

	var again operators.Checkpointed = &Dozens{SinkContext: operators.SinkContext{Parallelism: 1}}
	fmt.Println(again.RestoreState(parts))
	fmt.Println(again.(*Dozens).Write(ctx, &operators.Batch[int]{Values: []int{8}}))
	fmt.Println(again.Finish())
	// Output:
	// <nil>
	// [1 2 3 4 5 6 7 1 2 3 4 5]
	// <nil>
	// rest: [6 7 8]
	// <nil>
}
