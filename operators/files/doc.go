// Package files reads files as a replayable source and writes them as an
// exactly-once sink.
//
// # Reading
//
// CSV, CSVFunc, JSONLines, Protobuf and Lines each give a Source over the files
// that match a glob. A split is one file, named by its cleaned path; its
// position is the place of the next record, so that a restart neither repeats
// nor skips one. Files that end in .gz, .zst or .zstd are decompressed; their
// positions count uncompressed bytes and a reader gets there by decompressing.
// As in a shell, * does not match names that begin with a dot.
//
// A source is bounded: it reads the files that match when it starts, each to
// its end, where a last line without a newline is a record like any other.
// With Watch it is unbounded: it also finds files that appear later, and takes
// every plain file as one that may still grow. There a last line counts once its
// newline has arrived, and a file ends only when it is deleted. Whole says that
// watched files appear complete (renamed into place); then each ends at its end.
// Compressed files are always taken as whole.
//
// A file may not change in any other way while a job that reads it lives: one
// that shrank below a position, or was replaced while being read, is an error.
//
// A record that does not decode is an error that names file, line and column,
// or, with SideOutputMalformed, a record of a side output. Reading goes on at
// the next line.
//
// # Writing
//
// Sink keeps the two-phase commit with nothing but a file system:
//
//	Begin    creates dir/.weir/<operator>/<job>@<attempt>-<subtask>-<seq>.<ext>
//	Write    appends to it, and rolls to a next one by size and time
//	Prepare  flushes, fsyncs and closes; the handle lists files and sizes
//	Commit   renames to dir/<operator>-<subtask>-<attempt>-<seq>.<ext>
//	Recover  deletes what older attempts left and no checkpoint knows
//
// What stands in dir itself is committed, complete and never touched again.
// The sink never overwrites a file, and deletes none that it did not make.
//
// # Concurrency
//
// A source or sink may be used by all subtasks at once; a Reader or Writer
// belongs to one goroutine at a time.
//
// # Testing
//
// ReadAll gives the committed records of a folder, Committed its files.
package files
