package intercomd

import (
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

const http1 = `connection error: desc = "error reading server preface: http2: failed reading the frame payload: http2: frame ` +
	`too large, note that the frame header looked like an HTTP/1.1 header"`

func failed(t *testing.T, code codes.Code, message, pushback string, details ...protoadapt.MessageV1) failure {
	t.Helper()
	read, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		t.Fatal(err)
	}
	trailers := metadata.MD{}
	if pushback != "" {
		trailers.Set("grpc-retry-pushback-ms", pushback)
	}
	return readFailure(read.Err(), trailers)
}

func retryInfo(pause time.Duration) protoadapt.MessageV1 {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(pause)}
}

func notAllowed(connection string) protoadapt.MessageV1 {
	return &errdetails.ErrorInfo{Reason: connectionNotAllowed, Metadata: map[string]string{"connection": connection}}
}

func TestAdvice(t *testing.T) {
	for _, test := range []struct {
		name    string
		failure failure
		want    advice
	}{
		{"unavailable", failed(t, codes.Unavailable, "connection refused", ""), repeat},
		{"deadline", failed(t, codes.DeadlineExceeded, "", ""), repeat},
		{"cancelled", failed(t, codes.Canceled, "", ""), repeat},
		{"internal", failed(t, codes.Internal, "", ""), repeat},
		{"unknown", failed(t, codes.Unknown, "", ""), repeat},
		{"a code that gRPC does not have", failed(t, 99, "", ""), repeat},
		{"HTTP/1", failed(t, codes.Unavailable, http1, ""), stop},
		{"invalid", failed(t, codes.InvalidArgument, "", ""), divide},
		{"quota", failed(t, codes.ResourceExhausted, "", "", retryInfo(time.Second)), repeat},
		{"size", failed(t, codes.ResourceExhausted, "", ""), divide},
		{"connection", failed(t, codes.PermissionDenied, "", "", notAllowed("eu")), rejectConnection},
		{"permission", failed(t, codes.PermissionDenied, "", ""), stop},
		{"other reason", failed(t, codes.PermissionDenied, "", "", &errdetails.ErrorInfo{Reason: "OPERATIONS_NOT_ALLOWED"}), stop},
		{"credential", failed(t, codes.Unauthenticated, "", ""), stop},
		{"unimplemented", failed(t, codes.Unimplemented, "", ""), stop},
	} {
		if got := test.failure.advice(); got != test.want {
			t.Errorf("%s: advice %d, want %d", test.name, got, test.want)
		}
	}
}

func TestPauseThatTheDaemonRequests(t *testing.T) {
	for _, test := range []struct {
		name    string
		failure failure
		want    time.Duration
	}{
		{"none", failed(t, codes.Unavailable, "", ""), -1},
		{"RetryInfo", failed(t, codes.Unavailable, "", "", retryInfo(1500*time.Millisecond)), 1500 * time.Millisecond},
		{"the trailer goes first", failed(t, codes.Unavailable, "", "250", retryInfo(time.Second)), 250 * time.Millisecond},
		{"zero", failed(t, codes.Unavailable, "", "0"), 0},
		{"capped", failed(t, codes.Unavailable, "", "3600000"), time.Minute},
		{"capped RetryInfo", failed(t, codes.Unavailable, "", "", retryInfo(time.Hour)), time.Minute},
		{"not a number", failed(t, codes.Unavailable, "", "soon"), -1},
		{"negative", failed(t, codes.Unavailable, "", "-5"), -1},
		{"negative RetryInfo", failed(t, codes.Unavailable, "", "", retryInfo(-5*time.Second)), 0},
		{"RetryInfo of centuries", failed(t, codes.Unavailable, "", "", retryInfo(math.MaxInt64)), time.Minute},
		{"years", failed(t, codes.Unavailable, "", "1000000000000"), time.Minute},
		{"too long a number", failed(t, codes.Unavailable, "", "99999999999999999999"), time.Minute},
	} {
		if got := test.failure.pause; got != test.want {
			t.Errorf("%s: pause %s, want %s", test.name, got, test.want)
		}
	}
}

