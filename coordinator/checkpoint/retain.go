package checkpoint

// End is how a job ended, as far as its checkpoints are concerned.
type End int

// The ways in which a job ends.
const (
	Finished End = iota // its input is worked off
	Stopped             // it was stopped with a last checkpoint, to go on later
	Canceled            // it was canceled and is not to go on
	Failed              // it gave up, or another coordinator took over
)

// Retention says whether checkpoints stay when the job ends.
type Retention struct {
	OnCancel bool // they stay when the job is canceled, too
}

// DeleteAll tells whether all checkpoints go at the end of a job. Only a
// cancel deletes: a finished job must know that it has finished, and a failed
// or stopped one goes on from them. What is decided and not committed yet can
// be committed from its checkpoint only, so that one stays whatever was asked.
func (r Retention) DeleteAll(end End, unsettled bool) bool {
	return end == Canceled && !r.OnCancel && !unsettled
}
