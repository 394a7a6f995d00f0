package gcp

import (
	"fmt"
	"time"

	"github.com/pulumi/pulumi-gcp/sdk/v7/go/gcp/projects"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/component"
)

// services makes what the stack uses of Google Cloud available in the project, first
// what the others are enabled by. They stay when the stack goes: whatever else is in
// the project may use them.
func (p *Platform) services(ctx *pulumi.Context, name string, opts ...pulumi.ResourceOption) error {
	s := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource(servicesToken, name, s, opts...); err != nil {
		return err
	}
	first, err := p.enable(ctx, name, s, "cloudresourcemanager", nil)
	if err != nil {
		return err
	}
	all := []string{"cloudkms", "compute", "container", "dns", "iam", "logging", "monitoring", "secretmanager", "storage"}
	if p.settings.Database.Mode == "managed" {
		all = append(all, "servicenetworking", "sqladmin")
	}
	if p.settings.Budget.Enabled {
		all = append(all, "billingbudgets", "pubsub")
	}
	if p.settings.ArtifactRegistry() {
		all = append(all, "artifactregistry")
	}
	if p.settings.Cluster.ImageStreaming {
		// cloud.google.com/kubernetes-engine/docs/how-to/image-streaming
		all = append(all, "containerfilesystem")
	}
	p.made.services = map[string]*projects.Service{}
	p.made.enabled = []pulumi.Resource{first}
	for _, service := range all {
		one, err := p.enable(ctx, name, s, service, []pulumi.Resource{first})
		if err != nil {
			return err
		}
		p.made.services[service] = one
		p.made.enabled = append(p.made.enabled, one)
	}
	return ctx.RegisterResourceOutputs(s, pulumi.Map{})
}

func (p *Platform) enable(ctx *pulumi.Context, name string, parent pulumi.Resource, service string, after []pulumi.Resource) (*projects.Service, error) {
	one, err := projects.NewService(ctx, name+"-"+service, &projects.ServiceArgs{
		Project: pulumi.String(p.settings.Account), Service: pulumi.String(service + ".googleapis.com"),
		DisableOnDestroy: pulumi.Bool(false), DisableDependentServices: pulumi.Bool(false),
	}, p.child(parent, pulumi.DependsOn(after), p.granted)...)
	if err != nil {
		return nil, fmt.Errorf("enabling %s: %w", service, err)
	}
	return one, nil
}

// agent is the account by which a service of Google acts in the project. Those of
// Compute Engine, GKE and Cloud Storage are there when the service is enabled; the
// others have to be asked for.
func (p *Platform) agent(ctx *pulumi.Context, name, service string, parent pulumi.Resource) (pulumi.StringOutput, error) {
	one, err := projects.NewServiceIdentity(ctx, name+"-agent", &projects.ServiceIdentityArgs{
		Project: pulumi.String(p.settings.Account), Service: pulumi.String(service + ".googleapis.com"),
	}, p.child(parent, pulumi.DependsOn(p.made.enabled))...)
	if err != nil {
		return pulumi.StringOutput{}, fmt.Errorf("asking for the agent of %s: %w", service, err)
	}
	return one.Email, nil
}

// usual is the account of a service whose agent is there with it
// (cloud.google.com/iam/docs/service-agents).
func (p *Platform) usual(domain string) pulumi.StringInput {
	return pulumi.String(fmt.Sprintf("service-%s@%s.iam.gserviceaccount.com", p.project, domain))
}

// What Google says while it has not caught up with itself: about an API that was
// enabled a moment ago, about a key whose role was given a moment ago, and about an
// account that was made a moment ago.
var notYet = []string{
	"If you enabled this API recently",
	"Permission denied on Cloud KMS key",
	"Cloud KMS key access denied",
	"cloudkms.cryptoKeyVersions.useToEncrypt",
	"missing the permission to use the KMS key",
	"does not exist., badRequest",
	// A metric shows some time after the first of what it measures.
	"Cannot find metric",
}

// patience asks again for ten minutes where Google says so
// (cloud.google.com/iam/docs/access-change-propagation,
// cloud.google.com/service-usage/docs/enable-disable).
func patience(ctx *pulumi.Context) (pulumi.ResourceOption, error) {
	return component.Retry{On: notYet, Every: 30 * time.Second, Tries: 20, Sleep: Sleep}.Option(ctx, "not-yet")
}

// propagation is how long a role that was given, or an API that was enabled, takes to be
// in force, typically (cloud.google.com/iam/docs/access-change-propagation); who needs longer is asked
// again.
const propagation = 2 * time.Minute

// waiting lets what depends on a role begin when it is in force, and what depends on
// an API when it is enabled everywhere: what is refused its key while it is made can
// stay behind half made.
func waiting(ctx *pulumi.Context) (pulumi.ResourceOption, error) {
	hook, err := ctx.RegisterResourceHook("in-force", func(*pulumi.ResourceHookArgs) error {
		Sleep(propagation)
		return nil
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("registering when roles are in force: %w", err)
	}
	return pulumi.ResourceHooks(&pulumi.ResourceHookBinding{AfterCreate: []*pulumi.ResourceHook{hook}}), nil
}

// member of a policy, from an account's mail address.
func member(email pulumi.StringInput) pulumi.StringOutput {
	return pulumi.Sprintf("serviceAccount:%s", email)
}
