package persistence_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// Who claims a job's log may publish; who held it before is fenced.
func Example() {
	ctx, store := context.Background(), memory.Store(0)
	open := func() *persistence.Log {
		log, err := persistence.OpenLog(ctx, store, "tips")
		if err != nil {
			panic(err)
		}
		return log
	}

	first := open()
	attempt, err := first.Claim(ctx, persistence.Owner{Name: "host-1", Nonce: 1}, "start", 0)
	fmt.Println("attempt", attempt, err)
	fmt.Println(first.Publish(ctx, &messages.Manifest{Checkpoint: 1}))

	second := open()
	manifests, _ := second.Manifests()
	fmt.Println("restores checkpoint", manifests[0].GetCheckpoint())
	attempt, err = second.Claim(ctx, persistence.Owner{Name: "host-2", Nonce: 2}, "start", 0)
	fmt.Println("attempt", attempt, err)

	var fenced *persistence.FencedError
	err = first.Publish(ctx, &messages.Manifest{Checkpoint: 2})
	fmt.Println(errors.As(err, &fenced), fenced.By)
	fmt.Println(second.Publish(ctx, &messages.Manifest{Checkpoint: 2}))
	// Output:
	// attempt 1 <nil>
	// <nil>
	// restores checkpoint 1
	// attempt 2 <nil>
	// true host-2
	// <nil>
}

// The newest checkpoints are kept, in case the very newest is damaged.
func ExampleLog_Retain() {
	ctx, store := context.Background(), memory.Store(0)
	log, err := persistence.OpenLog(ctx, store, "tips")
	if err != nil {
		panic(err)
	}
	if _, err := log.Claim(ctx, persistence.Owner{Name: "host-1", Nonce: 1}, "start", 0); err != nil {
		panic(err)
	}
	for id := range uint64(4) {
		if err := log.Publish(ctx, &messages.Manifest{Checkpoint: id + 1}); err != nil {
			panic(err)
		}
	}

	fmt.Println(log.Retain(ctx, 2))
	manifests, damaged := log.Manifests()
	for _, m := range manifests {
		fmt.Println("checkpoint", m.GetCheckpoint())
	}
	last, err := log.LastCheckpoint(ctx)
	fmt.Println(len(damaged), "damaged; the last is", last, err)
	// Output:
	// <nil>
	// checkpoint 4
	// checkpoint 3
	// 0 damaged; the last is 4 <nil>
}

// Keys are paths of plain names, which every store can hold.
func ExampleCheckKey() {
	fmt.Println(persistence.CheckKey("tips/data/7.1/sum.0"))
	fmt.Println(persistence.CheckKey("tips/../other"))
	// Output:
	// <nil>
	// key "tips/../other": segment ".." would leave its place
}

// A topology goes on from a checkpoint only with operators and state that it
// knows; all that has changed is told at once.
func ExampleCheckOperators() {
	counts := func(key string) []*messages.OperatorMeta {
		return []*messages.OperatorMeta{{Name: "count", States: []*messages.StateSchema{{Name: "n", Kind: "value", Key: key, Value: "int64"}}}}
	}
	was := &messages.Manifest{Checkpoint: 7, MaxParallelism: 128, Operators: counts("string")}

	fmt.Println(persistence.CheckOperators(was, 128, counts("string")))
	fmt.Println(persistence.CheckOperators(was, 128, counts("int64")))
	// Output:
	// <nil>
	// the topology cannot go on from checkpoint 7: operator "count": state n was written as value<string, int64> but is declared as value<int64, int64>; keep the types, or give the state another name
}
