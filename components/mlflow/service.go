package mlflow

import (
	"fmt"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/mlflow-platform/mlflow-platform/components/netpol"
	"github.com/mlflow-platform/mlflow-platform/components/pod"
)

// service is reached by the gateway only; the NetworkPolicies see to it.
func (b *builder) service(after pulumi.Resource) (*corev1.Service, error) {
	service, err := corev1.NewService(b.ctx, b.name+"-service", &corev1.ServiceArgs{
		Metadata: &metav1.ObjectMetaArgs{
			Name: pulumi.String(netpol.MLflow.Name), Namespace: b.args.Namespace, Labels: pod.Labels(netpol.MLflow.Labels(), ""),
			// The Service outlives the Deployment, which an upgrade replaces; waiting
			// for endpoints is the Deployment's part.
			Annotations: pulumi.StringMap{"pulumi.com/skipAwait": pulumi.String("true")},
		},
		Spec: &corev1.ServiceSpecArgs{
			Selector: pulumi.ToStringMap(netpol.MLflow.Labels()),
			Ports: corev1.ServicePortArray{&corev1.ServicePortArgs{
				Name: pulumi.String(netpol.MLflowHTTP.Name), Port: pulumi.Int(netpol.MLflowHTTP.Number),
				TargetPort: netpol.MLflowHTTP.Target(), AppProtocol: pulumi.String("http"),
			}},
		},
	}, b.child(pulumi.DependsOn([]pulumi.Resource{after}))...)
	if err != nil {
		return nil, fmt.Errorf("creating the Service: %w", err)
	}
	return service, nil
}
