package settings

import "reflect"

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
// the defaults of a profile on platform kubernetes.
func Overrules(profile Profile, key, text string) bool {
	before, after := Defaults(Kubernetes, profile), Defaults(Kubernetes, profile)
	problems := decode(key, text, topLevel(&after)[key])
	return len(problems) > 0 || !reflect.DeepEqual(before, after)
}
