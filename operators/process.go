package operators

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence"
)

// KeyedProcess is a function over one key at a time, with state, timers and
// side outputs. Its methods run one at a time within a subtask, and each
// subtask has a function of its own. Three more methods are optional: OnTimer
// (TimerHandler), Open (Opener) and Close (io.Closer), which runs once if Open
// succeeded, also after a failure.
type KeyedProcess[K comparable, T, R any] interface {
	// ProcessElement handles one record. An error, or a panic, fails the
	// attempt, which names the record.
	ProcessElement(ctx *Context[K, R], v T) error
}

// TimerHandler is a KeyedProcess, or another function over keys, with timers.
type TimerHandler[K comparable, R any] interface {
	// OnTimer runs when a timer is due that the function registered, with the
	// key and the state that it was registered for.
	OnTimer(ctx *Context[K, R], at int64, domain Domain) error
}

// Opener is a KeyedProcess, or another function over keys, that must get ready.
type Opener interface {
	// Open runs once in the life of a subtask: after its state was restored,
	// before the first record or timer. State has no key yet.
	Open(info OpenContext) error
}

// OpenContext tells a function where it runs.
type OpenContext struct {
	Context     context.Context // ends when the attempt does
	Operator    messages.OperatorID
	Index       int // of the subtask
	Parallelism int
	Attempt     messages.Attempt
	Restored    bool // the state comes from a checkpoint
	Logger      *slog.Logger
	Counter     func(name string) *plan.Counter // a metric; same name, same counter
}

// Process runs a function with keyed state and timers. It calls newFunction
// once when the topology is built, to learn what state there is, and once in
// every subtask. newFunction makes the function, declares its state on s, and
// does nothing else; what needs more belongs into Open.
//
// The function may write to the side outputs of the given tags, by
// Tag.Emit(ctx, v).
func Process[K comparable, T, R any, F KeyedProcess[K, T, R]](s *KeyedStream[K, T], name string, newFunction func(s *States[K]) F, tags ...AnyTag) *Stream[R] {
	top := s.stream.top
	op := s.add("process", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if newFunction == nil {
			return nil, errNilFunction
		}
		f := keyedFunction[K, R]{codec: s.codec, newFunction: func(st *States[K]) any { return newFunction(st) }, tags: tags}
		op.New = func() plan.Instance {
			return &processor[K, T, R]{keyedFunction: f, in: keyedRecords[K, T, R]{keyedPort: s.port()}}
		}
		return f.describe(top.maxParallelism)
	})
	top.declareSides(op, tags...)
	return output[R](top, op)
}

// declareFunction makes a function and its states, with timers if it handles any.
func declareFunction[K comparable, R any](s *States[K], newFunction func(*States[K]) any) (any, *timers[K], error) {
	f := newFunction(s)
	if v := reflect.ValueOf(f); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, nil, errors.New("its function is nil; let newFunction return one")
	}
	err := errors.Join(append(s.errs,
		checkMethod[TimerHandler[K, R]](f, "OnTimer"),
		checkMethod[Opener](f, "Open"),
		checkMethod[io.Closer](f, "Close"))...)
	if _, ok := f.(TimerHandler[K, R]); ok {
		return f, declareTimers(s), err
	}
	return f, nil, err
}

// checkMethod refuses an optional method that would never be called because its
// signature is another.
func checkMethod[I any](f any, method string) error {
	if _, ok := f.(I); ok {
		return nil
	}
	m, ok := reflect.TypeOf(f).MethodByName(method)
	if !ok {
		return nil
	}
	want, _ := reflect.TypeFor[I]().MethodByName(method)
	return fmt.Errorf("method %s of %T is a %s and would not be called; make it a %s, or give it another name",
		method, f, reflect.ValueOf(f).Method(m.Index).Type(), want.Type)
}

// processor runs a Process.
type processor[K comparable, T, R any] struct {
	keyedFunction[K, R]
	in keyedRecords[K, T, R]
}

func (p *processor[K, T, R]) Init(rt *plan.Runtime) error {
	if err := p.keyedFunction.Init(rt); err != nil {
		return err
	}
	p.in.function = p.function.(KeyedProcess[K, T, R])
	return nil
}

func (p *processor[K, T, R]) Process(_ int, b *plan.Batch) error {
	return p.in.process(&p.keyedFunction, b)
}

// keyedRecords is an input whose records go to a function one by one.
type keyedRecords[K comparable, T, R any] struct {
	keyedPort[K, T]
	function KeyedProcess[K, T, R]
}

// process works off a batch of the input.
func (in *keyedRecords[K, T, R]) process(p *keyedFunction[K, R], b *plan.Batch) error {
	values, hashes := in.columns(b)
	p.hashes = hashes
	return p.between(b, func(from, to int) error { return in.run(p, b, values, hashes, from, to) })
}

// run calls the function for records [from, to).
func (in *keyedRecords[K, T, R]) run(p *keyedFunction[K, R], b *plan.Batch, values []T, hashes []uint64, from, to int) error {
	p.batch = b
	for i := from; i < to; i++ {
		p.at = i
		p.ctx.scope.key, p.ctx.scope.hash = in.key(values[i]), hashes[i]
		p.ctx.out.sides.time = b.Times[i]
		if err := in.function.ProcessElement(&p.ctx, values[i]); err != nil {
			return err
		}
		if err := p.ctx.out.failed(); err != nil {
			return err
		}
	}
	p.batch = nil
	return nil
}

