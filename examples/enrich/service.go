package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// zones by number.
var zones = []string{
	"Alphabet City", "Astoria", "Battery Park", "Bushwick", "Chelsea", "Chinatown",
	"Dumbo", "East Harlem", "Flatbush", "Gramercy", "Harlem", "Inwood",
}

// unknownZone is one for which the service never answers.
const unknownZone = 13

func nameOf(zone int64) string { return zones[zone%int64(len(zones))] }

var (
	errBusy = errors.New("busy, ask again")
	errDown = errors.New("the service is down")
)

// service stands for one behind a network: it takes its time, is busy at the first
// call for one trip in forty, and goes down once.
type service struct {
	pace time.Duration // a call takes 1 to 50 of these

	mu    sync.Mutex // guards what follows
	asked map[int64]int
	now   int // calls
	used  usage
}

// usage is what the service had to do.
type usage struct {
	calls, busy int
	most        int // calls at once
	worked      time.Duration
}

func newService(pace time.Duration) *service {
	return &service{pace: pace, asked: map[int64]int{}}
}

// name gives a trip the name of its zone. Like any call over a network it ends
// with its context.
func (s *service) name(ctx context.Context, t Trip) ([]Named, error) {
	began := time.Now()
	nth := s.begin(t)
	defer s.end(began)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.answered(t):
	}
	switch {
	case t.ID%40 == 7 && nth == 1:
		s.wasBusy()
		return nil, errBusy
	case t.ID == 2000 && nth == 1:
		return nil, errDown // not retried: the job fails, and starts again
	}
	return []Named{{t, nameOf(t.Zone)}}, nil
}

// answered comes after a while, or never.
func (s *service) answered(t Trip) <-chan time.Time {
	if t.Zone == unknownZone {
		return nil
	}
	return time.After(time.Duration(1+t.ID*7919%50) * s.pace)
}

// begin counts a call, and says which it is for its trip.
func (s *service) begin(t Trip) (nth int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[t.ID]++
	s.used.calls++
	s.now++
	s.used.most = max(s.used.most, s.now)
	return s.asked[t.ID]
}

func (s *service) end(began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now--
	s.used.worked += time.Since(began)
}

func (s *service) wasBusy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used.busy++
}

func (s *service) usage() usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}
