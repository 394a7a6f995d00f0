package azure_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-azure-native-sdk/monitor/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
	"github.com/mlflow-platform/mlflow-platform/tests/provider"
)

const azureNative = "azure-native:"

// leaf is a value and where it is; null where what would hold it has none.
type leaf struct {
	path  resource.PropertyPath
	value resource.PropertyValue
}

// leaves are the values at a path of which * is every element.
func leaves(v resource.PropertyValue, path resource.PropertyPath, at ...any) []leaf {
	for v.IsSecret() {
		v = v.SecretValue().Element
	}
	if len(path) == 0 {
		return []leaf{{at, v}}
	}
	var all []leaf
	below := func(step any, v resource.PropertyValue) {
		all = append(all, leaves(v, path[1:], append(slices.Clone(at), step)...)...)
	}
	switch every := path[0] == "*"; {
	case every && v.IsArray():
		for i, e := range v.ArrayValue() {
			below(i, e)
		}
	case every && v.IsObject():
		for _, k := range v.ObjectValue().StableKeys() {
			below(string(k), v.ObjectValue()[k])
		}
	case v.IsArray():
		if i, ok := path[0].(int); ok && i < len(v.ArrayValue()) {
			below(i, v.ArrayValue()[i])
		}
	case v.IsObject():
		key := fmt.Sprint(path[0])
		if e, ok := v.ObjectValue()[resource.PropertyKey(key)]; ok || len(path) == 1 {
			below(key, e)
		}
	}
	return all
}

func at(n graph.Node, path string) []leaf {
	steps, err := resource.ParsePropertyPath(path)
	if err != nil {
		panic(err)
	}
	return leaves(resource.NewProperty(n.Inputs), steps)
}

// size is what bounds are about: a number itself, and how long something else is.
func size(v resource.PropertyValue) float64 {
	switch {
	case v.IsNumber():
		return v.NumberValue()
	case v.IsString():
		return float64(len(v.StringValue()))
	case v.IsArray():
		return float64(len(v.ArrayValue()))
	case v.IsObject():
		return float64(len(v.ObjectValue()))
	}
	return 0
}

func absent(v resource.PropertyValue) bool {
	return v.IsNull() || v.IsString() && v.StringValue() == ""
}

// sent is what the check says of a value that Azure computes.
const sent = "is Azure's to say"

// check lists what a node breaks. A value that is missing breaks no rule but that it
// is required.
func (r rules) check(n graph.Node) []string {
	var bad []string
	each := func(path, what string, broken func(resource.PropertyValue) bool) {
		for _, l := range at(n, path) {
			if broken(l.value) {
				bad = append(bad, fmt.Sprintf("%s: %s %s", n.Key(), l.path, what))
			}
		}
	}
	for _, path := range r.required {
		each(path, "is required", absent)
	}
	for path, values := range r.enums {
		each(path, fmt.Sprintf("is none of %q", values), func(v resource.PropertyValue) bool {
			return !v.IsNull() && !slices.Contains(values, fmt.Sprint(v.V))
		})
	}
	for path, form := range r.match {
		each(path, "is not "+form, func(v resource.PropertyValue) bool {
			return !v.IsNull() && !regexp.MustCompile(form).MatchString(fmt.Sprint(v.V))
		})
	}
	for path, b := range r.bounds {
		each(path, fmt.Sprintf("is not in %v", b), func(v resource.PropertyValue) bool {
			return !v.IsNull() && (size(v) < b[0] || size(v) > b[1])
		})
	}
	for _, path := range r.computed {
		each(path, sent, func(v resource.PropertyValue) bool { return !v.IsNull() })
	}
	return bad
}

