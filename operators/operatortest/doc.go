// Package operatortest tests an operator or a whole topology in milliseconds:
// without cluster, store, goroutine or sleep.
//
// A Harness drives one operator by hand, for a test of a few steps:
//
//	h := operatortest.Keyed(t, func(in *operators.Stream[Trip]) *operators.Stream[string] {
//		return operators.Process[string](operators.KeyBy(in, Trip.Zone), "rides", newRides)
//	})
//	h.Process(Trip{"midtown", 1}, 1000)
//	h.Watermark(999)
//	if got := h.Output(); len(got) > 0 {
//		t.Errorf("before its time: %v", got)
//	}
//	h.Restore(h.Snapshot(), 3) // as after a crash, on three subtasks
//	h.Watermark(1000)
//
// A Script says the same as data, and RunScript runs it in every way that a job
// may choose: one record at a time and many, on one subtask and several, from
// beginning to end and with a restart between any two steps. It fails when one of
// them gives another output, and so finds the function that keeps something in a
// Go variable, or lends out what it writes to again:
//
//	operatortest.RunScript(t, build, operatortest.NewScript[Trip, string]().
//		Process(Trip{"midtown", 1}, 1000).
//		Watermark(999).Expect().
//		Watermark(1000).Expect(operatortest.At("midtown", 1000)))
//
// A Driver runs a whole topology as it is, with pipes where its sources and sinks
// are:
//
//	d := operatortest.Drive(t, topology())
//	trips, tips := operatortest.In[Trip](d, "trips"), operatortest.Out[Tip](d, "files")
//	trips.Send(Trip{"midtown", 1}, 1000)
//	trips.Close()
//	got := tips.Records()
//
// An operator with two inputs has all the same: Two gives a TwoInput, which brings
// records and watermarks of either, and RunTwoInputScript runs a TwoInputScript.
//
// Conform holds a sink of one's own with transactions to its contract: processes die
// before each call that a job makes, and at each step that the sink marks; what they leave
// is recovered, by others and by more or fewer of them; and attempts go on that have not
// heard of their successors. It needs a function that opens an outside anew and one that
// reads what is committed there; a failure is a numbered list of calls, with the records
// that are missing, that are there twice, and that must not be there:
//
//	operatortest.Conform(t, operatortest.ConformSink[int]{
//		Value:   func(n int) int { return n },
//		Outside: func() operatortest.ConformOutside[int] { return newLedger().outside() },
//	})
//
// # What is real and what is not
//
// The operators are those that run in a job, made from the same plan, with its
// key groups, partitioning, parallelism, merging of watermarks, timers and codecs
// of state. Time stands still unless AdvanceProcessingTime moves it. What is not
// here: barriers and their alignment, back-pressure, idle inputs, watermark
// strategies, readers and writers, the two-phase commit (but for Conform), and the order in which
// records of several subtasks meet by chance. The simulation in cluster/sim has
// all of these. An output that refuses a record now and then has no meaning here:
// an operator's output never refuses, for a job asks for credit before it takes a
// batch in.
//
// # Concurrency
//
// Everything happens in the goroutine of the caller, who must be one at a time.
// Nothing is started. Functions that are shared between subtasks, such as that of
// a Map, are never called concurrently here, but are in a job: run a test of
// those under the race detector.
package operatortest
