package doubt

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weirflow/weir/messages"
)

// out is a result, and where it stands: behind which watermark, and what has
// caused it. Results of one key with one cause are of different windows, whose
// order among each other nobody promises.
type out struct {
	epoch      int64
	cause      int // 0: not known
	key        string
	start, end int64
	text       string
	v          int64
	time       int64
}

// outcome is what comes of a case.
type outcome struct {
	outs    []out
	late    []string // to the side output, key by key
	dropped int64    // late, without a side output
	outside int64    // in no window, and not late
	unseen  int64    // in windows that ended and had not fired since they came
	ended   bool     // then nothing more can happen, and this is left:
	timers  int
	entries int
}

// twin does what the definitions say, step by step: it keeps all records in
// lists, looks at every window whenever anything happens, and folds afresh for
// each result. It shares nothing with the operators.
type twin struct {
	windowCase
	wm, now, epoch int64
	panes          []*pane // that are open, of all keys
	records        int
	causes         int
	fired          map[string]int64 // by key
	outcome
}

// pane is a window of a key.
type pane struct {
	key        string
	start, end int64
	elements   []element
	onTime     bool // it has fired since its end
	unseen     int64
	firings    int64
	timers     []timer

	// What its trigger remembers.
	count     int64
	nextEvent *int64
	nextClock *int64
	lastV     *int64
}

type element struct {
	id   string
	v    int64
	time int64
}

type timer struct {
	clock bool // processing time
	at    int64
}

func newTwin(c *windowCase) *twin {
	w := &twin{windowCase: *c, wm: messages.NoWatermark, epoch: messages.NoWatermark, fired: map[string]int64{}}
	if w.windows == "count" { // by definition: see KeyedStream.CountWindow
		w.trigger, w.n, w.purging = "count", w.size, true
		if w.slide > 0 {
			w.n, w.purging, w.evict, w.keep = w.slide, false, "last", w.size
		}
	}
	if w.trigger == "default" {
		w.trigger = map[bool]string{true: "never", false: "watermark"}[w.global()]
		if w.byClock {
			w.trigger = "clock"
		}
	}
	return w
}

func (w *twin) global() bool { return w.windows == "global" || w.windows == "count" }

// run goes through the history. A restore is nothing that can be seen.
func (w *twin) run() outcome {
	for _, s := range withWatermarks(w.steps, w.bounded, w.bound) {
		switch s.kind {
		case record:
			w.record(s)
		case watermark:
			w.advance(s.ms)
		case tick:
			w.tick(s.ms)
		case end:
			w.advance(messages.MaxWatermark)
			w.ended = true
		}
	}
	w.entries = len(w.fired)
	for _, p := range w.panes {
		w.timers += len(p.timers)
	}
	return w.outcome
}

// withWatermarks puts behind each record the watermark that it causes where these
// are bounded: a record never meets its own.
func withWatermarks(steps []step, bounded bool, bound int64) (all []step) {
	greatest := messages.MinEventTime
	for _, s := range steps {
		all = append(all, s)
		if bounded && s.kind == record {
			greatest = max(greatest, s.ms)
			all = append(all, step{kind: watermark, ms: greatest - bound - 1})
		}
	}
	return all
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }

// windowsOf gives start and end of the windows of a record.
func (w *twin) windowsOf(s step) (all [][2]int64) {
	at := s.ms
	if w.byClock {
		at = w.now
	}
	size, slide := w.size, w.slide
	switch w.windows {
	case "session":
		return [][2]int64{{at, at + size}}
	case "session-by-record":
		return [][2]int64{{at, at + gapOf(s.value)}}
	case "own":
		from := at - mod(at, 10)
		return map[int64][][2]int64{0: nil, 1: {{from, from + 25}, {from, from + 10}}, 2: {{from, from + 10}}, 3: {{from - 15, from - 5}}}[s.value&3]
	case "global", "count":
		return [][2]int64{{math.MinInt64, math.MaxInt64}}
	case "tumbling":
		slide = size
	}
	for start := at - mod(at-w.offset, slide); start+size > at; start -= slide {
		all = append([][2]int64{{start, start + size}}, all...)
	}
	return all
}

