// Package operators is what a user writes: typed topologies of streams, keyed
// streams, windows, state, timers, sources and sinks.
package operators
