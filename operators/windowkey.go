package operators

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/weirflow/weir/persistence/table"
)

// WindowKey is what the state of a window is scoped to: a key and a window.
type WindowKey[K comparable] struct {
	Key    K
	Window Window
}

// windowKeyKind places what belongs to the windows of a key anywhere in the
// key's group, so that a key with many windows does not crowd one segment.
func windowKeyKind[K comparable](keys keyKind[K], groups int) keyKind[WindowKey[K]] {
	sub := newSubkeys(groups)
	return keyKind[WindowKey[K]]{
		codec: windowKeyCodec[K]{keys.codec},
		hash:  func(k WindowKey[K]) uint64 { return sub.placeWindow(keys.hash(k.Key), k.Window) },
	}
}

func (s *subkeys) placeWindow(hash uint64, w Window) uint64 {
	return s.place(hash, uint64(w.Start)^table.Mix64(uint64(w.End)))
}

// windowKeyCodec writes the key, then start and end, fixed64.
type windowKeyCodec[K comparable] struct{ key Codec[K] }

func (c windowKeyCodec[K]) Name() string { return c.key.Name() + " and window" }

func (c windowKeyCodec[K]) Append(buf []byte, k WindowKey[K]) ([]byte, error) {
	buf, err := c.key.Append(buf, k.Key)
	return appendWindow(buf, k.Window), err
}

func (c windowKeyCodec[K]) Decode(p []byte) (k WindowKey[K], rest []byte, err error) {
	if k.Key, p, err = c.key.Decode(p); err != nil {
		return k, p, err
	}
	k.Window, p, err = readWindow(p)
	return k, p, err
}

func appendWindow(buf []byte, w Window) []byte {
	buf = binary.LittleEndian.AppendUint64(buf, uint64(w.Start))
	return binary.LittleEndian.AppendUint64(buf, uint64(w.End))
}

var errShortWindow = errors.New("a window is cut short")

func readWindow(p []byte) (w Window, rest []byte, err error) {
	if len(p) < 16 {
		return w, p, errShortWindow
	}
	w = Window{Start: int64(binary.LittleEndian.Uint64(p)), End: int64(binary.LittleEndian.Uint64(p[8:]))}
	return w, p[16:], nil
}

// windowsCodec is for the sessions of a key: their number, then each.
type windowsCodec struct{}

func (windowsCodec) Name() string { return "windows" }

func (windowsCodec) Append(buf []byte, ws []Window) ([]byte, error) {
	buf = binary.AppendUvarint(buf, uint64(len(ws)))
	for _, w := range ws {
		buf = appendWindow(buf, w)
	}
	return buf, nil
}

func (windowsCodec) Decode(p []byte) (ws []Window, rest []byte, err error) {
	n, p, err := readCount(p)
	for range n {
		var w Window
		if w, p, err = readWindow(p); err != nil {
			return nil, p, err
		}
		ws = append(ws, w)
	}
	return ws, p, err
}

// readCount reads a number of things that take at least a byte each.
func readCount(p []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(p)
	if size <= 0 || n > uint64(len(p)) {
		return 0, p, fmt.Errorf("a list says that it has %d entries in %d bytes", n, len(p))
	}
	return n, p[size:], nil
}
