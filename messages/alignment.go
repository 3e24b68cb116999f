package messages

// AlignmentStep is the move of event time, in ms, that is news to a group of aligned
// sources with a drift in ms: a quarter of it, and at least 1.
func AlignmentStep(drift int64) int64 { return max(drift/4, 1) }

// AlignmentNews tells whether a least watermark, after the one that was told last,
// should be told before its time because others may wait for it: it moved by a step, is
// the first, fell, or there is none to be waited for.
func AlignmentNews(told, least, step int64) bool {
	if least <= told || told == NoWatermark || least == MaxWatermark {
		return least != told
	}
	return least-told >= step
}
