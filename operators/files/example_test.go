package files_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

type Trip struct {
	PickedUp time.Time `csv:"pickup,layout=2006-01-02 15:04:05,zone=America/New_York"`
	Zone     string    `csv:"pickup_zone"`
	Tip      *float64  // of column "tip", nil where it is empty
}

// inTempDir gives a folder with a file, for examples.
func inTempDir(name, content string) (dir, path string) {
	dir, err := os.MkdirTemp("", "files")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		panic(err)
	}
	return dir, path
}

// readAll does with a source what a job does.
func readAll[T any](source operators.Source[T]) operators.Batch[T] {
	b, err := tryRead(source)
	if err != nil {
		panic(err)
	}
	return b
}

// tryRead is readAll for sources that may fail.
func tryRead[T any](source operators.Source[T]) (b operators.Batch[T], err error) {
	ctx := context.Background()
	splits, err := source.Splits(ctx)
	for i := 0; err == nil && i < len(splits); i++ {
		err = readSplit(source, splits[i], &b)
	}
	return b, err
}

func readSplit[T any](source operators.Source[T], split string, b *operators.Batch[T]) error {
	r, err := source.Open(context.Background(), split, nil)
	if err != nil {
		return err
	}
	for err == nil {
		err = r.Read(context.Background(), b, 512)
	}
	if cerr := r.Close(); err == io.EOF {
		err = cerr
	}
	return err
}

func ExampleCSV() {
	dir, path := inTempDir("trips.csv", `pickup,pickup_zone,tip,color
2019-03-23 20:21:09,"Lenox Hill, West",2.15,yellow
2019-03-04 16:11:55,Upper West Side,,green
`)
	defer os.RemoveAll(dir)

	trips := files.CSV[Trip](path)

	for _, t := range readAll(trips).Values {
		fmt.Println(t.PickedUp.UTC().Format(time.RFC3339), t.Zone, t.Tip != nil)
	}
	// Output:
	// 2019-03-24T00:21:09Z Lenox Hill, West true
	// 2019-03-04T21:11:55Z Upper West Side false
}

func ExampleCSVFunc() {
	dir, path := inTempDir("trips.csv", "tip,passengers\n2.15,1\n0,4\n")
	defer os.RemoveAll(dir)

	cents := files.CSVFunc(path, func(row files.Row) (int64, error) {
		return int64(100*row.Float("tip")) / row.Int("passengers"), nil
	})

	fmt.Println(readAll(cents).Values)
	// Output: [215 0]
}

func ExampleSideOutputMalformed() {
	dir, path := inTempDir("numbers.jsonl", "1\ntwo\n3\n")
	defer os.RemoveAll(dir)

	bad := operators.NewTag[operators.Malformed]("bad")
	numbers := files.JSONLines[int](path, files.SideOutputMalformed(bad))

	b := readAll(numbers)
	fmt.Println(b.Values)
	for _, m := range b.Bad {
		fmt.Printf("line %d: %q: %s\n", m.Line, m.Raw, m.Reason)
	}
	// Output:
	// [1 3]
	// line 2: "two\n": invalid character 'w' in literal true (expecting 'r')
}

// The runtime makes these calls; nothing is visible before Commit.
func ExampleSink() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	ctx := context.Background()
	out := filepath.Join(dir, "out")

	sink := files.Sink[Trip](out, files.AsCSV, files.RollSize(64<<20))

	w, err := sink.OpenTransactional(ctx, operators.SinkContext{
		Operator: "trips", Job: "example", Parallelism: 1, Attempt: 1,
		Now: func() int64 { return 0 }, Step: func(string) {},
	})
	if err != nil {
		panic(err)
	}
	show := func(when string) {
		paths, err := files.Committed(out)
		fmt.Println(when, len(paths), err)
	}
	fmt.Println(w.Begin(ctx))
	fmt.Println(w.Write(ctx, &operators.Batch[Trip]{Values: []Trip{{Zone: "Harlem"}}, Times: []int64{0}}))
	handle, err := w.Prepare(ctx)
	show("prepared")
	fmt.Println(err, w.Commit(ctx, handle))
	show("committed")
	trips, err := files.ReadAll[Trip](out, files.AsCSV)
	fmt.Println(trips[0].Zone, err)
	// Output:
	// <nil>
	// <nil>
	// prepared 0 <nil>
	// <nil> <nil>
	// committed 1 <nil>
	// Harlem <nil>
}

func ExamplePrint() {
	sink := files.Print[string](os.Stdout)

	w, err := sink.Open(context.Background(), operators.SinkContext{Parallelism: 1})
	if err != nil {
		panic(err)
	}
	if err := w.Write(context.Background(), &operators.Batch[string]{Values: []string{"hello"}, Times: []int64{1000}}); err != nil {
		panic(err)
	}
	// Output: 1970-01-01T00:00:01.000Z hello
}
