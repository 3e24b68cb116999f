package weir

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

const module = "github.com/weirflow/weir"

// A layer says which packages of ours and of others a package may import, and
// why no more. Paths of ours are relative to the module; a pattern that ends in
// /... covers what is below as well. The standard library and protobuf are free
// to all. A package that no layer matches fails; the first match counts.
type layer struct {
	pkg    string
	ours   []string
	others []string
	why    string
}

var layers = []layer{
	{"messages", nil, nil,
		"the words know nobody who says them"},
	{"messages/mutant", nil, nil,
		"every package may ask it, so it asks none"},
	{"operators/window", []string{"messages/..."}, nil,
		"a kernel is a function of its input, so that one script tests it"},
	{"actors/barrier", []string{"messages/..."}, nil,
		"a kernel is a function of its input, so that one script tests it"},
	{"actors/watermark", []string{"messages/..."}, nil,
		"a kernel is a function of its input, so that one script tests it"},
	{"actors/credit", []string{"messages/..."}, nil,
		"a kernel is a function of its input, so that one script tests it"},
	{"coordinator/checkpoint", []string{"messages/..."}, nil,
		"a kernel is a function of its input, so that one script tests it"},
	{"persistence/table", []string{"messages/..."}, nil,
		"the table is below every backend and knows none"},
	{"actors/env", nil, []string{"github.com/asynkron/protoactor-go/actor"},
		"the door to time and chance must open for every package, so it leans on none"},
	{"persistence", []string{"messages/...", "persistence/table"}, []string{"github.com/cespare/xxhash/v2"},
		"what is stored does not depend on who computes it"},
	{"persistence/...", []string{"messages/...", "persistence", "persistence/table"},
		[]string{"github.com/cespare/xxhash/v2", "github.com/klauspost/compress/...", "github.com/google/go-cmp/..."},
		"a store or backend is chosen by the user, so nothing of ours may need a certain one"},
	{"operators/plan", []string{"messages/...", "persistence"}, nil,
		"the waist between front and runtime has no types of users and no actors"},
	{"operators", []string{"messages/...", "persistence", "persistence/table", "operators/plan", "operators/window"},
		[]string{"github.com/cespare/xxhash/v2", "github.com/fxamacker/cbor/v2"},
		"who writes a topology must not link what runs it"},
	{"operators/operatortest", []string{"messages/...", "persistence", "persistence/...", "operators", "operators/plan"},
		[]string{"github.com/google/go-cmp/..."},
		"operators are tested one by one, without actors"},
	{"operators/kafka/records", nil, nil, "a format is a pure kernel"},
	{"operators/kafka", []string{"messages/...", "operators", "operators/kafka/records"}, []string{"github.com/twmb/franz-go/..."},
		"a connector is written against the public API, as a user would write it"},
	{"operators/kafka/kafkatest", nil, []string{"github.com/twmb/franz-go/..."},
		"a broker knows nothing of who uses it"},
	{"operators/...", []string{"messages/...", "operators"}, []string{"github.com/klauspost/compress/..."},
		"a connector is written against the public API, as a user would write it"},
	{"actors", []string{"messages/...", "actors/...", "persistence", "operators/plan"},
		[]string{"github.com/asynkron/protoactor-go/actor"},
		"the runtime runs erased plans; with the public API it would grow a second way to say the same"},
	{"coordinator", []string{"messages/...", "persistence", "actors/env", "coordinator/checkpoint"},
		[]string{"github.com/asynkron/protoactor-go/actor"},
		"coordinator and workers meet in messages only, as actors on two nodes would"},
	{"coordinator/...", []string{"messages/...", "coordinator", "persistence", "actors/env"},
		[]string{"github.com/asynkron/protoactor-go/actor"},
		"coordinator and workers meet in messages only, as actors on two nodes would"},
	{"cluster/...", []string{"messages/...", "actors/...", "coordinator/...", "operators/...", "persistence/...", "cluster"}, []string{"..."},
		"the top: it ties everything together"},
	{"examples/...", []string{"operators/...", "persistence/...", "cluster/...", "messages/..."}, []string{"..."},
		"an example uses what a user may use, and actors and coordinator are not that"},
	{".", nil, nil, "the root holds documentation and tests"},
}

// A ban holds for everything that a package pulls in, however far away.
type ban struct {
	pkg, must string // must is what pkg must not pull in
	why       string
}

