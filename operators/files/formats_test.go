package files

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

func TestLines(t *testing.T) {
	for content, want := range map[string][]string{
		"":               nil,
		"a":              {"a"},
		"a\n":            {"a"},
		"a\r\n\n\r\nb\r": {"a", "", "", "b"},
		"\x00é\n\"":      {"\x00é", "\""},
	} {
		if d := cmp.Diff(want, mustRead(t, Lines(put(t, "a.txt", content)))); d != "" {
			t.Errorf("%q: %s", content, d)
		}
	}
}

type point struct {
	X int    `json:"x"`
	S string `json:"s"`
}

func TestJSONLines(t *testing.T) {
	path := put(t, "a.jsonl", "\xef\xbb\xbf{\"x\":1,\"s\":\"a\\nb\"}\n\n  \n{\"x\":2,\"new\":true}\r\n{\"x\":3}")
	if d := cmp.Diff([]point{{1, "a\nb"}, {2, ""}, {3, ""}}, mustRead(t, JSONLines[point](path))); d != "" {
		t.Fatal(d)
	}
	_, _, err := readAll(t, JSONLines[point](path, Strict()))
	wantError(t, err, "files.JSONLines", path, "line 4 (byte 26)", `unknown field "new"`)
}

func TestJSONLinesOfProtobufMessages(t *testing.T) {
	path := put(t, "a.jsonl", `{"watermark":"5","idle":true}`+"\n"+`{"watermark":7, "new":1}`+"\n")
	want := []*messages.Hello{{Watermark: 5, Idle: true}, {Watermark: 7}}
	if d := cmp.Diff(want, mustRead(t, JSONLines[*messages.Hello](path)), protocmp.Transform()); d != "" {
		t.Fatal(d)
	}
	_, _, err := readAll(t, JSONLines[*messages.Hello](path, Strict()))
	wantError(t, err, "line 2", "new")
}

// S84: what does not decode goes to the side output, with its bytes and reason.
func TestS84_JSONLinesMalformed(t *testing.T) {
	path := put(t, "a.jsonl", "{\"x\":1}\n{\"x\":\"one\"}\n{\"x\":2} {\n{\"x\":3}\n")
	_, _, err := readAll(t, JSONLines[point](path))
	wantError(t, err, path, "line 2 (byte 8)", `field "x"`, "JSON string is no int", "files.SideOutputMalformed")

	values, bad, err := readAll(t, JSONLines[point](path, SideOutputMalformed(operators.NewTag[operators.Malformed]("bad"))))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]point{{X: 1}, {X: 3}}, values); d != "" {
		t.Error(d)
	}
	want := []operators.Malformed{
		{Split: path, Line: 2, Offset: 8, Field: "x", Raw: []byte("{\"x\":\"one\"}\n"), Reason: "JSON string is no int"},
		{Split: path, Line: 3, Offset: 20, Raw: []byte("{\"x\":2} {\n"), Reason: "invalid character '{' after top-level value"},
	}
	if d := cmp.Diff(want, bad); d != "" {
		t.Error(d)
	}
}

