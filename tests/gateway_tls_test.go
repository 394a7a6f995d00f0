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
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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

// TestTheGatewayShowsTheRightCertificate runs the real gateway: people see the
// certificate of the configuration, jobs in the cluster the generated one.
func TestTheGatewayShowsTheRightCertificate(t *testing.T) {
	const public, internal = "mlflow.example.com", "gateway.mlflow.svc"
	for name, want := range map[string]map[string]string{
		"production": {public: public, internal: internal},
		// The twin: without a certificate of the configuration there is one only.
		"local": {public: internal, internal: internal},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := strings.ReplaceAll(caddyfile(t, find(t, name).update(t), dir), "/etc/gateway/tls", dir)
			// The passwords of a recorded graph are no hashes, which Caddy looks at.
			require.NoError(t, os.WriteFile(filepath.Join(dir, "users"), []byte("admin "+canaryHash+"\n"), 0o600))
			selfSigned(t, dir, "internal", internal)
			selfSigned(t, dir, "public", public)
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
			require.Eventually(t, func() bool { _, err := served(https, internal); return err == nil }, 30*time.Second, 50*time.Millisecond)
			for sni, certificate := range want {
				got, err := served(https, sni)
				require.NoError(t, err)
				assert.Equal(t, certificate, got, sni)
			}
		})
	}
}
