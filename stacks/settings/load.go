package settings

import (
	encoding "encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/json"
)

// Load reads a stack's configuration, keyed "project:key" with objects as JSON
// text, the way the Pulumi engine hands it to a program. It returns every
// problem at once as Problems; the settings are then nil.
func Load(stack string, config map[string]string, secretKeys []string) (*Settings, error) {
	values := map[string]string{}
	for key, value := range config {
		if name, ok := strings.CutPrefix(key, Project+":"); ok {
			values[name] = value
		}
	}
	var problems Problems
	s := Defaults(Platform(values["platform"]), Profile(values["profile"]))
	s.Stack = stack
	fields := topLevel(&s)
	for _, key := range sortedKeys(values) {
		field, ok := fields[key]
		if !ok {
			problems.add("%s is not a setting; want one of %s", key, strings.Join(sortedKeys(fields), ", "))
			continue
		}
		secret := slices.Contains(secretKeys, Project+":"+key)
		if field.Type() == reflect.TypeFor[Secret]() && !secret {
			problems.add("%s is stored in plain text; set it again with: pulumi config set --secret %s", key, key)
			continue
		}
		if field.Type() != reflect.TypeFor[Secret]() && secret {
			problems.add("%s is stored as a secret; want secrets in their own keys (%s) and this one without --secret, or it leaks in parts", key, strings.Join(secretNames(fields), ", "))
			continue
		}
		problems = append(problems, decode(key, values[key], field)...)
	}
	// A wrong type leaves a default behind, so the rules still see whole settings
	// and report their own problems in the same message.
	problems = append(problems, s.validate()...)
	if len(problems) > 0 {
		return nil, problems
	}
	return &s, nil
}

// topLevel maps configuration keys to the fields they fill.
func topLevel(s *Settings) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	v := reflect.ValueOf(s).Elem()
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("json"); key != "-" {
			fields[key] = v.Field(i)
		}
	}
	return fields
}

// secretNames are the keys that hold secrets.
func secretNames(fields map[string]reflect.Value) []string {
	var names []string
	for _, key := range sortedKeys(fields) {
		if fields[key].Type() == reflect.TypeFor[Secret]() {
			names = append(names, key)
		}
	}
	return names
}

// decode lays one configuration value over a field, strictly.
func decode(key, value string, field reflect.Value) Problems {
	text := []byte(value)
	if field.Kind() == reflect.String {
		field.SetString(value)
		return nil
	}
	var problems Problems
	strict, err := json.UnmarshalStrict(text, field.Addr().Interface())
	var mismatch *encoding.UnmarshalTypeError
	var syntax *encoding.SyntaxError
	switch {
	case errors.As(err, &mismatch):
		path := key
		if mismatch.Field != "" {
			path += "." + mismatch.Field
		}
		problems.add("%s is a %s; want %s", path, mismatch.Value, typeName(mismatch.Type))
	case errors.As(err, &syntax), err != nil:
		problems.add("%s is %s; want %s", key, quote(value), typeName(field.Type()))
	}
	for _, e := range strict {
		path, ok := unknownField(e)
		if !ok {
			problems.add("%s: %v", key, e)
			continue
		}
		problems.add("%s.%s is not a setting; want one of %s", key, path, strings.Join(siblings(field.Type(), path), ", "))
	}
	return problems
}

var unknown = regexp.MustCompile(`^unknown field "(.*)"$`)

func unknownField(err error) (string, bool) {
	m := unknown.FindStringSubmatch(err.Error())
	if m == nil {
		return "", false
	}
	return m[1], true
}

// siblings lists the keys that the object of an unknown key does have.
func siblings(t reflect.Type, path string) []string {
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("json") == step {
				t = t.Field(i).Type
				break
			}
		}
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("json"))
	}
	slices.Sort(keys)
	return keys
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	default:
		return t.String()
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func quote(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) }
