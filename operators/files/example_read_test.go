package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// Ride is a record of JSON files.
type Ride struct {
	Zone string  `json:"zone"`
	Tip  float64 `json:"tip"`
}

func ExampleLines() {
	dir, path := inTempDir("notes.txt", "first\n\nthird")
	defer os.RemoveAll(dir)

	fmt.Printf("%q\n", readAll(files.Lines(path)).Values)
	// Output: ["first" "" "third"]
}

// A glob means all files that match it; each is a split of its own.
func ExampleLines_glob() {
	dir, _ := inTempDir("monday.txt", "one\n")
	defer os.RemoveAll(dir)
	write(dir, "tuesday.txt", "two\nthree\n")

	lines := files.Lines(filepath.Join(dir, "*.txt"))

	fmt.Println(readAll(lines).Values)
	// Output: [one two three]
}

func ExampleJSONLines() {
	dir, path := inTempDir("rides.jsonl", `{"zone":"Harlem","tip":2.5}
{"zone":"Chelsea","tip":1,"color":"green"}
`)
	defer os.RemoveAll(dir)

	for _, r := range readAll(files.JSONLines[Ride](path)).Values {
		fmt.Println(r.Zone, r.Tip)
	}
	// Output:
	// Harlem 2.5
	// Chelsea 1
}

// Strict takes a member that the record has no field for as a mistake.
func ExampleStrict() {
	dir, path := inTempDir("rides.jsonl", `{"zone":"Chelsea","tip":1,"color":"green"}`+"\n")
	defer os.RemoveAll(dir)

	_, err := tryRead(files.JSONLines[Ride](path, files.Strict()))

	fmt.Println(strings.ReplaceAll(err.Error(), dir, "data"))
	// Output:
	// files.JSONLines: data/rides.jsonl line 1 (byte 0): json: unknown field "color"; correct the file, or let files.SideOutputMalformed collect such records
}

// Messages stand behind their lengths, as protodelim writes them.
func ExampleProtobuf() {
	dir, path := inTempDir("zones.pb", "")
	defer os.RemoveAll(dir)
	var zones strings.Builder
	for _, zone := range []string{"Harlem", "Chelsea"} {
		if _, err := protodelim.MarshalTo(&zones, wrapperspb.String(zone)); err != nil {
			panic(err)
		}
	}
	write(dir, "zones.pb", zones.String())

	for _, m := range readAll(files.Protobuf[*wrapperspb.StringValue](path)).Values {
		fmt.Println(m.GetValue())
	}
	// Output:
	// Harlem
	// Chelsea
}

func ExampleComma() {
	dir, path := inTempDir("rides.csv", "zone;tip\nHarlem;2.5\nChelsea;1\n")
	defer os.RemoveAll(dir)

	rides := files.CSV[Ride](path, files.Comma(';'))

	fmt.Println(readAll(rides).Values)
	// Output: [{Harlem 2.5} {Chelsea 1}]
}

// A file without a header row.
func ExampleColumns() {
	dir, path := inTempDir("rides.csv", "Harlem,2.5\nChelsea,1\n")
	defer os.RemoveAll(dir)

	rides := files.CSV[Ride](path, files.Columns("zone", "tip"))

	fmt.Println(readAll(rides).Values)
	// Output: [{Harlem 2.5} {Chelsea 1}]
}

// A line that is longer than any record can be is an error, and no reason to
// run out of memory.
func ExampleMaxRecord() {
	dir, path := inTempDir("notes.txt", "short\n"+strings.Repeat("long", 100)+"\n")
	defer os.RemoveAll(dir)

	b, err := tryRead(files.Lines(path, files.MaxRecord(100)))

	fmt.Println(b.Values, err != nil)
	// Output: [short] true
}

// A function gets the columns one by one; those that do not convert make the
// row malformed without its help.
func ExampleRow() {
	dir, path := inTempDir("rides.csv", `zone,pickup,passengers,tip,card,note
Harlem,2019-03-04 16:11,2,2.5,true,
Chelsea,2019-03-04 16:12,many,1,false,hello
`)
	defer os.RemoveAll(dir)

	bad := operators.NewTag[operators.Malformed]("bad")
	texts := files.CSVFunc(path, func(row files.Row) (string, error) {
		at := row.Time("pickup", "2006-01-02 15:04", time.UTC)
		text := fmt.Sprintf("%s in %s: %d of %.2f", at.Format(time.Kitchen), row.String("zone"), row.Int("passengers"), row.Float("tip"))
		if row.Bool("card") {
			text += " by card"
		}
		if row.Has("note") {
			text += fmt.Sprintf(" (%s)", row.Bytes("note"))
		}
		return fmt.Sprintf("%s, of %d columns", text, len(row.Names())), nil
	}, files.SideOutputMalformed(bad))

	b := readAll(texts)
	fmt.Println(b.Values)
	for _, m := range b.Bad {
		fmt.Printf("line %d, %s: %s\n", m.Line, m.Field, m.Reason)
	}
	// Output:
	// [4:11PM in Harlem: 2 of 2.50 by card, of 6 columns]
	// line 3, passengers: "many" is no int64
}
