package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// published is the SDK whose names the provider must have.
const published = "github.com/pulumi/pulumi-gcp/sdk/v7@v7.38.0"

// beta are properties of the SDK that this provider does not know: the published
// one is made of Google's beta provider.
var beta = map[string][]string{
	"provider": {
		"apiGatewayCustomEndpoint", "backupDrCustomEndpoint", "dataformCustomEndpoint", "disableGooglePartnerName", "firebaseCustomEndpoint",
		"firebaseDatabaseCustomEndpoint", "firebaseExtensionsCustomEndpoint", "firebaseHostingCustomEndpoint", "firebaseStorageCustomEndpoint",
		"googlePartnerName", "managedKafkaCustomEndpoint", "parallelstoreCustomEndpoint", "runtimeConfigCustomEndpoint",
		"runtimeconfigCustomEndpoint", "securityScannerCustomEndpoint", "serviceDirectoryCustomEndpoint", "tpuV2CustomEndpoint",
		"workstationsCustomEndpoint",
	},
	"gcp:compute/getMachineTypes:getMachineTypes": {"machineTypes.bundledLocalSsds"},
	"gcp:compute/getRouterNat:getRouterNat":       {"rules.actions.sourceNatActiveRanges", "rules.actions.sourceNatDrainRanges", "type"},
	"gcp:compute/routerNat:RouterNat":             {"rules.action.sourceNatActiveRanges", "rules.action.sourceNatDrainRanges", "type"},
	"gcp:compute/subnetwork:Subnetwork":           {"allowSubnetCidrRoutesOverlap"},
	"gcp:container/cluster:Cluster": {
		"addonsConfig.istioConfig", "addonsConfig.kalmConfig", "clusterTelemetry", "dnsConfig.additiveVpcScopeDnsDomain",
		"enableFqdnNetworkPolicy", "nodeConfig.ephemeralStorageConfig", "nodeConfig.sandboxConfig",
		"nodePoolDefaults.nodeConfigDefaults.gcfsConfig", "nodePools.nodeConfig.ephemeralStorageConfig", "nodePools.nodeConfig.sandboxConfig",
		"podSecurityPolicyConfig", "protectConfig", "secretManagerConfig", "tpuConfig", "workloadAltsConfig",
	},
	"gcp:container/getCluster:getCluster": {
		"addonsConfigs.istioConfigs", "addonsConfigs.kalmConfigs", "clusterTelemetries", "dnsConfigs.additiveVpcScopeDnsDomain",
		"enableFqdnNetworkPolicy", "nodeConfigs.ephemeralStorageConfigs", "nodeConfigs.sandboxConfigs",
		"nodePoolDefaults.nodeConfigDefaults.gcfsConfigs", "nodePools.nodeConfigs.ephemeralStorageConfigs",
		"nodePools.nodeConfigs.sandboxConfigs", "podSecurityPolicyConfigs", "protectConfigs", "secretManagerConfigs", "tpuConfigs",
		"workloadAltsConfigs",
	},
	"gcp:container/nodePool:NodePool":                  {"nodeConfig.ephemeralStorageConfig", "nodeConfig.sandboxConfig"},
	"gcp:dns/managedZone:ManagedZone":                  {"reverseLookup", "serviceDirectoryConfig"},
	"gcp:kms/cryptoKey:CryptoKey":                      {"keyAccessJustificationsPolicy"},
	"gcp:kms/getKMSCryptoKey:getKMSCryptoKey":          {"keyAccessJustificationsPolicies"},
	"gcp:projects/getProjectService:getProjectService": {"checkIfServiceHasUsageOnDestroy"},
	"gcp:projects/service:Service":                     {"checkIfServiceHasUsageOnDestroy"},
}

