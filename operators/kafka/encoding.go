package kafka

import (
	"context"
	"errors"

	"github.com/weirflow/weir/operators"
)

// encoding turns the values of a subtask into messages, one after the other in the same
// memory.
type encoding[T any] struct {
	encode  Encoder[T]
	now     func() int64 // ms
	keyed   bool         // each must have a key
	message Message
}

func newEncoding[T any](t *target[T], c operators.SinkContext) encoding[T] {
	return encoding[T]{encode: t.encode, now: c.Now}
}

var errNoKey = errors.New("a record has no key, by which the last one counts; have the Encoder set Message.Key, or use kafka.AtLeastOnce")

// write hands a batch to a producer.
func (s *encoding[T]) write(ctx context.Context, p *producer, b *operators.Batch[T]) error {
	next := 0
	return p.add(ctx, func(m *Message) (bool, error) {
		if next == len(b.Values) {
			return false, nil
		}
		i := next
		next++
		return true, s.fill(m, b.Values[i], b.Times[i])
	}, &s.message)
}

func (s *encoding[T]) fill(m *Message, v T, time int64) error {
	*m = Message{KeyBuffer: m.KeyBuffer[:0], ValueBuffer: m.ValueBuffer[:0], Headers: m.Headers[:0], Partition: -1, Time: time}
	if m.Time == operators.NoTime {
		m.Time = s.now()
	}
	err := s.encode(m, v)
	if err == nil && s.keyed && m.Key == nil {
		err = errNoKey
	}
	return err
}