// refused lists what Azure's API would say no to.
func refused(g *graph.Graph) []string {
	var bad []string
	for _, n := range g.Nodes {
		typ, azure := strings.CutPrefix(n.Type, azureNative)
		if !azure {
			continue
		}
		r, known := api[typ]
		if !known {
			bad = append(bad, n.Key()+" has no rules")
			continue
		}
		bad = append(bad, r.check(n)...)
		bad = append(bad, misspelt(r.args.ElementType(), resource.NewProperty(n.Inputs), n.Key())...)
	}
	for _, c := range conflicts {
		for _, n := range g.OfType(azureNative + c.on) {
			if c.broken(g, n) {
				bad = append(bad, n.Key()+": "+c.says)
			}
		}
	}
	return bad
}

func TestTheAPITakesTheInputs(t *testing.T) {
	for _, file := range files {
		assert.Empty(t, refused(record(t, file)), file)
	}
	unknown := record(t, prod).Clone()
	unknown.Edit("network-vnet", func(n *graph.Node) { n.Type = azureNative + "network:VirtualWAN" })
	assert.Contains(t, strings.Join(refused(unknown), "\n"), "has no rules")
}

// first is the first place of a path in the stacks' resources of a type that has
// something there, or has a place for it, and whose it is.
func first(t *testing.T, typ, path string, something bool) (graph.Node, leaf) {
	t.Helper()
	for _, file := range files {
		for _, n := range record(t, file).OfType(azureNative + typ) {
			for _, l := range at(n, path) {
				if !something || !l.value.IsNull() {
					return n, l
				}
			}
		}
	}
	require.Fail(t, "no stack has "+typ+" "+path)
	return graph.Node{}, leaf{}
}

// changed is a node with another value at a path.
func changed(n graph.Node, path resource.PropertyPath, value any) graph.Node {
	g := &graph.Graph{Nodes: []graph.Node{n}}
	g.Set(n.Name, path.String(), value)
	return g.Nodes[0]
}

// TestEveryRuleBites: each line of the table is about something that a stack has, and
// refuses other values there. The rules are data, and so are their twins.
func TestEveryRuleBites(t *testing.T) {
	for typ, r := range api {
		bites := func(path, says string, instead ...any) {
			n, l := first(t, typ, path, says != sent)
			for _, value := range instead {
				assert.Contains(t, strings.Join(r.check(changed(n, l.path, value)), "\n"), n.Key()+": "+l.path.String()+" "+says)
			}
		}
		for _, path := range r.required {
			bites(path, "is required", nil)
		}
		for path := range r.enums {
			bites(path, "is none of", "something else")
		}
		for path, form := range r.match {
			bites(path, "is not "+form, ":*")
		}
		for path, b := range r.bounds {
			_, l := first(t, typ, path, true)
			bites(path, "is not in", outside(l.value, b)...)
		}
		for _, path := range r.computed {
			bites(path, sent, "sent")
		}
	}
}

// outside are values of a kind that are too much, and too little if anything is.
func outside(v resource.PropertyValue, b [2]float64) []any {
	all := []any{b[1] + 1, b[0] - 1}
	switch most := int(b[1]) + 1; {
	case v.IsString():
		all = []any{strings.Repeat("a", most), ""}
	case v.IsArray():
		all = []any{slices.Repeat([]any{"a"}, most), []any{}}
	case v.IsObject():
		keys := map[string]any{}
		for i := range most {
			keys[fmt.Sprint(i)] = true
		}
		all = []any{keys, map[string]any{}}
	}
	if !v.IsNumber() && b[0] == 0 {
		all = all[:1]
	}
	return all
}

