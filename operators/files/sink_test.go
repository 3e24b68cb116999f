package files

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

func sinkContext(index, of int) operators.SinkContext {
	return operators.SinkContext{Operator: "out", Job: "job", Index: index, Parallelism: of, Attempt: 1,
		Now: func() int64 { return 0 }, Step: func(string) {}}
}

// commitAll writes values through a sink, in one transaction each.
func commitAll[T any](t testing.TB, s operators.TransactionalSink[T], c operators.SinkContext, transactions ...[]T) {
	t.Helper()
	w, err := s.OpenTransactional(ctx, c)
	check(t, err)
	for _, values := range transactions {
		check(t, w.Begin(ctx))
		check(t, w.Write(ctx, &operators.Batch[T]{Values: values, Times: make([]int64, len(values))}))
		handle, err := w.Prepare(ctx)
		check(t, err)
		check(t, w.Commit(ctx, handle))
	}
	check(t, w.Close())
}

func TestSinkFormats(t *testing.T) {
	type trip struct {
		Zone string
		Tip  *float64 `csv:"tip"`
		At   struct {
			Day   time.Time `csv:"day,layout=2006-01-02"`
			Epoch time.Time `csv:",layout=unixms"`
		}
	}
	half := 0.5
	v := trip{Zone: `East "Village"`, Tip: &half}
	v.At.Day, v.At.Epoch = time.UnixMilli(0).UTC(), time.UnixMilli(1234).UTC()
	values := []trip{v, {At: v.At}}
	for name, c := range map[string]struct {
		options []SinkOption
		want    string
	}{
		"out-0-1-1.csv":   {[]SinkOption{AsCSV}, "zone,tip,at.day,at.epoch\n\"East \"\"Village\"\"\",0.5,1970-01-01,1234\n,,1970-01-01,1234\n"},
		"out-0-1-1.jsonl": {nil, `{"Zone":"East \"Village\"","Tip":0.5,"At":{"Day":"1970-01-01T00:00:00Z","Epoch":"1970-01-01T00:00:01.234Z"}}` + "\n" + `{"Zone":"","Tip":null,"At":{"Day":"1970-01-01T00:00:00Z","Epoch":"1970-01-01T00:00:01.234Z"}}` + "\n"},
		"out-0-1-1.txt": {[]SinkOption{AsFunc("txt", func(buf []byte, v trip) ([]byte, error) {
			return append(append(buf, v.Zone...), ';'), nil
		})}, `East "Village";;`},
	} {
		dir := filepath.Join(t.TempDir(), "new", "out")
		commitAll(t, Sink[trip](dir, c.options...), sinkContext(0, 1), values)
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(c.want, string(got)))
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Errorf("%s: left %v %v", name, entries, err)
		}
	}
}

func TestReadAllGivesCommittedRecordsInOrder(t *testing.T) {
	dir := t.TempDir()
	type row struct{ N int }
	s := Sink[row](dir, AsCSV)
	var transactions [][]row
	for i := range 11 {
		transactions = append(transactions, []row{{i}})
	}
	commitAll(t, s, sinkContext(1, 2), []row{{100}})
	commitAll(t, s, sinkContext(0, 2), transactions...)
	check(t, os.WriteFile(filepath.Join(dir, ".hidden"), []byte("x"), 0o644))
	check(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))

	got, err := ReadAll[row](dir, AsCSV)
	check(t, err)
	want := []row{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {100}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	paths, err := Committed(dir)
	check(t, err)
	if len(paths) != 12 || filepath.Base(paths[1]) != "out-0-1-2.csv" || filepath.Base(paths[11]) != "out-1-1-1.csv" {
		t.Error(paths)
	}

	_, err = ReadAll[*messages.Hello](dir, AsCSV)
	wantError(t, err, "files.ReadAll", "*messages.Hello", "protobuf")
	_, err = ReadAll[int](dir, AsJSONLines)
	wantError(t, err, "files.ReadAll", "out-0-1-1.csv", "line 1")
	_, err = ReadAll[int](filepath.Join(dir, "none"), AsJSONLines)
	wantError(t, err, "files.Committed", "none")
}

