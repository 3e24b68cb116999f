package operators

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/messages/mutant"
	"github.com/weirflow/weir/operators/plan"
	"github.com/weirflow/weir/persistence/table"
)

// TemporalJoinOptions say what a TemporalJoin makes of versions, and where late
// records go. The zero value is the default.
type TemporalJoinOptions[L, V any] struct {
	// Deleted tells of a version that it says "from now on there is none", as
	// when a row was deleted from a table. nil: no version says so.
	Deleted func(v V) bool
	// Retention is how long after its time a version counts, unless a newer one
	// replaces it before: a record at most so much later still finds it. Then it
	// is forgotten. 0: for ever, so that the newest version of every key there
	// ever was is kept.
	Retention time.Duration
	// LateRecords and LateVersions are the side outputs that late ones go to,
	// unchanged. Without a tag they are dropped, and counted by the metric
	// records_late_dropped.
	LateRecords  Tag[L]
	LateVersions Tag[V]
}

// TemporalJoin joins each record with the version of its key that was valid at
// the record's event time: of the versions with a time not after it, the newest,
// and of two with the same time the one that came last. A version is valid from
// its event time on. Records that find none come to nothing; see LeftTemporalJoin.
//
// A record waits until the watermark, which is the smaller one of both inputs,
// reaches its time: then all versions up to it are known. Those of a key come
// out in the order of their times, with their own times. Late is a record or a
// version at or behind the watermark: what is known by then does not change.
//
// A version is kept until the watermark reaches a newer one of its key. The
// newest of each key stays, for any record may need it; Deleted and Retention
// let go of it.
//
// join must not change its arguments, which are state.
func TemporalJoin[K comparable, L, V, O any](records *KeyedStream[K, L], versions *KeyedStream[K, V], name string, join func(r L, v V) O, options ...TemporalJoinOptions[L, V]) *Stream[O] {
	var pair func(L, *V) O
	if join != nil {
		pair = func(r L, v *V) O { return join(r, *v) }
	}
	return addTemporal(records, versions, name, temporalSpec[L, V, O]{join: pair}, options)
}

// LeftTemporalJoin is a TemporalJoin that also shows the records for which there
// is no version: v is nil then. What v points to must not be changed nor kept.
func LeftTemporalJoin[K comparable, L, V, O any](records *KeyedStream[K, L], versions *KeyedStream[K, V], name string, join func(r L, v *V) O, options ...TemporalJoinOptions[L, V]) *Stream[O] {
	return addTemporal(records, versions, name, temporalSpec[L, V, O]{join: join, left: true}, options)
}

func addTemporal[K comparable, L, V, O any](records *KeyedStream[K, L], versions *KeyedStream[K, V], name string, spec temporalSpec[L, V, O], options []TemporalJoinOptions[L, V]) *Stream[O] {
	top := records.stream.top
	op := top.addKeyed("join", name, func(op *plan.Operator) ([]*messages.StateSchema, error) {
		if err := spec.take(options); err != nil {
			return nil, err
		}
		f := keyedFunction[K, O]{codec: records.codec, tags: spec.tags()}
		f.newFunction = func(s *States[K]) any { return newTemporalJoin(s, spec) }
		op.New = func() plan.Instance { return newCoProcessor(f, records, versions) }
		return f.describe(top.maxParallelism)
	}, records, versions)
	op.EventTime, op.Detail = true, spec.detail()
	top.declareSides(op, spec.tags()...)
	return output[O](top, op)
}

// temporalSpec is what a TemporalJoin is to do.
type temporalSpec[L, V, O any] struct {
	join func(L, *V) O
	left bool // records without a version come out, too
	TemporalJoinOptions[L, V]
}

// take adds the options and tells what is wrong.
func (s *temporalSpec[L, V, O]) take(options []TemporalJoinOptions[L, V]) error {
	switch len(options) {
	case 0:
	case 1:
		s.TemporalJoinOptions = options[0]
	default:
		return fmt.Errorf("%d TemporalJoinOptions were given; put all options into one", len(options))
	}
	var join, retention error
	if s.join == nil {
		join = errors.New("its join function is nil; give it one")
	}
	if s.Retention < 0 {
		retention = fmt.Errorf("Retention(%v): give how long a version counts, or leave it out to keep it for ever", s.Retention)
	}
	return errors.Join(join, retention, wholeMillis("Retention", s.Retention))
}

// tags are the side outputs that were asked for.
func (s *temporalSpec[L, V, O]) tags() (tags []AnyTag) {
	if s.LateRecords.name != "" {
		tags = append(tags, s.LateRecords)
	}
	if s.LateVersions.name != "" {
		tags = append(tags, s.LateVersions)
	}
	return tags
}

// detail describes the join in plans.
func (s *temporalSpec[L, V, O]) detail() string {
	text := "version valid at the time"
	if s.left {
		text += " or none"
	}
	if s.Retention > 0 {
		text += fmt.Sprintf(", for %v", s.Retention)
	}
	for _, tag := range s.tags() {
		text += ", late to " + tag.Name()
	}
	return text
}

// temporalJoin is the function: records and versions wait for the watermark.
//
// Invariants: every record and version ahead of the watermark has a timer at its
// time or before; of the versions that the watermark has reached the newest is
// kept, if a record to come can need it, and then it has a timer for when it
// goes.
type temporalJoin[K comparable, L, V, O any] struct {
	temporalSpec[L, V, O]
	retention int64 // ms; 0: for ever
	records   *joinBuffer[K, L]
	versions  *joinBuffer[K, V]
	dropped   *plan.Counter
}