// TestTheFakeReplacesWhatIsImmutable, and not what is beside it.
func TestTheFakeReplacesWhatIsImmutable(t *testing.T) {
	fake := &provider.Fake{Fixed: immutable()}
	replaces := func(n graph.Node, path resource.PropertyPath) bool {
		before, err := plugin.MarshalProperties(n.Inputs, plugin.MarshalOptions{KeepSecrets: true})
		require.NoError(t, err)
		after, err := plugin.MarshalProperties(changed(n, path, "another").Inputs, plugin.MarshalOptions{KeepSecrets: true})
		require.NoError(t, err)
		diff, err := fake.Diff(t.Context(), &rpc.DiffRequest{Urn: n.URN, OldInputs: before, News: after})
		require.NoError(t, err)
		assert.Equal(t, rpc.DiffResponse_DIFF_SOME, diff.GetChanges())
		return len(diff.GetReplaces()) > 0
	}
	for typ, r := range api {
		for _, path := range slices.Concat(r.replaced, r.kept) {
			n, l := first(t, typ, path, false)
			assert.True(t, replaces(n, l.path), "%s %s", typ, path)
			beside := slices.Clone(l.path)
			beside[len(beside)-1] = "beside"
			assert.False(t, replaces(n, beside), "%s %s", typ, beside)
		}
	}
}

// TestConflicts: each sentence about several properties has a graph that breaks it.
func TestConflicts(t *testing.T) {
	for _, c := range conflicts {
		broken := record(t, prod).Clone()
		c.twin(broken)
		assert.True(t, slices.ContainsFunc(broken.OfType(azureNative+c.on), func(n graph.Node) bool { return c.broken(broken, n) }), "the twin of %q is not found", c.says)
		assert.Regexp(t, `^(learn\.microsoft|github)\.com/`, c.source, c.says)
	}
}

// oneOf is what the SDK takes as anything, by the property that tells.
var oneOf = map[string]reflect.Type{
	"Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria": reflect.TypeFor[monitor.MetricAlertSingleResourceMultipleMetricCriteria](),
}

// fields are those of a type of the SDK, by their name in Pulumi.
func fields(t reflect.Type) map[string]reflect.StructField {
	all := map[string]reflect.StructField{}
	for f := range t.Fields() {
		all[f.Tag.Get("pulumi")] = f
	}
	return all
}

// misspelt lists what the SDK's own types do not know or miss in a value, at any
// depth: the constructors look at the first level only.
func misspelt(t reflect.Type, v resource.PropertyValue, where string) []string {
	for v.IsSecret() {
		v = v.SecretValue().Element
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var bad []string
	switch {
	case t.Kind() == reflect.Interface:
		known, ok := oneOf[fmt.Sprint(v.ObjectValue()["odataType"].V)]
		if !ok {
			return []string{where + " is of no type that is known"}
		}
		return misspelt(known, v, where)
	case t.Kind() == reflect.Struct && v.IsObject():
		all := fields(t)
		for k, e := range v.ObjectValue() {
			f, ok := all[string(k)]
			if !ok {
				bad = append(bad, fmt.Sprintf("%s.%s is unknown", where, k))
				continue
			}
			bad = append(bad, misspelt(f.Type, e, where+"."+string(k))...)
		}
		for name, f := range all {
			needed := !slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface}, f.Type.Kind())
			if _, given := v.ObjectValue()[resource.PropertyKey(name)]; needed && !given {
				bad = append(bad, fmt.Sprintf("%s.%s is missing", where, name))
			}
		}
		return bad
	case t.Kind() == reflect.Slice && v.IsArray():
		for i, e := range v.ArrayValue() {
			bad = append(bad, misspelt(t.Elem(), e, fmt.Sprintf("%s[%d]", where, i))...)
		}
		return bad
	case t.Kind() == reflect.Map && v.IsObject():
		for k, e := range v.ObjectValue() {
			bad = append(bad, misspelt(t.Elem(), e, where+"."+string(k))...)
		}
		return bad
	case t.Kind() == reflect.String && v.IsString(), t.Kind() == reflect.Bool && v.IsBool(), t.Kind() == reflect.Int && v.IsNumber(), t.Kind() == reflect.Float64 && v.IsNumber():
		return nil
	}
	return []string{fmt.Sprintf("%s is no %s", where, t)}
}