// newer are properties that are younger than the SDK, whose provider is 5.42.
var newer = map[string][]string{
	"gcp:container/cluster:Cluster": {
		"nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled", "nodePoolAutoConfig.nodeKubeletConfig",
		"nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled",
		"nodePools.nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled",
	},
	"gcp:container/getCluster:getCluster": {
		"nodeConfigs.kubeletConfigs.insecureKubeletReadonlyPortEnabled", "nodePoolAutoConfigs.nodeKubeletConfigs",
		"nodePoolDefaults.nodeConfigDefaults.insecureKubeletReadonlyPortEnabled",
		"nodePools.nodeConfigs.kubeletConfigs.insecureKubeletReadonlyPortEnabled",
	},
	"gcp:container/nodePool:NodePool":                   {"nodeConfig.kubeletConfig.insecureKubeletReadonlyPortEnabled"},
	"gcp:organizations/getClientConfig:getClientConfig": {"defaultLabels"},
	"gcp:storage/bucket:Bucket":                         {"lifecycleRules.condition.sendAgeIfZero"},
	"gcp:storage/getBucket:getBucket":                   {"lifecycleRules.conditions.sendAgeIfZero"},
}

// TestTheNamesAreThoseOfTheSDK compares names and types of all properties with the
// SDK's source: to compile it takes 5 GB.
func TestTheNamesAreThoseOfTheSDK(t *testing.T) {
	info, err := bridge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sdk := readSDK(t)
	missing, added := map[string][]string{}, map[string][]string{}
	compare := func(token string, ours, theirs map[string]string) {
		missing[token] = append(missing[token], without(theirs, ours)...)
		added[token] = append(added[token], without(ours, theirs)...)
		for _, path := range slices.Sorted(maps.Keys(ours)) {
			if typ, ok := theirs[path]; ok && typ != ours[path] {
				t.Errorf("%s: %s is %s, of the SDK %s", token, path, ours[path], typ)
			}
		}
	}
	compare("provider", properties(info.P.Schema(), info.Config, true), sdk.properties(t, "", "providerArgs"))
	for name, place := range resources {
		module, typ, _ := strings.Cut(place, "/")
		resource, schema := info.Resources[name], info.P.ResourcesMap().Get(name).Schema()
		sdk.has(t, module, string(resource.Tok))
		compare(string(resource.Tok), properties(schema, resource.Fields, true), sdk.properties(t, module, typ+"Args"))
		compare(string(resource.Tok), properties(schema, resource.Fields, false), sdk.properties(t, module, typ+"State"))
	}
	for name, place := range functions {
		module, function, _ := strings.Cut(place, "/")
		source, schema := info.DataSources[name], info.P.DataSourcesMap().Get(name).Schema()
		sdk.has(t, module, string(source.Tok))
		compare(string(source.Tok), properties(schema, source.Fields, false), sdk.properties(t, module, "Lookup"+function[3:]+"Result", function+"Result"))
	}
	same(t, "only the SDK has", missing, beta)
	same(t, "the SDK has no", added, newer)
}

// same checks which properties differ.
func same(t *testing.T, what string, got, want map[string][]string) {
	t.Helper()
	for _, token := range slices.Sorted(maps.Keys(got)) {
		slices.Sort(got[token])
		if found := slices.Compact(got[token]); !slices.Equal(found, want[token]) {
			t.Errorf("%s: %s %q, and not %q", token, what, found, want[token])
		}
	}
	for token := range want {
		if got[token] == nil {
			t.Errorf("%s is not in the table", token)
		}
	}
}

// without are the paths that only these have, an object without what is in it.
func without(these, others map[string]string) []string {
	var only []string
	for path := range these {
		_, known := others[path]
		_, parent := others[path[:max(0, strings.LastIndex(path, "."))]]
		if !known && (parent || !strings.Contains(path, ".")) {
			only = append(only, path)
		}
	}
	return only
}

// properties are the paths of a bridged schema with their types; only those that
// can be set, if inputs.
func properties(schema shim.SchemaMap, infos map[string]*tfbridge.SchemaInfo, inputs bool) map[string]string {
	all := map[string]string{}
	schema.Range(func(key string, s shim.Schema) bool {
		if s.Removed() != "" || key == "id" || inputs && !s.Optional() && !s.Required() {
			return true
		}
		path, info := tfbridge.TerraformToPulumiNameV2(key, schema, infos), infos[key]
		if all[path] = bridged(all, path, s, info); info != nil && info.Type != "" {
			all[path] = string(info.Type)
		}
		return true
	})
	return all
}

