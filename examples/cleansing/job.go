package main

import (
	"strings"
	"time"

	"github.com/weirflow/weir/operators"
	"github.com/weirflow/weir/operators/files"
)

// Ride is a line of the file.
type Ride struct {
	ID       int64     `csv:"ride"`
	PickedUp time.Time `csv:"picked_up,layout=2006-01-02 15:04:05"`
	FromLon  float64   `csv:"from_lon"` // degrees
	FromLat  float64   `csv:"from_lat"`
	ToLon    float64   `csv:"to_lon"`
	ToLat    float64   `csv:"to_lat"`
}

func pickedUp(r Ride) int64 { return r.PickedUp.UnixMilli() }

// The borders of the city, in degrees.
const west, east, south, north = -74.05, -73.70, 40.50, 41.00

func inCity(lon, lat float64) bool { return lon >= west && lon <= east && lat >= south && lat <= north }

// Leaving is a ride out of the city.
type Leaving struct {
	Ride   int64
	Toward string
}

func toward(l Leaving) string { return l.Toward }

// Broken is a line that cannot be read.
type Broken struct {
	Line   int64
	Field  string // "" when the line as a whole is at fault
	Reason string
	Text   string
}

// hourCount is how many rides left the city toward one side within an hour.
type hourCount = operators.WindowResult[string, int]

// sinks are where the five outputs of the job go.
type sinks struct {
	city, elsewhere operators.Sink[Ride]
	leaving         operators.Sink[Leaving]
	hours           operators.Sink[hourCount]
	broken          operators.Sink[Broken]
}

// topology sorts the rides of a file.
func topology(path string, to sinks) *operators.Topology {
	top := operators.NewTopology("cleansing")
	malformed := operators.NewTag[operators.Malformed]("malformed")
	source := files.CSV[Ride](path, files.SideOutputMalformed(malformed))
	rides := operators.From(top, "rides", source, operators.Monotonous(pickedUp)).Parallelism(1) // one split
	operators.Map(operators.SideOutput(rides, malformed), "describe", newBroken).To("broken", to.broken)
	sortOut(rides, to)
	return top
}

// sortOut sends a ride to the main output or to side outputs, each of its own
// type, or to both.
func sortOut(rides *operators.Stream[Ride], to sinks) {
	elsewhere, leaving := operators.NewTag[Ride]("elsewhere"), operators.NewTag[Leaving]("leaving")
	city := operators.FlatMap(rides, "place", func(r Ride, out *operators.Out[Ride]) error {
		if !inCity(r.FromLon, r.FromLat) {
			elsewhere.Emit(out, r)
			return nil
		}
		out.Emit(r)
		if !inCity(r.ToLon, r.ToLat) {
			leaving.Emit(out, Leaving{r.ID, sideOf(r.ToLon, r.ToLat)})
		}
		return nil
	}, elsewhere, leaving)

	city.To("city", to.city)
	operators.SideOutput(city, elsewhere).To("elsewhere", to.elsewhere)

	left := operators.SideOutput(city, leaving) // with the times of the rides
	left.To("leaving", to.leaving)
	hours := operators.KeyBy(left, toward).Window(operators.Tumbling(time.Hour))
	operators.Aggregate(hours, "hourly", count{}).To("hours", to.hours)
}

// sideOf says on which side of the city a place outside lies.
func sideOf(lon, lat float64) string {
	switch {
	case lat > north:
		return "north"
	case lat < south:
		return "south"
	case lon > east:
		return "east"
	}
	return "west"
}

func newBroken(m operators.Malformed) Broken {
	return Broken{Line: m.Line, Field: m.Field, Reason: m.Reason, Text: strings.TrimSpace(string(m.Raw))}
}

// count is an operators.Aggregator.
type count struct{}

func (count) CreateAccumulator() int   { return 0 }
func (count) Add(n int, _ Leaving) int { return n + 1 }
func (count) Merge(a, b int) int       { return a + b }
func (count) Result(n int) int         { return n }