// keyedFunction is a user's function in a subtask, whatever its inputs are: its
// life, its state, its timers, and the clock.
type keyedFunction[K comparable, R any] struct {
	keyedCursor
	codec       Codec[K]
	newFunction func(*States[K]) any
	tags        []AnyTag

	rt       *plan.Runtime
	function any
	states   []persistence.State // but for the clocks
	nobody   uint64              // a hash that the zero key does not have
	onTimer  TimerHandler[K, R]  // nil without timers
	clocks   groupClocks
	opened   bool
	ctx      Context[K, R]
}

// describe makes the function once, to learn what states there are.
func (p *keyedFunction[K, R]) describe(maxParallelism int) ([]*messages.StateSchema, error) {
	states := newStates(keyKindOf(p.codec), maxParallelism, nil)
	_, _, err := declareFunction[K, R](states, p.newFunction)
	return append(states.schemas(), newGroupClocks(p.codec.Name()).schema), err
}

func (p *keyedFunction[K, R]) Init(rt *plan.Runtime) (err error) {
	p.rt = rt
	states := newStates(keyKindOf(p.codec), rt.MaxParallelism, kvOf(rt))
	p.ctx = Context[K, R]{
		rt:     rt,
		scope:  states.scope,
		clocks: &p.clocks,
		out:    Out[R]{main: newEmitter[R](rt.Output("")), sides: openSides(rt, p.tags)},
	}
	if p.function, p.ctx.timers, err = declareFunction[K, R](states, p.newFunction); err != nil {
		return err
	}
	p.onTimer, _ = p.function.(TimerHandler[K, R])
	p.states, p.nobody = states.all, ^states.keys.hash(*new(K))
	for _, st := range p.states {
		if err := rt.Register(st); err != nil {
			return err
		}
	}
	p.clocks = newGroupClocks(p.codec.Name())
	return p.clocks.init(rt)
}

func (p *keyedFunction[K, R]) Open() error {
	p.clocks.start()
	if o, ok := p.function.(Opener); ok {
		before := p.written()
		p.ctx.scope.leave(p.nobody)
		if err := o.Open(openContext(p.rt)); err != nil {
			return fmt.Errorf("Open: %w", err)
		}
		p.ctx.scope.none = false
		if p.written() != before {
			return errOpenKeyless
		}
	}
	p.opened = true
	p.wake()
	return nil
}

var errOpenKeyless = errors.New("Open wrote keyed state, but there is no key yet; write it in ProcessElement or OnTimer")

// written grows when something is put into keyed state under a new key: it is the
// number of entries, or, on disk, where they would have to be read to be counted, of
// what was put there.
func (p *keyedFunction[K, R]) written() (n int) {
	for _, st := range p.states {
		if d, ok := st.(interface{ written() int }); ok {
			n += d.written()
		} else {
			n += st.Len()
		}
	}
	return n
}

func openContext(rt *plan.Runtime) OpenContext {
	return OpenContext{
		Context: rt.Context, Operator: rt.Operator, Index: rt.Index, Parallelism: rt.Parallelism,
		Attempt: rt.Attempt, Restored: rt.Restored, Logger: rt.Logger, Counter: rt.Counter,
	}
}

// between runs the records between the marks of a batch, and advances at each mark.
func (p *keyedFunction[K, R]) between(b *plan.Batch, run func(from, to int) error) error {
	from := 0
	for _, m := range b.Marks {
		if err := run(from, m.Index); err != nil {
			return err
		}
		if err := p.advance(m.Watermark); err != nil {
			return err
		}
		from = m.Index
	}
	if err := run(from, b.Len()); err != nil {
		return err
	}
	return p.ctx.out.flush()
}

// advance fires what a watermark makes due, before it goes on itself.
func (p *keyedFunction[K, R]) advance(watermark int64) error {
	if !p.clocks.advance(watermark) {
		return nil
	}
	if err := p.fireTimers(EventTime, watermark); err != nil {
		return err
	}
	p.clocks.forgetFloors()
	p.ctx.out.mark(watermark)
	return nil
}

// OnProcessingTime fires the timers due and asks for the next one.
func (p *keyedFunction[K, R]) OnProcessingTime(now int64) error {
	if err := p.fireTimers(ProcessingTime, now); err != nil {
		return err
	}
	p.wake()
	return p.ctx.out.flush()
}

// fireTimers works off one domain, with what OnTimer registers meanwhile.
func (p *keyedFunction[K, R]) fireTimers(d Domain, now int64) error {
	if p.onTimer == nil {
		return nil
	}
	for {
		at, ok := p.ctx.timers.popHeld(d, now, &p.clocks)
		if !ok {
			p.firing = false
			return nil
		}
		p.fire(at, p.ctx.scope.hash)
		if p.ctx.out.sides.time = at; d == ProcessingTime {
			p.ctx.out.sides.time = NoTime
		}
		if err := p.onTimer.OnTimer(&p.ctx, at, d); err != nil {
			return err
		}
		if err := p.ctx.out.failed(); err != nil {
			return err
		}
	}
}

// wake asks the runtime for the next processing-time timer. One that is overdue
// when a restored subtask opens so fires at once.
func (p *keyedFunction[K, R]) wake() {
	if p.onTimer == nil {
		return
	}
	p.ctx.timers.wake(p.rt)
}

func (p *keyedFunction[K, R]) Finish() error { return nil }

func (p *keyedFunction[K, R]) Close() error {
	if c, ok := p.function.(io.Closer); ok && p.opened {
		p.opened = false
		return c.Close()
	}
	return nil
}
