// Package weir is the root of an embeddable, exactly-once stream processor. It
// holds no code, only the tests about the shape of the whole tree.
//
// A weir is a barrier laid across a stream. A topology written in typed Go runs
// as supervised actors, snapshots itself with barriers that travel among the
// records, and after a failure goes on from the last snapshot as if nothing had
// happened: every record counts once, also in the files that a sink writes.
//
// Where to start:
//
//   - operators: what a topology is written with: streams, keys, windows, state,
//     timers, sources, sinks
//   - operators/files: sources and exactly-once sinks for CSV, JSON lines,
//     protobuf and plain lines
//   - cluster: how a topology is run, alone or inside a host's actor system
//   - persistence: where snapshots are kept
//   - cluster/sim: how a topology is tested against any failure, from a seed
//   - examples: programs that check their own answers
//
// README.md has a program to copy, DESIGN.md the map of the code.
//
// # Testing
//
// arch_test.go holds the arrows between packages and the calls that are banned,
// each with its reason; pkgdoc_test.go asks for documentation; tree_test.go
// looks for what does not belong into the tree.
package weir