// record takes a record into its windows.
func (w *twin) record(s step) {
	w.records++
	e, taken := element{fmt.Sprint(w.records), s.value, s.ms}, false
	windows := w.windowsOf(s)
	for _, span := range windows {
		p := w.find(s.key, span[0], span[1])
		if p == nil {
			continue
		}
		taken = true
		w.causes++ // a record goes into its windows in their order
		p.elements, p.unseen = append(p.elements, e), p.unseen+1
		if at, ends := w.endOf(p); ends {
			p.set(w.byClock, at)
		}
		w.handle(p, w.onElement(p, e), false)
	}
	switch {
	case taken:
	case w.byClock || len(windows) == 0 || s.ms+w.lateness > w.wm:
		w.outside++
	case w.side:
		w.late = append(w.late, fmt.Sprintf("%s %s@%s", s.key, e.id, showTime(s.ms)))
	default:
		w.dropped++
	}
}

// find gives the open window that a record goes into, or nil if it is too late.
func (w *twin) find(key string, start, end int64) *pane {
	if w.merges() {
		return w.session(key, start, end)
	}
	for _, p := range w.panes {
		if p.key == key && p.start == start && p.end == end {
			return p
		}
	}
	return w.open(&pane{key: key, start: start, end: end})
}

// open adds a window, unless it is past.
func (w *twin) open(p *pane) *pane {
	if w.past(p.end) {
		return nil
	}
	w.panes = append(w.panes, p)
	return p
}

// past tells whether a window that ends then is gone.
func (w *twin) past(end int64) bool {
	return !w.byClock && !w.global() && end-1+w.lateness <= w.wm
}

// session merges all sessions that the record's touches.
func (w *twin) session(key string, start, end int64) *pane {
	merged := &pane{key: key, start: start, end: end}
	var touching []*pane
	for _, p := range w.panes {
		if p.key == key && p.start <= end && start <= p.end {
			touching = append(touching, p)
			merged.start, merged.end = min(merged.start, p.start), max(merged.end, p.end)
		}
	}
	switch {
	case w.past(merged.end):
		return nil
	case len(touching) == 1 && touching[0].start == merged.start && touching[0].end == merged.end:
		return touching[0]
	}
	slices.SortFunc(touching, func(a, b *pane) int { return cmp.Compare(a.start, b.start) })
	for _, p := range touching {
		merged.elements = append(merged.elements, p.elements...)
		merged.onTime, merged.unseen = merged.onTime || p.onTime, merged.unseen+p.unseen
		w.drop(p)
	}
	if len(touching) > 0 {
		merged.onTime = merged.onTime && w.reached(merged.end-1)
		w.onMerge(merged, touching)
	}
	return w.open(merged)
}

func (w *twin) drop(p *pane) {
	w.panes = slices.DeleteFunc(w.panes, func(o *pane) bool { return o == p })
}

// endOf is the time at which a window goes.
func (w *twin) endOf(p *pane) (at int64, ends bool) {
	return p.end - 1 + w.lateness, !w.global()
}

// reached tells whether the clock of the windows is at a time.
func (w *twin) reached(at int64) bool {
	switch {
	case w.global():
		return false
	case w.byClock:
		return at <= w.now
	}
	return at <= w.wm
}

func (p *pane) set(clock bool, at int64) {
	if !slices.Contains(p.timers, timer{clock, at}) {
		p.timers = append(p.timers, timer{clock, at})
	}
}

func (p *pane) unset(clock bool, at int64) {
	p.timers = slices.DeleteFunc(p.timers, func(t timer) bool { return t == timer{clock, at} })
}

// takeBack is unset on behalf of a trigger, which cannot keep its window from ending.
func (w *twin) takeBack(p *pane, clock bool, at int64) {
	if end, ends := w.endOf(p); !ends || clock != w.byClock || at != end {
		p.unset(clock, at)
	}
}

