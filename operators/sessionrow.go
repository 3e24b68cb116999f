package operators

import (
	"encoding/binary"
	"slices"

	"github.com/weirflow/weir/messages/mutant"
)

// session is a session of a key.
type session[A any] struct {
	Window
	queued int64 // where its entry in the queue is, if waits; not part of a snapshot
	waits  bool  // there is one
	fired  bool  // for the watermark that ended it
	acc    A
}

// sessionRow is the sessions of one key, which do not touch each other, by start.
// The last is apart, so that a key with one session, as most have, costs no slice and
// its row is short.
type sessionRow[A any] struct {
	last  session[A]
	older *[]session[A] // nil: none
}

func (r *sessionRow[A]) len() int {
	if r.older == nil {
		return 1
	}
	return len(*r.older) + 1
}

// at gives session i for reading and writing.
func (r *sessionRow[A]) at(i int) *session[A] {
	if i == r.len()-1 {
		return &r.last
	}
	return &(*r.older)[i]
}

// touching gives the sessions [from, to) that touch a window; where none does, its
// place among them.
func (r *sessionRow[A]) touching(w Window) (from, to int) {
	for from < r.len() && r.at(from).End < w.Start {
		from++
	}
	for to = from; to < r.len() && r.at(to).Start <= w.End && !(mutant.On("gap-exclusive") && r.at(to).Start == w.End); {
		to++
	}
	return from, to
}

// insert puts a session before session i.
func (r *sessionRow[A]) insert(i int, s session[A]) {
	if i == r.len() {
		r.last, s = s, r.last
		i--
	}
	if r.older == nil {
		r.older = new([]session[A])
	}
	*r.older = slices.Insert(*r.older, i, s)
}

// remove takes out sessions [from, to), not all.
func (r *sessionRow[A]) remove(from, to int) {
	if to == r.len() {
		r.last = *r.at(from - 1)
		from, to = from-1, to-1
	}
	*r.older = slices.Delete(*r.older, from, to)
}

// queuedAt is the session whose entry in the queue is at a time, or -1.
func (r *sessionRow[A]) queuedAt(at int64) int {
	for i := range r.len() {
		if s := r.at(i); s.waits && s.queued == at {
			return i
		}
	}
	return -1
}

// cloneSessions copies a row for a table that was frozen; clone copies an
// accumulator, and nil says that assignment does.
func cloneSessions[A any](clone func(A) A) func(sessionRow[A]) sessionRow[A] {
	return func(r sessionRow[A]) sessionRow[A] {
		if r.older != nil {
			older := slices.Clone(*r.older)
			r.older = &older
		}
		for i := 0; clone != nil && i < r.len(); i++ {
			s := r.at(i)
			s.acc = clone(s.acc)
		}
		return r
	}
}

// sessionCodec writes the number of sessions, then window, flag and accumulator of each.
type sessionCodec[A any] struct{ acc Codec[A] }

func (c *sessionCodec[A]) Name() string { return c.acc.Name() + " a session" }

func (c *sessionCodec[A]) Append(buf []byte, r sessionRow[A]) (_ []byte, err error) {
	buf = binary.AppendUvarint(buf, uint64(r.len()))
	for i := range r.len() {
		s, fired := r.at(i), byte(0)
		if s.fired {
			fired = 1
		}
		if buf, err = c.acc.Append(append(appendWindow(buf, s.Window), fired), s.acc); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

func (c *sessionCodec[A]) Decode(p []byte) (r sessionRow[A], rest []byte, err error) {
	n, p, err := readCount(p)
	if err == nil && n == 0 {
		err = errShortBlock
	}
	for i := range n {
		if i > 0 {
			r.insert(r.len()-1, r.last)
		}
		if r.last, p, err = c.decode(p); err != nil {
			return r, p, err
		}
	}
	return r, p, err
}

func (c *sessionCodec[A]) decode(p []byte) (s session[A], rest []byte, err error) {
	if s.Window, p, err = readWindow(p); err != nil {
		return s, p, err
	}
	if len(p) == 0 {
		return s, p, errShortBlock
	}
	s.fired = p[0] == 1 && !mutant.On("session-fired-not-restored")
	s.acc, rest, err = c.acc.Decode(p[1:])
	return s, rest, err
}
