package actors

// What an attempt that ended leaves behind finds nobody, by design; protoactor
// is not to log it as dead letters.

func (*element) IgnoreDeadLetterLogging()      {}
func (*creditReturn) IgnoreDeadLetterLogging() {}
func (pullTick) IgnoreDeadLetterLogging()      {}
func (idleCheck) IgnoreDeadLetterLogging()     {}
func (periodicTick) IgnoreDeadLetterLogging()  {}
func (*readDone) IgnoreDeadLetterLogging()     {}
func (startSubtask) IgnoreDeadLetterLogging()  {}
func (subtaskReady) IgnoreDeadLetterLogging()  {}
func (lingerTick) IgnoreDeadLetterLogging()    {}
func (drainCheck) IgnoreDeadLetterLogging()    {}
func (*wakeNode) IgnoreDeadLetterLogging()     {}
func (*snapshotDone) IgnoreDeadLetterLogging() {}
func (*prepareRetry) IgnoreDeadLetterLogging() {}
func (*ageCheck) IgnoreDeadLetterLogging()     {}
func (stopDeadline) IgnoreDeadLetterLogging()  {}
func (tellAgain) IgnoreDeadLetterLogging()     {}
func (beatTick) IgnoreDeadLetterLogging()      {}
