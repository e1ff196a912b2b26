package intercomd

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// pushbackMax is the longest pause that a target may request: a wrong header must not stop publishing for hours.
const pushbackMax = 60 * time.Second

// grpc-go's descriptions of a server that does not speak HTTP/2: "error reading server preface: http2: failed reading the frame
// payload: http2: frame too large, note that the frame header looked like an HTTP/1.1 header", or only its first half.
var notHTTP2 = regexp.MustCompile(`error reading server preface: http2:.* frame too large`)

// grpc-go's descriptions where a server with TLS closes a connection that begins in plain text, or without a client
// certificate.
var closedEarly = regexp.MustCompile(`error reading server preface: (unexpected )?EOF|connection reset by peer`)

// advice is what the publisher does after a failed call.
type advice int

const (
	// repeat sends the same request again, after a pause.
	repeat advice = iota
	// divide sends the envelopes in smaller requests; this request would be refused again.
	divide
	// rejectConnection rejects the envelopes of one connection, and sends the others again.
	rejectConnection
	// stop: repeating helps only after a change of the configuration.
	stop
)

// failure is the error status of a call.
type failure struct {
	code    codes.Code
	message string
	// pause is how long the daemon asks to wait, at most pushbackMax; negative: it does not ask. One of zero would repeat
	// in a busy loop: the publisher uses its own.
	pause time.Duration
	// forbidden is the connection of an ErrorInfo CONNECTION_NOT_ALLOWED; "" without one.
	forbidden string
}

// readFailure reads a status and its trailers. grpc-retry-pushback-ms goes before RetryInfo.
func readFailure(err error, trailers metadata.MD) failure {
	read, _ := status.FromError(err)
	result := failure{code: read.Code(), message: read.Message(), pause: -1}
	if result.code > codes.Unauthenticated {
		result.code = codes.Unknown // gRPC's specification: a client treats a code that it does not know as UNKNOWN
	}
	for _, detail := range read.Details() {
		switch detail := detail.(type) {
		case *errdetails.RetryInfo:
			result.pause = max(detail.GetRetryDelay().AsDuration(), 0)
		case *errdetails.ErrorInfo:
			if detail.GetReason() == connectionNotAllowed {
				result.forbidden = detail.GetMetadata()["connection"]
			}
		}
	}
	if values := trailers.Get("grpc-retry-pushback-ms"); len(values) > 0 {
		milliseconds, err := strconv.ParseUint(values[0], 10, 64)
		if err == nil || errors.Is(err, strconv.ErrRange) {
			result.pause = time.Duration(min(milliseconds, uint64(pushbackMax.Milliseconds()))) * time.Millisecond
		}
	}
	result.pause = min(result.pause, pushbackMax)
	return result
}

// advice returns what to do after a status.
//
// The daemon itself sends UNAVAILABLE only; the other repeated statuses come from proxies and lost connections. A repeat
// with the same ids does no harm: accepted envelopes are then duplicates. RESOURCE_EXHAUSTED with a pause is a quota;
// without one it may be gRPC's own limit of a message's size.
func (f failure) advice() advice {
	switch f.code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown:
		if notHTTP2.MatchString(f.message) {
			return stop
		}
		return repeat
	case codes.InvalidArgument:
		return divide
	case codes.ResourceExhausted:
		if f.pause >= 0 {
			return repeat
		}
		return divide
	case codes.PermissionDenied:
		if f.forbidden != "" {
			return rejectConnection
		}
	}
	return stop
}

// explain returns the status in one line, with the fix if repeating does not help. hasTLS: calls are secured; succeeded: one
// has succeeded.
func (f failure) explain(target string, hasTLS, succeeded bool) string {
	text := f.code.String()
	if line := strings.Join(strings.Fields(f.message), " "); line != "" {
		text += ": " + line
	}
	switch {
	case notHTTP2.MatchString(f.message):
		return fmt.Sprintf("%s answers HTTP/1 or another protocol, not gRPC: set the target to the ingest address, by default "+
			"port 50051 (%s)", target, text)
	case !succeeded && !hasTLS && closedEarly.MatchString(f.message):
		return fmt.Sprintf("%s closed the connection: if it expects TLS, set TLS (%s)", target, text)
	case !succeeded && closedEarly.MatchString(f.message):
		return fmt.Sprintf("%s closed the connection: if it requires a client certificate, set TLS to one that it accepts (%s)", target, text)
	case f.code == codes.Unimplemented:
		return fmt.Sprintf("%s does not serve intercomd.v1.IngestService: set the target to the ingest address, by default port 50051, "+
			"not the operations address (%s)", target, text)
	case f.code == codes.Unauthenticated:
		return fmt.Sprintf("%s refuses the credential: set Token or TokenFile to a token that it accepts (%s)", target, text)
	case f.code == codes.PermissionDenied:
		return fmt.Sprintf("%s does not allow this caller to publish: ask for the permission or use another token (%s)", target, text)
	}
	return text
}

// retryDelay returns the pause after this number of failures: exponential, with share (0.0 to 1.0) as full jitter.
func retryDelay(failures int, first, limit time.Duration, share float64) time.Duration {
	pause := first
	for ; failures > 1 && pause < limit; failures-- {
		pause *= 2
	}
	return time.Duration(share * float64(min(pause, limit)))
}