// bridged is the type of a bridged property; of an object it adds the properties.
func bridged(all map[string]string, path string, s shim.Schema, info *tfbridge.SchemaInfo) string {
	elem := "string"
	switch e := s.Elem().(type) {
	case shim.Resource:
		elem = "object"
		var infos map[string]*tfbridge.SchemaInfo
		if info != nil && info.Elem != nil {
			infos = info.Elem.Fields
		}
		e.Schema().Range(func(key string, s shim.Schema) bool {
			if s.Removed() == "" {
				path := path + "." + tfbridge.TerraformToPulumiNameV2(key, e.Schema(), infos)
				all[path] = bridged(all, path, s, infos[key])
			}
			return true
		})
	case shim.Schema:
		elem = bridged(all, path, e, nil)
	}
	switch s.Type() {
	case shim.TypeBool:
		return "bool"
	case shim.TypeInt:
		return "int"
	case shim.TypeFloat:
		return "float64"
	case shim.TypeMap:
		return "map " + elem
	case shim.TypeList, shim.TypeSet:
		if tfbridge.IsMaxItemsOne(s, info) {
			return elem
		}
		return "list " + elem
	default:
		return "string"
	}
}

// source is the SDK's source: of every module, its structs by their names in lower
// case, which Go's generator spells in more than one way, and its tokens.
type source struct {
	dir     string
	modules map[string]module
}

type module struct {
	structs map[string]*ast.StructType
	tokens  map[string]bool
}

// readSDK downloads the SDK: nothing else here needs it.
func readSDK(t *testing.T) source {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", published).Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v: %s", published, err, text)
	}
	var downloaded struct{ Dir string }
	if err := json.Unmarshal(text, &downloaded); err != nil {
		t.Fatal(err)
	}
	return source{dir: filepath.Join(downloaded.Dir, "go", "gcp"), modules: map[string]module{}}
}

// module parses a package of the SDK.
func (s source) module(t *testing.T, name string) module {
	t.Helper()
	if m, ok := s.modules[name]; ok {
		return m
	}
	m := module{map[string]*ast.StructType{}, map[string]bool{}}
	names, err := filepath.Glob(filepath.Join(s.dir, name, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				// Of clusterArgs and ClusterArgs, the first one has plain types.
				if typ, ok := n.Type.(*ast.StructType); ok && (m.structs[strings.ToLower(n.Name.Name)] == nil || !n.Name.IsExported()) {
					m.structs[strings.ToLower(n.Name.Name)] = typ
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && strings.HasPrefix(text, "gcp:") {
					m.tokens[text] = true
				}
			}
			return true
		})
	}
	s.modules[name] = m
	return m
}

// has checks that the SDK registers or invokes a token.
func (s source) has(t *testing.T, module, token string) {
	t.Helper()
	if !s.module(t, module).tokens[token] {
		t.Errorf("the SDK has no %s", token)
	}
}

// properties are the paths of the first of the named structs that is there.
func (s source) properties(t *testing.T, module string, names ...string) map[string]string {
	t.Helper()
	m, all := s.module(t, module), map[string]string{}
	for _, name := range names {
		if typ := m.structs[strings.ToLower(name)]; typ != nil {
			m.add(all, "", typ)
			delete(all, "id")
			return all
		}
	}
	t.Errorf("the SDK's %s has none of %q", module, names)
	return nil
}

func (m module) add(all map[string]string, prefix string, typ *ast.StructType) {
	for _, field := range typ.Fields.List {
		if field.Tag != nil {
			path := prefix + reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("pulumi")
			all[path] = m.described(all, path, field.Type)
		}
	}
}

// described is the type of a field of the SDK; of an object it adds the properties.
func (m module) described(all map[string]string, path string, typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.StarExpr:
		return m.described(all, path, typ.X)
	case *ast.ArrayType:
		return "list " + m.described(all, path, typ.Elt)
	case *ast.MapType:
		return "map " + m.described(all, path, typ.Value)
	case *ast.Ident:
		if object := m.structs[strings.ToLower(typ.Name)]; object != nil {
			m.add(all, path+".", object)
			return "object"
		}
		return typ.Name
	default:
		return fmt.Sprintf("%T", typ)
	}
}
