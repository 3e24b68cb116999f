package files

import (
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/weirflow/weir/messages"
	"github.com/weirflow/weir/operators"
)

type zone string

type trip struct {
	PickedUp time.Time `csv:"pickup,layout=2006-01-02 15:04:05,zone=America/New_York"`
	Fare     float64
	Riders   uint8 `csv:"passengers"`
	Zone     zone
	Tip      *float64
	Note     *string
	Length   time.Duration
	Big      *big.Int
	Paid     bool
	Raw      []byte
	Where    struct {
		Lat, Lon float32
	}
	Ignored func() `csv:"-"`
	hidden  int    // is no column either
}

func TestCSVFillsFieldsOfEveryKind(t *testing.T) {
	path := put(t, "a.csv", "\xef\xbb\xbf"+`pickup,FARE,passengers,zone,tip,note,length,big,paid,raw,where.lat,where.lon,extra
2019-03-23 20:21:09,7.5,1,"Lenox Hill, ""West""",,,1h2m,12345678901234567890,true,xy,1.5,-2,ignored
2019-03-31 01:00:00,-1e3,255,,0.25,"",0s,,F,,0,0,

1969-12-31 19:00:01,0,0,"two
lines",1,x,-1ms,-7,1,"","0","0",""
`)
	got := mustRead(t, CSV[trip](path))
	ny, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	tip, one, empty, x := 0.25, 1.0, "", "x"
	huge, _ := new(big.Int).SetString("12345678901234567890", 10)
	want := []trip{
		{PickedUp: time.Date(2019, 3, 23, 20, 21, 9, 0, ny), Fare: 7.5, Riders: 1, Zone: `Lenox Hill, "West"`, Length: 62 * time.Minute, Big: huge, Paid: true, Raw: []byte("xy")},
		{PickedUp: time.Date(2019, 3, 31, 1, 0, 0, 0, ny), Fare: -1000, Riders: 255, Tip: &tip, Note: &empty, Raw: []byte{}},
		{PickedUp: time.Unix(1, 0).In(ny), Zone: "two\nlines", Tip: &one, Note: &x, Length: -time.Millisecond, Big: big.NewInt(-7), Paid: true, Raw: []byte{}},
	}
	got[0].hidden, want[0].hidden = 1, 1
	want[0].Where.Lat, want[0].Where.Lon = 1.5, -2
	compareBig := cmp.Comparer(func(a, b *big.Int) bool { return a == b || a != nil && b != nil && a.Cmp(b) == 0 })
	if d := cmp.Diff(want, got, cmp.AllowUnexported(trip{}), compareBig); d != "" {
		t.Fatal(d)
	}
}

func TestCSVOfPointersGivesEachRecordItsOwn(t *testing.T) {
	type pair struct{ A, B int }
	got := mustRead(t, CSV[*pair](put(t, "a.csv", "a,b\n1,2\n3,4\n")))
	if d := cmp.Diff([]*pair{{1, 2}, {3, 4}}, got); d != "" {
		t.Fatal(d)
	}
}

