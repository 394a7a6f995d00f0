// Command gen copies the Terraform provider for AWS from the module cache into
// ./provider, without the services that no stack of ours uses, and points go.mod
// to the copy. With all 249 services the compiler needs half an hour and the
// linker 9 GB; with these it is four minutes and 2 GB.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// provider is the module, and the directory of its copy.
const (
	provider = "github.com/hashicorp/terraform-provider-aws"
	copied   = "provider"
)

// services have the resources in main.go.
var services = []string{
	"budgets", "cloudwatch", "ec2", "eks", "iam", "kms", "logs", "meta", "rds", "s3", "secretsmanager", "sns", "ssm", "sts",
}

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatalf("trimming the provider: %v", err)
	}
}

func run() error {
	source, err := download()
	if err != nil {
		return err
	}
	if err := os.CopyFS(copied, os.DirFS(source)); err != nil {
		return err
	}
	registry := filepath.Join(copied, "internal", "provider", "service_packages_gen.go")
	if err := edit(registry, keepServices); err != nil {
		return err
	}
	used, err := imports()
	if err != nil {
		return err
	}
	if err := removeUnused(used); err != nil {
		return err
	}
	clients := filepath.Join(copied, "internal", "conns", "awsclient_gen.go")
	if err := edit(clients, func(file *ast.File) { keepClients(file, used) }); err != nil {
		return err
	}
	if err := replaceFork(); err != nil {
		return err
	}
	return exec.Command("go", "mod", "edit", "-replace="+provider+"=./"+copied).Run()
}

// download returns the module's directory in the module cache. Download and not
// list: list knows none of a module that nothing has downloaded yet.
func download() (string, error) {
	command := exec.Command("go", "mod", "download", "-json", provider)
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go mod download %s: %w", provider, err)
	}
	var module struct{ Dir string }
	return module.Dir, json.Unmarshal(text, &module)
}

// edit rewrites a Go file.
func edit(name string, change func(*ast.File)) error {
	files := token.NewFileSet()
	// Without comments: those of what goes would be left behind somewhere.
	file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	change(file)
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := format.Node(out, files, file); err != nil {
		return err
	}
	return out.Close()
}

// keepServices drops the other services from the list of all.
func keepServices(file *ast.File) {
	dropped := dropImports(file, func(path string) bool {
		dir, name := filepath.Split(path)
		return dir == provider+"/internal/service/" && !slices.Contains(services, name)
	})
	ast.Inspect(file, func(n ast.Node) bool {
		if list, ok := n.(*ast.CompositeLit); ok {
			list.Elts = slices.DeleteFunc(list.Elts, func(e ast.Expr) bool { return dropped[pkg(e)] })
		}
		return true
	})
}

// keepClients drops the clients of services that nothing imports.
func keepClients(file *ast.File, used map[string]bool) {
	dropped := dropImports(file, func(path string) bool {
		return strings.HasPrefix(path, "github.com/aws/aws-sdk-go-v2/service/") && !used[path]
	})
	file.Decls = slices.DeleteFunc(file.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Type.Results != nil && dropped[pkg(f.Type.Results.List[0].Type)]
	})
}

// replaceFork calls a function of the published logging module instead of one
// that only the provider's fork of it has. The sweepers call it, which clean up
// after the provider's own tests and never run here.
func replaceFork() error {
	name := filepath.Join(copied, "internal", "sweep", "context.go")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	changed := bytes.Replace(text, []byte("tfsdklog.RegisterStdlogSink("), []byte("tfsdklog.NewRootSDKLogger("), 1)
	if bytes.Equal(changed, text) {
		return fmt.Errorf("%s does not call the fork any more", name)
	}
	return os.WriteFile(name, changed, 0o644)
}

// removeUnused removes what the build does not need: services that no other one
// imports, and tests, which the go command would want the modules of.
func removeUnused(used map[string]bool) error {
	dirs, err := os.ReadDir(filepath.Join(copied, "internal", "service"))
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if !used[path.Join(provider, "internal", "service", d.Name())] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(copied, "internal", "service", d.Name())))
		}
	}
	return errors.Join(err, filepath.WalkDir(copied, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, "_test.go") {
			err = os.Remove(name)
		}
		return err
	}))
}

// dropImports removes imports and returns the names they had.
func dropImports(file *ast.File, drop func(path string) bool) map[string]bool {
	names := map[string]bool{}
	for _, d := range file.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.IMPORT {
			continue
		}
		group.Specs = slices.DeleteFunc(group.Specs, func(s ast.Spec) bool {
			i := s.(*ast.ImportSpec)
			p := importPath(i)
			if !drop(p) {
				return false
			}
			name := path.Base(p)
			if i.Name != nil {
				name = i.Name.Name
			}
			names[name] = true
			return true
		})
	}
	return names
}

func importPath(i *ast.ImportSpec) string {
	p, err := strconv.Unquote(i.Path.Value)
	if err != nil {
		return ""
	}
	return p
}

// pkg is the package that an expression such as *pkg.Type or pkg.F(x) names.
func pkg(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return pkg(e.X)
	case *ast.CallExpr:
		return pkg(e.Fun)
	case *ast.SelectorExpr:
		return pkg(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// imports are the packages that the copy imports, from its exported package on.
// The list of clients does not count: it imports every service there is.
func imports() (map[string]bool, error) {
	all := map[string]bool{}
	queue := []string{provider + "/xpprovider"}
	for len(queue) > 0 {
		dir, ours := strings.CutPrefix(queue[0], provider)
		queue = queue[1:]
		if !ours {
			continue
		}
		files, err := filepath.Glob(filepath.Join(copied, dir, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || filepath.Base(name) == "awsclient_gen.go" {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				return nil, err
			}
			for _, i := range file.Imports {
				if p := importPath(i); !all[p] {
					all[p] = true
					queue = append(queue, p)
				}
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s/xpprovider is not in the module, or imports nothing", provider)
	}
	return all, nil
}
