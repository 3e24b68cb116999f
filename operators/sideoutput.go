package operators

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/weirflow/weir/operators/plan"
)

// Tag names a side output and its type. Two tags of one name are the same side
// output, so within a topology a name stands for one type.
type Tag[T any] struct{ name string }

// NewTag makes a tag.
func NewTag[T any](name string) Tag[T] { return Tag[T]{name: name} }

// Name of the side output.
func (t Tag[T]) Name() string { return t.name }

// Emit sends v, with the time of the record being worked on, to the side output
// of the operator that handed out to its function. The operator must have been
// declared with the tag.
func (t Tag[T]) Emit(out Sides, v T) {
	s := out.sideOutputs()
	e, ok := s.find(t.name).(*emitter[T])
	if !ok {
		s.fail(fmt.Errorf("side output %q was not declared for Tag[%s] where the operator is defined; pass the tag there", t.name, reflect.TypeFor[T]()))
		return
	}
	e.emit(v, s.time)
}

// AnyTag is a Tag of any type.
type AnyTag interface {
	Name() string
	valueType() reflect.Type
	newEmitter(plan.Output) sideEmitter
}

// Sides is what an operator hands to a function that may write to side outputs:
// an *Out or the context of a process function.
type Sides interface{ sideOutputs() *sideOutputs }

func (t Tag[T]) valueType() reflect.Type { return reflect.TypeFor[T]() }

func (t Tag[T]) newEmitter(out plan.Output) sideEmitter { return newEmitter[T](out) }

// SideOutput is the stream of what an operator sends to a side output.
func SideOutput[T, X any](s *Stream[T], tag Tag[X]) *Stream[X] {
	side := &Stream[X]{top: s.top}
	for _, l := range s.legs {
		s.top.useTag(l.from, tag)
		side.legs = append(side.legs, leg{from: l.from, tag: tag.name})
	}
	return side
}

// tagUse is the first use of a tag's name in a topology.
type tagUse struct {
	typ reflect.Type
	by  *plan.Operator
}

// declareSides notes the side outputs that op may write to.
func (t *Topology) declareSides(op *plan.Operator, tags ...AnyTag) {
	for _, tag := range tags {
		t.useTag(op, tag)
		if !slices.Contains(op.Sides, tag.Name()) {
			op.Sides = append(op.Sides, tag.Name())
		}
	}
}

// useTag checks that a tag's name stands for one type.
func (t *Topology) useTag(op *plan.Operator, tag AnyTag) {
	name, typ := tag.Name(), tag.valueType()
	if name == "" {
		t.failf(op, "a side output's tag has no name; make it with NewTag and a name")
		return
	}
	first, known := t.tags[name]
	if !known {
		t.tags[name] = tagUse{typ: typ, by: op}
	} else if first.typ != typ {
		t.failf(op, "side output %q is a Tag[%s] here and a Tag[%s] at %s; a tag's name stands for one type, so give one of them another name",
			name, typ, first.typ, first.by)
	}
}

// sideEmitter is an emitter whose type is known to its tag alone.
type sideEmitter interface {
	mark(watermark int64)
	flush() error
}

// sideOutputs are the declared side outputs of one instance. The zero value has
// none.
type sideOutputs struct {
	names    []string
	emitters []sideEmitter
	time     int64 // of the record or timer being worked on: what is emitted gets it
	err      error // the first misuse of a tag
}

// openSides makes the emitters of the declared tags.
func openSides(rt *plan.Runtime, tags []AnyTag) sideOutputs {
	var s sideOutputs
	for _, tag := range tags {
		if s.find(tag.Name()) != nil {
			continue
		}
		s.names = append(s.names, tag.Name())
		s.emitters = append(s.emitters, tag.newEmitter(rt.Output(tag.Name())))
	}
	return s
}

// find gives the emitter of a tag, or nil. Operators have one or two tags.
func (s *sideOutputs) find(name string) sideEmitter {
	for i, n := range s.names {
		if n == name {
			return s.emitters[i]
		}
	}
	return nil
}

func (s *sideOutputs) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *sideOutputs) mark(watermark int64) {
	for _, e := range s.emitters {
		e.mark(watermark)
	}
}

func (s *sideOutputs) flush() error {
	for _, e := range s.emitters {
		if err := e.flush(); err != nil {
			return err
		}
	}
	return s.err
}