// advance moves the watermark and fires the timers that it reaches, the first
// first; what they emit is before it.
func (w *twin) advance(to int64) {
	if to <= w.wm {
		return
	}
	w.wm = to
	last := int64(math.MinInt64)
	for {
		p, at := w.first(false, to)
		if p == nil {
			break
		}
		if at != last {
			w.causes++
		}
		last = at
		w.fireTimer(p, false, at)
	}
	w.epoch = to
}

// tick moves the clock, and stops at each timer.
func (w *twin) tick(by int64) {
	until := w.now + by
	last := int64(math.MinInt64)
	for {
		p, at := w.first(true, until)
		if p == nil {
			break
		}
		w.now = max(w.now, at)
		if at != last {
			w.causes++
		}
		last = at
		w.fireTimer(p, true, at)
	}
	w.now = until
}

// first finds the first timer of a domain up to a time.
func (w *twin) first(clock bool, until int64) (first *pane, at int64) {
	for _, p := range w.panes {
		for _, t := range p.timers {
			if t.clock == clock && t.at <= until && (first == nil || t.at < at) {
				first, at = p, t.at
			}
		}
	}
	return first, at
}

func (w *twin) fireTimer(p *pane, clock bool, at int64) {
	p.unset(clock, at)
	w.handle(p, w.onTimer(p, clock, at), clock == w.byClock && at < p.end-1)
	if end, ends := w.endOf(p); ends && clock == w.byClock && at == end {
		w.unseen += p.unseen
		w.drop(p)
	}
}

// verdict is what a trigger says.
type verdict struct{ fire, purge bool }

// handle does what the trigger said. A timer before the end of its window is
// early, also when the watermark jumps.
func (w *twin) handle(p *pane, v verdict, early bool) {
	if v.fire && len(p.elements) > 0 {
		p.unseen = 0
		w.fire(p, early)
	}
	if v.purge || v.fire && w.purging {
		p.elements, p.unseen = nil, 0
	}
}

// fire shows a window.
func (w *twin) fire(p *pane, early bool) {
	firing := "early"
	switch {
	case early || !w.reached(p.end-1):
	case p.onTime:
		firing = "late"
	default:
		firing, p.onTime = "on time", true
	}
	if !w.after {
		w.evictFrom(p)
	}
	o := out{epoch: w.epoch, cause: w.causes, key: p.key, start: p.start, end: p.end, time: min(p.end-1, messages.MaxEventTime)}
	if o.text, o.v = w.fold(p); strings.Contains(w.form, "process") {
		if p.firings++; w.merges() {
			p.firings = 0
		}
		w.fired[p.key]++
		o.text, o.v = told(firing, p.firings, w.wm, w.now, o.text), w.fired[p.key]
	}
	if strings.Contains(w.form, "process") || len(p.elements) > 0 {
		w.outs = append(w.outs, o)
	}
	if w.after {
		w.evictFrom(p)
	}
}

// fold makes of the elements what the form shows.
func (w *twin) fold(p *pane) (text string, sum int64) {
	var ids []string
	for _, e := range p.elements {
		id := e.id
		if w.form == "process" {
			id += "@" + showTime(e.time)
		}
		ids, sum = append(ids, id), sum+e.v
	}
	text = strings.Join(ids, " ")
	if strings.HasPrefix(w.form, "aggregate") {
		text = "[" + text + "]"
	}
	return text, sum
}

// evictFrom drops elements for good: count keeps the last that arrived, time is
// measured from the newest and exactly the distance goes, nearness from the last
// that arrived and exactly the threshold goes.
func (w *twin) evictFrom(p *pane) {
	if w.evict == "" || len(p.elements) == 0 {
		return
	}
	all := p.elements
	last, newest := all[len(all)-1], all[0].time
	for _, e := range all {
		newest = max(newest, e.time)
	}
	p.elements = nil
	for i, e := range all {
		keep := int64(len(all)-i) <= w.keep
		switch w.evict {
		case "newest":
			keep = newest-e.time < w.keep
		case "near":
			keep = max(e.v-last.v, last.v-e.v) < w.keep
		}
		if keep {
			p.elements = append(p.elements, e)
		}
	}
}

// multipleBehind gives the next multiple of a step behind a time.
func multipleBehind(t, step int64) *int64 {
	for t++; mod(t, step) != 0; t++ {
	}
	return &t
}

