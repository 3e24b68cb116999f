package operators

import "github.com/weirflow/weir/operators/plan"

// stateless is what an instance without resources and without an end of its own
// embeds.
type stateless struct{}

func (stateless) Open() error   { return nil }
func (stateless) Finish() error { return nil }
func (stateless) Close() error  { return nil }

// cursor is plan.RecordCursor: the record that a user's function is at. An
// instance sets batch before its loop, at within it, and nil before it pushes,
// for what then fails is another's.
type cursor struct {
	batch *plan.Batch
	at    int
}

// Cursor gives the record being worked on, if any.
func (c *cursor) Cursor() (time int64, hash uint64, keyed, ok bool) {
	if c.batch == nil || c.at >= len(c.batch.Times) {
		return 0, 0, false, false
	}
	if keyed = c.at < len(c.batch.Hashes); keyed {
		hash = c.batch.Hashes[c.at]
	}
	return c.batch.Times[c.at], hash, keyed, true
}
