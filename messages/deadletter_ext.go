package messages

// A message that finds nobody is no news: an attempt that ended leaves some
// behind by design, and the next one is fenced by its number. The methods below
// keep protoactor from logging each as a dead letter.

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*RegisterWorker) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*Heartbeat) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*Deploy) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*Deployed) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*Start) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*StopAttempt) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*AttemptStopped) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*AttemptFailed) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*TriggerCheckpoint) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*CheckpointAck) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*CheckpointDecline) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*CheckpointComplete) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*CheckpointAborted) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*CheckpointCommitted) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*SubtaskFinished) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*CheckpointWanted) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*AssignSplits) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*SplitsAssigned) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*StopSources) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*SourceWatermark) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*GroupWatermark) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*StatusRequest) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*SubtaskStatus) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*Frame) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging marks the message as one that may find nobody.
func (*Credit) IgnoreDeadLetterLogging() {}
