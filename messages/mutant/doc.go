// Package mutant plants bugs that the tests must find. Each has a name and one
// place in the code:
//
//	if mutant.On("skip-alignment") { ... do it wrong ... }
//
// In a normal build On is the constant false and the compiler drops the branch,
// name and all. With the build tag mutants, the environment variable
// WEIR_MUTANT names the one bug that is planted. `make mutants` builds that
// way, plants one after the other, and demands that the simulation finds each.
//
// The package lies at the bottom of the tree so that kernels can use it too.
//
// # Concurrency
//
// On may be called from anywhere.
package mutant
