package component

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Retry is about a resource that is refused for a while, with nothing left behind.
type Retry struct {
	// On is what such refusals say, one of them; anything else fails at once.
	On []string
	// Every is the time between two tries, Tries how many follow the first.
	Every time.Duration
	Tries int
	// Sleep lets the time pass; nil is time.Sleep.
	Sleep func(time.Duration)
}

// Option makes the engine try again. Name is unique in the stack.
func (r Retry) Option(ctx *pulumi.Context, name string) (pulumi.ResourceOption, error) {
	sleep := r.Sleep
	if sleep == nil {
		sleep = time.Sleep
	}
	hook, err := ctx.RegisterErrorHook(name, func(args *pulumi.ErrorHookArgs) (bool, error) {
		// The newest error comes first.
		if len(args.Errors) == 0 || len(args.Errors) > r.Tries || !slices.ContainsFunc(r.On, func(text string) bool { return strings.Contains(args.Errors[0], text) }) {
			return false, nil
		}
		sleep(r.Every)
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("registering when to try %s again: %w", name, err)
	}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{OnError: []*pulumi.ErrorHook{hook}}), nil
}