func TestTheSDKKnowsTheInputs(t *testing.T) {
	for says, sabotage := range map[string]func(*graph.Graph){
		"networkProfile.podCIDR is unknown":                   set("cluster-aks", "networkProfile.podCIDR", "10.244.0.0/16"),
		"agentPoolProfiles[0].name is missing":                set("cluster-aks", "agentPoolProfiles[0].name", nil),
		"agentPoolProfiles[0].count is no int":                set("cluster-aks", "agentPoolProfiles[0].count", "3"),
		"criteria.allOf[0].threshold is missing":              set("database-alert-cpu", "criteria.allOf[0].threshold", nil),
		"criteria is of no type that is known":                set("database-alert-cpu", "criteria.odataType", "Single"),
		"notifications.actual80.treshold is unknown":          set("budget-monthly", "notifications.actual80.treshold", 80),
		"identity.userAssignedIdentities is no []string":      set("bucket-account", "identity.userAssignedIdentities", map[string]any{}),
		"encryption.services.blob.enabled is no bool":         set("bucket-account", "encryption.services.blob.enabled", "true"),
		"properties.sku.family is missing":                    set("network-keys-vault", "properties.sku", map[string]any{"name": "standard"}),
		"privateLinkServiceConnections[0].groupID is unknown": set("bucket-endpoint", "privateLinkServiceConnections[0].groupID", "blob"),
	} {
		broken := record(t, prod).Clone()
		sabotage(broken)
		assert.Contains(t, strings.Join(refused(broken), "\n"), says)
	}
}

// typed says whether the SDK's types have something at a path.
func typed(t reflect.Type, path resource.PropertyPath) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(path) == 0 || t.Kind() == reflect.Interface {
		return true
	}
	if t.Kind() == reflect.Struct {
		f, ok := fields(t)[fmt.Sprint(path[0])]
		return ok && typed(f.Type, path[1:])
	}
	return path[0] == "*" && typed(t.Elem(), path[1:])
}

// sources are where the SDK's packages are on this machine.
func sources(t *testing.T) map[string]string {
	t.Helper()
	args := []string{"list", "-f", "{{.ImportPath}} {{.Dir}}"}
	for _, r := range api {
		args = append(args, r.args.ElementType().PkgPath())
	}
	out, err := exec.CommandContext(t.Context(), "go", args...).Output()
	require.NoError(t, err)
	all := map[string]string{}
	for line := range strings.Lines(string(out)) {
		pkg, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[pkg] = dir
	}
	return all
}

// TestTheTableSpeaksTheSDKsAPI: another version of the SDK may speak another version
// of an API, and then the table has to be read again.
func TestTheTableSpeaksTheSDKsAPI(t *testing.T) {
	versions, dirs := regexp.MustCompile(`Uses Azure REST API version (\S+)\.`), sources(t)
	for typ, r := range api {
		_, name, _ := strings.Cut(typ, ":")
		source, err := os.ReadFile(filepath.Join(dirs[r.args.ElementType().PkgPath()], strings.ToLower(name[:1])+name[1:]+".go"))
		require.NoError(t, err)
		found := versions.FindSubmatch(source)
		require.NotNil(t, found, typ)
		assert.Equal(t, string(found[1]), r.version, typ)
		assert.Contains(t, r.document, r.version, typ)
	}
}

// TestThePathsAreTheSDKs: what a rule is about, the SDK has, but for what the documents
// call read-only.
func TestThePathsAreTheSDKs(t *testing.T) {
	for typ, r := range api {
		for _, c := range []struct {
			paths []string
			has   bool
		}{
			{slices.Concat(r.required, r.replaced, r.kept), true}, {slices.Collect(maps.Keys(r.enums)), true}, {slices.Collect(maps.Keys(r.match)), true},
			{slices.Collect(maps.Keys(r.bounds)), true}, {r.computed, false},
		} {
			for _, path := range c.paths {
				steps, err := resource.ParsePropertyPath(path)
				require.NoError(t, err)
				assert.Equal(t, c.has, typed(r.args.ElementType(), steps), "%s %s", typ, path)
			}
		}
	}
}
