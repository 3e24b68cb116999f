package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"
)

// unknownZone stands for the empty zone that trips outside every zone have.
const unknownZone = "(unknown)"

// csvTrips gives the trips of a CSV file with a header in arrival order. Times
// are New York's wall clock, without a zone and without the hour that summer
// time skips: they are taken as they stand.
func csvTrips(path string) func(yield func(*Trip) error) error {
	return func(yield func(*Trip) error) error {
		var byDropoff arrivals
		if err := readCSV(path, &byDropoff); err != nil {
			return fmt.Errorf("csv: %w", err)
		}
		return byDropoff.release(math.MaxInt64, yield)
	}
}

func readCSV(path string, into *arrivals) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("%s: header: %w", path, err)
	}
	row := &csvRow{column: map[string]int{}}
	for i, name := range header {
		row.column[name] = i
	}
	for {
		row.fields, err = r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		trip := row.trip()
		if row.err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("%s:%d: %w", path, line, row.err)
		}
		into.add(trip)
	}
}

// csvRow reads the fields of one row and keeps the first error.
type csvRow struct {
	column map[string]int
	fields []string
	err    error
}

func (r *csvRow) trip() *Trip {
	return &Trip{
		PickupMs:    read(r, "pickup", parseWallClock),
		DropoffMs:   read(r, "dropoff", parseWallClock),
		PickupZone:  read(r, "pickup_zone", parseZone),
		DropoffZone: read(r, "dropoff_zone", parseZone),
		Passengers:  int32(read(r, "passengers", strconv.Atoi)),
		FareCents:   read(r, "fare", parseCents),
		TipCents:    read(r, "tip", parseCents),
		TollsCents:  read(r, "tolls", parseCents),
		TotalCents:  read(r, "total", parseCents),
		Color:       read(r, "color", parseText),
		Payment:     read(r, "payment", parseText),
	}
}

func read[T any](r *csvRow, name string, parse func(string) (T, error)) T {
	var none T
	if r.err != nil {
		return none
	}
	i, ok := r.column[name]
	if !ok {
		r.err = fmt.Errorf("no column %q in the header", name)
		return none
	}
	v, err := parse(r.fields[i])
	if err != nil {
		r.err = fmt.Errorf("column %q: %q: %w", name, r.fields[i], err)
	}
	return v
}

// Fields share the memory of their row, so a text that is kept for long is kept
// on its own, once for all trips with it.
var texts = map[string]string{}

func parseText(s string) (string, error) {
	if _, ok := texts[s]; !ok {
		own := string([]byte(s))
		texts[own] = own
	}
	return texts[s], nil
}

func parseZone(s string) (string, error) {
	if s == "" {
		return unknownZone, nil
	}
	return parseText(s)
}

func parseWallClock(s string) (int64, error) {
	t, err := time.ParseInLocation(time.DateTime, s, time.UTC)
	return t.UnixMilli(), err
}
