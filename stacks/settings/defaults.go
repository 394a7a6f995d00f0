package settings

// DefaultOperatorNamespace is where CloudNativePG's release manifest puts it.
const DefaultOperatorNamespace = "cnpg-system"

// Defaults returns the settings of a profile, before the stack's own
// configuration is laid over them. An unknown profile gets production's: the
// stricter one, and validation reports it.
func Defaults(platform Platform, profile Profile) Settings {
	s := Settings{
		Platform:  platform,
		Profile:   profile,
		Namespace: "mlflow",
		Cluster:   Cluster{Mode: "managed"},
		Database: Database{
			Mode:            "inCluster",
			Instances:       3,
			StorageGiB:      200,
			MaxConnections:  200,
			Resources:       Resources{CPURequest: "500m", MemoryRequest: "2Gi", MemoryLimit: "4Gi"},
			InstallOperator: true, OperatorNamespace: DefaultOperatorNamespace,
			Backup: Backup{Enabled: true, Schedule: "17 2 * * *", RetentionDays: 30},
		},
		Artifacts: Artifacts{
			Store:           "s3",
			Region:          "us-east-1",
			Bucket:          "mlflow",
			StorageGiB:      20,
			NoncurrentDays:  30,
			AbortUploadDays: 7,
			TransitionClass: "STANDARD_IA",
			MaxUploadMiB:    5120,
		},
		MLflow: MLflow{
			Version:     DefaultMLflowVersion,
			Replicas:    2,
			Workers:     2,
			PoolSize:    5,
			MaxOverflow: 2,
			Resources:   Resources{CPURequest: "500m", MemoryRequest: "2Gi", MemoryLimit: "4Gi"},
			TmpGiB:      20,
			Retention: Retention{
				Enabled: true, DryRun: true, Schedule: "37 3 * * *",
				Days: 180, TrashDays: 30, MaxDeletions: 1000,
			},
		},
		Auth:     Auth{Mode: "basic", Users: []string{"admin"}},
		Exposure: Exposure{Mode: "loadBalancer", Port: 443, TLS: TLS{Source: "generated"}},
		Images:   Images{Source: "upstream"},
		Budget:   Budget{Enabled: true, MonthlyUSD: 500},
		Protect:  true,
	}
	if platform == Kubernetes {
		s.Cluster.Mode = "existing"
		// The Service's port, and kube-apiserver's own default.
		s.Cluster.APIServerPorts = []int{443, 6443}
		s.Budget = Budget{}
	}
	if profile == Dev {
		s.Database.Instances = 1
		s.Database.MaxConnections = 100
		s.MLflow.Workers = 1
		s.MLflow.PoolSize = 3
		s.MLflow.MaxOverflow = 3
		s.Protect = false
	}
	return s
}
