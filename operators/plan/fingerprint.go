package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/weirflow/weir/messages"
)

// Fingerprint is equal for two topologies of which one can take the other's
// checkpoints as its own, and whose nodes understand each other's channels: the
// same operators in the same order with the same states and edges, and as many
// key groups. Parallelism, chaining and details do not count.
func (p *Plan) Fingerprint() string {
	var b strings.Builder
	fmt.Fprintf(&b, "weir plan 1\nmax parallelism %d\n", p.MaxParallelism)
	for _, o := range p.Operators {
		fmt.Fprintf(&b, "operator %q %q\n", o.Name, o.Kind)
		for _, s := range o.States {
			fmt.Fprintf(&b, "state %q %q %q %q\n", s.GetName(), s.GetKind(), s.GetKey(), s.GetValue())
		}
		for _, e := range o.Inputs {
			key := ""
			if e.Keyer != nil {
				key = e.Keyer.Name()
			}
			fmt.Fprintf(&b, "input %d %q %q %q\n", e.Port, e.From.Name, e.Tag, key)
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:16])
}

// Metas describes the operators for a manifest, in the plan's order.
func (p *Plan) Metas() []*messages.OperatorMeta {
	metas := make([]*messages.OperatorMeta, len(p.Operators))
	for i, o := range p.Operators {
		metas[i] = &messages.OperatorMeta{
			Name: string(o.Name), Kind: string(o.Kind), Parallelism: int32(o.Parallelism), States: o.States,
		}
	}
	return metas
}
