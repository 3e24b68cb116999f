package files

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// benchRows is how many rows the benchmarks' files have.
const benchRows = 200_000

func benchFile(b *testing.B, row func(i int) string) string {
	b.Helper()
	var text bytes.Buffer
	for i := range benchRows + 1 {
		text.WriteString(row(i - 1))
	}
	path := filepath.Join(b.TempDir(), "bench.csv")
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	return path
}

func benchRead[T any](b *testing.B, s operators.Source[T], path string) {
	b.Helper()
	b.ReportAllocs()
	var batch operators.Batch[T]
	for b.Loop() {
		r, err := s.Open(ctx, path, nil)
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		for err == nil {
			batch.Values, batch.Times = batch.Values[:0], batch.Times[:0]
			err = r.Read(ctx, &batch, 512)
			rows += len(batch.Values)
		}
		if err != io.EOF || rows != benchRows {
			b.Fatal(rows, err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkReadSimpleCSV(b *testing.B) {
	type simple struct {
		ID    int64
		Name  string
		Value float64
	}
	path := benchFile(b, func(i int) string {
		if i < 0 {
			return "id,name,value\n"
		}
		return fmt.Sprintf("%d,sensor-%d,%d.%d\n", i, i%100, i%1000, i%10)
	})
	benchRead(b, CSV[simple](path), path)
}

// taxi is a row of the main example's real input.
type taxi struct {
	Pickup     time.Time `csv:"pickup,layout=2006-01-02 15:04:05,zone=America/New_York"`
	Dropoff    time.Time `csv:"dropoff,layout=2006-01-02 15:04:05,zone=America/New_York"`
	Passengers int32
	Tip        float64
	Zone       string `csv:"pickup_zone"`
}

func taxiRow(i int) string {
	if i < 0 {
		return "pickup,dropoff,passengers,distance,fare,tip,tolls,total,color,payment,pickup_zone,dropoff_zone,pickup_borough,dropoff_borough\n"
	}
	return fmt.Sprintf("2019-03-%02d %02d:21:09,2019-03-%02d %02d:27:24,1,1.6,7.0,2.15,0.0,12.95,yellow,credit card,Zone %d,UN/Turtle Bay South,Manhattan,Manhattan\n", 1+i%28, i%24, 1+i%28, i%24, i%260)
}

func BenchmarkReadTaxiCSV(b *testing.B) {
	path := benchFile(b, taxiRow)
	benchRead(b, CSV[taxi](path), path)
}

func BenchmarkReadTaxiCSVFunc(b *testing.B) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		b.Fatal(err)
	}
	path := benchFile(b, taxiRow)
	benchRead(b, CSVFunc(path, func(r Row) (taxi, error) {
		return taxi{r.Time("pickup", time.DateTime, zone), r.Time("dropoff", time.DateTime, zone),
			int32(r.Int("passengers")), r.Float("tip"), r.String("pickup_zone")}, nil
	}), path)
}

func BenchmarkReadJSONLines(b *testing.B) {
	path := benchFile(b, func(i int) string {
		if i < 0 {
			return "\n"
		}
		return fmt.Sprintf("{\"x\":%d,\"s\":\"sensor-%d\"}\n", i, i%100)
	})
	benchRead(b, JSONLines[point](path), path)
}

func benchWrite[T any](b *testing.B, v T, options ...SinkOption) {
	b.Helper()
	b.ReportAllocs()
	w, err := Sink[T](b.TempDir(), options...).OpenTransactional(ctx, operators.SinkContext{
		Operator: "o", Job: "j", Parallelism: 1, Attempt: messages.Attempt(1), Now: func() int64 { return 0 }, Step: func(string) {},
	})
	if err != nil {
		b.Fatal(err)
	}
	batch := operators.Batch[T]{Values: make([]T, 512), Times: make([]int64, 512)}
	for i := range batch.Values {
		batch.Values[i] = v
	}
	if err := w.Begin(ctx); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := w.Write(ctx, &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*512/b.Elapsed().Seconds(), "rows/s")
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkWriteCSV(b *testing.B) {
	benchWrite(b, point{X: 12345, S: "Lenox Hill West"}, AsCSV)
}

func BenchmarkWriteJSONLines(b *testing.B) {
	benchWrite(b, point{X: 12345, S: "Lenox Hill West"})
}

func BenchmarkWriteProtobuf(b *testing.B) {
	benchWrite(b, &messages.Hello{Watermark: 12345}, AsProtobuf)
}
