package actors

// When a batch that is not full leaves: once the subtask has worked off what was
// in its mailbox, and after the linger at the latest.

// busy notes that something was worked off: what is pending leaves when the
// subtask has drained its input, and at the latest after the linger.
func (s *subtask) busy() {
	s.progress++
	if len(s.out.edges) == 0 {
		return
	}
	if !s.checking {
		s.check()
	}
	if !s.lingering {
		s.lingering = true
		s.after(s.o.Linger, lingerTick{})
	}
}

func (s *subtask) check() {
	s.checking, s.checked = true, s.progress
	s.toSelf(drainCheck{})
}

// onDrainCheck flushes when nothing was worked off since the check was sent:
// everything that was in the mailbox then has had its turn.
func (s *subtask) onDrainCheck() {
	s.checking = false
	if s.checked == s.progress {
		s.out.flush()
		return
	}
	s.check()
}
