// Command go publishes to a daemon with a stock gRPC client until standard input ends; it prints the results as JSON.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	intercomdv1 "intercomd.test/publish/v1"
)

const callsPerConnection = 5

var (
	target      = flag.String("target", "", "address of the daemon")
	ca          = flag.String("ca", "", "file with the authority of the daemon's certificate")
	certificate = flag.String("certificate", "", "file with the client certificate and its key, read for each connection")
	tokenFile   = flag.String("token-file", "", "file with the token, read for each call")
	calls       = flag.Int("calls", 0, "calls to make; 0: until standard input ends")
)

// token is the file with the token of each call.
type token string

func (path token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	content, err := os.ReadFile(string(path))
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(content))}, err
}

func (token) RequireTransportSecurity() bool { return true }

type report struct {
	Accepted int
	Failures map[string]int
}

// add counts an answer: an accepted envelope, or a failure by code and reason.
func (r *report) add(response *intercomdv1.PublishResponse, err error) {
	if err == nil && response.Results[0].Disposition == intercomdv1.Disposition_DISPOSITION_ACCEPTED {
		r.Accepted++
		return
	}
	failure := status.Convert(err)
	name := failure.Code().String()
	for _, detail := range failure.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			name += " " + info.Reason
		}
	}
	r.Failures[name]++
}

func connect() (*grpc.ClientConn, error) {
	authority, err := os.ReadFile(*ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(authority)
	options := []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(config))}
	if *certificate != "" {
		pair, err := tls.LoadX509KeyPair(*certificate, *certificate)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
		options[0] = grpc.WithTransportCredentials(credentials.NewTLS(config))
	}
	if *tokenFile != "" {
		options = append(options, grpc.WithPerRPCCredentials(token(*tokenFile)))
	}
	return grpc.NewClient(*target, options...)
}

func publish(connection *grpc.ClientConn, number int) (*intercomdv1.PublishResponse, error) {
	deadline, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request := &intercomdv1.PublishRequest{Envelopes: []*intercomdv1.Envelope{{
		EnvelopeId: fmt.Sprint("go-", number),
		Identity:   &intercomdv1.Identity{CustomerId: "go"},
		Event:      &intercomdv1.Envelope_CustomEvent{CustomEvent: &intercomdv1.CustomEvent{Name: "published"}},
	}}}
	response := &intercomdv1.PublishResponse{}
	return response, connection.Invoke(deadline, "/intercomd.v1.IngestService/Publish", request, response)
}

// goOn returns whether to make another call after some.
func goOn(made int, ended <-chan struct{}) bool {
	if *calls > 0 {
		return made < *calls
	}
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

func main() {
	flag.Parse()
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	result := report{Failures: map[string]int{}}
	for number := 0; goOn(number, ended); {
		connection, err := connect()
		if err != nil {
			log.Fatal(err)
		}
		for range callsPerConnection {
			result.add(publish(connection, number))
			number++
		}
		connection.Close()
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		log.Fatal(err)
	}
}
