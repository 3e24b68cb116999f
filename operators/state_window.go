package operators

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators/window"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/table"
)

// windowState is the state of a window operator, by window first: one table of
// accumulators for each open window, so that a window goes as a whole. What has
// fired follows from the clocks.
type windowState[K comparable, Acc any] struct {
	schema  *messages.StateSchema
	groups  messages.KeyGroupRange
	max     int // the topology's maximal parallelism
	keys    keyKind[K]
	values  Codec[Acc]
	windows window.Tumbling

	lateness int64 // ms
	open     *window.Open[*table.Table[K, Acc]]

	spare []*table.Table[K, Acc] // emptied, for windows to come; at most maxSpare
}

// maxSpare is how many tables of windows gone by are kept: each has about the
// room that the next window needs.
const maxSpare = 2

func (s *windowState[K, Acc]) init() {
	s.open = window.NewOpen[*table.Table[K, Acc]](s.lateness, messages.NoWatermark)
}

// start sets the clock once everything is restored: where several subtasks wrote
// it, that is the least, for what a lower group has not fired is still to come. It
// gives the windows that some group owes since before the clock passed them.
func (s *windowState[K, Acc]) start(watermark int64, f *firing) (due []*window.Pane[*table.Table[K, Acc]]) {
	panes := s.open.Panes()
	s.open = window.NewOpen[*table.Table[K, Acc]](s.lateness, watermark)
	for _, p := range panes {
		unfired := f.unfired(p.MaxTimestamp())
		if !unfired && s.open.TooLate(p.Window, watermark) {
			continue
		}
		if p = s.open.Add(p.Window, p.State); unfired { // it may be too late at this clock, and goes when it has fired
			due = append(due, p)
		}
	}
	return due
}

// pane gives the open window w, opening it if need be.
func (s *windowState[K, Acc]) pane(w window.Window) *window.Pane[*table.Table[K, Acc]] {
	if p := s.open.Find(w); p != nil {
		return p
	}
	if n := len(s.spare); n > 0 {
		t := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return s.open.Add(w, t)
	}
	return s.open.Add(w, newTable[K](s.values))
}

// clear drops the windows whose lateness is over.
func (s *windowState[K, Acc]) clear() {
	for _, p := range s.open.Clear() {
		if len(s.spare) < maxSpare {
			p.State.Recycle()
			s.spare = append(s.spare, p.State)
		}
		p.State = nil // the kernel still holds the pane
	}
}

func (s *windowState[K, Acc]) Schema() *messages.StateSchema { return s.schema }

func (s *windowState[K, Acc]) Len() int {
	n := 0
	for _, p := range s.open.Panes() {
		n += p.State.Len()
	}
	return n
}

// A key group is written as blocks whose namespace is the start of a window,
// fixed64, and whose entries are key and accumulator.
const startBytes = 8

func (s *windowState[K, Acc]) Freeze() persistence.Frozen {
	f := &frozenWindows[K, Acc]{max: s.max, keys: s.keys.codec, values: s.values}
	for _, p := range s.open.Panes() {
		f.panes = append(f.panes, frozenPane[K, Acc]{start: p.Start, table: p.State.Freeze()})
	}
	return f
}

func (s *windowState[K, Acc]) ReadGroup(g messages.KeyGroup, in io.Reader) error {
	var into *table.Table[K, Acc]
	enter := func(namespace []byte) error {
		start := int64(binary.LittleEndian.Uint64(namespace))
		w := s.windows.At(start)
		if s.windows.Assign(start) != w {
			return fmt.Errorf("a window that starts at %d: there is none with this size and offset", start)
		}
		into = s.pane(w).State
		return nil
	}
	err := readBlocks(in, startBytes, enter, func(p []byte) ([]byte, error) { return s.readEntry(g, into, p) })
	if err != nil {
		return fmt.Errorf("state %q, key group %d: %w", s.schema.Name, g, err)
	}
	return nil
}

func (s *windowState[K, Acc]) readEntry(g messages.KeyGroup, into *table.Table[K, Acc], p []byte) ([]byte, error) {
	key, p, err := s.keys.codec.Decode(p)
	if err != nil {
		return p, err
	}
	acc, p, err := s.values.Decode(p)
	if err != nil {
		return p, err
	}
	hash := s.keys.hash(key)
	place, _ := into.Upsert(hash, key)
	*place = acc
	return p, inGroup(hash, g, s.max)
}

// frozenWindows is a windowState at a barrier.
type frozenWindows[K comparable, Acc any] struct {
	max    int
	keys   Codec[K]
	values Codec[Acc]
	panes  []frozenPane[K, Acc]
}

type frozenPane[K comparable, Acc any] struct {
	start int64
	table *table.Frozen[K, Acc]
}

func (f *frozenWindows[K, Acc]) WriteGroup(g messages.KeyGroup, out io.Writer) (int, error) {
	w := newBlockWriter(out)
	defer w.release()
	for _, p := range f.panes {
		if err := f.writePane(w, g, p); err != nil {
			return w.total, err
		}
	}
	return w.total, w.close()
}

func (f *frozenWindows[K, Acc]) writePane(w *blockWriter, g messages.KeyGroup, p frozenPane[K, Acc]) error {
	if err := w.enter(fixed64(p.start)); err != nil {
		return err
	}
	var err error
	p.table.ScanGroup(g, f.max, func(_ uint64, key *K, acc *Acc) bool {
		err = w.entry(f.appendEntry(w.buf, key, acc))
		return err == nil
	})
	return err
}

func (f *frozenWindows[K, Acc]) appendEntry(buf []byte, key *K, acc *Acc) ([]byte, error) {
	buf, err := f.keys.Append(buf, *key)
	if err != nil {
		return buf, err
	}
	return f.values.Append(buf, *acc)
}

func (f *frozenWindows[K, Acc]) Release() {
	for _, p := range f.panes {
		p.table.Release()
	}
}

func fixed64(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }
