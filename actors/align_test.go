package actors

import (
	"context"
	"io"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/actors/watermark"
	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/plan"
)

// tides is an unbounded source of times, one a read, of which split b is slower.
type tides struct{}

var ebb = map[string][]int64{"a": {1, 6, 30, 31, 40}, "b": {2, 8, 20, 24, 25}, "c": {3, 26}}

func (tides) Info() operators.SourceInfo               { return operators.SourceInfo{Replayable: true} }
func (tides) Splits(context.Context) ([]string, error) { return []string{"a", "b"}, nil }

func (tides) Open(_ context.Context, split string, position []byte) (operators.Reader[int64], error) {
	r := &tide{times: ebb[split]}
	if len(position) > 0 {
		r.read = int(position[0])
	}
	return r, nil
}

type tide struct {
	times []int64
	read  int
}

func (r *tide) Close() error     { return nil }
func (r *tide) Position() []byte { return []byte{byte(r.read)} }

func (r *tide) Read(_ context.Context, b *operators.Batch[int64], _ int) error {
	if r.read == len(r.times) {
		return io.EOF
	}
	b.Append(r.times[r.read], r.times[r.read])
	r.read++
	return nil
}

// Whatever the splits of a subtask are like, and wherever the rest of its group
// is: who is ahead by more than the drift waits, nobody else does, and where the
// subtask itself has the least watermark one of its splits that count is read.
func TestAlignmentNeverStops(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := drawnSource(rt)
		own := src.least()
		group := min(own, rapid.Int64Range(-50, 200).Draw(rt, "others"))
		src.align.limit = aheadBy(group, src.align.drift)
		counting, read := 0, 0
		for i, sp := range src.splits {
			src.pace(sp)
			w, idle := src.clock.Input(sp.input)
			if want := !idle && !sp.finished && w != messages.NoWatermark && (group == messages.NoWatermark || w > group+src.align.drift); sp.ahead != want {
				rt.Fatalf("split %d at %d, group at %d, drift %d: waits %v", i, w, group, src.align.drift, sp.ahead)
			}
			if !idle && !sp.finished && sp.reader != nil {
				counting++
				if !sp.ahead {
					read++
				}
			}
		}
		if group == own && counting > 0 && read == 0 {
			rt.Fatalf("all %d splits that count wait, though the group is at %d, which is their least", counting, group)
		}
		if (counting == 0) != (own == messages.MaxWatermark) {
			rt.Fatalf("%d splits count, least %d", counting, own)
		}
	})
}

// drawnSource is a source that has read for a while: some splits are idle, some
// behind the clock, some have ended, some were never opened.
func drawnSource(rt *rapid.T) *source {
	src := &source{spec: &plan.SourceSpec{}, clock: watermark.NewMerge(0), align: &alignment{
		drift: rapid.Int64Range(1, 60).Draw(rt, "drift"), paused: new(plan.Counter), pauses: new(plan.Counter),
	}}
	for range rapid.IntRange(0, 5).Draw(rt, "splits") {
		sp := &split{input: src.clock.Add(messages.NoWatermark, false)}
		src.splits = append(src.splits, sp)
		if rapid.IntRange(0, 5).Draw(rt, "open") > 0 {
			sp.reader = &reader{}
		}
	}
	for range rapid.IntRange(0, 20).Draw(rt, "steps") {
		if len(src.splits) == 0 {
			break
		}
		sp := rapid.SampledFrom(src.splits).Draw(rt, "split")
		switch w, idle := src.clock.Input(sp.input); {
		case sp.finished || sp.reader == nil:
		case rapid.IntRange(0, 3).Draw(rt, "what") == 0:
			src.clock.SetIdle(sp.input, !idle)
		case rapid.IntRange(0, 9).Draw(rt, "ends") == 0:
			sp.finished = true
			src.clock.Advance(sp.input, messages.MaxWatermark)
		default:
			src.clock.SetIdle(sp.input, false)
			src.clock.Advance(sp.input, max(w, 0)+rapid.Int64Range(0, 40).Draw(rt, "on"))
		}
	}
	return src
}

// aheadBy goes neither below none nor above the end of time.
func TestAheadBy(t *testing.T) {
	for _, c := range []struct{ watermark, drift, want int64 }{
		{messages.NoWatermark, 5, messages.NoWatermark},
		{-7, 5, -2},
		{messages.MaxWatermark, 5, messages.MaxWatermark},
		{messages.MaxWatermark - 5, 5, messages.MaxWatermark},
		{messages.MaxWatermark - 4, 5, messages.MaxWatermark},
		{messages.MaxWatermark - 6, 5, messages.MaxWatermark - 1},
	} {
		if got := aheadBy(c.watermark, c.drift); got != c.want {
			t.Errorf("%d and %d: %d, want %d", c.watermark, c.drift, got, c.want)
		}
	}
}
