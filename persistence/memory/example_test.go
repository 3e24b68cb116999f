package memory_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// A store takes no more than its cap, and says what did not fit.
func Example() {
	ctx, store := context.Background(), memory.Store(100)
	put := func(key string, bytes int) error {
		return store.Put(ctx, key, func(w io.Writer) error {
			_, err := w.Write(make([]byte, bytes))
			return err
		})
	}

	fmt.Println(put("tips/data/a", 60))
	var full *memory.FullError
	fmt.Println(errors.As(put("tips/data/b", 60), &full), full.Key, full.Used, "of", full.Max, "bytes used")

	fmt.Println(store.Delete(ctx, "tips/data/a"), put("tips/data/b", 60))
	fmt.Println(store.List(ctx, "tips"))
	_, err := store.Open(ctx, "tips/data/a")
	fmt.Println(errors.Is(err, persistence.ErrNotFound))
	// Output:
	// <nil>
	// true tips/data/b 60 of 100 bytes used
	// <nil> <nil>
	// [tips/data/b] <nil>
	// true
}
