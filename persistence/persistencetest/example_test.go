package persistencetest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
	"github.com/weirflow/weir/persistence/persistencetest"
)

// The first write fails before it happened, the second after it: whoever tries
// again must expect both.
func Example() {
	ctx := context.Background()
	faults := persistencetest.Script(persistencetest.PutIfAbsent, persistencetest.Before, persistencetest.After)
	store := persistencetest.Faulty(memory.Store(0), faults)

	for range 3 {
		err := store.PutIfAbsent(ctx, "tips/log/1", []byte("claim"))
		fmt.Println("injected:", errors.Is(err, persistencetest.ErrInjected), "taken:", errors.Is(err, persistence.ErrExists))
	}
	fmt.Println(store.Calls(persistencetest.PutIfAbsent), "calls,", store.Faults(persistencetest.After), "failed after they happened")
	// Output:
	// injected: true taken: false
	// injected: true taken: false
	// injected: false taken: true
	// 3 calls, 1 failed after they happened
}

// A seed decides what goes wrong, so that a run can be repeated.
func ExampleChance() {
	decide := persistencetest.Chance(rand.New(rand.NewPCG(1, 1)), persistencetest.Rates{Before: 0.2, Torn: 0.2})
	for range 5 {
		fmt.Println(decide(persistencetest.Put, "tips/data/a"))
	}
	// Output:
	// torn
	// none
	// none
	// none
	// none
}