var bans = []ban{
	{"operators/...", "github.com/asynkron/...", "a topology is a value; only who runs it needs actors"},
	{"operators/...", "google.golang.org/grpc/...", "a topology is a value; only who runs it needs a network"},
	{"operators/...", "github.com/hashicorp/...", "a topology is a value; only who runs it needs a cluster"},
	{"operators", "github.com/twmb/franz-go/...", "who reads files must not link Kafka; a third party has a folder of its own"},
	{"operators/files", "github.com/twmb/franz-go/...", "who reads files must not link Kafka; a third party has a folder of its own"},
	{"actors", module + "/operators", "the runtime must run whatever front made the plan"},
	{"actors", module + "/coordinator/...", "a worker takes orders by message, whoever sends them"},
	{"coordinator", module + "/actors", "a coordinator must be able to run where no subtask does"},
	{"coordinator", module + "/operators/...", "a coordinator sees a job as messages, not as code"},
	{"actors", "github.com/asynkron/protoactor-go/remote", "cluster alone knows that there is a network"},
	{"coordinator", "github.com/asynkron/protoactor-go/remote", "cluster alone knows that there is a network"},
}

// folders is every folder of the root but those that begin with a dot and what
// .gitignore leaves out: one noun each, as the table of layers has them.
var folders = []string{"actors", "cluster", "coordinator", "examples", "messages", "operators", "persistence"}

// aliases keep protoactor's package names and ours apart.
var aliases = map[string]string{
	"github.com/asynkron/protoactor-go/actor":   "actor",
	"github.com/asynkron/protoactor-go/remote":  "paremote",
	"github.com/asynkron/protoactor-go/cluster": "pacluster",
}

// A door is a file or folder (ending in /) where banned calls are allowed.
type door struct{ path, why string }

var doors = []door{
	{"actors/env/real.go", "the one door to time, chance and goroutines"},
	{"actors/env/goroutines.go", "those that are behind it"},
	{"operators/files/", "a blocking reader waits for files, off the mailbox; roll times are those of the disk"},
	{"operators/kafka/", "a client waits for brokers, off the mailbox"},
	{"examples/", "programs of users, who may do as they like"},
}

// bannedFuncs maps a function's full name to the remedy.
var bannedFuncs = map[string]string{
	"time.Now":                 "env.Now",
	"time.Since":               "env.Now",
	"time.Until":               "env.Now",
	"time.Sleep":               "env.After",
	"time.After":               "env.After",
	"time.AfterFunc":           "env.After",
	"time.Tick":                "env.After",
	"time.NewTimer":            "env.After",
	"time.NewTicker":           "env.After",
	"context.WithTimeout":      "env.After and cancel: a context's clock is the machine's",
	"context.WithTimeoutCause": "env.After and cancel: a context's clock is the machine's",
	"context.WithDeadline":     "env.After and cancel: a context's clock is the machine's",
}

// bannedMethods are protoactor's, by name.
var bannedMethods = map[string]string{
	"RequestFuture":     "a message and a reply: a future waits by the machine's clock, on a goroutine of its own",
	"SetReceiveTimeout": "env.After: its timer races with the actor",
}

func TestArrows(t *testing.T) {
	for _, p := range tree(t) {
		l, ok := layerOf(p.PkgPath)
		if !ok {
			t.Errorf("%s is in no layer; give it one", p.PkgPath)
			continue
		}
		for imported := range p.Imports {
			if !l.allows(imported) {
				t.Errorf("%s must not import %s: %s", p.PkgPath, imported, l.why)
			}
		}
	}
}

func layerOf(pkg string) (layer, bool) {
	for _, l := range layers {
		if match(path.Join(module, l.pkg), pkg) {
			return l, true
		}
	}
	return layer{}, false
}

func (l layer) allows(imported string) bool {
	if isStd(imported) || match("google.golang.org/protobuf/...", imported) {
		return true
	}
	for _, own := range l.ours {
		if match(path.Join(module, own), imported) {
			return true
		}
	}
	return !match(module+"/...", imported) && slices.ContainsFunc(l.others, func(o string) bool { return match(o, imported) })
}

// match tells whether pkg is pattern, or below it where it ends in /...
func match(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	base, deep := strings.CutSuffix(pattern, "/...")
	return pkg == base || deep && strings.HasPrefix(pkg, base+"/")
}

// isStd uses what the go command uses: only the standard library has no dot in
// the first element of its paths.
func isStd(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".")
}

func TestBans(t *testing.T) {
	for _, b := range bans {
		for _, p := range tree(t) {
			if !match(path.Join(module, b.pkg), p.PkgPath) {
				continue
			}
			for _, dep := range pulledIn(t, p.PkgPath) {
				if match(b.must, dep.ImportPath) {
					t.Errorf("%s pulls in %s: %s", p.PkgPath, dep.ImportPath, b.why)
				}
			}
		}
	}
}

