package rocksdb

import (
	"fmt"
	"sync"

	"github.com/weirflow/weir/persistence"
)

// Defaults of the options, in bytes.
const (
	DefaultBlockCache  = 256 << 20
	DefaultWriteBuffer = 64 << 20
)

// Option changes a setting of a backend.
type Option func(*settings)

type settings struct {
	dir         string
	blockCache  int
	writeBuffer int
	statistics  bool // for tests
	err         error
}

// BlockCache bounds what is kept in memory of what was read from files, in
// bytes, at least 1 MiB; all that use this backend share it. Default 256 MiB.
// In all a backend takes up to this and two WriteBuffers for each operator with
// state in each subtask.
func BlockCache(bytes int) Option {
	return func(s *settings) { s.set(&s.blockCache, "BlockCache", bytes, 1<<20) }
}

// WriteBuffer bounds what one operator in one subtask keeps in memory of what
// was written, in bytes, at least 64 KiB; there are two such buffers while one is
// written to disk. Default 64 MiB.
func WriteBuffer(bytes int) Option {
	return func(s *settings) { s.set(&s.writeBuffer, "WriteBuffer", bytes, 64<<10) }
}

func (s *settings) set(place *int, option string, bytes, least int) {
	if bytes < least && s.err == nil {
		s.err = fmt.Errorf("rocksdb.%s(%d): %d bytes are too few; give at least %d", option, bytes, bytes, least)
	}
	*place = bytes
}

// backend adds KVs to what every backend does at a checkpoint.
type backend struct {
	persistence.FullSnapshots
	settings

	mu  sync.Mutex
	run *run // while a KV is open
}

// Backend keeps state in RocksDB below the folder dir, which is made if need be
// and which other processes may use too. A wrong option is told by OpenKV, that
// is, when a job starts.
func Backend(dir string, options ...Option) persistence.Disk {
	b := &backend{settings: settings{dir: dir, blockCache: DefaultBlockCache, writeBuffer: DefaultWriteBuffer}}
	if dir == "" {
		b.err = fmt.Errorf("rocksdb.Backend: the folder is empty; name one on a local disk")
	}
	for _, o := range options {
		o(&b.settings)
	}
	return b
}

// Name is "rocksdb".
func (b *backend) Name() string { return "rocksdb" }
