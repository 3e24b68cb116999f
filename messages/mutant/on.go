//go:build mutants

package mutant

import (
	"os"
	"sync"
)

var planted = sync.OnceValue(func() string { return os.Getenv("WEIR_MUTANT") })

// On tells whether the named bug is planted.
func On(name string) bool { return planted() == name }