// TestNoCgo: only who imports the RocksDB backend needs a C compiler.
func TestNoCgo(t *testing.T) {
	for _, p := range tree(t) {
		if p.PkgPath == module+"/persistence/rocksdb" {
			continue
		}
		for _, dep := range pulledIn(t, p.PkgPath) {
			if len(dep.CgoFiles) > 0 && !dep.Standard && dep.ImportPath != module+"/persistence/rocksdb" {
				t.Errorf("%s pulls in %s, which has cgo files %v", p.PkgPath, dep.ImportPath, dep.CgoFiles)
			}
		}
	}
	// What is compiled without cgo is what is compiled with it.
	with, without := compiled(t, "CGO_ENABLED=1"), compiled(t, "CGO_ENABLED=0")
	for path, files := range with {
		if !strings.HasPrefix(path, module+"/persistence/rocksdb") && !slices.Equal(files, without[path]) {
			t.Errorf("%s is compiled from %v, and from %v with CGO_ENABLED=0", path, files, without[path])
		}
	}
}

// compiled lists the Go files of all packages that the module needs, those of the
// standard library left out, in an environment.
func compiled(t *testing.T, env string) map[string][]string {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,GoFiles", "./...")
	list.Env = append(os.Environ(), env)
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s go list -deps ./...: %v", env, err)
	}
	files := map[string][]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct {
			ImportPath string
			Standard   bool
			GoFiles    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatalf("%s go list -deps ./...: %v", env, err)
		}
		if !p.Standard {
			files[p.ImportPath] = p.GoFiles
		}
	}
	return files
}

type dependency struct {
	ImportPath string
	Standard   bool
	CgoFiles   []string
}

var pulled = map[string][]dependency{}

// pulledIn lists everything that a package depends on, itself included.
func pulledIn(t *testing.T, pkg string) []dependency {
	if deps, ok := pulled[pkg]; ok {
		return deps
	}
	var deps []dependency
	for dec := json.NewDecoder(bytes.NewReader(goList(t, pkg))); dec.More(); {
		var d dependency
		if err := dec.Decode(&d); err != nil {
			t.Fatalf("go list -deps %s: %v", pkg, err)
		}
		deps = append(deps, d)
	}
	pulled[pkg] = deps
	return deps
}

func goList(t *testing.T, pkg string) []byte {
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,CgoFiles", pkg).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	return out
}

// made are folders that programs make when they are run here; .gitignore has them.
var made = []string{"bin", "out", "state"}

func TestTopLevelFolders(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(made, e.Name()) {
			found = append(found, e.Name())
		}
	}
	if !slices.Equal(found, folders) {
		t.Errorf("top-level folders are %v, want %v: a new noun belongs below one of these", found, folders)
	}
}

func TestAliases(t *testing.T) {
	fset := token.NewFileSet()
	for name := range goFiles(t) {
		f, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, spec := range f.Imports {
			checkAlias(t, fset, spec)
		}
	}
}

func checkAlias(t *testing.T, fset *token.FileSet, spec *ast.ImportSpec) {
	imported := strings.Trim(spec.Path.Value, `"`)
	want, ok := aliases[imported]
	if !ok {
		return
	}
	got := path.Base(imported)
	if spec.Name != nil {
		got = spec.Name.Name
	}
	if got != want {
		t.Errorf("%s: %s is named %s here, want %s: our own packages have that name", fset.Position(spec.Pos()), imported, got, want)
	}
}

// TestBannedCalls keeps a job a function of its messages: what reaches time,
// chance or a goroutine past the door cannot be simulated.
func TestBannedCalls(t *testing.T) {
	for _, p := range tree(t) {
		for id, obj := range p.TypesInfo.Uses {
			if fn, ok := obj.(*types.Func); ok {
				if remedy, banned := bannedCall(fn); banned && !behindDoor(relative(p, id.Pos())) {
					t.Errorf("%s: %s is banned here; use %s", relative(p, id.Pos()), fn.FullName(), remedy)
				}
			}
		}
		inspect(p, func(n ast.Node, _ *ast.File) {
			if stmt, ok := n.(*ast.GoStmt); ok && !behindDoor(relative(p, stmt.Pos())) {
				t.Errorf("%s: a bare go statement is banned here; use env.Work", relative(p, stmt.Pos()))
			}
		})
	}
}

