package doubt

import (
	"cmp"
	"slices"

	"github.com/weirflow/weir/operators"
)

// pairOf shows two records by their numbers, or that one of them is not there.
func pairOf(l, r *Rec) result {
	var key string
	name := func(r *Rec) string {
		if r == nil {
			return "none"
		}
		key = r.Key
		return r.Text
	}
	text := name(l) + "-" + name(r)
	return result{Key: key, Value: Rec{Text: text}}
}

// deletes tells of a version that it says "there is none".
func deletes(v int64) bool { return v == 0 }

// buildTemporal joins the left records with the right ones as versions.
func (c *joinCase) buildTemporal(left, right *operators.KeyedStream[string, Rec]) *operators.Stream[result] {
	o := operators.TemporalJoinOptions[Rec, Rec]{Deleted: func(v Rec) bool { return deletes(v.V) }, Retention: millis(c.span)}
	if c.side {
		o.LateRecords, o.LateVersions = lateLeft, lateRight
	}
	return operators.LeftTemporalJoin(left, right, "join", func(l Rec, v *Rec) result { return pairOf(&l, v) }, o)
}

// allValid is every left record that was not late, when the watermark reaches it,
// with the version that is then valid.
func (c *joinCase) allValid() (o outcome) {
	var records, versions []seen
	reached := func(ms, wm int64) bool { return ms <= wm }
	c.walk(&o, reached, func(r seen, _ int64) {
		if r.input == "l" {
			records = append(records, r)
		} else {
			versions = append(versions, r)
		}
	}, func(from, to int64) {
		var due []seen
		for _, r := range records {
			if from < r.ms && r.ms <= to {
				due = append(due, r)
			}
		}
		slices.SortStableFunc(due, func(a, b seen) int { return cmp.Compare(a.ms, b.ms) })
		for _, r := range due {
			o.outs = append(o.outs, out{epoch: from, cause: len(o.outs), key: r.key, text: number(&r) + "-" + number(c.valid(versions, r.key, r.ms)), time: r.ms})
		}
	})
	for _, key := range []string{"a", "b", "c"} { // the newest of each is kept, if it is kept for ever
		if v := newest(versions, key, 1<<40); v != nil && c.span == 0 && !deletes(v.value) {
			o.entries++
		}
	}
	return o
}

func number(r *seen) string {
	if r == nil {
		return "none"
	}
	return showTime(int64(r.id))
}

// newest is the last version of a key up to a time: of two at one time the one
// that came last.
func newest(versions []seen, key string, at int64) (found *seen) {
	for i, v := range versions {
		if v.key == key && v.ms <= at && (found == nil || v.ms >= found.ms) {
			found = &versions[i]
		}
	}
	return found
}

// valid is the version that counts at a time, or nil.
func (c *joinCase) valid(versions []seen, key string, at int64) *seen {
	v := newest(versions, key, at)
	if v == nil || deletes(v.value) || c.span > 0 && at > v.ms+c.span {
		return nil
	}
	return v
}

// allInWindows is, when the watermark reaches the end of a window, every pair in
// it, or each record of the one side if the other has none.
func (c *joinCase) allInWindows() (o outcome) {
	var accepted []seen
	last := func(ms int64) int64 { return ms - mod(ms, c.span) + c.span - 1 }
	over := func(ms, wm int64) bool { return last(ms) <= wm }
	c.walk(&o, over, func(r seen, _ int64) { accepted = append(accepted, r) }, func(from, to int64) {
		sides := map[out][2][]seen{}
		var due []out
		for _, r := range accepted {
			w := out{epoch: from, key: r.key, time: last(r.ms)}
			if from < w.time && w.time <= to {
				both, known := sides[w]
				if !known {
					due = append(due, w)
				}
				side := map[string]int{"l": 0, "r": 1}[r.input]
				both[side] = append(both[side], r)
				sides[w] = both
			}
		}
		slices.SortStableFunc(due, func(a, b out) int { return cmp.Compare(a.time, b.time) })
		for _, w := range due {
			o.outs = append(o.outs, pairs(w, sides[w][0], sides[w][1], len(o.outs))...)
		}
	})
	return o
}

// pairs are the results of a window, each a cause of its own: their order counts.
func pairs(w out, ls, rs []seen, cause int) (all []out) {
	add := func(l, r *seen) {
		w.text, w.cause = number(l)+"-"+number(r), cause+len(all)
		all = append(all, w)
	}
	for i := range ls {
		for k := range rs {
			add(&ls[i], &rs[k])
		}
		if len(rs) == 0 {
			add(&ls[i], nil)
		}
	}
	for k := range rs {
		if len(ls) == 0 {
			add(nil, &rs[k])
		}
	}
	return all
}
