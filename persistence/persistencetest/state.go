package persistencetest

import (
	"bufio"
	"encoding/binary"
	"io"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
)

// words is the plainest persistence.State: a map a key group.
type words struct {
	schema *messages.StateSchema
	groups map[messages.KeyGroup]map[string]string
}

func newWords(name string) *words {
	return &words{
		schema: &messages.StateSchema{Name: name, Kind: "value", Key: "string", Value: "string"},
		groups: map[messages.KeyGroup]map[string]string{},
	}
}

func (w *words) set(maxParallelism int, key, value string) {
	w.setIn(messages.KeyGroupOf(xxhash.Sum64String(key), maxParallelism), key, value)
}

func (w *words) setIn(g messages.KeyGroup, key, value string) {
	if w.groups[g] == nil {
		w.groups[g] = map[string]string{}
	}
	w.groups[g][key] = value
}

// within gives the part of w in the groups of r.
func (w *words) within(r messages.KeyGroupRange) *words {
	part := newWords(w.schema.Name)
	for g, entries := range w.groups {
		if r.Contains(g) {
			part.groups[g] = entries
		}
	}
	return part
}

func (w *words) Schema() *messages.StateSchema { return w.schema }

func (w *words) Len() int {
	n := 0
	for _, entries := range w.groups {
		n += len(entries)
	}
	return n
}

func (w *words) Freeze() persistence.Frozen {
	copied := newWords(w.schema.Name)
	for g, entries := range w.groups {
		copied.groups[g] = maps.Clone(entries)
	}
	return &frozenWords{words: copied}
}

func (w *words) ReadGroup(g messages.KeyGroup, r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		key, err := readString(in)
		if err == io.EOF {
			return nil
		}
		value, verr := readString(in)
		if err != nil || verr != nil {
			return io.ErrUnexpectedEOF
		}
		w.setIn(g, key, value)
	}
}

func readString(in *bufio.Reader) (string, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return "", err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(in, b)
	return string(b), err
}

// frozenWords counts what is done to it.
type frozenWords struct {
	*words
	released int
	fail     error // of WriteGroup, when not nil
}

func (f *frozenWords) WriteGroup(g messages.KeyGroup, w io.Writer) (int, error) {
	entries := f.groups[g]
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		var b []byte
		b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
		b = append(binary.AppendUvarint(b, uint64(len(entries[key]))), entries[key]...)
		if _, err := w.Write(b); err != nil {
			return 0, err
		}
	}
	return len(entries), f.fail
}

func (f *frozenWords) Release() { f.released++ }
