// Package table is the hash table that all keyed state stands on: typed,
// sharded by key group, and frozen at a barrier by copy-on-write.
//
// A Table is extendible hashing. A directory, indexed by the top bits of a
// key's 64-bit hash, points to segments; a segment is a small array with linear
// probing, which grows to a few KiB and then splits in two. One big array was
// rejected: its rehash would stall the subtask for as long as the state is big,
// and the first write after a freeze would copy all of it. Here no step costs
// more than one segment, but for the directory (eight bytes for about a hundred
// entries), which is copied when it doubles and by the first write after a freeze.
//
// Key groups are contiguous ranges of the hash's top 32 bits, hence contiguous
// ranges of the directory: the entries of one group are found without looking
// at the rest.
//
// # Hashes
//
// The caller gives the hash with every operation, so that it is computed once a
// record. The same key must always come with the same hash. A table tells
// hashes apart by their upper 60 bits; hashes it hands back have the lower four
// bits zero and may be used wherever the full hash may. Quality matters: the
// upper bits choose the segment and the lower 32 the slot, so a hash must be
// mixed in both halves (Mix64). Entries that share their upper bits (the timers
// of one hot key) are kept in one segment beyond the usual size: correct, and
// still fast if the lower bits differ, but copied as one piece after a freeze.
//
// # Concurrency
//
// A Table belongs to one goroutine at a time. A Frozen may be read by another
// goroutine, or several, while its table goes on; they share no memory that is
// written. Release may be called from any goroutine once reading has ended.
//
// # Pointers
//
// What Get and the scans give is for reading only: it may be shared
// with frozen tables. Upsert alone gives a pointer to write through, and it is
// valid until the next operation that may insert, delete, clear or freeze. When
// V holds pointers, maps or slices that are changed in place, Options.Clone
// must be set, or such a change reaches the frozen copies; ShallowSafe tells
// for a type.
//
// # Order
//
// Iteration follows the directory and within a segment the slots. The order is
// a pure function of the operations done before, without any random seed. It is
// no sorting order and no part of the snapshot format.
//
// # Functions, not methods
//
// A compiler emits all methods of a generic type for every instantiation whose
// type descriptor can be reached, and a program has many tables. What is not
// exported is therefore a function: those are emitted where they are called.
//
// # Testing
//
// Options.SegmentSlots = 8 makes a table of a hundred entries split, share and
// copy as a table of millions does.
package table
