// Package doubt runs the window operators, joins, timers and async calls against
// programs that are too simple to be wrong.
//
// It has tests only. Each draws a case, a choice of windows, trigger, lateness,
// evictor and function, and a history of records, watermarks, times of the clock
// and restores at other parallelisms. A twin keeps every record in a list, and
// works out from the definitions what must come out. The operator must give the
// same, between the same two watermarks and for each key in the same order, with
// batches of any size; the same records must be too late; and nothing may be
// left in its state at the end that is not to be kept for good.
//
//	make doubt MINUTES=10
//
// draws cases with fresh seeds until the time is over. A case that fails is
// shrunk and printed as a script. Put below testdata/ it is replayed for ever, with
// what comes out written beside it:
//
//	doubt
//	windows tumbling 10
//	form aggregate
//	a 1 @5
//	wm 9
//	end
//	----
//	(what comes out)
//
// where the first lines are the case, "a 1 @5" is a record of key a, value 1 and
// event time 5 ms, and the records are numbered from 1. The borders of the
// semantics are such scripts, too.
//
// `make mutants` plants bugs in what is doubted and demands that each is found, by
// the drawn cases or by a script; see messages/mutant.
package doubt
