package kafkatest

// Process tells the process id of a broker that runs.
func (b *Broker) Process() int { return b.process.cmd.Process.Pid }
