// Package pki makes the keys and certificates of a local cluster: one
// certificate authority, serving certificates, client certificates and the
// key that signs ServiceAccount tokens.
//
// The authority and the ServiceAccount key are made once and kept, so that
// kubeconfigs and tokens stay valid; all other certificates are made again at
// every start. Keys are ECDSA P-256, files with keys have mode 0600.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// authorityLife is long because nothing replaces the authority of a
	// cluster that lives on one machine.
	authorityLife = 10 * 365 * 24 * time.Hour
	// leafLife is the life of a certificate that every start renews.
	leafLife = 365 * 24 * time.Hour
	// clockSkew is how far in the past certificates begin.
	clockSkew = 5 * time.Minute
)

// Certificate describes one certificate.
type Certificate struct {
	// Name is the name of its files: Name.crt and Name.key.
	Name string
	// CommonName is the user or the host.
	CommonName string
	// Organization is the user's group, if any.
	Organization string
	// DNS and IPs are the names and addresses of a server; a certificate
	// without them is a client's.
	DNS []string
	IPs []string
}

// Ensure creates the directory with everything the certificates need: ca.crt,
// ca.key, sa.key, sa.pub, and the pairs.
func Ensure(dir string, certificates []Certificate) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating the directory for keys: %w", err)
	}
	authority, key, err := ensureAuthority(dir)
	if err != nil {
		return fmt.Errorf("creating the certificate authority: %w", err)
	}
	if err := ensureServiceAccountKey(dir); err != nil {
		return fmt.Errorf("creating the ServiceAccount key: %w", err)
	}
	for _, c := range certificates {
		if err := issue(dir, c, authority, key); err != nil {
			return fmt.Errorf("issuing certificate %s: %w", c.Name, err)
		}
	}
	return nil
}

// ensureAuthority loads the authority or makes a new one.
func ensureAuthority(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := loadKey(filepath.Join(dir, "ca.key"))
	if err == nil {
		authority, err := LoadCertificate(filepath.Join(dir, "ca.crt"))
		return authority, key, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template, err := newTemplate("localcluster-ca", "", authorityLife)
	if err != nil {
		return nil, nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	// The key is written last: it is what says that the authority exists.
	if err := writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", der, 0o644); err != nil {
		return nil, nil, err
	}
	if err := writeKey(filepath.Join(dir, "ca.key"), key); err != nil {
		return nil, nil, err
	}
	authority, err := x509.ParseCertificate(der)
	return authority, key, err
}

func ensureServiceAccountKey(dir string) error {
	path := filepath.Join(dir, "sa.key")
	key, err := loadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
			err = writeKey(path, key)
		}
	}
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, "sa.pub"), "PUBLIC KEY", der, 0o644)
}

func issue(dir string, c Certificate, authority *x509.Certificate, signer *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := newTemplate(c.CommonName, c.Organization, leafLife)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(c.DNS)+len(c.IPs) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		template.DNSNames = c.DNS
	}
	for _, address := range c.IPs {
		ip := net.ParseIP(address)
		if ip == nil {
			return fmt.Errorf("%q is not an IP address", address)
		}
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), signer)
	if err != nil {
		return err
	}
	if err := writeKey(filepath.Join(dir, c.Name+".key"), key); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, c.Name+".crt"), "CERTIFICATE", der, 0o644)
}

func newTemplate(commonName, organization string, life time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	subject := pkix.Name{CommonName: commonName}
	if organization != "" {
		subject.Organization = []string{organization}
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(life)}, nil
}

// LoadCertificate reads a certificate from a PEM file.
func LoadCertificate(path string) (*x509.Certificate, error) {
	der, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func loadKey(path string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	return x509.ParseECPrivateKey(der)
}

func readPEM(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block: remove the cluster with its state and create it again", path)
	}
	return block.Bytes, nil
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

// writePEM replaces the file in one step: another process may be reading it.
func writePEM(path, kind string, der []byte, mode fs.FileMode) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
