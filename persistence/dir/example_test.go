package dir_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/dir"
)

// The folder outlives the process: whoever opens it finds what was put there.
func Example() {
	folder, err := os.MkdirTemp("", "dir")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	ctx, path := context.Background(), filepath.Join(folder, "state")

	fmt.Println(dir.Open(path).PutIfAbsent(ctx, "tips/log/1", []byte("first")))
	err = dir.Open(path).PutIfAbsent(ctx, "tips/log/1", []byte("second"))
	fmt.Println(errors.Is(err, persistence.ErrExists))

	r, err := dir.Open(path).Open(ctx, "tips/log/1")
	if err != nil {
		panic(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	fmt.Printf("%s %v\n", content, err)
	// Output:
	// <nil>
	// true
	// first <nil>
}
