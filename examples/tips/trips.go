package main

//go:generate sh -c "protoc --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=. --go_opt=paths=source_relative trip.proto"

import (
	"bufio"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
)

const (
	minuteMs = int64(time.Minute / time.Millisecond)
	hourMs   = 60 * minuteMs
)

// writeTrips writes trips in the order in which source yields them, numbered
// from 1, each behind its length as a varint.
func writeTrips(path string, source func(yield func(*Trip) error) error) (count int, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, fmt.Errorf("trips: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	err = source(func(t *Trip) error {
		count++
		t.Id = uint64(count)
		_, err := protodelim.MarshalTo(w, t)
		return err
	})
	return count, errors.Join(err, w.Flush())
}

// readTrips reads what writeTrips or a protobuf file sink wrote. It shares no
// code with weir's own reader, which the result is compared against.
func readTrips(path string, yield func(*Trip) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("trips: %w", err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	for {
		t := new(Trip)
		switch err := protodelim.UnmarshalFrom(r, t); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("trips: %s: %w", path, err)
		}
		if err := yield(t); err != nil {
			return err
		}
	}
}

// arrivals orders trips by drop-off, which is when a trip becomes known. Trips
// that end in the same instant keep the order in which they were added.
type arrivals struct {
	waiting arrivalHeap
	added   int
}

func (a *arrivals) add(t *Trip) {
	a.added++
	heap.Push(&a.waiting, arrival{t, a.added})
}

// release yields every trip that ended before the given time.
func (a *arrivals) release(before int64, yield func(*Trip) error) error {
	for len(a.waiting) > 0 && a.waiting[0].trip.DropoffMs < before {
		if err := yield(heap.Pop(&a.waiting).(arrival).trip); err != nil {
			return err
		}
	}
	return nil
}

type arrival struct {
	trip  *Trip
	order int
}

type arrivalHeap []arrival

func (h arrivalHeap) Len() int      { return len(h) }
func (h arrivalHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *arrivalHeap) Push(x any)   { *h = append(*h, x.(arrival)) }

func (h arrivalHeap) Less(i, j int) bool {
	if a, b := h[i].trip.DropoffMs, h[j].trip.DropoffMs; a != b {
		return a < b
	}
	return h[i].order < h[j].order
}

func (h *arrivalHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = arrival{}
	*h = (*h)[:last]
	return x
}
