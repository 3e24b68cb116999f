package operators

import (
	"errors"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/plan"
)

// KeyedBroadcastProcess is a KeyedProcess with a second input that every
// subtask gets whole: rules, prices, whatever all keys must see. Its records
// are kept in broadcast state, which ProcessBroadcast writes and the other
// methods read. OnTimer, Open and Close are optional as for a KeyedProcess.
//
// Broadcast state must be the same in every subtask, so ProcessBroadcast must
// depend on nothing but its records and that state. Where the broadcast stream
// comes from several subtasks, or is a union, each subtask sees their records in
// an order of its own: let them come from one, or let their order not matter.
type KeyedBroadcastProcess[K comparable, T, B, R any] interface {
	// ProcessElement handles one record of the keyed input.
	ProcessElement(ctx *Context[K, R], v T) error
	// ProcessBroadcast handles one record of the broadcast input, in every
	// subtask. There is no key here: keyed state is absent, and writing it fails
	// the attempt. Other subtasks have the same record, so it must not be changed.
	ProcessBroadcast(ctx *BroadcastContext[R], b B) error
}

// BroadcastProcess runs a function over a keyed stream and a broadcast one. The
// event-time clock is the smaller of theirs. newFunction declares keyed state on
// s and broadcast state on b; see Process for the rest.
func BroadcastProcess[K comparable, T, B, R any, F KeyedBroadcastProcess[K, T, B, R]](s *KeyedStream[K, T], broadcast *Stream[B], name string, newFunction func(s *States[K], b *BroadcastStates) F, tags ...AnyTag) *Stream[R] {
	top := s.stream.top
	op := top.addKeyed("broadcast", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if newFunction == nil {
			return nil, errNilFunction
		}
		instance := func() *broadcastProcessor[K, T, B, R] {
			p := &broadcastProcessor[K, T, B, R]{in: keyedRecords[K, T, R]{keyedPort: s.port()}}
			p.codec, p.tags = s.codec, tags
			p.newFunction = func(st *States[K]) any { return newFunction(st, &p.broadcast) }
			return p
		}
		op.New = func() plan.Instance { return instance() }
		return instance().describe(top.maxParallelism)
	}, s, broadcastEnd[B]{broadcast})
	top.declareSides(op, tags...)
	return output[R](top, op)
}

// broadcastEnd is a stream of which every subtask gets all.
type broadcastEnd[B any] struct{ stream *Stream[B] }

func (e broadcastEnd[B]) feed(t *Topology, op *plan.Operator, port int) {
	whole := &Stream[B]{top: e.stream.top}
	for _, l := range e.stream.legs {
		l.partition = plan.Broadcast
		whole.legs = append(whole.legs, l)
	}
	whole.feed(t, op, port)
}

func (e broadcastEnd[B]) unfit() error { return nil }

// BroadcastContext is what ProcessBroadcast sees of its record and of the world.
// It is valid during the call only.
type BroadcastContext[R any] struct {
	rt        *plan.Runtime
	out       *Out[R]
	watermark int64
	states    *BroadcastStates // that may be written now; nil: none
}

// Time is the event time of the record, in ms, or NoTime.
func (c *BroadcastContext[R]) Time() int64 { return c.out.Time() }

// CurrentWatermark is the event-time clock; see Context.
func (c *BroadcastContext[R]) CurrentWatermark() int64 { return c.watermark }

// CurrentProcessingTime is the clock of the node, in ms. What is kept in
// broadcast state must not depend on it.
func (c *BroadcastContext[R]) CurrentProcessingTime() int64 { return c.rt.Now() }

// Index is that of the subtask. What is to leave the operator once, and not once
// from each subtask, is emitted where it is 0.
func (c *BroadcastContext[R]) Index() int { return c.rt.Index }

// Emit sends v to the main output with the time of the record, from this subtask.
func (c *BroadcastContext[R]) Emit(v R) { c.out.Emit(v) }

// EmitAt sends v to the main output with a time of its own, in ms.
func (c *BroadcastContext[R]) EmitAt(v R, time int64) { c.out.emitAt(v, time) }

func (c *BroadcastContext[R]) sideOutputs() *sideOutputs { return &c.out.sides }

func (c *BroadcastContext[R]) writable() *BroadcastStates { return c.states }

// broadcastProcessor runs a BroadcastProcess: port 0 is keyed, port 1 broadcast.
type broadcastProcessor[K comparable, T, B, R any] struct {
	keyedFunction[K, R]
	in        keyedRecords[K, T, R]
	broadcast BroadcastStates
	side      BroadcastContext[R]
	onRecord  func(*BroadcastContext[R], B) error
}

// describe adds the broadcast states to the keyed ones.
func (p *broadcastProcessor[K, T, B, R]) describe(maxParallelism int) ([]*messages.StateSchema, error) {
	keyed, err := p.keyedFunction.describe(maxParallelism)
	all, broadcastErr := p.broadcast.describe(keyed)
	return all, errors.Join(append(eachOf(err), broadcastErr...)...)
}

func (p *broadcastProcessor[K, T, B, R]) Init(rt *plan.Runtime) error {
	if err := p.keyedFunction.Init(rt); err != nil {
		return err
	}
	f := p.function.(KeyedBroadcastProcess[K, T, B, R])
	p.in.function, p.onRecord = f, f.ProcessBroadcast
	p.side = BroadcastContext[R]{rt: rt, out: &p.ctx.out}
	return nil
}

func (p *broadcastProcessor[K, T, B, R]) Process(port int, b *plan.Batch) error {
	if port == 0 {
		return p.in.process(&p.keyedFunction, b)
	}
	values := *valuesOf[B](b)
	p.hashes = nil
	return p.between(b, func(from, to int) error { return p.runBroadcast(b, values, from, to) })
}

// runBroadcast calls the function for records [from, to) of the broadcast input.
// What it writes to keyed state meanwhile stands under a key that nobody has, so
// that it is found out by what was written.
func (p *broadcastProcessor[K, T, B, R]) runBroadcast(b *plan.Batch, values []B, from, to int) error {
	if from == to {
		return nil
	}
	before := p.written()
	p.ctx.scope.leave(p.nobody)
	defer func() { p.ctx.scope.none = false }()
	p.side.watermark, p.side.states = p.clocks.clock, &p.broadcast
	p.batch = b
	for i := from; i < to; i++ {
		p.at = i
		p.ctx.out.sides.time = b.Times[i]
		if err := p.onRecord(&p.side, values[i]); err != nil {
			return err
		}
		if err := p.ctx.out.failed(); err != nil {
			return err
		}
		if p.written() != before {
			return errKeyless
		}
	}
	p.batch, p.side.states = nil, nil
	return nil
}

var errKeyless = errors.New("ProcessBroadcast wrote keyed state, but a broadcast record has no key; write broadcast state there, and keyed state in ProcessElement or OnTimer")

// SnapshotState gives the broadcast states, which are the same in every subtask.
func (p *broadcastProcessor[K, T, B, R]) SnapshotState() ([]byte, error) { return p.broadcast.encode() }

// RestoreState takes the first part, in every subtask, so that all have the same
// at any parallelism; also where the parts differ, because barriers were not
// aligned.
func (p *broadcastProcessor[K, T, B, R]) RestoreState(parts [][]byte) error {
	return p.broadcast.decode(parts[0])
}
