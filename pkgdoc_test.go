package weir

import (
	"go/ast"
	"go/doc"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// public are the packages that a user's program imports, or whose types it gets:
// whatever they export has a comment.
var public = []string{"operators", "operators/files", "operators/kafka/kafkatest", "operators/operatortest", "operators/plan", "cluster", "coordinator",
	"persistence", "persistence/dir", "persistence/memory", "persistence/persistencetest"}

func TestPackageDocs(t *testing.T) {
	for _, p := range tree(t) {
		text := packageDoc(p)
		if !strings.HasPrefix(text, "Package "+p.Name) && p.Name != "main" || text == "" {
			t.Errorf("%s has no package comment that says what it is for", p.PkgPath)
		}
	}
}

func packageDoc(p *packages.Package) string {
	for _, f := range p.Syntax {
		if text := f.Doc.Text(); text != "" {
			return text
		}
	}
	return ""
}

func TestExportedDocs(t *testing.T) {
	for _, p := range tree(t) {
		if !slices.ContainsFunc(public, func(own string) bool { return path.Join(module, own) == p.PkgPath }) {
			continue
		}
		d, err := doc.NewFromFiles(p.Fset, handwritten(p), p.PkgPath, doc.PreserveAST)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range undocumented(d) {
			t.Errorf("%s.%s is exported and has no comment", p.PkgPath, name)
		}
	}
}

func handwritten(p *packages.Package) []*ast.File {
	return slices.DeleteFunc(slices.Clone(p.Syntax), ast.IsGenerated)
}

// undocumented names the exported functions, types, methods, constants and
// variables without a comment. Methods that a standard interface explains may
// go without, and a group of constants needs one comment.
func undocumented(d *doc.Package) []string {
	var bare []string
	funcs := func(prefix string, fs []*doc.Func) {
		for _, f := range fs {
			if f.Doc == "" && !explained[f.Name] {
				bare = append(bare, prefix+f.Name)
			}
		}
	}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			if v.Doc == "" {
				bare = append(bare, strings.Join(v.Names, ", "))
			}
		}
	}
	funcs("", d.Funcs)
	values(slices.Concat(d.Consts, d.Vars))
	for _, ty := range d.Types {
		if ty.Doc == "" {
			bare = append(bare, ty.Name)
		}
		funcs("", ty.Funcs)
		funcs(ty.Name+".", ty.Methods)
		values(slices.Concat(ty.Consts, ty.Vars))
	}
	return bare
}

var explained = map[string]bool{"Error": true, "String": true, "Unwrap": true, "Close": true}
