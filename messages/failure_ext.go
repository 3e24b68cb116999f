package messages

import (
	"fmt"
	"strings"
)

// Error makes a Failure an error, which says where it happened, at which
// record, and why. The stack is not part of it.
func (x *Failure) Error() string {
	var b strings.Builder
	if x.GetOperator() != "" {
		fmt.Fprintf(&b, "operator %q ", x.GetOperator())
	}
	if x.GetSubtask() != nil {
		fmt.Fprintf(&b, "in subtask %s ", x.GetSubtask().ID())
	}
	if x.GetHasRecord() {
		b.WriteString("at the record " + timeOf(x.GetRecordTimeMs()) + " ")
		if x.GetKeyGroup() >= 0 {
			fmt.Fprintf(&b, "in key group %d ", x.GetKeyGroup())
		}
	}
	if b.Len() == 0 {
		return x.GetReason()
	}
	return strings.TrimSuffix(b.String(), " ") + ": " + x.GetReason()
}

func timeOf(ms int64) string {
	if ms == NoWatermark {
		return "without event time"
	}
	return fmt.Sprintf("of event time %d ms", ms)
}
