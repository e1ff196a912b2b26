package intercomd

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// TLS secures the calls with PEM files. They are read again before each call, so that they may be replaced.
type TLS struct {
	// CAFile holds the authorities that the daemon's certificate is checked against; "": those of the system.
	CAFile string
	// CertificateFile is the client's certificate chain, for daemons that request one; it needs KeyFile.
	CertificateFile string
	// KeyFile is the private key of CertificateFile.
	KeyFile string
	// ServerName is the name that the daemon's certificate has, if the target has another one.
	ServerName string
}

// access opens connections to the target and proves who calls.
type access struct {
	target   string
	options  Options
	log      *slog.Logger
	token    string
	pem      pemFiles
	reported map[string]bool
}

type pemFiles struct {
	ca, certificate, key []byte
}

func (p pemFiles) equal(other pemFiles) bool {
	return bytes.Equal(p.ca, other.ca) && bytes.Equal(p.certificate, other.certificate) && bytes.Equal(p.key, other.key)
}

func newAccess(target string, options Options) (*access, error) {
	if err := checkTarget(target); err != nil {
		return nil, err
	}
	if options.Token != "" && options.TokenFile != "" {
		return nil, errors.New("the options Token and TokenFile exclude each other: set one of them")
	}
	if options.TLS != nil && (options.TLS.CertificateFile == "") != (options.TLS.KeyFile == "") {
		return nil, errors.New("the options TLS.CertificateFile and TLS.KeyFile belong together: set both or neither")
	}
	a := &access{target: target, options: options, log: options.Logger, token: options.Token, reported: map[string]bool{}}
	var err error
	switch {
	case options.TokenFile != "":
		a.token, err = readToken(options.TokenFile)
	case options.Token != "":
		err = checkToken(options.Token, "Token")
	}
	if err == nil && options.TLS != nil {
		a.pem, err = a.readPEM()
	}
	if err != nil {
		return nil, err
	}
	if a.token != "" && options.TLS == nil && !isLocal(target) {
		a.log.Warn("the token travels in plain text: set TLS", "target", target)
	}
	return a, nil
}

// authorization returns the value of the authorization header; "": none. It reads the token file again; if that fails, the
// last token stays.
func (a *access) authorization() string {
	if a.options.TokenFile != "" {
		token, err := readToken(a.options.TokenFile)
		if a.isRead("TokenFile", err) {
			a.token = token
		}
	}
	if a.token == "" {
		return ""
	}
	return "Bearer " + a.token
}

// tlsChanged reads the TLS files again, and reports whether they changed, so that a new connection is needed.
func (a *access) tlsChanged() bool {
	if a.options.TLS == nil {
		return false
	}
	files, err := a.readPEM()
	if !a.isRead("TLS", err) || files.equal(a.pem) {
		return false
	}
	a.pem = files
	return true
}

// isRead reports whether a file could be read again. If not, as during its replacement, the last content stays; it warns once.
func (a *access) isRead(name string, err error) bool {
	if err != nil && !a.reported[name] {
		a.log.Warn("a file cannot be read; its last content is used", "option", name, "error", err)
	}
	a.reported[name] = err != nil
	return err == nil
}

func (a *access) dial() (*grpc.ClientConn, error) {
	transport, err := a.credentials()
	if err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		// The publisher repeats and waits; a service configuration from DNS could turn on gRPC's own retries.
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithConnectParams(grpc.ConnectParams{
			// gRPC's own pause between connection attempts grows to two minutes, longer than the publisher's.
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: a.options.BackoffMax},
			MinConnectTimeout: 5 * time.Second,
		}),
		// Keepalive finds a dead connection within a call. The kernel would take a quarter of an hour.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
	}
	if isLocal(a.target) {
		options = append(options, grpc.WithNoProxy())
	}
	return grpc.NewClient(a.target, append(options, a.options.DialOptions...)...)
}

func (a *access) credentials() (credentials.TransportCredentials, error) {
	if a.options.TLS == nil {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{ServerName: a.options.TLS.ServerName, MinVersion: tls.VersionTLS12}
	if a.pem.ca != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(a.pem.ca) {
			return nil, fmt.Errorf("TLS.CAFile %s holds no certificate in PEM form", a.options.TLS.CAFile)
		}
	}
	if a.pem.certificate != nil {
		pair, err := tls.X509KeyPair(a.pem.certificate, a.pem.key)
		if err != nil {
			return nil, fmt.Errorf("TLS.CertificateFile %s and TLS.KeyFile: %w", a.options.TLS.CertificateFile, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config), nil
}

// readPEM reads the TLS files, and checks that they make usable credentials: a half-written pair is an error.
func (a *access) readPEM() (pemFiles, error) {
	var files pemFiles
	for _, file := range []struct {
		name, path string
		content    *[]byte
	}{
		{"TLS.CAFile", a.options.TLS.CAFile, &files.ca},
		{"TLS.CertificateFile", a.options.TLS.CertificateFile, &files.certificate},
		{"TLS.KeyFile", a.options.TLS.KeyFile, &files.key},
	} {
		if file.path == "" {
			continue
		}
		content, err := readFile(file.name, file.path)
		if err != nil {
			return pemFiles{}, err
		}
		*file.content = content
	}
	_, err := (&access{options: a.options, pem: files}).credentials()
	return files, err
}

// readToken returns the token in a file: one line, with or without its end and a byte order mark.
func readToken(path string) (string, error) {
	content, err := readFile("TokenFile", path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(strings.TrimPrefix(string(content), "\ufeff"))
	return token, checkToken(token, "TokenFile "+path)
}

// checkToken checks that a token can be the value of a header (RFC 9110, 5.5). Its errors don't quote it.
func checkToken(token, name string) error {
	if token == "" {
		return fmt.Errorf("%s is empty", name)
	}
	for _, character := range []byte(token) {
		if character < '!' || character > '~' {
			return fmt.Errorf("%s must be one line of printable ASCII characters without spaces", name)
		}
	}
	return nil
}

func readFile(name, path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if len(content) == 0 {
		return nil, fmt.Errorf("%s %s is empty", name, path)
	}
	return content, nil
}