func newTemporalJoin[K comparable, L, V, O any](s *States[K], spec temporalSpec[L, V, O]) *temporalJoin[K, L, V, O] {
	return &temporalJoin[K, L, V, O]{
		temporalSpec: spec, retention: spec.Retention.Milliseconds(),
		records: newJoinBuffer[L](s, "records"), versions: newJoinBuffer[V](s, "versions"),
	}
}

func (f *temporalJoin[K, L, V, O]) Open(info OpenContext) error {
	f.dropped = info.Counter(lateDropped)
	return nil
}

func (f *temporalJoin[K, L, V, O]) ProcessElement1(ctx *Context[K, O], r L) error {
	at := ctx.Time()
	if err := checkJoinTime(at); err != nil {
		return err
	}
	if at <= ctx.CurrentWatermark() {
		rejectLate(ctx, f.LateRecords, r, f.dropped)
	} else if f.records.add(at, r) {
		ctx.RegisterEventTimer(at)
	}
	return nil
}

func (f *temporalJoin[K, L, V, O]) ProcessElement2(ctx *Context[K, O], v V) error {
	at := ctx.Time()
	if err := checkJoinTime(at); err != nil {
		return err
	}
	if at <= ctx.CurrentWatermark() {
		rejectLate(ctx, f.LateVersions, v, f.dropped)
		return nil
	}
	f.versions.put(at, v)
	ctx.RegisterEventTimer(at)
	return nil
}

// OnTimer joins the records that the watermark has reached, and then lets go of
// the versions that none to come will need.
func (f *temporalJoin[K, L, V, O]) OnTimer(ctx *Context[K, O], _ int64, _ Domain) error {
	now := min(ctx.CurrentWatermark(), farFuture)
	for _, r := range f.records.between(math.MinInt64, now) {
		if v := f.versionAt(r.at); v != nil || f.left {
			ctx.EmitAt(f.join(r.v, v), r.at)
		}
	}
	if first, more := f.records.dropBefore(now + 1); more {
		ctx.RegisterEventTimer(first)
	}
	f.settle(ctx, now)
	return nil
}

// versionAt is what is valid at a time, or nil.
func (f *temporalJoin[K, L, V, O]) versionAt(at int64) *V {
	known := f.versions.between(math.MinInt64, at)
	if mutant.On("version-before") {
		known = f.versions.between(math.MinInt64, at-1)
	}
	if len(known) == 0 {
		return nil
	}
	v := &known[len(known)-1]
	if f.deleted(v.v) || f.retention > 0 && (at > v.at+f.retention || mutant.On("retention-off-by-one") && at == v.at+f.retention) {
		return nil
	}
	return &v.v
}

func (f *temporalJoin[K, L, V, O]) deleted(v V) bool { return f.Deleted != nil && f.Deleted(v) }

// settle drops the versions that a newer one has replaced by now, and that one as
// well if it is none any more for all records to come.
func (f *temporalJoin[K, L, V, O]) settle(ctx *Context[K, O], now int64) {
	known := f.versions.between(math.MinInt64, now)
	if len(known) == 0 {
		return
	}
	newest := known[len(known)-1]
	if f.deleted(newest.v) || f.retention > 0 && now >= newest.at+f.retention {
		f.versions.dropBefore(now + 1)
		return
	}
	if f.versions.dropBefore(newest.at); mutant.On("version-dropped-early") {
		f.versions.dropBefore(newest.at + 1)
	}
	if f.retention > 0 {
		ctx.RegisterEventTimer(newest.at + f.retention)
	}
}

// joinBuffer keeps the records of one side of a join, by key.
type joinBuffer[K comparable, V any] struct {
	scope *keyScope[K]
	table *table.Table[K, []timed[V]]
}

func newJoinBuffer[V any, K comparable](s *States[K], name string) *joinBuffer[K, V] {
	codec, err := CodecOf[V]()
	if err != nil {
		s.declare(name, "join", "", err)
		return nil
	}
	t := table.New[K](table.Options[[]timed[V]]{Clone: cloneList[V]})
	schema := s.declare(name, "join", codec.Name(), nil)
	s.all = append(s.all, plainState(schema, s.groups, t, s.keys, Codec[[]timed[V]](listCodec[timed[V]]{timedCodec[V]{codec}})))
	return &joinBuffer[K, V]{scope: s.scope, table: t}
}

// add keeps a record and tells whether none of an earlier time is kept.
func (b *joinBuffer[K, V]) add(at int64, v V) (first bool) {
	list, _ := b.table.Upsert(b.scope.hash, b.scope.key)
	*list = insert(*list, at, v)
	return (*list)[0].at == at
}

// between gives the records with times in [from, to], for reading only.
func (b *joinBuffer[K, V]) between(from, to int64) []timed[V] {
	list, _ := b.table.Get(b.scope.hash, b.scope.key)
	return between(list, from, to)
}

// dropBefore lets go of the records before a time, and gives the time of the
// first one that is left, if any is.
func (b *joinBuffer[K, V]) dropBefore(at int64) (first int64, more bool) {
	list, _ := b.table.Get(b.scope.hash, b.scope.key)
	n := search(list, at)
	switch {
	case n == len(list):
		b.table.Delete(b.scope.hash, b.scope.key)
		return 0, false
	case n > 0:
		first = list[n].at
		place, _ := b.table.Upsert(b.scope.hash, b.scope.key)
		*place = withoutFirst(*place, n)
		return first, true
	}
	return list[0].at, true
}

// put keeps a record in place of the one that has the same time, if there is one.
func (b *joinBuffer[K, V]) put(at int64, v V) {
	list, _ := b.table.Upsert(b.scope.hash, b.scope.key)
	i := search(*list, at)
	if i < len(*list) && (*list)[i].at == at {
		if !mutant.On("version-not-replaced") {
			(*list)[i].v = v
		}
		return
	}
	*list = slices.Insert(*list, i, timed[V]{at, v})
}
