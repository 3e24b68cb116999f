package operators

import (
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// KeyedCoProcess is a KeyedProcess with two inputs whose records have keys of
// one type: those of one key meet in one subtask, and share its state, timers
// and side outputs. OnTimer, Open and Close are optional as there.
//
// Which input's record comes first is not determined, unless a watermark lies
// between them; a function must be right either way.
type KeyedCoProcess[K comparable, A, B, R any] interface {
	// ProcessElement1 handles one record of the first input.
	ProcessElement1(ctx *Context[K, R], v A) error
	// ProcessElement2 handles one record of the second input.
	ProcessElement2(ctx *Context[K, R], v B) error
}

// CoProcess runs a function over two keyed streams. The event-time clock is the
// smaller of theirs: a timer fires when both have reached it. For newFunction
// and tags see Process.
func CoProcess[K comparable, A, B, R any, F KeyedCoProcess[K, A, B, R]](a *KeyedStream[K, A], b *KeyedStream[K, B], name string, newFunction func(s *States[K]) F, tags ...AnyTag) *Stream[R] {
	top := a.stream.top
	op := top.addKeyed("coprocess", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if newFunction == nil {
			return nil, errNilFunction
		}
		f := keyedFunction[K, R]{codec: a.codec, newFunction: func(st *States[K]) any { return newFunction(st) }, tags: tags}
		op.New = func() plan.Instance { return newCoProcessor(f, a, b) }
		return f.describe(top.maxParallelism)
	}, a, b)
	top.declareSides(op, tags...)
	return output[R](top, op)
}

// coProcessor runs a CoProcess: port 0 is the first input, port 1 the second.
type coProcessor[K comparable, A, B, R any] struct {
	keyedFunction[K, R]
	first  keyedRecords[K, A, R]
	second keyedRecords[K, B, R]
}

func newCoProcessor[K comparable, A, B, R any](f keyedFunction[K, R], a *KeyedStream[K, A], b *KeyedStream[K, B]) *coProcessor[K, A, B, R] {
	return &coProcessor[K, A, B, R]{
		keyedFunction: f,
		first:         keyedRecords[K, A, R]{keyedPort: a.port()},
		second:        keyedRecords[K, B, R]{keyedPort: b.port()},
	}
}

func (p *coProcessor[K, A, B, R]) Init(rt *plan.Runtime) error {
	if err := p.keyedFunction.Init(rt); err != nil {
		return err
	}
	f := p.function.(KeyedCoProcess[K, A, B, R])
	p.first.function, p.second.function = firstSide[K, A, B, R]{f}, secondSide[K, A, B, R]{f}
	return nil
}

func (p *coProcessor[K, A, B, R]) Process(port int, b *plan.Batch) error {
	if port == 0 {
		return p.first.process(&p.keyedFunction, b)
	}
	return p.second.process(&p.keyedFunction, b)
}

// firstSide and secondSide are a function as seen from one of its inputs.
type (
	firstSide[K comparable, A, B, R any]  struct{ f KeyedCoProcess[K, A, B, R] }
	secondSide[K comparable, A, B, R any] struct{ f KeyedCoProcess[K, A, B, R] }
)

func (s firstSide[K, A, B, R]) ProcessElement(ctx *Context[K, R], v A) error {
	return s.f.ProcessElement1(ctx, v)
}

func (s secondSide[K, A, B, R]) ProcessElement(ctx *Context[K, R], v B) error {
	return s.f.ProcessElement2(ctx, v)
}
