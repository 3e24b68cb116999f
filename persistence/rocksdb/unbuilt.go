//go:build !cgo || norocksdb || !unix

package rocksdb

import (
	"context"
	"errors"

	"github.com/weirflow/weir/persistence"
)

type run struct{}

func (b *backend) OpenKV(context.Context, string) (persistence.KV, error) {
	return nil, errors.New("this program was built without RocksDB; build it with CGO_ENABLED=1, without the tag norocksdb, " +
		"where RocksDB is installed (Debian: apt-get install librocksdb-dev)")
}