func TestCSVOptions(t *testing.T) {
	type pair struct{ A, B string }
	want := []pair{{"1", "x;y"}, {"2", ""}}
	for name, s := range map[string]operators.Source[pair]{
		"comma":   CSV[pair](put(t, "a.csv", "b;a\n\"x;y\";1\n;2\n"), Comma(';')),
		"columns": CSV[pair](put(t, "a.csv", "x;y,1\n,2"), Columns("b", "a")),
		"crlf":    CSV[pair](put(t, "a.csv", "a,b\r\n1,x;y\r\n\r\n2,\"\"\r\n")),
		"strict":  CSV[pair](put(t, "a.csv", "a,b\n1,x;y\n2,\n"), Strict()),
	} {
		if d := cmp.Diff(want, mustRead(t, s)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// What is wrong with a type or an option is told before any file is opened.
func TestCSVRefusesTypesAndOptions(t *testing.T) {
	type channel struct{ C chan int }
	type twice struct {
		A int
		B int `csv:"a"`
	}
	type badTag struct {
		A time.Time `csv:"a,layuot=2006"`
	}
	type badZone struct {
		A time.Time `csv:"a,zone=Mars/Base"`
	}
	type layoutOfInt struct {
		A int `csv:"a,layout=2006"`
	}
	type nothing struct{ _ int }
	type pair struct{ A, B int }
	path := put(t, "a.csv", "a,b\n1,2\n")
	for name, c := range map[string]struct {
		source any
		words  []string
	}{
		"type":          {CSV[channel](path), []string{"files.CSV", "channel.C", `"c"`, "chan int", "encoding.TextUnmarshaler"}},
		"one column":    {CSV[twice](path), []string{"twice.A", "twice.B", `column "a"`, "another csv tag"}},
		"tag":           {CSV[badTag](path), []string{"badTag.A", `"layuot"`, "layout= and zone="}},
		"zone":          {CSV[badZone](path), []string{"badZone.A", "Mars/Base", "time/tzdata"}},
		"layout":        {CSV[layoutOfInt](path), []string{"layoutOfInt.A", "for time.Time, not for int"}},
		"no field":      {CSV[nothing](path), []string{"nothing", "no exported field"}},
		"protobuf":      {CSV[*messages.Hello](path), []string{"*messages.Hello", "files.CSVFunc"}},
		"chan":          {CSV[chan int](path), []string{"chan int", "JSON lines"}},
		"comma":         {CSV[pair](path, Comma('"')), []string{"files.Comma('\"')", "ASCII"}},
		"max record":    {CSV[pair](path, MaxRecord(0)), []string{"files.MaxRecord(0)", "positive"}},
		"watch":         {CSV[pair](path, Watch(0)), []string{"files.Watch(0s)", "positive"}},
		"whole":         {CSV[pair](path, Whole()), []string{"files.Whole", "files.Watch"}},
		"no function":   {CSVFunc[int](path, nil), []string{"files.CSVFunc", "nil"}},
		"columns":       {CSV[pair](path, Columns("a", "c")), []string{"pair.B", `"b"`, "a, c"}},
		"empty glob":    {CSV[pair](""), []string{"glob is empty"}},
		"bad glob":      {CSV[pair]("[a"), []string{`"[a"`, "bracket"}},
		"double star":   {CSV[pair]("a/**/b"), []string{"**", "data/*/*.csv"}},
		"interface":     {Protobuf[proto.Message](path), []string{"files.Protobuf", "ProtoMessage", "*pb.Trip"}},
		"missing file":  {CSV[pair]("nowhere.csv"), []string{"nowhere.csv does not exist", "files.Watch"}},
		"no match":      {CSV[pair]("nowhere*.csv"), []string{"no file matches nowhere*.csv", "files.Watch"}},
		"folder":        {CSV[pair](filepath.Dir(path)), []string{"is a folder", "*"}},
		"missing field": {CSV[struct{ C int }](path), []string{path, ".C", `"c"`, "a, b", "csv tag"}},
		"strict":        {CSV[struct{ A int }](path, Strict()), []string{path, `"b"`, "files.Strict"}},
	} {
		t.Run(name, func(t *testing.T) { wantError(t, validate(c.source), c.words...) })
	}
}

// Bad headers are told when a file is opened, also those of files that were
// not there when the job was built.
func TestCSVRefusesHeaders(t *testing.T) {
	type fare struct {
		Fare float64
	}
	type exact struct {
		Fare float64 `csv:"fare"`
	}
	for name, c := range map[string]struct {
		content string
		words   []string
	}{
		"duplicate": {"fare,tip,fare\n1,2,3\n", []string{`"fare"`, "twice", "column 1 and 3", "rename"}},
		"unknown":   {"tip,total\n1,2\n", []string{"fare.Fare", `"fare"`, "tip, total"}},
		"ambiguous": {"FARE,Fare\n1,2\n", []string{`"FARE"`, `"Fare"`, "csv tag"}},
		"empty":     {"", []string{"is empty", "files.Columns"}},
		"quote":     {"fa\"re\n", []string{"header row", "quote"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, "h.csv", c.content)
			s := CSV[fare](path)
			_, err := s.Open(ctx, path, nil)
			wantError(t, err, append(c.words, "files.CSV", path)...)
			wantError(t, validate(s), c.words...)
		})
	}
	_, err := CSV[exact](put(t, "a.csv", "Fare\n1\n")).Open(ctx, put(t, "b.csv", "Fare\n1\n"), nil)
	wantError(t, err, "exact.Fare", `"fare"`, "b.csv")
}

func TestCSVNamesThePlaceOfAMalformedRecord(t *testing.T) {
	type row struct {
		A int8
		B float32
		C bool
		D time.Time `csv:"d,layout=2006-01-02"`
	}
	for name, c := range map[string]struct {
		line  string
		words []string
	}{
		"int":      {"x,1,true,2020-01-01", []string{`field "a"`, `"x" is no int8`}},
		"range":    {"128,1,true,2020-01-01", []string{`field "a"`, `"128" is no int8`}},
		"float":    {"1,1e99,true,2020-01-01", []string{`field "b"`, `"1e99" is no float32`}},
		"bool":     {"1,1,maybe,2020-01-01", []string{`field "c"`, `"maybe" is no bool`}},
		"time":     {"1,1,true,2020-13-01", []string{`field "d"`, `"2020-13-01"`, `layout "2006-01-02"`}},
		"empty":    {",1,true,2020-01-01", []string{`field "a"`, "is empty", "pointer"}},
		"short":    {"1,1,true", []string{"row has 3 fields, the header 4"}},
		"long":     {"1,1,true,2020-01-01,", []string{"row has 5 fields, the header 4"}},
		"quote":    {`1,1,tr"ue,2020-01-01`, []string{"a quote within a field"}},
		"after":    {`"1"2,1,true,2020-01-01`, []string{"follows a closing quote"}},
		"unclosed": {`"1,1,true,2020-01-01`, []string{"not closed until the end of the file"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := put(t, "a.csv", "a,b,c,d\n1,1,true,2020-01-01\n"+c.line+"\n3,3,false,2020-01-03\n")
			_, _, err := readAll(t, CSV[row](path))
			wantError(t, err, append(c.words, "files.CSV", path, "line 3 (byte 28)", "files.SideOutputMalformed")...)

			// S84: with a tag the record goes to the side output, whole, and reading resumes.
			tag := operators.NewTag[operators.Malformed]("bad")
			s := CSV[row](path, SideOutputMalformed(tag))
			values, bad, err := readAll(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if s.Info().Malformed != "bad" {
				t.Errorf("Info().Malformed = %q", s.Info().Malformed)
			}
			if len(values) != 2 || values[0].A != 1 || values[1].A != 3 {
				t.Errorf("values = %+v", values)
			}
			if len(bad) != 1 || bad[0].Split != path || bad[0].Line != 3 || bad[0].Offset != 28 || string(bad[0].Raw) != c.line+"\n" || bad[0].Reason == "" {
				t.Errorf("malformed = %+v", bad)
			}
		})
	}
}
