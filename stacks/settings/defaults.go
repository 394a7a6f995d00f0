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
			PasswordVersion: 1,
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
		Budget:   Budget{Enabled: true, MonthlyUSD: 500, EnforceEstimate: true, CurrencyPerUSD: 1},
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
	switch platform {
	case AWS:
		s.aws(profile)
	case Azure:
		s.azure(profile)
	case GCP:
		s.gcp(profile)
	case Kubernetes:
	}
	return s
}

// aws lays AWS' defaults over the common ones. The sizes are those of the
// mission, three nodes of 4 vCPU and 16 GiB; dev takes the cheapest of them.
func (s *Settings) aws(profile Profile) {
	s.Network = Network{CIDR: "10.20.0.0/16", NATGateways: 3, FlowLogs: true}
	s.Cluster.Version = "1.36"
	s.Cluster.ServiceCIDR = "172.20.0.0/16"
	s.Cluster.APIServerPorts = []int{443}
	s.Cluster.Nodes = Nodes{Type: "m7i.xlarge", DiskGiB: 80, Min: 3, Desired: 3, Max: 6}
	s.Database.Mode, s.Database.InstanceType = "managed", "db.m7g.large"
	s.Database.MaxStorageGiB, s.Database.HighAvailability = 1000, true
	s.Artifacts.Store, s.Artifacts.Bucket, s.Artifacts.Region = "managed", "", ""
	// Objects that are read rarely get cheaper by themselves, and reading them
	// costs nothing extra (aws.amazon.com/s3/storage-classes/intelligent-tiering).
	s.Artifacts.TransitionDays, s.Artifacts.TransitionClass = 30, "INTELLIGENT_TIERING"
	s.Budget.Usage = Usage{StoredGiB: 500, NATGiB: 100, DownloadedGiB: 100, LoggedGiB: 20}
	if profile == Dev {
		s.Network.NATGateways, s.Network.FlowLogs = 1, false
		s.Cluster.Nodes.Type = "t3a.xlarge"
		s.Database.InstanceType, s.Database.HighAvailability = "db.t4g.small", false
		s.Database.StorageGiB, s.Database.MaxStorageGiB = 20, 200
		s.Budget.Usage = Usage{StoredGiB: 50, NATGiB: 20, DownloadedGiB: 10, LoggedGiB: 5}
		s.Database.Backup.RetentionDays = 7
	}
}
