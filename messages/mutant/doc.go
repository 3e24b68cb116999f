// Package mutant plants bugs that the tests must find. Each has a name and one
// place in the code:
//
//	if mutant.On("skip-alignment") { ... do it wrong ... }
//
// In a normal build On is the constant false and the compiler drops the branch,
// name and all. With the build tag mutants, the environment variable
// WEIR_MUTANT names the one bug that is planted. `make mutants` builds that
// way, plants one after the other, and demands that each is found: those in
// windows, triggers, timers, joins and calls by operators/doubt, all others by
// the simulation. The tables in their mutants_test.go say what each bug does;
// a bug that is in none of them, or in none of the code, fails a test here.
//
// The package lies at the bottom of the tree so that kernels can use it too.
//
// # Concurrency
//
// On may be called from anywhere.
package mutant