func TestCommittedPutsStrangersLast(t *testing.T) {
	dir := t.TempDir()
	names := []string{"a-1-0-1-1.csv", "a-0-1-1.csv", "a-1-1-1.csv", "README", "a-x-1-1.csv", "-0-1-1.csv"}
	for _, name := range names {
		check(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	paths, err := Committed(dir)
	check(t, err)
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	want := []string{"a-0-1-1.csv", "a-1-1-1.csv", "a-1-0-1-1.csv", "-0-1-1.csv", "README", "a-x-1-1.csv"}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
}

func TestSinkRefusesAtBuild(t *testing.T) {
	type bad struct{ C chan int }
	file := put(t, "file", "x")
	for name, c := range map[string]struct {
		sink  any
		words []string
	}{
		"no folder":    {Sink[int](""), []string{"files.Sink", "path is empty"}},
		"a file":       {Sink[int](file), []string{file, "is not a folder"}},
		"below a file": {Sink[int](filepath.Join(file, "x", "y")), []string{file, "not a directory", "choose another folder"}},
		"csv type":     {Sink[bad](t.TempDir(), AsCSV), []string{"files.AsCSV", "bad.C", "chan int"}},
		"csv message":  {Sink[*messages.Hello](t.TempDir(), AsCSV), []string{"files.AsCSV", "protobuf message"}},
		"csv nil row":  {Sink[*int](t.TempDir(), AsCSV), []string{"files.AsCSV", "*int", "empty line", "files.AsJSONLines"}},
		"csv readonly": {Sink[struct{ P *parsed }](t.TempDir(), AsCSV), []string{"files.AsCSV", ".P", "files.parsed", "encoding.TextMarshaler"}},
		"protobuf":     {Sink[int](t.TempDir(), AsProtobuf), []string{"files.AsProtobuf", "int is not", "files.AsJSONLines"}},
		"format":       {Sink[int](t.TempDir(), Format(9)), []string{"files.Format(9)", "AsCSV"}},
		"func type":    {Sink[int](t.TempDir(), AsFunc("x", func(b []byte, v string) ([]byte, error) { return b, nil })), []string{"files.AsFunc", "does not take int"}},
		"func nil":     {Sink[int](t.TempDir(), AsFunc[int]("x", nil)), []string{"files.AsFunc", "nil"}},
		"extension":    {Sink[int](t.TempDir(), AsFunc("a/b", func(b []byte, v int) ([]byte, error) { return b, nil })), []string{"files.AsFunc", `"a/b"`, "letters"}},
		"roll size":    {Sink[int](t.TempDir(), RollSize(0)), []string{"files.RollSize(0)", "positive"}},
		"roll every":   {Sink[int](t.TempDir(), RollEvery(time.Microsecond)), []string{"files.RollEvery(1µs)", "1ms"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := validate(c.sink)
			wantError(t, err, c.words...)
		})
	}
	if s := Sink[int](filepath.Join(t.TempDir(), "not", "yet")); validate(s) != nil || s.Kind() != operators.Transactional {
		t.Error(validate(s), s.Kind())
	}
}

// parsed can be read, not written.
type parsed struct{}

func (*parsed) UnmarshalText([]byte) error { return nil }

// A topology asks sources and sinks, so that mistakes are told before it runs.
func TestBuildTellsWhatIsWrong(t *testing.T) {
	top := operators.NewTopology("t")
	operators.From(top, "in", Lines("nowhere.txt"), operators.NoWatermarks[string]()).To("out", Sink[string](""))
	_, err := top.Build()
	wantError(t, err, `"in"`, "nowhere.txt does not exist", `"out"`, "path is empty")
}

func TestSinkNamesARecordThatCannotBeWritten(t *testing.T) {
	type row struct{ F float64 }
	w, err := Sink[row](t.TempDir()).Open(ctx, sinkContext(0, 1))
	check(t, err)
	check(t, w.(operators.TransactionalWriter[row]).Begin(ctx))
	err = w.Write(ctx, &operators.Batch[row]{Values: []row{{math.NaN()}}, Times: []int64{0}})
	wantError(t, err, `files.Sink "out"`, "{NaN}", "unsupported value")
	check(t, w.Close())

	p, err := Sink[*row](t.TempDir(), AsCSV).OpenTransactional(ctx, sinkContext(0, 1))
	check(t, err)
	check(t, p.Begin(ctx))
	err = p.Write(ctx, &operators.Batch[*row]{Values: []*row{nil}, Times: []int64{0}})
	wantError(t, err, "nil *files.row")
	check(t, p.Close())
}

func TestSinkInAFolderThatMayNotBeWritten(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere; testdata/sink/faults.txt has the error's text")
	}
	dir := t.TempDir()
	check(t, os.Chmod(dir, 0o555))
	_, err := Sink[int](dir).Open(ctx, sinkContext(0, 1))
	wantError(t, err, dir, "permission denied", "make the folder writable")
}

func TestHandlesOfOtherFormatsAreRefused(t *testing.T) {
	w, err := Sink[int](t.TempDir()).OpenTransactional(ctx, sinkContext(0, 1))
	check(t, err)
	for handle, words := range map[string][]string{
		`{"format":2}`: {"format 2", "knows 1", "run the version that wrote it"},
		`x`:            {`handle "x"`},
		`{"format":1,"files":[{"temp":"../x","final":"y"}]}`: {"leaves the sink's folder"},
	} {
		err := w.Commit(ctx, []byte(handle))
		wantError(t, err, words...)
		if errors.Is(err, operators.ErrInDoubt) {
			t.Errorf("%s: in doubt, though another program can commit it", handle)
		}
		wantError(t, w.Recover(ctx, operators.Recovery{Parallelism: 1, Attempt: 1, Restored: true, Keep: [][]byte{[]byte(handle)}}), words...)
	}
	check(t, w.Commit(ctx, nil)) // a transaction without records
}

func TestPrint(t *testing.T) {
	var out bytes.Buffer
	s := Print[point](&out)
	if s.Kind() != operators.Plain {
		t.Error(s.Kind())
	}
	for i := range 2 {
		w, err := s.Open(ctx, sinkContext(i, 1+i))
		check(t, err)
		check(t, w.Write(ctx, &operators.Batch[point]{Values: make([]point, 4), Times: []int64{1500, -1, operators.NoTime, messages.MaxEventTime}}))
		check(t, w.Flush(ctx))
		check(t, w.Close())
	}
	want := `1970-01-01T00:00:01.500Z {X:0 S:}
1969-12-31T23:59:59.999Z {X:0 S:}
- {X:0 S:}
4611686018427387904ms {X:0 S:}
`
	if d := cmp.Diff(want+"1> "+strings.ReplaceAll(strings.TrimSpace(want), "\n", "\n1> ")+"\n", out.String()); d != "" {
		t.Error(d)
	}
	wantError(t, validate(Print[int](nil)), "files.Print", "nil", "os.Stdout")
	w, err := Print[int](brokenWriter{}).Open(ctx, sinkContext(0, 1))
	check(t, err)
	wantError(t, w.Write(context.Background(), &operators.Batch[int]{Values: []int{1}, Times: []int64{1}}), "files.Print", "pipe")
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
