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

// Default is the value of a key in a profile on platform kubernetes.
func Default(profile Profile, key string) any {
	s := Defaults(Kubernetes, profile)
	return topLevel(&s)[key].Interface()
}
