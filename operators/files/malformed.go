package files

import "github.com/weirflow/weir/operators"

// SideOutputMalformed sends records that do not decode to a side output, with
// their bytes and the reason, instead of failing the job.
func SideOutputMalformed(tag operators.Tag[operators.Malformed]) SourceOption {
	return func(c *sourceConfig) { c.malformed = tag.Name() }
}
