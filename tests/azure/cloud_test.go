package azure_test

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/mlflow-platform/mlflow-platform/components/azure"
	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// cloud answers like Azure: with ids, names and what its functions look up.
type cloud struct {
	// servers are the GiB of servers that are there, by name.
	servers map[string]int
	// cluster is the one that is there.
	cluster map[string]any
	// geo says where the backups of servers that are there go.
	geo string
	// roles is when roles were given; now without it.
	roles time.Time
	// undated is a role of which nobody knows when it was given.
	undated string
	// network is one that is there.
	network spoke
}

var _ graph.Cloud = cloud{}

// physical are the inputs that name a resource, which is an output called name.
var physical = []resource.PropertyKey{
	"resourceName", "accountName", "vaultName", "keyName", "serverName", "containerName", "virtualNetworkName", "privateZoneName", "privateEndpointName",
	"publicIpAddressName", "resourceGroupName",
}

// Computed implements graph.Cloud.
func (c cloud) Computed(n graph.Node) resource.PropertyMap {
	out := resource.PropertyMap{}
	set := func(key string, value any) { out[resource.PropertyKey(key)] = resource.NewPropertyValue(value) }
	if !strings.HasPrefix(n.Type, "azure-native:") {
		if n.Type == "random:index/randomId:RandomId" {
			// Two of them are not the same.
			set("hex", fmt.Sprintf("0a1b%02x", len(n.Name)+0x2c-len("network-suffix")))
		}
		return out
	}
	set("id", "/subscriptions/"+subscription+"/resourceGroups/g/providers/x/"+n.Name)
	for _, key := range physical {
		// The most special one: a container is in an account, everything in a group.
		if v := n.Inputs[key]; v.IsString() && (key != "accountName" || n.Type == "azure-native:storage:StorageAccount") && (key != "serverName" || n.Type == "azure-native:dbforpostgresql:Server") &&
			(key != "vaultName" || n.Type == "azure-native:keyvault:Vault") && (key != "resourceGroupName" || n.Type == "azure-native:resources:ResourceGroup") {
			set("name", v.StringValue())
			break
		}
	}
	switch n.Type {
	case "azure-native:authorization:RoleAssignment":
		given := c.roles
		if given.IsZero() {
			given = azure.Now()
		}
		set("createdOn", given.Format(time.RFC3339))
		if n.Name == c.undated {
			set("createdOn", "")
		}
	case "azure-native:network:PublicIPAddress":
		set("ipAddress", "203.0.113.7")
	case "azure-native:keyvault:Vault":
		set("properties", map[string]any{"vaultUri": "https://vault.vault.azure.net/"})
	case "azure-native:keyvault:Key":
		set("keyUri", "https://vault.vault.azure.net/keys/"+n.Name)
		set("keyUriWithVersion", "https://vault.vault.azure.net/keys/"+n.Name+"/1")
	case "azure-native:managedidentity:UserAssignedIdentity":
		set("principalId", "principal-of-"+n.Name)
		set("clientId", "client-of-"+n.Name)
	case "azure-native:containerservice:ManagedCluster":
		set("fqdn", "mlflow-0a1b2c.hcp.westeurope.azmk8s.io")
		set("oidcIssuerProfile", map[string]any{"enabled": true, "issuerURL": "https://issuer.example.com/1/"})
	case "azure-native:dbforpostgresql:Server":
		set("fullyQualifiedDomainName", "db.private.postgres.database.azure.com")
	}
	return out
}

// kubeconfig is what AKS hands out, as far as it is read.
const kubeconfig = `apiVersion: v1
clusters:
- name: mlflow
  cluster: {server: "https://mlflow.hcp.westeurope.azmk8s.io:443", certificate-authority-data: Y2VydA==}
users:
- name: somebody
  user: {token: a-token-that-must-not-be-used}
`

// Call implements graph.Cloud.
func (c cloud) Call(token string, args resource.PropertyMap) (resource.PropertyMap, error) {
	switch token {
	case "azure-native:authorization:getClientConfig":
		return resource.NewPropertyMapFromMap(map[string]any{"clientId": "c", "objectId": admin, "subscriptionId": subscription, "tenantId": tenant}), nil
	case "azure-native:dbforpostgresql:getServer":
		size, ok := c.servers[args["serverName"].StringValue()]
		if !ok {
			return nil, errors.New(`Status=404 Code="ResourceNotFound" Message="The Resource was not found."`)
		}
		return resource.NewPropertyMapFromMap(map[string]any{
			"storage": map[string]any{"storageSizeGB": size}, "backup": map[string]any{"geoRedundantBackup": cmp.Or(c.geo, "Disabled")},
		}), nil
	case "azure-native:containerservice:getManagedCluster":
		if c.cluster == nil {
			return nil, errors.New(`Status=404 Code="ResourceNotFound" Message="The Resource was not found."`)
		}
		return resource.NewPropertyMapFromMap(c.cluster), nil
	case "azure-native:network:getVirtualNetwork", "azure-native:network:getSubnet":
		return c.network.call(token, args)
	case "azure-native:containerservice:listManagedClusterUserCredentials":
		text := kubeconfig
		if args["serverFqdn"].IsString() {
			text = strings.ReplaceAll(text, "https://mlflow.", "https://"+args["serverFqdn"].StringValue()+".")
		}
		return resource.NewPropertyMapFromMap(map[string]any{"kubeconfigs": []any{map[string]any{
			"name": "clusterUser", "value": base64.StdEncoding.EncodeToString([]byte(text)),
		}}}), nil
	}
	return nil, fmt.Errorf("the test knows no answer of Azure to %s", token)
}
