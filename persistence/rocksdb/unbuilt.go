//go:build !cgo || norocksdb || !unix

package rocksdb

import (
	"context"
	"errors"

	"github.com/weirflow/weir/persistence"
)

type run struct{}

func (b *backend) OpenKV(context.Context, string) (persistence.KV, error) {
	return nil, errors.Join(b.err, errors.New("rocksdb.Backend: this program was built without RocksDB; build it for Unix with CGO_ENABLED=1, "+
		"without the tag norocksdb, where RocksDB is installed (Debian: apt-get install librocksdb-dev)"))
}
