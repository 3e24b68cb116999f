package plan

import (
	"errors"
)

// Spec is a topology before its checks: what Build makes a Plan of.
type Spec struct {
	Name           string
	MaxParallelism int
	Parallelism    int         // of operators that set none
	Operators      []*Operator // with Inputs, in the order of declaration; Build copies them
}

// Build checks a topology, orders it, and fuses what can be fused. Its error
// joins everything that is wrong, each with the operator and the remedy.
func Build(s Spec) (*Plan, error) {
	p := s.copy()
	if err := errors.Join(p.check()...); err != nil {
		return nil, err
	}
	if err := p.sort(); err != nil {
		return nil, err
	}
	p.connect()
	p.chain()
	p.findRegions()
	if err := errors.Join(p.checkWire()...); err != nil {
		return nil, err
	}
	return p, nil
}

// copy takes the operators and edges of s into a new plan, so that the topology
// can grow on while the plan stays as it is.
func (s Spec) copy() *Plan {
	p := &Plan{Name: s.Name, MaxParallelism: s.MaxParallelism}
	twin := make(map[*Operator]*Operator, len(s.Operators))
	for _, o := range s.Operators {
		c := *o
		c.Outputs = nil
		if c.Parallelism == 0 {
			c.Parallelism = s.Parallelism
		}
		twin[o] = &c
		p.Operators = append(p.Operators, &c)
	}
	for _, o := range p.Operators {
		inputs := make([]*Edge, len(o.Inputs))
		for i, e := range o.Inputs {
			c := *e
			c.From, c.To = twin[e.From], o
			inputs[i] = &c
		}
		o.Inputs = inputs
	}
	return p
}
