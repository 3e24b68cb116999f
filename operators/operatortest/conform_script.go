package operatortest

import "fmt"

// A body is what a job does between its restore and its end, in these verbs:
//
//	write    a batch to every subtask; the second of them misses every other one
//	prepare  of every subtask, for the next checkpoint, and Begin
//	publish  the newest checkpoint that is prepared is complete: it is decided
//	commit   what the newest complete checkpoint holds and is not committed
//	again    Commit once more for all that ever was
const (
	plain      = "write prepare publish commit write prepare write publish commit"
	overlapped = "write prepare write publish prepare commit write publish commit"
	cancelled  = "write prepare publish commit write prepare write prepare publish commit"
	repeated   = "write prepare publish commit again write again prepare again publish commit again"
	short      = "write prepare publish commit"
)

// span says which points of a life count.
type span int

const (
	anywhere  span = iota // before each call, and at each step that the sink marks
	calls                 // before each call
	restoring             // anywhere until the first batch
)

// ending is how a life ends.
type ending string

const (
	dies       ending = "dies"                               // no call any more but Close, when all is over
	aborts     ending = "aborts, and is not closed"          // as one does that hangs in Close
	stops      ending = "aborts and closes"                  // as subtasks do when another one failed
	closesLate ending = "closes when its successor is at it" // without an abort
	goesOn     ending = "goes on after its successor has recovered"
	goesOnLate ending = "goes on after its successor has prepared"
)

// lifePlan is an attempt of a job: its subtasks' calls, and where it ends.
type lifePlan struct {
	body        string
	parallelism int
	reverse     bool // the last subtask comes first
	where       span
	at          int // the point at which it ends, counted from 1; 0: behind the last call
	how         ending
	fault       int // it is not to end there, but a call to meet this fault, from 1
}

// move is how a job restarts.
type move struct {
	from, to int
	reverse  bool
}

var conformMoves = []move{{1, 1, false}, {1, 2, true}, {2, 1, false}, {2, 2, false}}

// conformKit runs scenarios against a sink. One is known by its series, and by the point
// in it, both counted from 1: they are the same in all parts.
type conformKit[T any] struct {
	sink   ConformSink[T]
	series int
	at     int
	title  string
}

func (k *conformKit[T]) all() error {
	for _, part := range []func() error{k.undisturbed, k.deaths, k.endings, k.recoveries, k.faults} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// undisturbed watches the outside at every call of attempts that nothing befalls.
func (k *conformKit[T]) undisturbed() error {
	for _, body := range []string{short, plain, overlapped, cancelled, repeated} {
		for p := 1; p <= 2; p++ {
			life := lifePlan{body: body, parallelism: p, how: stops}
			k.title, k.series, k.at = "nothing happens", k.series+1, 1
			if !k.own() {
				continue
			}
			if _, err := k.run(true, life, life); err != nil {
				return err
			}
		}
	}
	return nil
}

// deaths has the first attempt die at every point.
func (k *conformKit[T]) deaths() error {
	for _, m := range conformMoves {
		if err := k.each("the first attempt dies", m, lifePlan{body: plain, how: dies}); err != nil {
			return err
		}
	}
	for _, body := range []string{overlapped, cancelled} {
		if err := k.each("the first attempt dies", move{1, 1, false}, lifePlan{body: body, how: dies}); err != nil {
			return err
		}
	}
	return nil
}

// endings has the first attempt end otherwise, before every call.
func (k *conformKit[T]) endings() error {
	for _, c := range []struct {
		how  ending
		from int
	}{{aborts, 1}, {stops, 1}, {closesLate, 1}, {goesOn, 1}, {goesOnLate, 1}, {stops, 2}, {goesOn, 2}} {
		life := lifePlan{body: plain, where: calls, how: c.how}
		if err := k.each("the first attempt "+string(c.how), move{c.from, 1, false}, life); err != nil {
			return err
		}
	}
	return nil
}

// each runs a first life that ends at one point after the other, and a second one.
func (k *conformKit[T]) each(title string, m move, first lifePlan) error {
	first.parallelism = m.from
	second := lifePlan{body: short, parallelism: m.to, reverse: m.reverse, how: dies}
	return k.sweep(title, func(at int) []lifePlan {
		first.at = at
		return []lifePlan{first, second}
	})
}

// sweep runs the scenarios of a series that are this part's own, up to the first in which
// no life reaches its point.
func (k *conformKit[T]) sweep(title string, lives func(at int) []lifePlan) error {
	k.title, k.series = title, k.series+1
	for k.at = 1; ; k.at++ {
		if !k.own() {
			continue
		}
		reached, err := k.run(false, lives(k.at)...)
		if err != nil || !reached {
			return err
		}
	}
}

// own tells whether a scenario is of the part to be run. Neighbours in a series are of
// different parts, for they are much alike.
func (k *conformKit[T]) own() bool {
	return (k.series+k.at)%max(k.sink.Parts, 1) == k.sink.Part
}

// recoveries has attempts die at every point of their restores, again and again.
func (k *conformKit[T]) recoveries() error {
	for _, body := range []string{"write prepare write", "write prepare publish write", "write prepare publish commit write prepare write"} {
		for _, m := range conformMoves {
			for _, times := range []int{1, 3} {
				if err := k.recoverAgain(body, m, times); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (k *conformKit[T]) recoverAgain(body string, m move, times int) error {
	return k.sweep(fmt.Sprintf("%d attempts die while they recover", times), func(at int) []lifePlan {
		lives := []lifePlan{{body: body, parallelism: m.from, how: dies}}
		for i := range times {
			p := []int{m.to, m.from}[i%2]
			lives = append(lives, lifePlan{body: short, parallelism: p, reverse: m.reverse, where: restoring, at: at, how: dies})
		}
		return lives
	})
}

// faults has every call of two attempts meet every fault of the outside.
func (k *conformKit[T]) faults() error {
	outside := k.sink.Outside()
	n := len(outside.Faults)
	outside.close()
	for fault := 1; fault <= n; fault++ {
		for first := range 2 {
			if err := k.faultAt(fault, first == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *conformKit[T]) faultAt(fault int, first bool) error {
	return k.sweep("the outside fails", func(at int) []lifePlan {
		sick := lifePlan{body: plain, parallelism: 1, where: calls, at: at, how: dies, fault: fault}
		if first {
			return []lifePlan{sick}
		}
		return []lifePlan{{body: "write prepare publish write", parallelism: 1, how: dies}, sick}
	})
}

// run runs a scenario, and behind it an attempt that nothing befalls. It tells whether
// one of them reached the point where it was to end.
func (k *conformKit[T]) run(watched bool, lives ...lifePlan) (reached bool, err error) {
	w := &conformWorld[T]{sink: &k.sink, outside: k.sink.Outside(), watched: watched}
	defer w.outside.close()
	defer w.closeAll()
	for _, p := range lives {
		l := w.newLife(p)
		if err := w.live(l); err != nil {
			return false, w.explain(err)
		}
		reached = reached || p.at > 0 && l.seen >= p.at
	}
	last := w.newLife(lifePlan{body: short, parallelism: 1, how: stops})
	if err := w.live(last); err != nil {
		return false, w.explain(err)
	}
	w.closeAll()
	return reached, w.explain(w.final())
}

func (o *ConformOutside[T]) close() {
	if o.Close != nil {
		o.Close()
	}
}
