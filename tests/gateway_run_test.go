package tests

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/mlflow-platform/mlflow-platform/tests/graph"
)

// selfSigned writes a certificate for a name and its key.
func selfSigned(t *testing.T, dir, file, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for suffix, block := range map[string]*pem.Block{"crt": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file+"."+suffix), pem.EncodeToMemory(block), 0o600))
	}
}

// served is the name in the certificate that the gateway shows to a client which
// asks for a server name.
func served(address, name string) (string, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return "", err
	}
	names := conn.ConnectionState().PeerCertificates[0].DNSNames
	return strings.Join(names, " "), conn.Close()
}

var listens = regexp.MustCompile(`(?m)^:(\d+) \{`)

// runGateway starts the real gateway with a Caddyfile of a recorded graph on free
// ports of 127.0.0.1, and returns the address of its HTTPS. Its one user is
// admin, whose password is admin.
func runGateway(t *testing.T, g *graph.Graph, edit func(string) string) string {
	t.Helper()
	dir := t.TempDir()
	text := edit(strings.ReplaceAll(caddyfile(t, g, dir), "/etc/gateway/tls", dir))
	// The passwords of a recorded graph are no hashes, which Caddy looks at.
	hash, err := bcrypt.GenerateFromPassword([]byte("admin"), bcrypt.MinCost)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users"), []byte("admin "+string(hash)+"\n"), 0o600))
	selfSigned(t, dir, "internal", internalName)
	selfSigned(t, dir, "public", publicName)
	var https string
	text = listens.ReplaceAllStringFunc(text, func(site string) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		address := listener.Addr().String()
		if strings.HasPrefix(site, ":8443") {
			https = address
		}
		_, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		return fmt.Sprintf(":%s {\n\tbind 127.0.0.1", port)
	})
	require.NotEmpty(t, https)
	command := exec.CommandContext(t.Context(), caddy(t), "run", "--config", "-", "--adapter", "caddyfile")
	command.Stdin = strings.NewReader(text)
	command.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	command.Stdout, command.Stderr = log, log
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Log(string(said))
		}
	})
	t.Cleanup(func() { assert.NoError(t, errors.Join(command.Process.Kill(), log.Close())); _ = command.Wait() })
	require.Eventually(t, func() bool { _, err := served(https, internalName); return err == nil }, 30*time.Second, 50*time.Millisecond)
	return https
}

// The names of the generated certificate and of the one in the configuration.
const internalName, publicName = "gateway.mlflow.svc", "mlflow.example.com"

// TestTheGatewayShowsTheRightCertificate runs the real gateway: people see the
// certificate of the configuration, jobs in the cluster the generated one.
func TestTheGatewayShowsTheRightCertificate(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"production": {publicName: publicName, internalName: internalName},
		// The twin: without a certificate of the configuration there is one only.
		"local": {publicName: internalName, internalName: internalName},
	} {
		t.Run(name, func(t *testing.T) {
			https := runGateway(t, find(t, name).update(t), func(text string) string { return text })
			for sni, certificate := range want {
				got, err := served(https, sni)
				require.NoError(t, err)
				assert.Equal(t, certificate, got, sni)
			}
		})
	}
}

// sizes is the limit on a request's body as the gateway's routes state it.
var sizes = regexp.MustCompile(`(?m)^\t+request_body \{\n\t+max_size \d+MiB\n\t+\}\n`)

// TestTheGatewayAsksForTheLoginFirst sends an upload above the limit to the real
// gateway: who is not logged in learns that, and nothing about the limit.
func TestTheGatewayAsksForTheLoginFirst(t *testing.T) {
	g := find(t, "local").update(t)
	https := runGateway(t, g, func(text string) string { return text })
	assert.Equal(t, http.StatusUnauthorized, announce(t, https, "wrong"))
	assert.Equal(t, http.StatusRequestEntityTooLarge, announce(t, https, "admin"))
	// The twin: the size is looked at before the login.
	swapped := runGateway(t, g, func(text string) string {
		limit := sizes.FindString(text)
		require.NotEmpty(t, limit)
		return strings.Replace(strings.Replace(text, limit, "", 1), "\troute {\n", "\troute {\n"+limit, 1)
	})
	assert.Equal(t, http.StatusRequestEntityTooLarge, announce(t, swapped, "wrong"))
}

// announce states an upload of 1 TiB, sends its beginning and returns the
// answer's status. Caddy answers early once it has read 256 KiB of what nobody
// wants.
func announce(t *testing.T, address, password string) int {
	t.Helper()
	body, rest := io.Pipe()
	defer rest.Close()
	go func() { _, _ = rest.Write(make([]byte, 300<<10)) }()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://"+address+"/api/2.0/mlflow-artifacts/artifacts/zeros", body)
	require.NoError(t, err)
	request.ContentLength = 1 << 40
	request.SetBasicAuth("admin", password)
	transport := &http.Transport{TLSClientConfig: &tls.Config{ServerName: internalName, InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}
