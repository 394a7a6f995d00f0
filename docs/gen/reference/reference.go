// Package reference renders the reference pages from the source, so that a page
// cannot say what the code does not.
package reference

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// Pages returns the pages by file name, relative to the repository's root.
func Pages(root string) (map[string]string, error) {
	configuration, err := structs(filepath.Join(root, "stacks", "settings", "settings.go"))
	if err != nil {
		return nil, err
	}
	outputs, err := structs(filepath.Join(root, "stacks", "outputs.go"))
	if err != nil {
		return nil, err
	}
	return map[string]string{
		filepath.Join(root, "docs", "configuration.md"): configurationPage(configuration),
		filepath.Join(root, "docs", "outputs.md"):       outputsPage(outputs["Outputs"]),
	}, nil
}

// field is one documented field of a struct.
type field struct{ key, typ, doc string }

// structs reads the documented fields of every struct in a file.
func structs(file string) (map[string][]field, error) {
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	all := map[string][]field{}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if s, ok := spec.Type.(*ast.StructType); ok {
			all[spec.Name.Name] = fields(s)
		}
		return true
	})
	return all, nil
}

func fields(s *ast.StructType) []field {
	var all []field
	doc := ""
	for _, f := range s.Fields.List {
		// One comment may stand for the fields that follow it directly.
		if text := strings.Join(strings.Fields(f.Doc.Text()), " "); text != "" {
			doc = text
		}
		if f.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`"))
		key := tag.Get("json") + tag.Get("pulumi")
		if key == "-" {
			continue
		}
		typ := ""
		if name, ok := f.Type.(*ast.Ident); ok {
			typ = name.Name
		}
		all = append(all, field{key: key, typ: typ, doc: doc})
	}
	return all
}

func configurationPage(types map[string][]field) string {
	var columns []map[string]string
	head, rule := "| key |", "|---|"
	for _, platform := range []settings.Platform{settings.Kubernetes, settings.AWS, settings.Azure, settings.GCP} {
		for _, profile := range []settings.Profile{settings.Dev, settings.Production} {
			columns = append(columns, flat(settings.Defaults(platform, profile)))
			head += fmt.Sprintf(" %s %s |", platform, profile)
			rule += "---|"
		}
	}
	var b strings.Builder
	b.WriteString(`# Configuration

Generated from stacks/settings/settings.go by ` + "`make docs`" + `. Every key is below ` + "`mlflow-platform:`" + ` in Pulumi.<stack>.yaml;
` + "`a.b`" + ` is key b of the object a. Set one with ` + "`pulumi config set --path 'mlflow-platform:a.b' VALUE`" + `, a secret with
` + "`pulumi config set --secret KEY`" + `. Unknown keys are errors. The middle columns are the defaults of each platform and profile.

`)
	fmt.Fprintf(&b, "%s meaning |\n%s---|\n", head, rule)
	rows(&b, types, "Settings", "", "", columns)
	return b.String()
}

func rows(b *strings.Builder, types map[string][]field, name, prefix, inherited string, columns []map[string]string) {
	for _, f := range types[name] {
		key := prefix + f.key
		if _, nested := types[f.typ]; nested {
			rows(b, types, f.typ, key+".", f.doc, columns)
			continue
		}
		doc := f.doc
		if doc == "" {
			doc = inherited
		}
		fmt.Fprintf(b, "| `%s` |", key)
		for _, defaults := range columns {
			value := defaults[key]
			if f.typ == "Secret" {
				value = "secret"
			}
			fmt.Fprintf(b, " %s |", value)
		}
		fmt.Fprintf(b, " %s |\n", strings.ReplaceAll(doc, "|", "\\|"))
	}
}

// flat maps every key to its default.
func flat(s settings.Settings) map[string]string {
	out := map[string]string{}
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			key := v.Type().Field(i).Tag.Get("json")
			if v.Field(i).Kind() == reflect.Struct {
				walk(prefix+key+".", v.Field(i))
				continue
			}
			if v.Field(i).IsZero() && v.Field(i).Kind() != reflect.Bool {
				continue
			}
			text, err := json.Marshal(v.Field(i).Interface())
			if err == nil {
				out[prefix+key] = "`" + strings.Trim(string(text), `"`) + "`"
			}
		}
	}
	walk("", reflect.ValueOf(s))
	return out
}

func outputsPage(all []field) string {
	var b strings.Builder
	b.WriteString(`# Outputs

Generated from stacks/outputs.go by ` + "`make docs`" + `. This is the contract with other teams: read it with a StackReference in any Pulumi
language, or with ` + "`pulumi stack output NAME`" + `. A rename or removal raises contractVersion.

| output | meaning |
|---|---|
`)
	for _, f := range all {
		fmt.Fprintf(&b, "| `%s` | %s |\n", f.key, f.doc)
	}
	b.WriteString("\n```go\n" + `platform, err := pulumi.NewStackReference(ctx, "organization/mlflow-platform/prod", nil)
if err != nil {
	return err
}
trackingURL := platform.GetStringOutput(pulumi.String("trackingUrl"))
` + "```\n")
	return b.String()
}
