package files_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirflow/weir/cluster"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// save runs a job that writes values to a sink.
func save[T any](sink operators.Sink[T], values ...T) {
	top := operators.NewTopology("save")
	operators.From(top, "values", operators.Slice(values...), operators.NoWatermarks[T]()).To("rides", sink)
	if _, err := cluster.Run(context.Background(), top, cluster.Config{}); err != nil {
		panic(err)
	}
}

// cat prints the committed files of a folder.
func cat(out string) {
	paths, err := files.Committed(out)
	if err != nil {
		panic(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s:\n%s", filepath.Base(path), content)
	}
}

var rides = []Ride{{"Harlem", 2.5}, {"Chelsea", 1}}

// JSON lines are what a sink writes without an option.
func ExampleFormat() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")

	save(files.Sink[Ride](out), rides...)

	cat(out)
	// Output:
	// rides-0-1-1.jsonl:
	// {"zone":"Harlem","tip":2.5}
	// {"zone":"Chelsea","tip":1}
}

func ExampleFormat_csv() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")

	save(files.Sink[Ride](out, files.AsCSV), rides...)

	cat(out)
	// Output:
	// rides-0-1-1.csv:
	// zone,tip
	// Harlem,2.5
	// Chelsea,1
}

// What one job writes another reads.
func ExampleFormat_protobuf() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")

	save(files.Sink[*wrapperspb.StringValue](out, files.AsProtobuf), wrapperspb.String("Harlem"), wrapperspb.String("Chelsea"))

	for _, m := range readAll(files.Protobuf[*wrapperspb.StringValue](filepath.Join(out, "*"))).Values {
		fmt.Println(m.GetValue())
	}
	// Output:
	// Harlem
	// Chelsea
}

// Any other format is a function that appends a record.
func ExampleAsFunc() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")

	lines := files.AsFunc("txt", func(buf []byte, r Ride) ([]byte, error) {
		return fmt.Appendf(buf, "%-8s %5.2f\n", r.Zone, r.Tip), nil
	})
	save(files.Sink[Ride](out, lines), rides...)

	cat(out)
	// Output:
	// rides-0-1-1.txt:
	// Harlem    2.50
	// Chelsea   1.00
}

// A file ends once it is big enough; all files of a checkpoint appear together.
func ExampleRollSize() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")

	save(files.Sink[Ride](out, files.RollSize(40)), Ride{"Harlem", 2.5}, Ride{"Chelsea", 1}, Ride{"Harlem", 3})

	cat(out)
	// Output:
	// rides-0-1-1.jsonl:
	// {"zone":"Harlem","tip":2.5}
	// {"zone":"Chelsea","tip":1}
	// rides-0-1-2.jsonl:
	// {"zone":"Harlem","tip":3}
}

// With a clock in hand the time can be seen to pass; in a job it passes by
// itself.
func ExampleRollEvery() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")
	ctx, now := context.Background(), time.Duration(0)

	sink := files.Sink[string](out, files.RollEvery(time.Minute))

	w, err := sink.OpenTransactional(ctx, operators.SinkContext{
		Operator: "rides", Job: "example", Parallelism: 1, Attempt: 1,
		Now: func() int64 { return now.Milliseconds() }, Step: func(string) {},
	})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	fmt.Println(w.Begin(ctx))
	for _, now = range []time.Duration{0, 59 * time.Second, 60 * time.Second, 61 * time.Second} {
		if err := w.Write(ctx, &operators.Batch[string]{Values: []string{now.String()}, Times: []int64{0}}); err != nil {
			panic(err)
		}
	}
	handle, err := w.Prepare(ctx)
	fmt.Println(err, w.Commit(ctx, handle))
	cat(out)
	// Output:
	// <nil>
	// <nil> <nil>
	// rides-0-1-1.jsonl:
	// "0s"
	// "59s"
	// rides-0-1-2.jsonl:
	// "1m0s"
	// "1m1s"
}

// Committed lists what a reader may rely on: these files never change.
func ExampleCommitted() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")
	save(files.Sink[Ride](out), rides...)

	paths, err := files.Committed(out)
	for _, path := range paths {
		fmt.Println(filepath.Base(path))
	}
	fmt.Println(err)
	// Output:
	// rides-0-1-1.jsonl
	// <nil>
}

func ExampleReadAll() {
	dir, _ := inTempDir("ignored", "")
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "out")
	save(files.Sink[Ride](out), rides...)

	all, err := files.ReadAll[Ride](out, files.AsJSONLines)
	fmt.Println(all, err)
	// Output: [{Harlem 2.5} {Chelsea 1}] <nil>
}
