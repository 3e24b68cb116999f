package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weirflow/weir/messages/mutant"
)

// Start is where partitions begin that no checkpoint knows: FromEarliest, FromLatest,
// FromTime, FromOffsets or FromGroup. Partitions that appear later begin at their
// earliest record, whatever it is: nothing that is written before they are found is lost.
type Start struct {
	bound
	group string
	reset Reset
}

// End is where reading ends: never, UntilLatest, UntilTime or UntilOffsets.
type End struct{ bound }

// bound is a place in each of some partitions.
type bound struct {
	kind    boundKind
	at      int64                      // ms
	option  string                     // that gave the offsets
	offsets map[string]map[int32]int64 // by topic and partition
	err     error
}

type boundKind uint8

const (
	atEarliest boundKind = iota
	atLatest
	atTime
	atOffsets
	atGroup
	never
)

// FromEarliest begins at the oldest record that is there.
func FromEarliest() Start { return Start{bound: bound{kind: atEarliest}} }

// FromLatest begins behind the newest record at the job's start: behind the newest that
// is committed, when only those are read.
func FromLatest() Start { return Start{bound: bound{kind: atLatest}} }

// FromTime begins at the first record whose timestamp is t or later, and behind the
// newest where there is none.
func FromTime(t time.Time) Start { return Start{bound: boundAt(t)} }

// FromOffsets begins each partition at an offset. Every partition needs one.
func FromOffsets(offsets map[string]map[int32]int64) Start {
	return Start{bound: boundBy("FromOffsets", offsets)}
}

// FromGroup begins at what a consumer group has committed, and where it has committed
// nothing as reset says.
func FromGroup(group string, reset Reset) Start {
	s := Start{bound: bound{kind: atGroup, err: reset.check()}, group: group, reset: reset}
	if group == "" {
		s.err = fmt.Errorf("FromGroup: the group's id is empty; give it")
	}
	return s
}

// Reset is what to do where there is no offset to go on from, in the words of Kafka's
// auto.offset.reset.
type Reset string

// The values of auto.offset.reset.
const (
	Earliest Reset = "earliest"
	Latest   Reset = "latest"
	None     Reset = "none" // that is an error
)

func (r Reset) check() error {
	if r != Earliest && r != Latest && r != None {
		return fmt.Errorf("auto.offset.reset is %q; it is %q, %q or %q, without blanks around it", string(r), Earliest, Latest, None)
	}
	return nil
}

// UntilLatest ends behind the newest record there is when the job starts.
func UntilLatest() End { return End{bound{kind: atLatest}} }

// UntilTime ends before the first record whose timestamp is t or later, as far as it is
// there when the job starts, and else behind the newest.
func UntilTime(t time.Time) End { return End{boundAt(t)} }

// UntilOffsets ends each partition before an offset. Every partition needs one.
func UntilOffsets(offsets map[string]map[int32]int64) End {
	return End{boundBy("UntilOffsets", offsets)}
}

func boundAt(t time.Time) bound { return bound{kind: atTime, at: t.UnixMilli()} }

func boundBy(option string, offsets map[string]map[int32]int64) bound {
	return bound{kind: atOffsets, option: option, offsets: cloneOffsets(offsets), err: checkOffsets(option, offsets)}
}

func cloneOffsets(offsets map[string]map[int32]int64) map[string]map[int32]int64 {
	all := maps.Clone(offsets)
	for topic := range all {
		all[topic] = maps.Clone(all[topic])
	}
	return all
}

func checkOffsets(option string, offsets map[string]map[int32]int64) error {
	for _, topic := range slices.Sorted(maps.Keys(offsets)) {
		for _, p := range slices.Sorted(maps.Keys(offsets[topic])) {
			if at := offsets[topic][p]; at < 0 {
				return fmt.Errorf("%s: offset %d of %s:%d: offsets are not negative", option, at, topic, p)
			}
		}
	}
	return nil
}

// find looks up where partitions begin.
func (s Start) find(ctx context.Context, c *client, of []partition, committed bool) (map[partition]int64, error) {
	if s.kind == atGroup {
		return s.findCommitted(ctx, c, of, committed)
	}
	return s.bound.find(ctx, c, of, committed)
}

// find looks up the place in partitions.
func (b bound) find(ctx context.Context, c *client, of []partition, committed bool) (map[partition]int64, error) {
	switch b.kind {
	case atLatest:
		return c.offsets(ctx, of, atEnd, committed && !mutant.On("end-with-open"))
	case atTime:
		return offsetsAtTime(ctx, c, of, b.at, committed)
	case atOffsets:
		return given(b.option, b.offsets, of)
	case never:
		all := map[partition]int64{}
		for _, p := range of {
			all[p] = noEnd
		}
		return all, nil
	}
	return c.offsets(ctx, of, atStart, committed)
}

func given(option string, offsets map[string]map[int32]int64, of []partition) (map[partition]int64, error) {
	all := map[partition]int64{}
	for _, p := range of {
		at, ok := offsets[p.topic][p.index]
		if !ok {
			return nil, fmt.Errorf("%s has no offset for %s; give one for every partition", option, p)
		}
		all[p] = at
	}
	return all, nil
}

// offsetsAtTime looks up the ends first, so that a record which comes in between is not
// passed over.
func offsetsAtTime(ctx context.Context, c *client, of []partition, at int64, committed bool) (map[partition]int64, error) {
	ends, err := c.offsets(ctx, of, atEnd, committed)
	if err != nil {
		return nil, err
	}
	found, err := c.offsets(ctx, of, at, committed)
	if err != nil {
		return nil, err
	}
	for p, offset := range found {
		if offset < 0 || offset > ends[p] {
			found[p] = ends[p]
		}
	}
	return found, nil
}

// findCommitted gives the group's offsets, and for partitions without one what reset says.
func (s Start) findCommitted(ctx context.Context, c *client, of []partition, committed bool) (map[partition]int64, error) {
	found, err := c.groupOffsets(ctx, s.group, of, true)
	if err != nil {
		return nil, err
	}
	all := map[partition]int64{}
	for p, at := range found {
		all[p] = at.offset
	}
	missing := slices.DeleteFunc(slices.Clone(of), func(p partition) bool { _, ok := all[p]; return ok })
	if len(missing) == 0 {
		return all, nil
	}
	if s.reset == None {
		return nil, fmt.Errorf("group %q has committed no offset for %s, and auto.offset.reset is %q; commit one, or take %q or %q", s.group, missing[0], None, Earliest, Latest)
	}
	at := int64(atStart)
	if s.reset == Latest {
		at = atEnd
	}
	rest, err := c.offsets(ctx, missing, at, committed)
	maps.Copy(all, rest)
	return all, err
}
