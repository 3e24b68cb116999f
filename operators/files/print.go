package files

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/weirflow/weir/operators"
)

// Print writes records as lines for people: event time and value, with the
// subtask's number before them where there are several. It is a plain sink: a
// replay prints again. w is written to by one subtask at a time.
func Print[T any](w io.Writer) operators.Sink[T] { return &printSink[T]{w: w} }

type printSink[T any] struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

// Kind implements operators.Sink.
func (p *printSink[T]) Kind() operators.SinkKind { return operators.Plain }

// String says for people what it is.
func (p *printSink[T]) String() string { return "files.Print" }

// Validate finds a missing writer before the job runs.
func (p *printSink[T]) Validate() error {
	if p.w == nil {
		return fmt.Errorf("files.Print: the writer is nil: give one such as os.Stdout")
	}
	return nil
}

// Open implements operators.Sink.
func (p *printSink[T]) Open(ctx context.Context, c operators.SinkContext) (operators.Writer[T], error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	w := &printWriter[T]{sink: p}
	if c.Parallelism > 1 {
		w.prefix = strconv.Itoa(c.Index) + "> "
	}
	return w, nil
}

type printWriter[T any] struct {
	sink   *printSink[T]
	prefix string
	buf    []byte
}

// Write prints a batch at once, so that lines of subtasks do not mix.
func (w *printWriter[T]) Write(ctx context.Context, b *operators.Batch[T]) error {
	w.buf = w.buf[:0]
	for i := range b.Values {
		w.buf = append(w.buf, w.prefix...)
		w.buf = appendTime(w.buf, b.Times[i])
		w.buf = fmt.Appendf(w.buf, " %+v\n", b.Values[i])
	}
	w.sink.mu.Lock()
	defer w.sink.mu.Unlock()
	if _, err := w.sink.w.Write(w.buf); err != nil {
		return fmt.Errorf("files.Print: %w", err)
	}
	return nil
}

// appendTime appends an event time in ISO 8601 where its year has four digits.
func appendTime(buf []byte, ms int64) []byte {
	const first, last = -62135596800000, 253402300799999 // years 1 to 9999
	switch {
	case ms == operators.NoTime:
		return append(buf, '-')
	case ms < first || ms > last:
		return append(strconv.AppendInt(buf, ms, 10), "ms"...)
	}
	return time.UnixMilli(ms).UTC().AppendFormat(buf, "2006-01-02T15:04:05.000Z")
}

// Flush implements operators.Writer: Write has printed all.
func (w *printWriter[T]) Flush(ctx context.Context) error { return nil }

// Close implements operators.Writer. The io.Writer is the user's to close.
func (w *printWriter[T]) Close() error { return nil }
