package settings

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Warnings are what is allowed but better known.
func (s *Settings) Warnings() []string {
	var w []string
	switch s.Platform {
	case AWS:
		w = append(w, "platform aws has not been applied to an account yet: docs/verification.md says what was checked and how")
	case Azure:
		w = append(w, "platform azure has not been applied to a subscription yet: docs/verification.md says what was checked and how")
	case GCP:
		w = append(w, "platform gcp has not been applied to a project yet: docs/verification.md says what was checked and how")
	case Kubernetes:
	}
	if s.Platform == Azure && s.Database.Mode == "managed" && slices.Contains(azureOldServers, s.Region) && strings.HasSuffix(s.Database.InstanceType, "_v5") {
		w = append(w, fmt.Sprintf("database.instanceType is %s: %s had sizes of version 4 only in Azure's list of December 2025; az postgres flexible-server list-skus --location %s tells today's",
			s.Database.InstanceType, s.Region, s.Region))
	}
	if s.onCloud() && s.Database.Mode == "inCluster" {
		w = append(w, "database.mode is inCluster: no alarm watches the database's volumes and connections, and a restore goes back to the last dump; managed has both")
	}
	if e := s.Estimate(); e != nil && s.Budget.Enabled && e.Total() > float64(s.Budget.MonthlyUSD) {
		w = append(w, fmt.Sprintf("the estimate, %.0f USD a month, is above budget.monthlyUSD, %d", e.Total(), s.Budget.MonthlyUSD))
	}
	if s.Auth.Mode == "none" {
		w = append(w, "auth.mode is none: everybody who reaches the gateway can read and delete everything")
	}
	if s.Profile == Production && !s.Protect {
		w = append(w, "protect is false in profile production: pulumi destroy deletes the database and the bucket")
	}
	if s.Platform == Kubernetes && len(s.Cluster.APIServerCIDRs) == 0 {
		w = append(w, "cluster.apiServerCIDRs is empty: the database pods may open connections to any address on the ports of cluster.apiServerPorts")
	}
	if s.Artifacts.Store == "s3" && s.S3AdminAccessKeyID == "" {
		w = append(w, "s3AdminAccessKeyId is not set: everybody who may log in can read the database dumps in the bucket")
	}
	if leaf, _ := s.leaf(); leaf != nil && time.Until(leaf.NotAfter) < renewalDays*24*time.Hour {
		w = append(w, fmt.Sprintf("exposure.tls.certificate ends on %s: replace it before", leaf.NotAfter.UTC().Format(time.DateOnly)))
	}
	if s.MLflow.Retention.Enabled && s.MLflow.Retention.DryRun {
		w = append(w, "mlflow.retention.dryRun is true: old runs are reported, not deleted; read a report, then set it to false")
	}
	return w
}
