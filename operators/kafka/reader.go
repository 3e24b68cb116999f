package kafka

import (
	"context"
	"fmt"
	"io"

	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/kafka/records"
)

// Record is a record as a Decoder sees it. Key and Value are nil where they are null.
type Record struct {
	Topic      string
	Partition  int32
	Offset     int64
	Time       int64 // ms, its own or when the broker took it, as the topic is set up
	Key, Value []byte

	raw records.Record
}

// Header is a header of a record. Value nil is null.
type Header = records.Header

// Headers gives the headers in the order in which they were written, or an error where
// they are damaged. It allocates, if there are any.
func (r *Record) Headers() ([]Header, error) { return r.raw.Headers(nil) }

// reader is operators.Reader for one partition.
//
// Invariants: position.next is behind the last record that was given, and behind what
// came after it and holds nothing to read: markers, aborted transactions, compacted
// records. Read does not wait while told is another place: checkpoints are to have it.
type reader[T any] struct {
	hub      *hub
	feed     *feed
	position position
	told     int64 // position.next when Read returned last
	decode   Decoder[T]
	tolerant bool // of what does not decode
	record   Record

	chunk  chunk
	batch  records.Batch
	cursor records.Cursor
	inside bool // of batch
}

// Position implements operators.Reader.
func (r *reader[T]) Position() []byte { return r.position.encode() }

// Close implements operators.Reader.
func (r *reader[T]) Close() error {
	r.hub.close(r.feed)
	return nil
}

// Read implements operators.Reader.
func (r *reader[T]) Read(ctx context.Context, b *operators.Batch[T], max int) error {
	for {
		if r.ended() {
			return io.EOF
		}
		if err := r.fill(b, max); err != nil {
			return fmt.Errorf("%s: %w", r.feed.partition, err)
		}
		moved := r.told != r.position.next
		r.told = r.position.next
		switch {
		case len(b.Values)+len(b.Bad) > 0:
			return nil
		case r.ended():
			continue
		case moved:
			return nil
		}
		if err := r.take(ctx); err != nil {
			return err
		}
	}
}

func (r *reader[T]) ended() bool { return r.position.end != noEnd && r.position.next >= r.position.end }

// take waits for the next bytes of the partition.
func (r *reader[T]) take(ctx context.Context) error {
	if err := r.hub.await(ctx, r.feed); err != nil {
		return err
	}
	var err error
	if r.chunk, err = r.hub.take(r.feed); err == nil && r.chunk.from != noEnd {
		r.position.next = r.chunk.from
	}
	return err
}

// fill gives records of what was fetched.
func (r *reader[T]) fill(b *operators.Batch[T], max int) error {
	for len(b.Values)+len(b.Bad) < max && !r.ended() {
		if !r.inside {
			if more, err := r.enter(); !more || err != nil {
				return err
			}
			continue
		}
		more, err := r.cursor.Next(&r.record.raw)
		if err != nil {
			return err
		}
		if !more {
			r.pass(r.batch.LastOffset + 1)
			continue
		}
		if err := r.give(b); err != nil {
			return err
		}
	}
	return nil
}

// enter goes to the next batch with something to read, if it was fetched as a whole.
func (r *reader[T]) enter() (more bool, err error) {
	var rest []byte
	r.batch, rest, err = records.Next(r.chunk.data)
	if err == records.ErrPartial {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.chunk.data = rest
	if r.chunk.skip(&r.batch) || r.batch.LastOffset < r.position.next { // skip wants to see all
		r.pass(r.batch.LastOffset + 1)
		return true, nil
	}
	body, err := unpacked(r.hub.unpack, &r.batch)
	if err != nil {
		return false, err
	}
	r.cursor, r.inside = r.batch.Records(body), true
	return true, nil
}

// pass goes on behind a batch.
func (r *reader[T]) pass(next int64) {
	if mutant.On("markers-uncounted") && r.batch.Control {
		next = r.position.next
	}
	r.position.next, r.inside = max(r.position.next, next), false
}

// give appends a record that has not been read before.
func (r *reader[T]) give(b *operators.Batch[T]) error {
	rec := &r.record
	at := rec.raw.Offset
	if at < r.position.next && !mutant.On("batch-read-again") {
		return nil
	}
	if r.position.next = at + 1; r.position.end != noEnd && at >= r.position.end {
		return nil
	}
	rec.Offset, rec.Time, rec.Key, rec.Value = at, rec.raw.Time, rec.raw.Key, rec.raw.Value
	v, err := r.decode(rec)
	if err != nil {
		return r.putAside(b, err)
	}
	b.Append(v, rec.Time)
	return nil
}

func (r *reader[T]) putAside(b *operators.Batch[T], why error) error {
	if !r.tolerant {
		return fmt.Errorf("the record at offset %d does not decode: %w", r.record.Offset, why)
	}
	b.Bad = append(b.Bad, operators.Malformed{
		Split: r.feed.partition.String(), Offset: r.record.Offset, Raw: append([]byte(nil), r.record.Value...), Reason: why.Error(),
	})
	return nil
}
