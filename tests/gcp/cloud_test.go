package gcp_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// number of the project.
const projectNumber = "123456789012"

// cloud answers like Google Cloud: with ids, names and what its functions look up.
type cloud struct {
	// servers are the GiB of database instances that are there, by name.
	servers map[string]int
	// cluster is the one that is there.
	cluster map[string]any
	// unpaid projects have no billing account, or none that shows.
	unpaid bool
	// network is one that is there.
	network corporate
	// unmade says that there is no database instance yet.
	unmade *atomic.Bool
	// early says that no API is enabled.
	early bool
}

var _ graph.Cloud = cloud{}

// collections are what ids of a type have before the name.
var collections = map[string]string{
	"gcp:compute/network:Network": "projects/p/global/networks/", "gcp:compute/subnetwork:Subnetwork": "projects/p/regions/r/subnetworks/",
	"gcp:compute/address:Address": "projects/p/regions/r/addresses/", "gcp:kms/keyRing:KeyRing": "projects/p/locations/r/keyRings/",
	"gcp:kms/cryptoKey:CryptoKey": "projects/p/locations/r/keyRings/k/cryptoKeys/", "gcp:container/cluster:Cluster": "projects/p/locations/r/clusters/",
	"gcp:pubsub/topic:Topic": "projects/p/topics/", "gcp:secretmanager/secret:Secret": "projects/p/secrets/",
}

// Computed implements graph.Cloud.
func (c cloud) Computed(n graph.Node) resource.PropertyMap {
	out := resource.PropertyMap{}
	set := func(key string, value any) { out[resource.PropertyKey(key)] = resource.NewPropertyValue(value) }
	if n.Type == "random:index/randomId:RandomId" {
		set("hex", "0a1b2c")
	}
	if !strings.HasPrefix(n.Type, "gcp:") {
		return out
	}
	name := text(n, "name")
	if name == "" {
		name = n.Name
	}
	if at, ok := collections[n.Type]; ok {
		set("id", at+name)
	}
	set("project", "p")
	switch n.Type {
	case "gcp:serviceaccount/account:Account":
		set("email", text(n, "accountId")+"@p.iam.gserviceaccount.com")
	case "gcp:projects/serviceIdentity:ServiceIdentity":
		agent := map[string]string{"sqladmin.googleapis.com": "gcp-sa-cloud-sql", "secretmanager.googleapis.com": "gcp-sa-secretmanager"}[text(n, "service")]
		set("email", "service-"+projectNumber+"@"+agent+".iam.gserviceaccount.com")
	case "gcp:monitoring/notificationChannel:NotificationChannel":
		set("name", "projects/p/notificationChannels/"+n.Name)
	case "gcp:container/cluster:Cluster":
		private := value(n, "privateClusterConfig").ObjectValue().Copy()
		private["publicEndpoint"], private["privateEndpoint"] = resource.NewProperty("203.0.113.9"), resource.NewProperty("10.40.64.2")
		out["privateClusterConfig"] = resource.NewProperty(private)
		set("masterAuth", map[string]any{"clusterCaCertificate": "Y2VydA==", "clientCertificateConfig": map[string]any{"issueClientCertificate": false}})
		set("selfLink", "https://container.googleapis.com/v1/projects/p/locations/r/clusters/"+name)
	case "gcp:sql/databaseInstance:DatabaseInstance":
		set("privateIpAddress", "10.40.64.3")
	}
	return out
}

// Call implements graph.Cloud.
func (c cloud) Call(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	answer := func(values map[string]any) (resource.PropertyMap, error) {
		return resource.NewPropertyMapFromMap(values), nil
	}
	if c.early && token != "gcp:organizations/getProject:getProject" {
		return nil, errors.New("googleapi: Error 403: Kubernetes Engine API has not been used in project 1 before or it is disabled. If you enabled this API recently, wait a few minutes")
	}
	switch token {
	case "gcp:organizations/getProject:getProject":
		account := "0A1B2C-3D4E5F-001122"
		if c.unpaid {
			account = ""
		}
		return answer(map[string]any{"number": projectNumber, "billingAccount": account, "projectId": args["projectId"].StringValue()})
	case "gcp:container/getCluster:getCluster":
		if c.cluster == nil {
			return nil, errors.New("projects/p/locations/r/clusters/mlflow-gcp-prod not found")
		}
		return answer(c.cluster)
	case "gcp:sql/getDatabaseInstance:getDatabaseInstance":
		size, ok := c.servers[args["name"].StringValue()]
		if !ok {
			return nil, errors.New("googleapi: Error 404: The Cloud SQL instance does not exist., instanceDoesNotExist")
		}
		return answer(map[string]any{"settings": []any{map[string]any{"diskSize": size}}})
	case "gcp:sql/getCaCerts:getCaCerts":
		if c.unmade != nil && c.unmade.Load() {
			return nil, errors.New("googleapi: Error 404: The Cloud SQL instance does not exist., instanceDoesNotExist")
		}
		return answer(map[string]any{"certs": []any{
			map[string]any{"cert": "-----BEGIN CERTIFICATE----- next of " + args["instance"].StringValue()},
			map[string]any{"cert": "-----BEGIN CERTIFICATE----- active of " + args["instance"].StringValue()},
		}})
	case "gcp:storage/getProjectServiceAccount:getProjectServiceAccount":
		return answer(map[string]any{"emailAddress": "service-" + projectNumber + "@gs-project-accounts.iam.gserviceaccount.com"})
	}
	if strings.HasPrefix(token, "gcp:compute/get") {
		return c.network.call(token)
	}
	return nil, fmt.Errorf("the test knows no answer of Google Cloud to %s", token)
}
