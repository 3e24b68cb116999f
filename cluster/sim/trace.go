package sim

import (
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cespare/xxhash/v2"
)

// shownLines is how many of the last lines a failure prints.
const shownLines = 40

// trace is the story of a run, a line a step: virtual time, node, actor, what
// happened, type of the message. It keeps a hash of all lines and the last few.
type trace struct {
	hash *xxhash.Digest
	out  io.Writer // may be nil
	ring [shownLines][]byte
	next int // place in the ring of the next line

	detail []byte // space for a part of a line
}

func newTrace(out io.Writer) trace { return trace{hash: xxhash.New(), out: out} }

// line appends a line; empty parts are left out.
func (t *trace) line(now time.Duration, l *life, actorID, what, detail string) {
	b := t.ring[t.next][:0]
	b = strconv.AppendInt(b, int64(now), 10)
	b = append(b, ' ')
	if l != nil {
		b = append(b, l.name()...)
	}
	for _, part := range [...]struct {
		sep  byte
		text string
	}{{'/', actorID}, {' ', what}, {' ', detail}} {
		if part.text != "" {
			b = append(append(b, part.sep), part.text...)
		}
	}
	b = append(b, '\n')
	t.ring[t.next] = b
	t.next = (t.next + 1) % shownLines
	t.hash.Write(b)
	if t.out != nil {
		t.out.Write(b)
	}
}

// last are the last lines, oldest first.
func (t *trace) last() string {
	var s strings.Builder
	for i := range shownLines {
		s.Write(t.ring[(t.next+i)%shownLines])
	}
	return s.String()
}

// typeName is the type of a message, without the envelope around it.
func typeName(message any) string {
	if message = actor.UnwrapEnvelopeMessage(message); message == nil {
		return ""
	}
	return reflect.TypeOf(message).String()
}

// traceSend tells what leaves a node, with a hash of its bytes: a message made by
// ranging over a map shows here first.
func (w *World) traceSend(l *life, p *packet) {
	b := w.trace.detail[:0]
	b = append(b, p.kind.Descriptor().FullName()...)
	b = append(b, " to "...)
	b = append(append(append(b, p.target.Address...), '/'), p.target.Id...)
	b = strconv.AppendInt(append(b, ' '), int64(len(p.bytes)), 10)
	b = strconv.AppendUint(append(b, ' '), xxhash.Sum64(p.bytes), 16)
	w.trace.detail = b
	w.trace.line(w.now, l, "", "sends", string(b))
}
