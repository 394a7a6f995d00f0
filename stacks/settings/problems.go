package settings

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Problems is everything that is wrong with a configuration.
type Problems []string

// Error lists the problems, one a line.
func (p Problems) Error() string {
	return fmt.Sprintf("the configuration has %d problem(s); nothing was changed:\n  %s", len(p), strings.Join(p, "\n  "))
}

func (p *Problems) add(format string, args ...any) {
	*p = append(*p, fmt.Sprintf(format, args...))
}

// Want adds "<key> is <value>; want <rule>" unless the rule holds.
func (p *Problems) Want(ok bool, key string, value any, rule string, args ...any) {
	if !ok {
		p.add("%s is %s; want %s", key, show(value), fmt.Sprintf(rule, args...))
	}
}

// required adds "<key> is required" with the command that sets it.
func (p *Problems) required(ok bool, key, why string) {
	if !ok {
		p.add("%s is required %s; set it with: pulumi config set --path '%s:%s' VALUE", key, why, Project, key)
	}
}

// requiredSecret is required for a secret.
func (p *Problems) requiredSecret(ok bool, key, why string) {
	if !ok {
		p.add("%s is required %s; set it with: pulumi config set --secret %s", key, why, key)
	}
}

// hidden is what a message leaves out even of values that are no secrets: the
// login before the host of a URL, and PEM, which may be a key.
var hidden = regexp.MustCompile(`(://)[^\s"]*(@)|-----BEGIN [^"]*`)

// longest is where a message cuts a value off.
const longest = 120

// show is a value in a message, as JSON and without secrets.
func show(value any) string {
	if s, ok := value.(Secret); ok {
		return s.String()
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	text := hidden.ReplaceAllString(strings.TrimSpace(b.String()), "${1}[secret]${2}")
	switch {
	case text == "null":
		return "[]" // The one kind of setting that can be nil is a list.
	case len(text) > longest:
		return strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}
