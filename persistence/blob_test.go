package persistence

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/weirflow/weir/messages"
)

// oneBlob is a store for one object, which counts what is read of it.
type oneBlob struct {
	CheckpointStore
	data []byte
	read int
}

func (s *oneBlob) Put(_ context.Context, _ string, write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	s.data = b.Bytes()
	return err
}

func (s *oneBlob) Open(context.Context, string) (io.ReadCloser, error) {
	return &counted{bytes.NewReader(s.data), s}, nil
}

type counted struct {
	*bytes.Reader
	store *oneBlob
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.store.read += n
	return n, err
}

func (c *counted) Close() error { return nil }

// synthetic is a state with `size` bytes in each key group, in pieces.
type synthetic struct {
	State
	size  int
	piece []byte
	got   map[messages.KeyGroup]int
}

func newSynthetic(size, piece int) *synthetic {
	return &synthetic{size: size, piece: bytes.Repeat([]byte{7}, piece), got: map[messages.KeyGroup]int{}}
}

func (s *synthetic) Schema() *messages.StateSchema {
	return &messages.StateSchema{Name: "sum", Kind: "value", Key: "string", Value: "int64"}
}

func (s *synthetic) WriteGroup(_ messages.KeyGroup, w io.Writer) (int, error) {
	for range s.size / len(s.piece) {
		if _, err := w.Write(s.piece); err != nil {
			return 0, err
		}
	}
	return s.size / len(s.piece), nil
}

func (s *synthetic) Release() {}

func (s *synthetic) ReadGroup(g messages.KeyGroup, r io.Reader) error {
	n, err := io.Copy(io.Discard, struct{ io.Reader }{r})
	s.got[g] += int(n)
	return err
}

var eight = messages.KeyGroupRange{From: 0, To: 8}

func snapshot(t testing.TB, s *synthetic) (*oneBlob, *messages.Blob) {
	t.Helper()
	store := &oneBlob{}
	b, err := SnapshotBlob(t.Context(), store, "job/data/x", eight, []NamedFrozen{{s.Schema(), s}})
	if err != nil {
		t.Fatal(err)
	}
	return store, b
}

// The format on disk: it may not change without a new version.
func TestBlobFormat(t *testing.T) {
	store, _ := snapshot(t, newSynthetic(3, 3))
	const header = 0x1f // bytes of the protobuf message
	want := hex.EncodeToString([]byte("weirblob")) + "01000000" + "1f000000"
	if got := hex.EncodeToString(store.data[:16]); got != want {
		t.Errorf("the blob begins with %s; want %s", got, want)
	}
	if got, want := len(store.data), 24+header+8*(24+3)+24; got != want {
		t.Errorf("%d bytes; want %d", got, want)
	}
	chunk := store.data[24+header:]
	if got, want := hex.EncodeToString(chunk[:27]), "000000000000000003000000"+"9ec6c770afed3b5d"+"2575d386"+"070707"; got != want {
		t.Errorf("the first chunk is %s; want %s", got, want)
	}
}

func TestBlobOfNewerFormat(t *testing.T) {
	store, b := snapshot(t, newSynthetic(3, 3))
	binary.LittleEndian.PutUint32(store.data[8:], 2)
	binary.LittleEndian.PutUint64(store.data[16:], blobHeaderSum(store.data[:24+0x1f]))
	err := RestoreBlob(t.Context(), store, b, eight, []State{newSynthetic(0, 1)})
	want := "job/data/x: the blob was written in format 2, this build reads up to format 1; run the newer build again, or give the job another store"
	if newer := (*FormatError)(nil); !errors.As(err, &newer) || err.Error() != want {
		t.Errorf("RestoreBlob = %v; want %s", err, want)
	}
}

// A restore that needs one key group of eight does not read the others.
func TestBlobSkipsOtherGroups(t *testing.T) {
	const size = 4 << 20
	store, b := snapshot(t, newSynthetic(size, 1024))
	got := newSynthetic(0, 1)
	if err := RestoreBlob(t.Context(), store, b, messages.KeyGroupRange{From: 5, To: 6}, []State{got}); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got.got) != fmt.Sprintf("map[5:%d]", size) {
		t.Errorf("restored bytes by group: %v", got.got)
	}
	if limit := 2 * size; store.read > limit {
		t.Errorf("read %d of %d bytes for one group of %d bytes; want at most %d", store.read, len(store.data), size, limit)
	}
}

// discard is a store that keeps nothing.
type discard struct{ CheckpointStore }

func (discard) Put(_ context.Context, _ string, write func(io.Writer) error) error {
	return write(struct{ io.Writer }{io.Discard})
}

// A snapshot streams: it allocates a chunk, not a second copy of the state.
func TestBlobStreams(t *testing.T) {
	s := newSynthetic(8<<20, 100)
	frozen := []NamedFrozen{{s.Schema(), s}}
	before := allocated()
	if _, err := SnapshotBlob(t.Context(), discard{}, "job/data/x", eight, frozen); err != nil {
		t.Fatal(err)
	}
	if got := allocated() - before; got > 2<<20 {
		t.Errorf("a snapshot of 64 MiB allocated %d bytes", got)
	}
	store, b := snapshot(t, s)
	before = allocated()
	if err := RestoreBlob(t.Context(), store, b, eight, []State{newSynthetic(0, 1)}); err != nil {
		t.Fatal(err)
	}
	if got := allocated() - before; got > 2<<20 {
		t.Errorf("a restore of 64 MiB allocated %d bytes", got)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// Whatever lies in the store under a blob's key, a restore neither panics nor
// allocates by what the bytes say, and takes nothing but the blob for it.
func FuzzBlob(f *testing.F) {
	store, b := snapshot(f, newSynthetic(3, 3))
	good := store.data
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte(blobMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		err := RestoreBlob(t.Context(), &oneBlob{data: data}, b, eight, []State{newSynthetic(0, 1)})
		if (err == nil) != bytes.Equal(data, good) {
			t.Errorf("RestoreBlob of %x = %v", data, err)
		}
	})
}

// A record is itself or damaged or of a newer format, never another one.
func FuzzRecord(f *testing.F) {
	good, err := encodeRecord(&messages.LogRecord{Record: &messages.LogRecord_Claim{Claim: &messages.Claim{Attempt: 3, Owner: "host/1"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:19])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord("key", data)
		if (err == nil) != (r != nil) {
			t.Errorf("decodeRecord(%x) = %v, %v", data, r, err)
		}
	})
}

// The format on disk: it may not change without a new version.
func TestRecordFormat(t *testing.T) {
	got, err := encodeRecord(&messages.LogRecord{Record: &messages.LogRecord_Claim{Claim: &messages.Claim{Attempt: 3, Owner: "o"}}})
	if err != nil {
		t.Fatal(err)
	}
	want := hex.EncodeToString([]byte("weir")) + "01000000" + "07000000" + "199a746ae9a72c98" + "0a05080312016f"
	if hex.EncodeToString(got) != want {
		t.Errorf("record is %x; want %s", got, want)
	}
}

func BenchmarkSnapshotBlob(b *testing.B) {
	s := newSynthetic(4<<20, 16)
	b.SetBytes(32 << 20)
	for b.Loop() {
		if _, err := SnapshotBlob(b.Context(), discard{}, "job/data/x", eight, []NamedFrozen{{s.Schema(), s}}); err != nil {
			b.Fatal(err)
		}
	}
}