func delimited(t *testing.T, hellos ...*messages.Hello) string {
	t.Helper()
	var b strings.Builder
	for _, h := range hellos {
		if _, err := protodelim.MarshalTo(&b, h); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestProtobuf(t *testing.T) {
	want := []*messages.Hello{{Watermark: -1}, {}, {Watermark: 1 << 40, Idle: true}}
	got := mustRead(t, Protobuf[*messages.Hello](put(t, "a.pb", delimited(t, want...))))
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Fatal(d)
	}
}

func TestS84_ProtobufMalformed(t *testing.T) {
	good := delimited(t, &messages.Hello{Watermark: 9})
	bad := "\x02\x08\xff" // a varint without an end
	path := put(t, "a.pb", good+bad+good+"\x7f\x01")
	_, _, err := readAll(t, Protobuf[*messages.Hello](path))
	wantError(t, err, "files.Protobuf", path, "line 2 (byte 3)")

	values, side, err := readAll(t, Protobuf[*messages.Hello](path, SideOutputMalformed(operators.NewTag[operators.Malformed]("bad"))))
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != 2 || len(side) != 2 || string(side[0].Raw) != bad || side[1].Offset != 9 || string(side[1].Raw) != "\x7f\x01" || side[1].Reason != "the file ends within a message" {
		t.Errorf("values %v, malformed %+v", values, side)
	}

	// A length that is none leaves nothing to go on with, side output or not.
	path = put(t, "b.pb", good+"\xff\xff\xff\xff\x7fabc")
	_, _, err = readAll(t, Protobuf[*messages.Hello](path, SideOutputMalformed(operators.NewTag[operators.Malformed]("bad"))))
	wantError(t, err, path, "line 2 (byte 3)", "ffffffff7f616263", "files.MaxRecord")
}

func TestRecordsHaveABound(t *testing.T) {
	for _, size := range []int{10, 11} {
		path := put(t, "a.txt", strings.Repeat("x", size-1)+"\nb\n")
		_, _, err := readAll(t, Lines(path, MaxRecord(10)))
		if size == 10 && err != nil {
			t.Error(err)
		}
		if size == 11 {
			wantError(t, err, "files.Lines", path, "line 1 (byte 0)", "longer than 10 bytes", "files.MaxRecord")
		}
	}
	// A quote that is not closed within the bound is malformed; the next line is read.
	type row struct{ A string }
	path := put(t, "a.csv", "a\n1\n\"2\n3\n4\n5\n6\n7\n8\n")
	values, bad, err := readAll(t, CSV[row](path, MaxRecord(8), SideOutputMalformed(operators.NewTag[operators.Malformed]("bad"))))
	if err != nil || len(values) != 7 || len(bad) != 1 || bad[0].Line != 3 || !strings.Contains(bad[0].Reason, "8 bytes") {
		t.Errorf("%+v %+v %v", values, bad, err)
	}
}

func TestLongRecordsGrowTheBuffer(t *testing.T) {
	want := []string{strings.Repeat("a", 1<<20), "b", strings.Repeat("c", 3<<20), ""}
	got := mustRead(t, Lines(put(t, "a.txt", strings.Join(want, "\n")+"\n")))
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal("lines differ")
	}
}

func TestCSVFuncMapsIntoAMessage(t *testing.T) {
	decode := func(r Row) (*messages.Hello, error) {
		return &messages.Hello{Watermark: r.Time("at", time.DateTime, time.UTC).UnixMilli() + r.Int("n"), Idle: r.Bool("idle")}, nil
	}
	path := put(t, "a.csv", "n,at,idle,name\n1,1970-01-01 00:00:01,true,\n2,1970-01-31 00:00:00,false,\"x\"\n")
	want := []*messages.Hello{{Watermark: 1001, Idle: true}, {Watermark: 30*24*3600000 + 2}}
	if d := cmp.Diff(want, mustRead(t, CSVFunc(path, decode)), protocmp.Transform()); d != "" {
		t.Fatal(d)
	}

	var names []string
	rows := mustRead(t, CSVFunc(path, func(r Row) (string, error) {
		names = r.Names()
		if r.Has("name") && !r.Has("none") {
			return string(r.Bytes("name")) + r.String("idle"), nil
		}
		return "", nil
	}))
	if d := cmp.Diff([]string{"", "xfalse"}, rows); d != "" {
		t.Error(d)
	}
	if strings.Join(names, " ") != "n at idle name" {
		t.Error(names)
	}

	for name, c := range map[string]struct {
		decode func(Row) (float64, error)
		words  []string
	}{
		"conversion": {func(r Row) (float64, error) { return r.Float("idle"), nil }, []string{"line 2", `field "idle"`, `"true" is no float64`}},
		"its own":    {func(r Row) (float64, error) { return 0, errOdd }, []string{"line 2", "odd"}},
		"column":     {func(r Row) (float64, error) { return r.Float("idel"), nil }, []string{"line 2", `"idel"`, "n, at, idle, name", "correct the name"}},
	} {
		_, _, err := readAll(t, CSVFunc(path, c.decode))
		wantError(t, err, append(c.words, "files.CSVFunc", path)...)
		_, bad, err := readAll(t, CSVFunc(path, c.decode, SideOutputMalformed(operators.NewTag[operators.Malformed]("bad"))))
		if name == "column" { // the program's mistake, not the record's
			wantError(t, err, c.words...)
		} else if err != nil || len(bad) != 2 {
			t.Errorf("%s: %v %+v", name, err, bad)
		}
	}
}

var errOdd = &fieldError{reason: "odd"}
