package sim_test

import (
	"math/rand/v2"

	"github.com/weirflow/weir/cluster/sim"
	"github.com/weirflow/weir/operators"
)

// joinKinds bring events of two inputs together.
var joinKinds = []kind{
	{name: "interval", inputs: 2, timed: true,
		draw: func(rng *rand.Rand, s *stage) {
			s.lower = rng.Int64N(300) - 200
			s.upper = s.lower + 2 + rng.Int64N(200)
			s.open = rng.IntN(2) == 0
		},
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			return operators.IntervalJoin(byKey(in[0]), byKey(in[1]), name, ms(s.lower), ms(s.upper), func(l, r event) event {
				o.MayFail()
				return pairOf(l, r)
			}, operators.IntervalJoinOptions[event, event]{ExclusiveLower: s.open, ExclusiveUpper: s.open})
		},
		twin: func(s *stage, in []flow) flow {
			f := flow{timed: true}
			eachPair(in, func(l, r event) {
				d := r.At - l.At
				if s.lower < d && d < s.upper || !s.open && (d == s.lower || d == s.upper) {
					f.events = append(f.events, pairOf(l, r))
				}
			})
			return f
		}},
	{name: "temporal", inputs: 2, timed: true,
		draw: func(rng *rand.Rand, s *stage) { s.size = rng.Int64N(2) * rng.Int64N(500) },
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			return operators.LeftTemporalJoin(byKey(in[0]), byKey(in[1]), name, func(l event, v *event) event {
				o.MayFail()
				return versioned(l, v)
			}, operators.TemporalJoinOptions[event, event]{Deleted: deleting, Retention: ms(s.size)})
		},
		twin: func(s *stage, in []flow) flow {
			f := flow{timed: true}
			for _, l := range in[0].events {
				f.events = append(f.events, versioned(l, s.validAt(l, in[1].events)))
			}
			return f
		}},
	{name: "windowjoin", inputs: 2, timed: true, draw: drawWindowJoin,
		build: func(_ *sim.Outside, s *stage, name string, in []events) events {
			w := operators.CoWindow(byKey(in[0]), byKey(in[1]), s.assigner())
			switch s.form {
			case "inner":
				return operators.JoinWindow(w, name, func(l, r event) event { return s.joined(&l, &r) })
			case "left":
				return operators.LeftJoinWindow(w, name, func(l event, r *event) event { return s.joined(&l, r) })
			}
			return operators.FullJoinWindow(w, name, s.joined)
		},
		twin: func(s *stage, in []flow) flow {
			f := flow{timed: true}
			s.eachGroup(in, func(_ *pane, ls, rs []event) {
				for _, l := range ls {
					for _, r := range rs {
						f.events = append(f.events, s.joined(&l, &r))
					}
					if len(rs) == 0 && s.form != "inner" {
						f.events = append(f.events, s.joined(&l, nil))
					}
				}
				for _, r := range rs {
					if len(ls) == 0 && s.form == "full" {
						f.events = append(f.events, s.joined(nil, &r))
					}
				}
			})
			return f
		}},
	{name: "cogroup", inputs: 2, timed: true, draw: drawAssigner,
		build: func(o *sim.Outside, s *stage, name string, in []events) events {
			w := operators.CoWindow(byKey(in[0]), byKey(in[1]), s.assigner())
			return operators.CoGroup(w, name, func(c *windowContext, ls, rs []event) error {
				o.MayFail()
				c.Emit(grouped(c.Key(), c.Time(), ls, rs))
				return nil
			})
		},
		twin: func(s *stage, in []flow) flow {
			f := flow{timed: true}
			f.unsure = !s.eachGroup(in, func(p *pane, ls, rs []event) {
				f.events = append(f.events, grouped(p.key, p.end-1, ls, rs))
			})
			return f
		}},
}

// pairOf is the same for no other pair.
func pairOf(l, r event) event {
	return event{ID: l.ID*1000 + r.ID, Key: l.Key, At: max(l.At, r.At), Value: l.Value - r.Value}
}

func eachPair(in []flow, visit func(l, r event)) {
	for _, l := range in[0].events {
		for _, r := range in[1].events {
			if l.Key == r.Key {
				visit(l, r)
			}
		}
	}
}

// versioned depends on key and time of a version alone, so that of two at one time
// either may count.
func versioned(l event, v *event) event {
	if v == nil {
		l.Value = -1
	} else {
		l.Value = mix(v.At)
	}
	return l
}

// deleting tells of versions that they say "there is none".
func deleting(v event) bool { return mix(v.At)%4 == 0 }

// validAt is the version that counts for an event, or nil.
func (s *stage) validAt(l event, versions []event) *event {
	var newest *event
	for i, v := range versions {
		if v.Key == l.Key && v.At <= l.At && (newest == nil || v.At > newest.At) {
			newest = &versions[i]
		}
	}
	if newest == nil || deleting(*newest) || s.size > 0 && l.At > newest.At+s.size {
		return nil
	}
	return newest
}

// drawWindowJoin draws windows whose end a pair knows.
func drawWindowJoin(rng *rand.Rand, s *stage) {
	drawAssigner(rng, s)
	s.windows, s.slide = "tumbling", 0
	s.form = []string{"inner", "left", "full"}[rng.IntN(3)]
}

// joined is a pair, or one without a partner.
func (s *stage) joined(l, r *event) event {
	switch {
	case l == nil:
		return event{ID: -r.ID, Key: r.Key, At: s.endOf(r.At), Value: r.Value}
	case r == nil:
		return event{ID: -l.ID, Key: l.Key, At: s.endOf(l.At), Value: l.Value}
	}
	pair := pairOf(*l, *r)
	pair.At = s.endOf(pair.At)
	return pair
}

func grouped(key, at int64, ls, rs []event) event {
	sum := event{ID: int64(len(ls)*100 + len(rs)), Key: key, At: at}
	for _, l := range ls {
		sum.Value += l.Value
	}
	for _, r := range rs {
		sum.Value -= 2 * r.Value
	}
	return sum
}

// eachGroup goes through the windows of two inputs together; it tells whether these
// are sure.
func (s *stage) eachGroup(in []flow, visit func(p *pane, ls, rs []event)) (sure bool) {
	var all []event
	for _, l := range in[0].events {
		l.ID *= 2
		all = append(all, l)
	}
	for _, r := range in[1].events {
		r.ID = 2*r.ID + 1
		all = append(all, r)
	}
	panes, sure := s.panes(all, keyOf)
	for _, p := range panes {
		var sides [2][]event
		for _, e := range p.all {
			side := e.ID & 1
			e.ID = (e.ID - side) / 2
			sides[side] = append(sides[side], e)
		}
		visit(p, sides[0], sides[1])
	}
	return sure
}
