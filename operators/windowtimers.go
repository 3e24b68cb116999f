package operators

// Timers of windows, in operators that ask a trigger. They are functions of the shell,
// not methods: operators without such timers do not have them compiled.

// advanceTimers moves the clock and fires what is due; results leave before the watermark.
func advanceTimers[K comparable, T, A, R any](o *windowShell[K, T, A, R], t *timers[WindowKey[K]], watermark int64, due func(d Domain, at int64) error) error {
	if !o.clocks.advance(watermark) {
		return nil
	}
	if err := fireTimers(o, t, EventTime, watermark, due); err != nil {
		return err
	}
	o.clocks.forgetFloors()
	o.ctx.out.mark(watermark)
	return nil
}

// tickTimers fires what the clock of the node makes due, and asks for the next timer.
func tickTimers[K comparable, T, A, R any](o *windowShell[K, T, A, R], t *timers[WindowKey[K]], now int64, due func(d Domain, at int64) error) error {
	if err := fireTimers(o, t, ProcessingTime, now, due); err != nil {
		return err
	}
	t.wake(o.rt)
	return o.ctx.out.flush()
}

// fireTimers works off a domain, with what due registers meanwhile. due finds the scope
// at the window of the timer.
func fireTimers[K comparable, T, A, R any](o *windowShell[K, T, A, R], t *timers[WindowKey[K]], d Domain, now int64, due func(d Domain, at int64) error) error {
	defer func() { o.firing = false }()
	for {
		at, ok := t.popHeld(d, now, &o.clocks) // sets the scope
		if !ok {
			return nil
		}
		k := o.scope.key
		hash := o.global.keys.hash(k.Key)
		o.enter(k.Key, hash, k.Window)
		o.fire(at, hash)
		if err := due(d, at); err != nil {
			return err
		}
		if err := o.ctx.out.failed(); err != nil {
			return err
		}
	}
}
