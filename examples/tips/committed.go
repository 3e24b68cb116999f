package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// row is a result as the job writes it: one JSON object a line.
type row struct {
	Zone     string `json:"zone"`
	Hour     string `json:"hour"` // New York's wall clock, as in the trips
	Trips    int64  `json:"trips"`
	TipCents int64  `json:"tip_cents"`
}

const hourFormat = "2006-01-02T15:04"

func formatHour(ms int64) string { return time.UnixMilli(ms).UTC().Format(hourFormat) }

// A committed collects what a job has committed, every repetition included.
type committed struct {
	Results map[zoneHour][]tally
	Late    map[uint64][]*Trip
	Rows    int   // in Results
	Trips   int64 // counted in Results or in Late

	from outside
}

func newCommitted(from outside) *committed {
	return &committed{Results: map[zoneHour][]tally{}, Late: map[uint64][]*Trip{}, from: from}
}

// refresh reads what was committed since the last call.
func (c *committed) refresh() error { return c.from.refresh(c) }

func (f *fileOutside) each(folder string, read func(path string) error) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("committed: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || f.seen[path] {
			continue
		}
		f.seen[path] = true
		if err := read(path); err != nil {
			return fmt.Errorf("committed: %w", err)
		}
	}
	return nil
}

func (c *committed) readRows(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if err := c.addRow(lines.Bytes()); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// addRow takes a result in JSON.
func (c *committed) addRow(text []byte) error {
	var r row
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	hour, err := time.Parse(hourFormat, r.Hour)
	if err != nil {
		return err
	}
	key := zoneHour{r.Zone, hour.UnixMilli()}
	c.Results[key] = append(c.Results[key], tally{r.Trips, r.TipCents})
	c.Rows++
	c.Trips += r.Trips
	return nil
}

func (c *committed) addLate(t *Trip) {
	c.Late[t.Id] = append(c.Late[t.Id], t)
	c.Trips++
}

func (c *committed) readLate(path string) error {
	return readTrips(path, func(t *Trip) error {
		c.addLate(t)
		return nil
	})
}

// workFolders is where a run keeps its things.
type workFolders string

func (w workFolders) trips() string   { return filepath.Join(string(w), "trips.pb") }
func (w workFolders) results() string { return filepath.Join(string(w), "results") }
func (w workFolders) late() string    { return filepath.Join(string(w), "late") }
func (w workFolders) state() string   { return filepath.Join(string(w), "state") }
func (w workFolders) log() string     { return filepath.Join(string(w), "job.log") }
