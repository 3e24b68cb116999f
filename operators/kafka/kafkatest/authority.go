package kafkatest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// The files of a listener with TLS, in the broker's folder.
const (
	fileServerPEM    = "server.pem"
	fileAuthorityPEM = "authority.pem"
)

// authority signs the certificates of one broker and its clients. Its key is nowhere but
// in memory, and a day is as long as anything it signs is good for.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority() (*authority, error) {
	a := &authority{}
	own := unsigned("kafkatest")
	own.IsCA, own.BasicConstraintsValid, own.KeyUsage = true, true, x509.KeyUsageCertSign
	signed, err := a.sign(own)
	if err != nil {
		return nil, err
	}
	a.certificate, a.key = signed.Leaf, signed.PrivateKey.(crypto.Signer)
	return a, nil
}

func unsigned(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
}

// sign makes a key, and a certificate for it; the first one signs itself.
func (a *authority) sign(c *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return tls.Certificate{}, err
	}
	parent, signer := a.certificate, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// server signs a certificate for the loopback interface.
func (a *authority) server() (tls.Certificate, error) {
	c := unsigned("broker")
	c.IPAddresses, c.DNSNames, c.ExtKeyUsage = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return a.sign(c)
}

// client signs a certificate for a user.
func (a *authority) client(name string) (tls.Certificate, error) {
	c := unsigned(name)
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.sign(c)
}

// write gives a broker its certificate, and whom it believes.
func (a *authority) write(folder string) error {
	s, err := a.server()
	if err != nil {
		return fmt.Errorf("sign the broker's certificate: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(s.PrivateKey)
	if err != nil {
		return err
	}
	var server, own bytes.Buffer
	pem.Encode(&server, &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	pem.Encode(&server, &pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate[0]})
	pem.Encode(&own, &pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	if err := os.WriteFile(filepath.Join(folder, fileServerPEM), server.Bytes(), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, fileAuthorityPEM), own.Bytes(), 0o644)
}

// pool is whom a client has to believe.
func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.certificate)
	return p
}
