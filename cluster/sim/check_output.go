package sim

import (
	"fmt"
	"slices"

	"github.com/weirflow/weir/cluster"
)

// checkOutput holds what is committed against what the oracle expects: at any
// time nothing else and nothing too often, at the end all of it. What was
// committed never goes away: a log only grows.
type checkOutput struct {
	unconcerned
	mode    cluster.Mode
	ledgers *things
}

func (c *checkOutput) onCommitted(x *transaction) error {
	if c.mode == cluster.AtLeastOnce {
		return nil
	}
	for _, r := range x.records {
		if err := c.tooMany(x.ledger, r); err != nil {
			return fmt.Errorf("with %v: %w", x, err)
		}
	}
	return nil
}

func (c *checkOutput) tooMany(l *ledger, r string) error {
	if n := l.count[r]; n > l.want[r]+l.allow[r] {
		return fmt.Errorf("sink %q has %s %d times, expected %d times", l.name, l.shown(r), n, l.want[r]+l.allow[r])
	}
	return nil
}

func (c *checkOutput) atEnd() error {
	if c.mode == cluster.AtMostOnce {
		return nil
	}
	for _, l := range c.ledgers.order {
		if err := l.missing(); err != nil {
			return err
		}
	}
	return nil
}

// missing tells which expected records are not there, the first of them by name.
func (l *ledger) missing() error {
	var lacking []string
	for r, n := range l.want { // order: sorted below
		if l.count[r] < n {
			lacking = append(lacking, fmt.Sprintf("%s (%d times, expected %d times)", l.shown(r), l.count[r], n))
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	slices.Sort(lacking)
	return fmt.Errorf("sink %q lacks %d records, the first is %s", l.name, len(lacking), lacking[0])
}

func (l *ledger) shown(record string) string {
	if s := l.show[record]; s != "" {
		return s
	}
	if l.read != nil {
		return l.read(record)
	}
	return fmt.Sprintf("%q", record)
}