func TestRequestForNoPauseGetsTheBackoff(t *testing.T) {
	options, err := Options{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{options: options}
	for _, refused := range []failure{
		failed(t, codes.Unavailable, "", "0"),
		failed(t, codes.Unavailable, "", "", retryInfo(0)),
		failed(t, codes.ResourceExhausted, "", "", retryInfo(-time.Second)),
	} {
		if got := refused.advice(); got != repeat {
			t.Errorf("%s: advice %d, want %d", refused.code, got, repeat)
		}
		pause, err := s.pause(repeat, refused, &Error{}, &attempts{}, time.Unix(0, 0), 0.5)
		if err != nil || pause != 100*time.Millisecond {
			t.Errorf("%s: pause %s, %v", refused.code, pause, err)
		}
	}
}

func TestResultsOfOtherEnvelopesAreAnError(t *testing.T) {
	var frames []frame
	long := strings.Repeat("i", 200)
	for _, id := range []string{"", "a", "b", long} {
		framed, err := newFrame(&intercomdv1.Envelope{EnvelopeId: id, Connection: "eu"}, "")
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, framed)
	}
	if id := frames[0].id(); id == "" || id != frames[0].envelope().GetEnvelopeId() {
		t.Errorf("id %q of an envelope without one", id)
	}
	result := func(id string, disposition int32) *intercomdv1.EnvelopeResult {
		return &intercomdv1.EnvelopeResult{EnvelopeId: id, Disposition: intercomdv1.Disposition(disposition)}
	}
	type results = []*intercomdv1.EnvelopeResult
	for _, test := range []struct {
		results results
		want    string
	}{
		{results{}, "0 results for 2 envelopes"},
		{results{result("a", 1), result("b", 1), result("c", 1)}, "3 results for 2 envelopes"},
		{results{result("b", 1), result("a", 1)}, `the result of envelope "b" in place of "a"`},
		{results{result("a", 1), result("", 1)}, `the result of envelope "" in place of "b"`},
		{results{result("a", 1), result("b", 0)}, `a result without a disposition for envelope "b"`},
		{results{result("a", 4), result("b", 99)}, ""}, // a disposition of a later daemon is a result
	} {
		if got := fault(test.results, frames, []int{1, 2}); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if got := fault(results{result(long[:133], 4)}, frames, []int{3}); got != "" {
		t.Errorf("%q for the beginning of too long an id", got)
	}
	if got := fault(results{result("x", 4)}, frames, []int{3}); got == "" {
		t.Error("no fault for another id in place of too long a one")
	}
}

func TestClosedConnectionNamesWhatMayBeMissing(t *testing.T) {
	closed := failed(t, codes.Unavailable, "connection error:\ndesc = \"error reading server preface: unexpected EOF\"", "")
	for _, test := range []struct {
		hasTLS, succeeded bool
		want              string
	}{
		{false, false, "if it expects TLS"},
		{true, false, "if it requires a client certificate"},
		{true, true, "Unavailable: connection error: desc"},
	} {
		if got := closed.explain("there:1", test.hasTLS, test.succeeded); !strings.Contains(got, test.want) {
			t.Errorf("%q, want %q in it", got, test.want)
		}
	}
}

func TestRetryDelayGrowsUpToItsLimit(t *testing.T) {
	for _, test := range []struct {
		failures int
		share    float64
		want     time.Duration
	}{
		{1, 1, 200 * time.Millisecond},
		{2, 1, 400 * time.Millisecond},
		{3, 0.5, 400 * time.Millisecond},
		{6, 1, 5 * time.Second},
		{1_000_000, 1, 5 * time.Second},
		{4, 0, 0},
	} {
		if got := retryDelay(test.failures, 200*time.Millisecond, 5*time.Second, test.share); got != test.want {
			t.Errorf("after %d failures, share %g: %s, want %s", test.failures, test.share, got, test.want)
		}
	}
}

func TestRefusalIsRepeatedForFiveMinutesAfterASuccess(t *testing.T) {
	options, err := Options{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	refused := failed(t, codes.Unauthenticated, "no", "")
	explained := &Error{codes.Unauthenticated, "no"}
	start := time.Unix(0, 0)
	pauses := func(s *sender, after ...time.Duration) error {
		var tried attempts
		var err error
		for _, each := range after {
			_, err = s.pause(stop, refused, explained, &tried, start.Add(each), 1)
		}
		return err
	}
	fresh := &sender{options: options}
	if err := pauses(fresh, 0); err == nil {
		t.Error("before the first success a refusal must stop the publisher")
	}
	proven := &sender{options: options, succeeded: true}
	if err := pauses(proven, 0, 299*time.Second); err != nil {
		t.Errorf("within five minutes: %v", err)
	}
	if err := pauses(proven, 0, 300*time.Second); err == nil {
		t.Error("after five minutes a refusal must stop the publisher")
	}
}

func TestRepeatMaxEndsTheRepeats(t *testing.T) {
	options, err := Options{RepeatMax: time.Minute}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s := &sender{options: options}
	unavailable := failed(t, codes.Unavailable, "", "1000")
	var tried attempts
	start := time.Unix(0, 0)
	for _, test := range []struct {
		after time.Duration
		ends  bool
	}{{0, false}, {59 * time.Second, false}, {60 * time.Second, true}} {
		_, err := s.pause(repeat, unavailable, &Error{}, &tried, start.Add(test.after), 1)
		if (err != nil) != test.ends {
			t.Errorf("after %s: %v", test.after, err)
		}
	}
}
