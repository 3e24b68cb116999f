// Package window is the protocol of event-time windows as a pure kernel: which
// window a record belongs to (assign.go), and which open windows a watermark
// fires and clears, and when a record is too late for one (fire.go). It keeps
// no clock, does no I/O and knows nothing of keys; the operators package puts a
// table of accumulators into each open window.
//
// # Invariants
//
//   - A window fires once per watermark that reaches its last millisecond, and
//     is cleared by the first that reaches its last millisecond plus the
//     allowed lateness; nothing is taken into it from then on.
//   - Windows fire and are cleared in the order of their ends.
//   - What happens is a function of the sequence of windows and watermarks.
//
// # Concurrency
//
// An Open belongs to one subtask. Window and Tumbling are values.
//
// # Testing
//
// testdata/scripts holds scripts of records and watermarks with what they cause;
// go test -rewrite updates them.
package window
