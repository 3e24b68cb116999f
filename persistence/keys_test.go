package persistence_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/persistence"
	"github.com/weirflow/weir/persistence/memory"
)

// Any two operators and indexes have prefixes of which none begins the other,
// and every prefix is the beginning of a valid key.
func TestBlobPrefixKeepsOperatorsApart(t *testing.T) {
	name := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[aA]{0,3}[._/ =1]{0,2}[0-9]{0,2}`),
		rapid.StringMatching(`[a-b]{63,66}`),
		rapid.SampledFrom([]string{"", ".", "..", "../x", "tips", "Tips", "tips.1", "tips 1", "日本", "a\x00b"}),
	)
	index := rapid.IntRange(0, 120)
	rapid.Check(t, func(t *rapid.T) {
		n1, n2, i1, i2 := name.Draw(t, "name"), name.Draw(t, "name"), index.Draw(t, "index"), index.Draw(t, "index")
		p1 := persistence.BlobPrefix("job", 1, 2, messages.OperatorID(n1), i1)
		p2 := persistence.BlobPrefix("job", 1, 2, messages.OperatorID(n2), i2)
		if same := n1 == n2 && i1 == i2; strings.HasPrefix(p1, p2) != same && len(p2) <= len(p1) {
			t.Fatalf("%q[%d] has %s, %q[%d] has %s", n1, i1, p1, n2, i2, p2)
		}
		if err := persistence.CheckKey(p1 + "heap"); err != nil {
			t.Fatal(err)
		}
	})
}

// File systems that do not tell capital letters from small ones keep them apart too.
func TestBlobPrefixIgnoresCase(t *testing.T) {
	a := persistence.BlobPrefix("job", 1, 2, "Tips", 0)
	b := persistence.BlobPrefix("job", 1, 2, "tips", 0)
	if strings.EqualFold(a, b) {
		t.Errorf("%s and %s differ in case only", a, b)
	}
}

func ExampleBlobPrefix() {
	fmt.Println(persistence.BlobPrefix("taxi", 3, 17, "tips", 0))
	fmt.Println(persistence.BlobPrefix("taxi", 3, 17, "Tips / hour", 0))
	// Output:
	// taxi/data/00000000000000000017.3/tips.0.
	// taxi/data/00000000000000000017.3/Tips___hour=f5aacb3a819119b8.0.
}

func TestJobNames(t *testing.T) {
	for _, good := range []messages.JobID{"tips", "Tips-2.0_b", "...a"} {
		if err := persistence.CheckJob(good); err != nil {
			t.Error(err)
		}
	}
	for bad, want := range map[messages.JobID]string{
		"":                                       "the job has no name; name the topology",
		"..":                                     `job name ".." would be a folder's own name; use a letter`,
		"a b":                                    `job name "a b": ' ' cannot stand in it; use letters, digits, '-', '_' and '.'`,
		messages.JobID(strings.Repeat("x", 101)): `job name "` + strings.Repeat("x", 101) + `" has 101 bytes; use at most 100`,
	} {
		_, err := persistence.OpenLog(ctx, memory.Store(0), bad)
		if err == nil || err.Error() != "persistence.OpenLog: "+want {
			t.Errorf("OpenLog(%q) = %v; want %s", bad, err, want)
		}
	}
}
