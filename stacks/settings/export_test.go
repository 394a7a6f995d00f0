package settings

import (
	"reflect"
	"slices"
)

// Keys maps every configuration key to its type in Pulumi.yaml's terms.
func Keys() map[string]string {
	kinds := map[reflect.Kind]string{
		reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer",
		reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
	}
	keys := map[string]string{}
	for key, field := range topLevel(&Settings{}) {
		keys[key] = kinds[field.Kind()]
	}
	return keys
}

// Overrules says whether a value for a key, as the engine hands it over, changes
// the defaults of a profile on a platform.
func Overrules(platform Platform, profile Profile, key, text string) bool {
	before, after := Defaults(platform, profile), Defaults(platform, profile)
	problems := decode(key, text, topLevel(&after)[key])
	unchanged := slices.EqualFunc(leaves("", reflect.ValueOf(before)), leaves("", reflect.ValueOf(after)), func(a, b leaf) bool {
		return same(a.value, b.value)
	})
	return len(problems) > 0 || !unchanged
}

// Misnamed lists what the rules about unused keys name that is no setting.
func Misnamed() []string {
	s := &Settings{}
	all := leaves("", reflect.ValueOf(*s))
	var bad []string
	for _, u := range s.unused() {
		for _, key := range u.keys {
			if one := (unused{keys: []string{key}}); !slices.ContainsFunc(all, func(l leaf) bool { return one.has(l.key) }) {
				bad = append(bad, key)
			}
		}
	}
	return bad
}

// AzureRegions are those that platform azure takes.
var AzureRegions = azureRegions
