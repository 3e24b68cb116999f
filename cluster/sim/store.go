package sim

import (
	"context"
	"encoding/binary"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// processStore is the checkpoint store as one process sees it: nothing that a
// dead one does takes effect. Around every call lies a step, where the process
// may end, and where a work lets others go first.
type processStore struct {
	persistence.CheckpointStore
	env *nodeEnv
}

func (s *processStore) around(op persistencetest.Op, call func() error) error {
	s.env.Step("store." + string(op))
	if !Alive(s.env) {
		return errDead
	}
	err := call()
	s.env.Step("store." + string(op) + ".done")
	return err
}

func (s *processStore) Put(ctx context.Context, key string, write func(io.Writer) error) error {
	return s.around(persistencetest.Put, func() error { return s.CheckpointStore.Put(ctx, key, write) })
}

func (s *processStore) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	return s.around(persistencetest.PutIfAbsent, func() error { return s.CheckpointStore.PutIfAbsent(ctx, key, data) })
}

func (s *processStore) Open(ctx context.Context, key string) (r io.ReadCloser, err error) {
	err = s.around(persistencetest.Open, func() error {
		r, err = s.CheckpointStore.Open(ctx, key)
		return err
	})
	return r, err
}

func (s *processStore) List(ctx context.Context, prefix string) (keys []string, err error) {
	err = s.around(persistencetest.List, func() error {
		keys, err = s.CheckpointStore.List(ctx, prefix)
		return err
	})
	return keys, err
}

func (s *processStore) Delete(ctx context.Context, key string) error {
	return s.around(persistencetest.Delete, func() error { return s.CheckpointStore.Delete(ctx, key) })
}

// watchedStore shows the checkers every record that enters the job's log.
type watchedStore struct {
	persistence.CheckpointStore
	onSlot func(key string, r *messages.LogRecord)
}

func (s *watchedStore) PutIfAbsent(ctx context.Context, key string, data []byte) error {
	err := s.CheckpointStore.PutIfAbsent(ctx, key, data)
	if err == nil && strings.Contains(key, "/log/") {
		s.onSlot(key, recordOf(data))
	}
	return err
}

// recordOf decodes a record of the log; the frame before it is what
// persistence/record.go says.
func recordOf(data []byte) *messages.LogRecord {
	const header = 20
	r := &messages.LogRecord{}
	if len(data) < header || int(binary.LittleEndian.Uint32(data[8:])) != len(data)-header || proto.Unmarshal(data[header:], r) != nil {
		return nil
	}
	return r
}

// newFaultyStore makes the store of a world. The log never tears: a store that
// promises PutIfAbsent and tears it is none.
func newFaultyStore(w *World, inner persistence.CheckpointStore, p float64) persistence.CheckpointStore {
	rates := persistencetest.Rates{Before: p / 2, After: p / 4, Torn: p / 4}
	draw := persistencetest.Chance(w.Rand("store"), rates)
	return persistencetest.Faulty(inner, func(op persistencetest.Op, key string) persistencetest.Fault {
		f := draw(op, key)
		switch {
		case w.Kind():
			return persistencetest.None
		case f == persistencetest.Torn && op == persistencetest.PutIfAbsent:
			return persistencetest.After
		}
		return f
	})
}
