package intercomd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

const (
	// refusedMax is how long a refused request is repeated after calls have succeeded: long enough to replace a token.
	refusedMax = 5 * time.Minute
	// refusedWarning is the time between two warnings about the refusal.
	refusedWarning       = time.Minute
	connectionNotAllowed = "CONNECTION_NOT_ALLOWED"
	// envelopeIDBytesMax is the daemon's limit.
	envelopeIDBytesMax = 128
	defaultConnection  = "default"
)

// sender delivers the batches of one publisher, several at a time, and calls its callbacks.
type sender struct {
	target  string
	options Options
	access  *access
	// requestEnd holds the other fields of the request, which follow the frames.
	requestEnd []byte

	mu         sync.Mutex
	connection *grpc.ClientConn
	// retired are connections with older TLS files, until the calls of other goroutines on them have ended.
	retired map[*grpc.ClientConn]*time.Timer
	// callMax is the number of envelopes in one call. It is halved when the daemon refuses a call as a whole, until the
	// bad envelope is found.
	callMax   int
	succeeded bool
	last      error
}

// attempts counts the failed calls of one request.
type attempts struct {
	failures            int
	first               time.Time
	refused, lastReport time.Time
}

func newSender(target string, options Options, access *access) *sender {
	end, err := proto.Marshal(&intercomdv1.PublishRequest{ValidateOnly: options.ValidateOnly})
	if err != nil {
		panic(err) // a message of one boolean
	}
	return &sender{
		target:     target,
		options:    options,
		access:     access,
		requestEnd: end,
		callMax:    options.BatchEnvelopesMax,
		retired:    map[*grpc.ClientConn]*time.Timer{},
	}
}

// lastFailure returns the newest failed call; nil after a success.
func (s *sender) lastFailure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *sender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for connection, timer := range s.retired {
		timer.Stop()
		_ = connection.Close()
	}
	if s.connection != nil {
		_ = s.connection.Close()
	}
}

// deliver makes calls until every frame has its result. An error means that the daemon refuses the batch and repeating does
// not help, or that ctx ended.
//
// resolve is called with the results of the next frames of the batch.
func (s *sender) deliver(ctx context.Context, pending *batch, resolve func([]*intercomdv1.EnvelopeResult)) error {
	for pending.answered < len(pending.frames) {
		s.mu.Lock()
		frames := pending.frames[pending.answered:min(pending.answered+s.callMax, len(pending.frames))]
		s.mu.Unlock()
		results, err := s.results(ctx, frames)
		if err != nil {
			return err
		}
		if results != nil {
			resolve(results)
			s.report(frames, results)
		}
	}
	return nil
}

// results returns one result for each frame; nil if they must be sent in smaller requests.
func (s *sender) results(ctx context.Context, frames []frame) ([]*intercomdv1.EnvelopeResult, error) {
	var tried attempts
	results := make([]*intercomdv1.EnvelopeResult, len(frames)) // without a value: not rejected here
	for {
		var request []byte
		var sent []int
		for place, framed := range frames {
			if results[place] == nil {
				request = append(request, framed...)
				sent = append(sent, place)
			}
		}
		if len(sent) == 0 {
			return results, nil
		}
		response, failed := s.call(ctx, append(request, s.requestEnd...))
		if ctx.Err() != nil && failed != nil {
			return nil, ctx.Err()
		}
		if failed == nil {
			if err := s.accept(response, frames, sent, tried); err != nil {
				return nil, err
			}
			for place, result := range response.Results {
				results[sent[place]] = result
			}
			return results, nil
		}
		explained := s.failed(failed)
		advice := failed.advice()
		forbidden := placesOf(failed.forbidden, frames, sent)
		if advice == rejectConnection && len(forbidden) == 0 {
			advice = stop // no envelope is of that connection: rejecting none and repeating would never end
		}
		switch {
		case advice == rejectConnection:
			for _, place := range forbidden {
				results[place] = rejection(frames[place], connectionNotAllowed, "connection", failed.message)
			}
		case advice == divide && len(sent) > 1:
			s.setCallMax((len(sent) + 1) / 2)
			return nil, nil
		case advice == divide && failed.code == codes.InvalidArgument:
			s.setCallMax(s.options.BatchEnvelopesMax)
			results[sent[0]] = rejection(frames[sent[0]], "INVALID_ARGUMENT", "", failed.message)
		default:
			pause, err := s.pause(advice, *failed, explained, &tried, time.Now(), rand.Float64())
			if err != nil {
				return nil, err
			}
			if !sleep(ctx, pause) {
				return nil, ctx.Err()
			}
		}
	}
}

