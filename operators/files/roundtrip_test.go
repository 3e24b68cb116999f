package files

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// anything has a field of every kind that goes through every format.
type anything struct {
	S   string
	N   int64
	U   uint8
	F   float64
	G   float32
	B   bool
	P   *string
	Q   *int
	T   time.Time
	D   time.Duration
	Raw []byte
	In  inner
}

type inner struct{ X, Y string }

var text = rapid.OneOf(rapid.String(), rapid.StringMatching(`[ ",;\r\n"ab]{0,8}`), rapid.SampledFrom([]string{"", `"`, "\n", "\r\n", "\r", `""`, " a ", "é☃", "\ufeff"}))

func drawAnything(t *rapid.T) anything {
	utf8 := text.Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s })
	v := anything{
		S: utf8.Draw(t, "S"), N: rapid.Int64().Draw(t, "N"), U: rapid.Uint8().Draw(t, "U"),
		F: rapid.Float64().Draw(t, "F"), G: rapid.Float32().Draw(t, "G"), B: rapid.Bool().Draw(t, "B"),
		P: rapid.Ptr(utf8, true).Draw(t, "P"), Q: rapid.Ptr(rapid.Int(), true).Draw(t, "Q"),
		T:   time.UnixMilli(rapid.Int64Range(-1<<45, 1<<45).Draw(t, "T")).UTC(),
		D:   time.Duration(rapid.Int64().Draw(t, "D")),
		Raw: []byte(utf8.Draw(t, "Raw")), In: inner{X: utf8.Draw(t, "X"), Y: utf8.Draw(t, "Y")},
	}
	if math.IsInf(v.F, 0) || math.IsNaN(v.F) {
		v.F = 0
	}
	if math.IsInf(float64(v.G), 0) || math.IsNaN(float64(v.G)) {
		v.G = 0
	}
	return v
}

func drawHello(t *rapid.T) *messages.Hello {
	return &messages.Hello{Watermark: rapid.Int64().Draw(t, "watermark"), Idle: rapid.Bool().Draw(t, "idle")}
}

// What a format writes it reads back, whatever the batch sizes and however
// often the reader is lost and opened again at its position.
func TestWrittenRecordsAreReadBackFromAnyPosition(t *testing.T) {
	dir := t.TempDir()
	t.Run("csv", rapid.MakeCheck(func(t *rapid.T) { roundTrip(t, dir, AsCSV, drawAnything, CSV[anything]) }))
	t.Run("csv one column", rapid.MakeCheck(func(t *rapid.T) {
		roundTrip(t, dir, AsCSV, func(t *rapid.T) string { return text.Draw(t, "value") }, CSV[string])
	}))
	t.Run("json", rapid.MakeCheck(func(t *rapid.T) { roundTrip(t, dir, AsJSONLines, drawAnything, JSONLines[anything]) }))
	t.Run("protojson", rapid.MakeCheck(func(t *rapid.T) { roundTrip(t, dir, AsJSONLines, drawHello, JSONLines[*messages.Hello]) }))
	t.Run("protobuf", rapid.MakeCheck(func(t *rapid.T) { roundTrip(t, dir, AsProtobuf, drawHello, Protobuf[*messages.Hello]) }))
}

func roundTrip[T any](t *rapid.T, dir string, format Format, draw func(*rapid.T) T, source func(string, ...SourceOption) operators.Source[T]) {
	want := rapid.SliceOfN(rapid.Custom(draw), 0, 8).Draw(t, "records")
	e, err := newEncoder[T](&sinkConfig{format: format})
	if err != nil {
		t.Fatal(err)
	}
	content := e.header(nil)
	for _, v := range want {
		if content, err = e.encode(content, v); err != nil {
			t.Fatal(err)
		}
	}
	extension := rapid.SampledFrom([]string{"", ".gz", ".zst"}).Draw(t, "compression")
	path := filepath.Join(dir, "data"+extension)
	if err := os.WriteFile(path, compress(t, extension, content), 0o644); err != nil {
		t.Fatal(err)
	}
	got := readWithLosses(t, source(path), path)
	if d := cmp.Diff(want, got, protocmp.Transform(), cmp.Transformer("empty", func(v []T) []T { return append([]T{}, v...) })); d != "" {
		t.Fatalf("%q\n%s", content, d)
	}
}

func compress(t *rapid.T, extension string, content []byte) []byte {
	var b strings.Builder
	var w io.WriteCloser
	switch extension {
	case "":
		return content
	case ".gz":
		w = gzip.NewWriter(&b)
	case ".zst":
		w, _ = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// readWithLosses reads a split, now and then dropping a reader together with
// what it read since the last position that was noted.
func readWithLosses[T any](t *rapid.T, s operators.Source[T], path string) []T {
	var kept []T
	var position []byte
	r, err := s.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for ended := false; !ended; {
		var b operators.Batch[T]
		err := r.Read(ctx, &b, rapid.IntRange(1, 4).Draw(t, "max"))
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "noted") {
			kept, position, ended = append(kept, b.Values...), r.Position(), err == io.EOF
			continue
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if r, err = s.Open(ctx, path, position); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return kept
}