func bannedCall(fn *types.Func) (remedy string, banned bool) {
	if fn.Pkg() == nil {
		return "", false
	}
	if r, ok := bannedFuncs[fn.FullName()]; ok {
		return r, true
	}
	if r, ok := bannedMethods[fn.Name()]; ok && match("github.com/asynkron/...", fn.Pkg().Path()) {
		return r, true
	}
	global := fn.Signature().Recv() == nil && !strings.HasPrefix(fn.Name(), "New")
	if rand := fn.Pkg().Path(); global && (rand == "math/rand" || rand == "math/rand/v2") {
		return "env.Rand", true
	}
	return "", false
}

func behindDoor(place string) bool {
	return slices.ContainsFunc(doors, func(d door) bool { return strings.HasPrefix(place, d.path) })
}

// TestDoorsExist: a door to nowhere would let its successor in unseen.
func TestDoorsExist(t *testing.T) {
	for _, d := range doors {
		if _, err := os.Stat(d.path); err != nil {
			t.Errorf("door %s: %v", d.path, err)
		}
	}
}

// TestMapOrder: the order of a map must not be seen in messages, so in the
// packages that send them every range over one says why its order is not seen,
// at the line's end: "// order: ..." (sorted afterwards, a sum, each on its own).
func TestMapOrder(t *testing.T) {
	for _, p := range tree(t) {
		if !sendsMessages(p.PkgPath) {
			continue
		}
		reasons := map[string]bool{}
		inspect(p, func(n ast.Node, f *ast.File) {
			if _, ok := n.(*ast.File); ok {
				clear(reasons)
				collectReasons(p, f, reasons)
			}
			if at, yes := rangesOverMap(p, n); yes && !reasons[at] {
				t.Errorf("%s: ranges over a map; sort the keys, or end the line with \"// order: <why it cannot be seen>\"", at)
			}
		})
	}
}

func sendsMessages(pkg string) bool {
	for _, engine := range []string{"actors/...", "coordinator/...", "cluster/..."} {
		if match(path.Join(module, engine), pkg) {
			return true
		}
	}
	return false
}

func collectReasons(p *packages.Package, f *ast.File, reasons map[string]bool) {
	for _, group := range f.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, "// order: "); ok && strings.TrimSpace(reason) != "" {
				reasons[relative(p, c.Pos())] = true
			}
		}
	}
}

// rangesOverMap finds range statements over a map and over maps.Keys, Values
// and All, and says in which line.
func rangesOverMap(p *packages.Package, n ast.Node) (at string, yes bool) {
	stmt, ok := n.(*ast.RangeStmt)
	if !ok {
		return "", false
	}
	if over := p.TypesInfo.TypeOf(stmt.X); over != nil {
		if _, isMap := over.Underlying().(*types.Map); isMap {
			return relative(p, stmt.Pos()), true
		}
	}
	call, ok := stmt.X.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	fn := p.TypesInfo.Uses[sel.Sel]
	return relative(p, stmt.Pos()), fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == "maps"
}

func inspect(p *packages.Package, visit func(ast.Node, *ast.File)) {
	for _, f := range p.Syntax {
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				visit(n, f)
			}
			return true
		})
	}
}

// relative gives file:line below the root.
func relative(p *packages.Package, pos token.Pos) string {
	at := p.Fset.Position(pos)
	root, _ := os.Getwd()
	rel, err := filepath.Rel(root, at.Filename)
	if err != nil {
		rel = at.Filename
	}
	return fmt.Sprintf("%s:%d", filepath.ToSlash(rel), at.Line)
}

var loaded = sync.OnceValues(func() ([]*packages.Package, error) {
	return packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo,
	}, "./...")
})

// tree loads and type-checks every package of the module once, tests left out.
func tree(t *testing.T) []*packages.Package {
	t.Helper()
	pkgs, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// TestTypeChecks: what the other tests here say of a package holds only when
// all of it was understood.
func TestTypeChecks(t *testing.T) {
	for _, p := range tree(t) {
		for _, e := range p.Errors {
			t.Errorf("%s: %v", p.PkgPath, e)
		}
	}
}

// goFiles gives every .go file of the tree that is written by hand, with its text.
func goFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for name, text := range textFiles(t) {
		if strings.HasSuffix(name, ".go") && !generated(text) {
			files[name] = text
		}
	}
	return files
}

func generated(text string) bool {
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if line := lines.Text(); strings.HasPrefix(line, "// Code generated ") && strings.HasSuffix(line, " DO NOT EDIT.") {
			return true
		} else if strings.HasPrefix(line, "package ") {
			return false
		}
	}
	return false
}

// textFiles gives every file of the tree but git's own, build output and what
// is not text.
func textFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "out"):
			return filepath.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if err == nil && bytes.IndexByte(text, 0) < 0 {
			files[filepath.ToSlash(name)] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
