package settings

import (
	"fmt"
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

// wantf adds "<key> is <value>; want <rule>" unless the rule holds.
func (p *Problems) want(ok bool, key string, value any, rule string, args ...any) {
	if ok {
		return
	}
	shown := fmt.Sprint(value)
	if s, isString := value.(string); isString {
		shown = fmt.Sprintf("%q", s)
	}
	p.add("%s is %s; want %s", key, shown, fmt.Sprintf(rule, args...))
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
