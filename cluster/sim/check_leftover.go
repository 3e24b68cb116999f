package sim

import "fmt"

// checkLeftover holds that a job that has finished leaves nothing in progress:
// no transaction is open or prepared.
type checkLeftover struct {
	unconcerned
	things *things
}

func (c *checkLeftover) atEnd() error {
	for _, l := range c.things.order {
		for _, x := range l.txns {
			if x.state == txnOpen || x.state == txnPrepared {
				return fmt.Errorf("%v is left behind", x)
			}
		}
	}
	return nil
}
