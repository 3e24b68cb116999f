package operatortest

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

// Record is a value with its event time.
type Record[R any] struct {
	Value R
	Time  int64 // ms, or operators.NoTime
}

// At makes a Record of a value and its event time, in ms.
func At[R any](value R, time int64) Record[R] { return Record[R]{Value: value, Time: time} }

// String gives "value @time".
func (r Record[R]) String() string { return fmt.Sprintf("%+v @%s", r.Value, showTime(r.Time)) }

// showTime writes event times and watermarks.
func showTime(ms int64) string {
	switch ms {
	case operators.NoTime: // and messages.NoWatermark
		return "none"
	case messages.MaxWatermark:
		return "end"
	}
	return fmt.Sprint(ms)
}

// comparing is how values are compared: unexported fields count, NaN equals NaN,
// and protobuf messages are compared as such.
var comparing = gocmp.Options{
	protocmp.Transform(),
	cmpopts.EquateNaNs(),
	gocmp.Exporter(func(reflect.Type) bool { return true }),
}

// seen is a record that was seen, its type erased.
type seen struct {
	value any
	copy  any    // see collector.copies
	time  int64  // ms
	epoch int64  // the watermark before it, ms
	key   string // "" without a key
	keyed bool
}

// shown is the value as it was when it was emitted, as far as that is known.
func (s seen) shown() any {
	if s.copy != nil {
		return s.copy
	}
	return s.value
}

func (s seen) String() string { return fmt.Sprintf("%+v @%s", s.shown(), showTime(s.time)) }

func (s seen) equal(o seen) bool {
	if s.time != o.time || s.epoch != o.epoch || !gocmp.Equal(s.value, o.value, comparing) {
		return false
	}
	return s.copy == nil || o.copy == nil || gocmp.Equal(s.copy, o.copy, comparing)
}

// diff shows how got differs from want, line by line, or gives "".
func diff(want, got []seen, epochs bool) string {
	if equalSeen(want, got) {
		return ""
	}
	if d := gocmp.Diff(lines(want, epochs), lines(got, epochs)); d != "" {
		return "-want +got (value @time)\n" + d
	}
	// The texts are the same, the values are not: pointers, or unexported fields.
	return "-want +got\n" + gocmp.Diff(values(want), values(got), comparing)
}

func equalSeen(a, b []seen) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].equal(b[i]) {
			return false
		}
	}
	return true
}

// lines shows records, and with epochs the watermarks between them.
func lines(all []seen, epochs bool) []string {
	text := []string{}
	last := messages.NoWatermark
	for _, s := range all {
		if epochs && s.epoch != last {
			text = append(text, strings.TrimSpace("-- watermark "+showTime(s.epoch)))
			last = s.epoch
		}
		text = append(text, s.String())
	}
	return text
}

func values(all []seen) (vs []any) {
	for _, s := range all {
		vs = append(vs, s.value, s.copy)
	}
	return vs
}

// byKey puts records with keys key by key, each in its order, and leaves those
// without as they are.
func byKey(all []seen) []seen {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b seen) int { return strings.Compare(a.key, b.key) })
	return all
}

// byEpoch arranges records so that two outputs that are the same within what a
// job may do are equal: watermark by watermark, and in between key by key, each
// in its order; records without keys by their text.
func byEpoch(all []seen) []seen {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b seen) int {
		if c := cmp.Compare(a.epoch, b.epoch); c != 0 || a.keyed {
			return cmp.Or(c, strings.Compare(a.key, b.key))
		}
		return cmp.Or(cmp.Compare(a.time, b.time), strings.Compare(a.String(), b.String()))
	})
	return all
}
