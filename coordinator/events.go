package coordinator

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weirflow/weir/messages"
)

// Event is something that happened to a job.
type Event struct {
	Time       time.Time
	Level      slog.Level
	Kind       EventKind
	Region     int                   // -1: of the whole job
	Attempt    messages.Attempt      // 0: none
	Checkpoint messages.CheckpointID // 0: none
	Node       string                // "": none
	Text       string
}

// EventKind classifies events.
type EventKind string

// The kinds of events.
const (
	JobEvent        EventKind = "job"        // the job's state changed
	RegionEvent     EventKind = "region"     // an attempt began, runs, or ended
	FailureEvent    EventKind = "failure"    // an attempt failed
	CheckpointEvent EventKind = "checkpoint" // triggered, published, failed, settled
	DamageEvent     EventKind = "damage"     // a checkpoint cannot be used
	InDoubtEvent    EventKind = "in doubt"   // a transaction can never be committed
	WorkerEvent     EventKind = "worker"     // a worker came or went
	SplitEvent      EventKind = "split"      // new splits were found
)

// Events hands what happens to any number of subscribers. Publishing never
// waits: when a subscriber's buffer is full its oldest event is dropped and
// counted. The zero value is ready to use, also from several goroutines.
type Events struct {
	mu   sync.Mutex
	subs []*Subscription
}

// Subscription is one reader of events.
type Subscription struct {
	events  *Events
	c       chan Event
	dropped uint64 // guarded by events.mu
}

// Subscribe begins with the next event and buffers up to size of them, at
// least 1.
func (e *Events) Subscribe(size int) *Subscription {
	s := &Subscription{events: e, c: make(chan Event, max(size, 1))}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs = append(e.subs, s)
	return s
}

// C is where the events arrive. It is closed by Close.
func (s *Subscription) C() <-chan Event { return s.c }

// Dropped counts the events that did not fit.
func (s *Subscription) Dropped() uint64 {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	return s.dropped
}

// Close ends the subscription; calling it twice is harmless.
func (s *Subscription) Close() {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	for i, other := range s.events.subs {
		if other == s {
			s.events.subs = append(s.events.subs[:i:i], s.events.subs[i+1:]...)
			close(s.c)
			return
		}
	}
}

func (e *Events) publish(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.subs {
		s.put(ev)
	}
}

// put drops the oldest until ev fits. Only put sends, under the lock, so after
// one receive there is room.
func (s *Subscription) put(ev Event) {
	for {
		select {
		case s.c <- ev:
			return
		default:
		}
		select {
		case <-s.c:
			s.dropped++
		default: // the reader was quicker
		}
	}
}

// emit publishes an event and logs it.
func (j *job) emit(ev Event) {
	ev.Time = j.now()
	if j.cfg.Events != nil {
		j.cfg.Events.publish(ev)
	}
	attrs := []slog.Attr{slog.String("job", string(j.cfg.Job)), slog.String("kind", string(ev.Kind))}
	if ev.Region >= 0 {
		attrs = append(attrs, slog.Int("region", ev.Region))
	}
	if ev.Attempt != 0 {
		attrs = append(attrs, slog.Uint64("attempt", uint64(ev.Attempt)))
	}
	if ev.Checkpoint != 0 {
		attrs = append(attrs, slog.Uint64("checkpoint", uint64(ev.Checkpoint)))
	}
	if ev.Node != "" {
		attrs = append(attrs, slog.String("node", ev.Node))
	}
	j.cfg.Logger.LogAttrs(context.Background(), ev.Level, ev.Text, attrs...)
}

func (j *job) emitJob(level slog.Level, kind EventKind, format string, args ...any) {
	j.emit(Event{Level: level, Kind: kind, Region: -1, Text: fmt.Sprintf(format, args...)})
}

func (j *job) emitRegion(r *region, level slog.Level, kind EventKind, format string, args ...any) {
	j.emit(Event{Level: level, Kind: kind, Region: r.index, Attempt: r.attempt, Text: fmt.Sprintf(format, args...)})
}

func (j *job) emitCheckpoint(level slog.Level, id messages.CheckpointID, format string, args ...any) {
	j.emit(Event{Level: level, Kind: CheckpointEvent, Region: -1, Checkpoint: id, Text: fmt.Sprintf(format, args...)})
}
