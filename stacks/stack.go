// Package stacks builds one environment: configuration, then platform, then
// workload, then outputs.
package stacks

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi-tls/sdk/v5/go/tls"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/platform"
	"github.com/mlflow-platform/mlflow-platform/stacks/settings"
)

// Program is the Pulumi program.
type Program struct {
	// Platforms are those that this program can build.
	Platforms  Platforms
	config     map[string]string
	secretKeys []string
}

// Configure is a pulumi.RunOption that takes the stack's whole configuration,
// so that a misspelled key is an error and not silence.
func (p *Program) Configure(info *pulumi.RunInfo) {
	p.config, p.secretKeys = maps.Clone(info.Config), slices.Clone(info.ConfigSecretKeys)
}

// Run is a pulumi.RunFunc: it loads the settings, builds the stack and exports
// its outputs. With invalid settings nothing is registered.
func (p *Program) Run(ctx *pulumi.Context) error {
	if ctx.Project() != settings.Project {
		return fmt.Errorf("the Pulumi project is %q; want %q: physical and URN names depend on it", ctx.Project(), settings.Project)
	}
	s, err := settings.Load(ctx.Stack(), p.config, p.secretKeys)
	if err != nil {
		return err
	}
	sum := fmt.Sprintf("database connections: %s, within max_connections %d", s.Connections(), s.Database.MaxConnections)
	if err := ctx.Log.Info(sum, nil); err != nil {
		return fmt.Errorf("logging: %w", err)
	}
	if e := s.Estimate(); e != nil {
		if err := ctx.Log.Info(e.String(), nil); err != nil {
			return fmt.Errorf("logging: %w", err)
		}
	}
	for _, warning := range s.Warnings() {
		if err := ctx.Log.Warn(warning, nil); err != nil {
			return fmt.Errorf("logging: %w", err)
		}
	}
	newPlatform, ok := p.Platforms[s.Platform]
	if !ok {
		return fmt.Errorf("platform is %q, which this program was built without; run the one in the repository's root", s.Platform)
	}
	place, err := newPlatform(ctx, s)
	if err != nil {
		return err
	}
	out, err := Build(ctx, s, place)
	if err != nil {
		return err
	}
	out.export(ctx)
	return nil
}

// Component types of the two groups under the root: what must never be
// replaced, and what can be made again at any time.
const (
	dataToken    = "mlflow:stacks:Data"
	computeToken = "mlflow:stacks:Compute"
)

// Build registers everything a stack consists of.
func Build(ctx *pulumi.Context, s *settings.Settings, place platform.Platform) (*Outputs, error) {
	b := &build{ctx: ctx, settings: s, platform: place}
	err := errors.Join(
		ctx.RegisterComponentResource(dataToken, "data", &b.data),
		ctx.RegisterComponentResource(computeToken, "compute", &b.compute),
	)
	if err != nil {
		return nil, fmt.Errorf("registering the groups: %w", err)
	}
	if b.random, err = random.NewProvider(ctx, "random", &random.ProviderArgs{}); err != nil {
		return nil, fmt.Errorf("creating the random provider: %w", err)
	}
	if b.tls, err = tls.NewProvider(ctx, "tls", &tls.ProviderArgs{}); err != nil {
		return nil, fmt.Errorf("creating the tls provider: %w", err)
	}
	for _, step := range []func() error{b.cluster, b.state, b.workload} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return b.outputs(), errors.Join(
		ctx.RegisterResourceOutputs(&b.data, pulumi.Map{}),
		ctx.RegisterResourceOutputs(&b.compute, pulumi.Map{}),
	)
}
