package graph

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// large is the size in bytes above which an input is shown as its hash: the
// operator's schemas and the scripts are reviewed where they come from.
const large = 8 << 10

var update = flag.Bool("update", false, "rewrite the golden graphs")

// Golden compares a graph with the file that a reviewer has accepted, and
// returns the graph's text.
func Golden(t *testing.T, g *Graph, path string) string {
	t.Helper()
	got, err := g.YAML()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run: make golden")
	if where := Difference(string(want), string(got)); where != "" {
		t.Errorf("the graph changed; review it with: make golden && git diff\n%s", where)
	}
	return string(got)
}

// entry is a node in a golden file.
type entry struct {
	Type         string         `json:"type"`
	Name         string         `json:"name"`
	Parent       string         `json:"parent"`
	Provider     string         `json:"provider,omitempty"`
	Options      map[string]any `json:"options,omitempty"`
	Dependencies []string       `json:"dependsOn,omitempty"`
	Inputs       map[string]any `json:"inputs,omitempty"`
}

// YAML is the graph in a canonical form for review: sorted, secrets hidden.
func (g *Graph) YAML() ([]byte, error) {
	entries := make([]entry, 0, len(g.Nodes))
	for _, n := range g.Nodes {
		e := entry{
			Type: n.Type, Name: n.Name, Parent: short(n.Parent), Provider: short(n.Provider), Options: options(n),
			Inputs: map[string]any{},
		}
		for _, d := range n.Dependencies {
			e.Dependencies = append(e.Dependencies, short(d))
		}
		slices.Sort(e.Dependencies)
		for k, v := range n.Inputs {
			value, err := brief(v)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", n.Key(), k, err)
			}
			e.Inputs[string(k)] = value
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.Parent, b.Parent), strings.Compare(a.Name, b.Name), strings.Compare(a.Type, b.Type))
	})
	return yaml.Marshal(entries)
}

func options(n Node) map[string]any {
	all := map[string]any{}
	for name, on := range map[string]bool{"protect": n.Protect, "retainOnDelete": n.Retain, "deleteBeforeReplace": n.DeleteFirst} {
		if on {
			all[name] = true
		}
	}
	for name, list := range map[string][]string{"aliases": n.Aliases, "ignoreChanges": n.Ignore} {
		if len(list) > 0 {
			all[name] = list
		}
	}
	if n.DeletedWith != "" {
		all["deletedWith"] = short(n.DeletedWith)
	}
	if n.Retried {
		all["onError"] = true
	}
	if n.Waited {
		all["afterCreate"] = true
	}
	if len(n.ReplaceWith) > 0 {
		var with []string
		for _, urn := range n.ReplaceWith {
			with = append(with, short(urn))
		}
		all["replaceWith"] = with
	}
	return all
}

// short is the name at the end of a URN.
func short(urn string) string {
	if i := strings.LastIndex(urn, "::"); i >= 0 {
		return urn[i+2:]
	}
	return urn
}

func brief(v resource.PropertyValue) (any, error) {
	value := shown(v)
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	if len(text) > large {
		return fmt.Sprintf("[%d bytes, sha256 %x]", len(text), sha256.Sum256(text)), nil
	}
	return value, nil
}

// Difference shows the first place where two texts differ; it is
// empty when they do not.
func Difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			from := func(lines []string) string {
				return strings.Join(lines[min(max(i-8, 0), len(lines)):min(i+8, len(lines))], "\n")
			}
			return fmt.Sprintf("line %d, in the file:\n%s\nnow:\n%s", i+1, from(a), from(b))
		}
	}
	return ""
}
