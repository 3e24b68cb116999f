package plan

// connect numbers operators and edges and enters the edges at their senders. A
// forward edge between different numbers of subtasks spreads round robin.
func (p *Plan) connect() {
	for i, o := range p.Operators {
		o.Index = i
		for _, e := range o.Inputs {
			e.Index = len(p.Edges)
			if e.Partition == Forward && e.From.Parallelism != o.Parallelism {
				e.Partition = Rebalance
			}
			p.Edges = append(p.Edges, e)
			e.From.Outputs = append(e.From.Outputs, e)
		}
	}
}

// chain fuses operators into trees. Operators come after their inputs, so the
// chain of a fused operator's input is known when its turn comes.
func (p *Plan) chain() {
	for _, o := range p.Operators {
		if fusible(o) {
			o.Inputs[0].Chained = true
			o.Chain = o.Inputs[0].From.Chain
		} else {
			o.Chain = len(p.Chains)
			p.Chains = append(p.Chains, &Chain{Index: o.Chain, Parallelism: o.Parallelism, Inputs: o.Inputs})
		}
		c := p.Chains[o.Chain]
		c.Operators = append(c.Operators, o)
	}
	for _, e := range p.Edges {
		if !e.Chained {
			c := p.Chains[e.From.Chain]
			c.Outputs = append(c.Outputs, e)
		}
	}
}

// fusible tells whether o can run as calls within the subtasks of its input:
// when it has one, and record for record the same subtask would get it anyway.
func fusible(o *Operator) bool {
	if len(o.Inputs) != 1 || o.Unchained || o.Alone || o.Inputs[0].From.Alone {
		return false
	}
	switch e := o.Inputs[0]; e.Partition {
	case Forward:
		return true // parallelism is equal, see connect
	case Hash:
		return o.Parallelism == 1 && e.From.Parallelism == 1
	default:
		return false
	}
}

// findRegions numbers the connected components of chains in the order of their
// first chain: what no channel connects fails alone.
func (p *Plan) findRegions() {
	parent := make([]int, len(p.Chains))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			i = parent[i]
		}
		return i
	}
	for _, e := range p.Edges {
		a, b := root(e.From.Chain), root(e.To.Chain)
		parent[max(a, b)] = min(a, b)
	}
	for i, c := range p.Chains {
		if r := root(i); r < i {
			c.Region = p.Chains[r].Region
		} else {
			c.Region = p.Regions
			p.Regions++
		}
	}
}
