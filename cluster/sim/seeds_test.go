package sim

import "testing"

func TestReplayCommand(t *testing.T) {
	t.Run("sub", func(t *testing.T) {
		// Called from inside the package, the nearest other one is testing.
		if got, want := replayCommand(t), "go test testing -run '^TestReplayCommand$/^sub$'"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
	for function, want := range map[string]string{
		"github.com/weirflow/weir/cluster/sim_test.TestX.func1": "github.com/weirflow/weir/cluster/sim_test",
		"example.com/v2.app.(*T).Run":                           "example.com/v2",
		"main.main":                                             "main",
	} {
		if got := packageOf(function); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}