// onElement asks the trigger about a record that came into a window.
func (w *twin) onElement(p *pane, e element) verdict {
	last := p.end - 1
	switch w.trigger {
	case "watermark":
		if last <= w.wm {
			return verdict{fire: true}
		}
		p.set(false, last)
		if w.early > 0 && p.nextEvent == nil {
			w.nextEarly(p, e.time)
		}
		if w.earlyClock > 0 && p.nextClock == nil {
			p.nextClock = multipleBehind(w.now, w.earlyClock)
			p.set(true, *p.nextClock)
		}
		return w.counted(p, w.earlyCount)
	case "clock":
		p.set(true, last)
	case "count":
		return w.counted(p, w.n)
	case "delta":
		far := p.lastV != nil && max(e.v-*p.lastV, *p.lastV-e.v) > w.n
		if far || p.lastV == nil {
			p.lastV = &e.v
		}
		return verdict{fire: far}
	case "own":
		return w.own(p, e)
	}
	return verdict{}
}

func (w *twin) counted(p *pane, n int64) verdict {
	if p.count++; n == 0 || p.count < n {
		return verdict{}
	}
	p.count = 0
	return verdict{fire: true}
}

// nextEarly sets the next early firing, at a multiple behind a time, if that is
// before the end.
func (w *twin) nextEarly(p *pane, behind int64) {
	p.nextEvent = multipleBehind(behind, w.early)
	if *p.nextEvent >= p.end-1 || w.global() && w.wm == messages.MaxWatermark {
		p.nextEvent = nil
		return
	}
	p.set(false, *p.nextEvent)
}

func (w *twin) own(p *pane, e element) verdict {
	switch v := e.v & 7; {
	case v <= 2:
		return verdict{fire: v > 0, purge: v != 1}
	case v == 3 && p.nextClock == nil:
		at := w.now + 6
		p.nextClock = &at
		p.set(true, at)
	case v > 3 && p.nextEvent == nil:
		at := e.time + 4
		p.nextEvent = &at
		p.set(false, at)
	}
	return verdict{}
}

// onTimer asks the trigger when a timer of the window is due, its own or not.
func (w *twin) onTimer(p *pane, clock bool, at int64) verdict {
	mine := clock && p.nextClock != nil && *p.nextClock == at || !clock && p.nextEvent != nil && *p.nextEvent == at
	switch {
	case w.trigger == "clock":
		return verdict{fire: clock && at == p.end-1}
	case w.trigger == "watermark" && !clock && at == p.end-1:
		if p.nextClock != nil {
			w.takeBack(p, true, *p.nextClock)
			p.nextClock = nil
		}
		return verdict{fire: true}
	case w.trigger == "watermark" && mine && clock:
		p.nextClock = multipleBehind(w.now, w.earlyClock)
		p.set(true, *p.nextClock)
		return verdict{fire: true}
	case w.trigger == "watermark" && mine:
		w.nextEarly(p, at)
		return verdict{fire: true}
	case w.trigger == "own" && mine && clock:
		p.nextClock = nil
		return verdict{fire: true, purge: true}
	case w.trigger == "own" && mine:
		p.nextEvent = nil
		return verdict{fire: true}
	}
	return verdict{}
}

// onMerge gives the trigger of a merged window what those remembered that went
// into it: the counts together, and the earliest of what is still to come.
func (w *twin) onMerge(p *pane, from []*pane) {
	if w.trigger == "clock" {
		p.set(true, p.end-1)
	}
	if w.trigger == "watermark" {
		if p.end-1 <= w.wm {
			return
		}
		p.set(false, p.end-1)
	}
	for _, o := range from {
		p.count += o.count
		p.nextEvent, p.nextClock = earlier(p.nextEvent, o.nextEvent), earlier(p.nextClock, o.nextClock)
	}
	if p.nextEvent != nil {
		p.set(false, *p.nextEvent)
	}
	if p.nextClock != nil {
		p.set(true, *p.nextClock)
	}
}

func earlier(a, b *int64) *int64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}
