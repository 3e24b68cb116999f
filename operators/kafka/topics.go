package kafka

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Topics is what a source reads: InTopics, InPattern or InPartitions.
type Topics struct {
	names      []string
	pattern    *regexp.Regexp
	partitions map[string][]int32 // of names; nil: all
	err        error
}

// InTopics are topics by name, with all their partitions. One that does not exist is an
// error when the job starts; none is ever created.
func InTopics(names ...string) Topics {
	t := Topics{names: slices.Clone(names)}
	if len(names) == 0 {
		t.err = errors.New("InTopics(): give it the name of a topic at least")
	}
	for i, name := range names {
		switch {
		case checkTopic(name) != nil:
			t.err = fmt.Errorf("InTopics: %w", checkTopic(name))
		case slices.Contains(names[:i], name):
			t.err = fmt.Errorf("InTopics: topic %q is there twice", name)
		}
	}
	return t
}

// InPattern are all topics whose whole name matches a regular expression, those that are
// created later as well. The cluster's own topics are never among them.
func InPattern(expression string) Topics {
	re, err := regexp.Compile("^(?:" + expression + ")$")
	if err != nil {
		return Topics{err: fmt.Errorf("InPattern(%q): %w", expression, err)}
	}
	return Topics{pattern: re}
}

// InPartitions are some partitions of a topic and no others.
func InPartitions(topic string, partitions ...int32) Topics {
	t := Topics{names: []string{topic}, partitions: map[string][]int32{topic: slices.Clone(partitions)}}
	switch {
	case checkTopic(topic) != nil:
		t.err = fmt.Errorf("InPartitions: %w", checkTopic(topic))
	case len(partitions) == 0:
		t.err = fmt.Errorf("InPartitions(%q): give it a partition at least, or use InTopics for all", topic)
	case slices.Min(partitions) < 0:
		t.err = fmt.Errorf("InPartitions(%q): partition %d: they count from 0", topic, slices.Min(partitions))
	}
	return t
}

// String names the topics.
func (t Topics) String() string {
	switch {
	case t.pattern != nil:
		return "topics like " + t.pattern.String()[len("^(?:"):len(t.pattern.String())-len(")$")]
	case t.partitions != nil:
		return fmt.Sprintf("partitions %v of %s", t.partitions[t.names[0]], t.names[0])
	}
	return strings.Join(t.names, ",")
}

// checkTopic holds a name to Kafka's rules.
func checkTopic(name string) error {
	bad := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	})
	if name == "" || name == "." || name == ".." || len(name) > 249 || bad >= 0 {
		return fmt.Errorf("%q cannot be a topic's name: letters, digits, '.', '_' and '-', at most 249 of them", name)
	}
	return nil
}

// list gives the partitions that there are now, in a fixed order.
func (t Topics) list(ctx context.Context, c *client) ([]partition, error) {
	topics, err := t.find(ctx, c)
	if err != nil {
		return nil, err
	}
	var all []partition
	for name, state := range topics {
		chosen := t.partitions[name]
		for i := range int32(len(state.leaders)) {
			if t.partitions == nil || slices.Contains(chosen, i) {
				all = append(all, partition{name, i})
			}
		}
		if missing := slices.IndexFunc(chosen, func(i int32) bool { return int(i) >= len(state.leaders) }); missing >= 0 {
			return nil, fmt.Errorf("topic %q has %d partitions, and no partition %d", name, len(state.leaders), chosen[missing])
		}
	}
	slices.SortFunc(all, func(a, b partition) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

// partitionOf reads what partition.String gives: no topic has a colon in its name.
func partitionOf(split string) (partition, error) {
	topic, index, ok := strings.Cut(split, ":")
	i, err := strconv.ParseInt(index, 10, 32)
	if !ok || err != nil || i < 0 || checkTopic(topic) != nil {
		return partition{}, fmt.Errorf("split %q is not topic:partition", split)
	}
	return partition{topic, int32(i)}, nil
}

// partitionsOf reads splits, and gives their topics, each once.
func partitionsOf(splits []string) (all []partition, topics []string, err error) {
	for _, split := range splits {
		p, err := partitionOf(split)
		if err != nil {
			return nil, nil, err
		}
		if all = append(all, p); !slices.Contains(topics, p.topic) {
			topics = append(topics, p.topic)
		}
	}
	return all, topics, nil
}

// find gives the topics that there are now.
func (t Topics) find(ctx context.Context, c *client) (map[string]topicState, error) {
	if t.pattern == nil {
		return c.soundTopics(ctx, t.names)
	}
	all, err := c.topics(ctx, nil)
	if err != nil {
		return nil, err
	}
	for name, state := range all {
		if !t.pattern.MatchString(name) {
			delete(all, name)
		} else if state.err != nil {
			return nil, state.err
		}
	}
	return all, nil
}
