//go:build cgo && !norocksdb && unix

package rocksdb_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
	"github.com/weirflow/weir/persistence/dir"
	"github.com/weirflow/weir/persistence/rocksdb"
)

// first passes on what it has not seen before. What it has seen may be more than
// memory holds.
type first struct{ seen operators.ValueState[bool] }

func (f *first) ProcessElement(ctx *operators.Context[string, string], order string) error {
	if seen, _ := f.seen.Get(); !seen {
		f.seen.Set(true)
		ctx.Emit(order)
	}
	return nil
}

// Checkpoints go to the store, which must outlive the machine; the folder of the
// backend is working space.
func ExampleBackend() {
	folder, _ := os.MkdirTemp("", "orders")
	defer os.RemoveAll(folder)

	top := operators.NewTopology("orders")
	orders := operators.From(top, "in", operators.Slice("a", "b", "a", "c", "b"), operators.NoWatermarks[string]())
	keyed := operators.KeyBy(orders, func(order string) string { return order })
	operators.Process(keyed, "first", func(s *operators.States[string]) *first {
		return &first{operators.NewValueState[bool](s, "seen")}
	}).To("out", files.Sink[string](folder+"/out"))

	_, err := cluster.Run(context.Background(), top, cluster.Config{
		Checkpoint: cluster.Every(time.Second),
		Store:      dir.Open(folder + "/checkpoints"),
		Backend:    rocksdb.Backend(folder+"/work", rocksdb.BlockCache(64<<20), rocksdb.WriteBuffer(16<<20)),
	})
	out, _ := files.ReadAll[string](folder+"/out", files.AsJSONLines)
	fmt.Println(out, err)
	// Output: [a b c] <nil>
}
