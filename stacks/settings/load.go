package settings

import (
	encoding "encoding/json"
	"errors"
	"reflect"
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

// decode lays one configuration value over a field, strictly. What does not fit
// leaves the default behind.
func decode(key, value string, field reflect.Value) Problems {
	if field.Kind() == reflect.String {
		field.SetString(value)
		return nil
	}
	var raw any
	decoder := encoding.NewDecoder(strings.NewReader(value))
	decoder.UseNumber()
	duplicates, err := json.UnmarshalStrict([]byte(value), new(any))
	if err == nil {
		err = decoder.Decode(&raw)
	}
	if err != nil {
		var problems Problems
		problems.Want(false, key, value, "%s", typeName(field.Type()))
		return problems
	}
	problems, usable := misfits(key, raw, field.Type())
	for _, e := range duplicates {
		var at json.FieldError
		if errors.As(e, &at) {
			problems.add("%s.%s is given twice; want every key once", key, at.FieldPath())
		}
	}
	if !usable {
		return problems
	}
	text, err := encoding.Marshal(raw)
	if err == nil {
		err = json.UnmarshalCaseSensitivePreserveInts(text, field.Addr().Interface())
	}
	problems.Want(err == nil, key, value, "%s", typeName(field.Type()))
	return problems
}

// misfits lists the keys in a value that a type does not have, and the values of
// another type. It takes these out of their objects; a value that cannot be spared
// is not usable. Null fits everywhere.
func misfits(key string, value any, t reflect.Type) (p Problems, usable bool) {
	object, isObject := value.(map[string]any)
	list, isList := value.([]any)
	inner := func(name string, t reflect.Type) {
		problems, ok := misfits(key+"."+name, object[name], t)
		p = append(p, problems...)
		if !ok {
			delete(object, name)
		}
	}
	switch {
	case value == nil:
		return nil, true
	case isObject && t.Kind() == reflect.Struct:
		types := map[string]reflect.Type{}
		for i := range t.NumField() {
			types[t.Field(i).Tag.Get("json")] = t.Field(i).Type
		}
		for _, name := range sortedKeys(object) {
			if types[name] == nil {
				p.add("%s.%s is not a setting; want one of %s", key, name, strings.Join(sortedKeys(types), ", "))
				continue
			}
			inner(name, types[name])
		}
		return p, true
	case isObject && t.Kind() == reflect.Map:
		for _, name := range sortedKeys(object) {
			inner(name, t.Elem())
		}
		return p, true
	case isList && t.Kind() == reflect.Slice:
		for _, element := range list {
			problems, _ := misfits(key, element, t.Elem())
			p = append(p, problems...)
		}
	default:
		p.Want(fits(value, t.Kind()), key, value, "%s", typeName(t))
	}
	return p, len(p) == 0
}

// fits says whether a value that is neither object nor list is of a kind.
func fits(value any, kind reflect.Kind) bool {
	switch v := value.(type) {
	case string:
		return kind == reflect.String
	case bool:
		return kind == reflect.Bool
	case encoding.Number:
		_, err := v.Int64()
		return kind == reflect.Float64 || kind == reflect.Int && err == nil
	}
	return false
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
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