// failed keeps the failure for lastFailure; it returns it explained.
func (s *sender) failed(failure *failure) *Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	explained := &Error{failure.code, failure.explain(s.target, s.options.TLS != nil, s.succeeded)}
	s.last = explained
	return explained
}

func (s *sender) setCallMax(envelopes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callMax = envelopes
}

// call makes one call; it returns the response or the error status.
func (s *sender) call(ctx context.Context, request []byte) (*intercomdv1.PublishResponse, *failure) {
	ctx, cancel := context.WithTimeout(ctx, s.options.CallTimeout)
	defer cancel()
	connection, authorization, err := s.connect()
	if err != nil {
		return nil, &failure{code: codes.Unavailable, message: err.Error(), pause: -1}
	}
	if authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	}
	var response intercomdv1.PublishResponse
	var trailers metadata.MD
	err = connection.Invoke(ctx, intercomdv1.IngestService_Publish_FullMethodName, request, &response,
		grpc.ForceCodec(rawCodec{}), grpc.Trailer(&trailers))
	if err != nil {
		failed := readFailure(err, trailers)
		return nil, &failed
	}
	return &response, nil
}

// connect returns the connection and the authorization of the next call. Changed TLS files need a new connection.
func (s *sender) connect() (*grpc.ClientConn, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if changed := s.access.tlsChanged(); s.connection == nil || changed {
		connection, err := s.access.dial()
		if err != nil {
			return nil, "", err
		}
		if s.connection != nil {
			s.retire(s.connection)
		}
		s.connection = connection
	}
	return s.connection, s.access.authorization(), nil
}

// retire closes a connection when the longest call on it has ended. The caller holds mu.
func (s *sender) retire(connection *grpc.ClientConn) {
	s.retired[connection] = time.AfterFunc(s.options.CallTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.retired, connection)
		_ = connection.Close()
	})
}

