package files

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirflow/weir/operators"
)

// twinRows reads rows with encoding/csv, up to the first it refuses.
func twinRows(content []byte) (rows [][]string, err error) {
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord = -1
	for {
		row, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

// ourRows reads rows up to the first malformed one, from a window of so many
// bytes that grows when a row does not fit.
func ourRows(t *testing.T, content []byte, window int) (rows [][]string, bad string) {
	c := csvRows{comma: ','}
	for from := 0; from < len(content); {
		f := frame{}
		for w := window; f.size == 0; w++ {
			to, until := from+w, ofBuffer
			if to >= len(content) {
				to, until = len(content), ofFile
			}
			f = c.frame(content[from:to], until)
			if f.size == 0 && until == ofFile {
				t.Fatalf("%q: no row at %d", content, from)
			}
		}
		if f.bad != "" {
			return rows, f.bad
		}
		row := content[from : from+f.size]
		if len(trimLineEnd(row)) > 0 {
			c.split(row)
			var texts []string
			for _, field := range c.fields {
				// encoding/csv turns \r\n within quotes into \n, we keep it.
				texts = append(texts, string(bytes.ReplaceAll(field.text, []byte("\r\n"), []byte("\n"))))
			}
			rows = append(rows, texts)
		}
		from += f.size
	}
	return rows, ""
}

// FuzzCSVRows compares with encoding/csv, and rows found in a whole file with
// those found in one that arrives byte by byte.
func FuzzCSVRows(f *testing.F) {
	for _, seed := range []string{"", "a,b\n1,2\n", "a\r\n\"b\r\nc\"\r\n", "\"\"\"\"", "\"a\"b", "a\"b", "\"a", "\n\r\n,\n", "\"a\",\"\"\r", "\"\r\n\",\"x\"\"y\"\nz\n", "a\r,b\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		rows, bad := ourRows(t, content, len(content)+1)
		again, badAgain := ourRows(t, content, 1)
		if bad != badAgain || !slices.EqualFunc(rows, again, slices.Equal[[]string]) {
			t.Fatalf("%q: whole %q %q, in pieces %q %q", content, rows, bad, again, badAgain)
		}
		twin, err := twinRows(content)
		if (err != nil) != (bad != "") || !slices.EqualFunc(rows, twin, slices.Equal[[]string]) {
			t.Fatalf("%q: ours %q %q, encoding/csv %q %v", content, rows, bad, twin, err)
		}
	})
}

// FuzzCSVReader reads any bytes as a file: nothing is lost (every byte of a row
// is in a value or in a malformed record), and a reader opened at any position
// gives what the first one gave from there.
func FuzzCSVReader(f *testing.F) {
	for _, seed := range []string{"1,2\n", "a\n\"b\n,c\n", "\"1\",\"2\n3\"\n\"x\ny,z\n", "1,2,3\n\n,\n\"a\"b,\"c\n"} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "fuzz.csv")
	type row struct{ A, B string }
	s := CSV[row](path, Columns("a", "b"), MaxRecord(64), SideOutputMalformed(operators.NewTag[operators.Malformed]("bad")))
	f.Fuzz(func(t *testing.T, content []byte) {
		check(t, os.WriteFile(path, content, 0o644))
		var steps []operators.Batch[row] // one record each
		positions := [][]byte{nil}
		r, err := s.Open(ctx, path, nil)
		check(t, err)
		for err == nil {
			var b operators.Batch[row]
			if err = r.Read(ctx, &b, 1); err == nil {
				steps, positions = append(steps, b), append(positions, r.Position())
			}
		}
		if err != io.EOF { // a line longer than MaxRecord
			wantError(t, err, "longer than 64 bytes")
			steps, positions = steps[:0], positions[:1]
		}
		check(t, r.Close())
		for i, at := range positions[:len(steps)] {
			r, err := s.Open(ctx, path, at)
			check(t, err)
			var b operators.Batch[row]
			check(t, r.Read(ctx, &b, 1))
			check(t, r.Close())
			if d := cmp.Diff(steps[i], b); d != "" {
				t.Fatalf("%q from record %d:\n%s", content, i, d)
			}
			from, err := decodePosition(at)
			check(t, err)
			to, err := decodePosition(positions[i+1])
			check(t, err)
			piece := content[from.offset:to.offset]
			if len(b.Values) == 0 && len(b.Bad) == 0 && len(trimLineEnd(piece)) > 0 {
				t.Fatalf("%q: record %d is lost", content, i)
			}
			if len(b.Bad) == 1 && !bytes.Equal(b.Bad[0].Raw, piece) {
				t.Fatalf("%q: record %d: raw %q", content, i, b.Bad[0].Raw)
			}
		}
	})
}