// accept notes a success; an error if the results are not those of the frames at the places sent.
func (s *sender) accept(response *intercomdv1.PublishResponse, frames []frame, sent []int, tried attempts) error {
	if fault := fault(response.GetResults(), frames, sent); fault != "" {
		return &Error{codes.OK, fmt.Sprintf("%s: %s is not intercomd; set the target to its ingest address", fault, s.target)}
	}
	if tried.failures > 0 {
		s.options.Logger.Info("publishing goes on", "failed_calls", tried.failures)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.succeeded, s.last = true, nil
	return nil
}

// fault returns what shows that results are not those of the frames at the places sent; "": they are.
func fault(results []*intercomdv1.EnvelopeResult, frames []frame, sent []int) string {
	if len(results) != len(sent) {
		return fmt.Sprintf("%d results for %d envelopes", len(results), len(sent))
	}
	for number, result := range results {
		id := frames[sent[number]].id()
		if result.GetEnvelopeId() != id && !isShortened(result.GetEnvelopeId(), id) {
			return fmt.Sprintf("the result of envelope %.60q in place of %.60q", result.GetEnvelopeId(), id)
		}
		if result.GetDisposition() == intercomdv1.Disposition_DISPOSITION_UNSPECIFIED {
			return fmt.Sprintf("a result without a disposition for envelope %.60q", id)
		}
	}
	return ""
}

// isShortened reports whether an id is the beginning of one above the limit, which the daemon rejects and does not repeat whole.
func isShortened(returned, id string) bool {
	return len(id) > envelopeIDBytesMax && strings.HasPrefix(id, returned)
}

// pause returns how long to wait before the request is repeated; an error if repeating does not help, or has lasted too long.
func (s *sender) pause(
	advice advice, failed failure, explained *Error, tried *attempts, now time.Time, share float64,
) (time.Duration, error) {
	tried.failures++
	if tried.failures == 1 {
		tried.first = now
	}
	pause := failed.pause
	if pause <= 0 {
		pause = retryDelay(tried.failures, s.options.Backoff, s.options.BackoffMax, share)
	}
	if advice == stop {
		if err := s.checkRefusal(explained, tried, now); err != nil {
			return 0, err
		}
	} else {
		tried.refused = time.Time{}
	}
	if s.options.RepeatMax > 0 && now.Sub(tried.first)+pause > s.options.RepeatMax {
		return 0, &Error{failed.code, fmt.Sprintf("gave up after %d calls: %s", tried.failures, explained.message)}
	}
	if advice != stop && tried.failures == 1 {
		s.options.Logger.Warn("publishing failed and is repeated", "error", explained.message, "pause", pause)
	}
	return pause, nil
}

// checkRefusal returns an error, unless earlier calls succeeded: then a refusal may last 5 minutes, as during a rollout.
func (s *sender) checkRefusal(explained *Error, tried *attempts, now time.Time) error {
	s.mu.Lock()
	succeeded := s.succeeded
	s.mu.Unlock()
	if tried.refused.IsZero() {
		tried.refused, tried.lastReport = now, time.Time{}
	}
	lasted := now.Sub(tried.refused)
	if !succeeded || lasted >= refusedMax {
		return &Error{explained.Code, "publishing was refused: " + explained.message}
	}
	if now.Sub(tried.lastReport) >= refusedWarning {
		tried.lastReport = now
		s.options.Logger.Warn("publishing is refused and is repeated", "error", explained.message, "remaining", refusedMax-lasted)
	}
	return nil
}

// report passes results to the callbacks; without any, it logs the rejected envelopes.
func (s *sender) report(frames []frame, results []*intercomdv1.EnvelopeResult) {
	if s.options.OnResults != nil {
		s.callBack("OnResults", func() { s.options.OnResults(results) })
	}
	reasons, rejected := map[string]bool{}, 0
	for place, result := range results {
		if result.GetDisposition() != intercomdv1.Disposition_DISPOSITION_REJECTED {
			continue
		}
		rejected++
		for _, violation := range result.GetViolations() {
			reasons[violation.GetReason()] = true
		}
		if s.options.OnRejected != nil {
			s.callBack("OnRejected", func() { s.options.OnRejected(frames[place].envelope(), result) })
		}
	}
	if rejected > 0 && s.options.OnRejected == nil && s.options.OnResults == nil {
		names := make([]string, 0, len(reasons))
		for reason := range reasons {
			names = append(names, reason)
		}
		sort.Strings(names)
		s.options.Logger.Warn("envelopes were rejected", "rejected", rejected, "of", len(results), "reasons", strings.Join(names, ", "))
	}
}

// callBack calls a callback; a panic in it is logged, since it must not stop the delivery of other envelopes.
func (s *sender) callBack(name string, call func()) {
	defer func() {
		if reason := recover(); reason != nil {
			s.options.Logger.Error("a callback panicked; publishing goes on", "callback", name, "panic", fmt.Sprint(reason))
		}
	}()
	call()
}

// placesOf returns those of the places whose envelopes are of a connection.
func placesOf(connection string, frames []frame, places []int) []int {
	if connection == "" {
		return nil
	}
	var found []int
	for _, place := range places {
		name := frames[place].envelope().GetConnection()
		if name == connection || name == "" && connection == defaultConnection {
			found = append(found, place)
		}
	}
	return found
}

func rejection(framed frame, reason, field, message string) *intercomdv1.EnvelopeResult {
	return &intercomdv1.EnvelopeResult{
		EnvelopeId:  framed.envelope().GetEnvelopeId(),
		Disposition: intercomdv1.Disposition_DISPOSITION_REJECTED,
		Violations:  []*intercomdv1.Violation{{Reason: reason, Field: field, Message: message}},
	}
}

// sleep reports whether the time has passed; false: ctx ended before.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
