package intercomd

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"google.golang.org/grpc"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

// daemon accepts everything.
type daemon struct {
	intercomdv1.UnimplementedIngestServiceServer
}

func (daemon) Publish(_ context.Context, request *intercomdv1.PublishRequest) (*intercomdv1.PublishResponse, error) {
	var response intercomdv1.PublishResponse
	for _, envelope := range request.GetEnvelopes() {
		response.Results = append(response.Results, &intercomdv1.EnvelopeResult{
			EnvelopeId: envelope.GetEnvelopeId(), Disposition: intercomdv1.Disposition_DISPOSITION_ACCEPTED,
		})
	}
	return &response, nil
}

// newDaemonAndPublisher returns a publisher for a daemon in this process.
func newDaemonAndPublisher(t *testing.T, options Options) *Publisher {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	intercomdv1.RegisterIngestServiceServer(server, daemon{})
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	publisher, err := NewPublisher(listener.Addr().String(), options)
	if err != nil {
		t.Fatal(err)
	}
	return publisher
}

func publish(t *testing.T, publisher *Publisher, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := publisher.Publish(t.Context(), &intercomdv1.Envelope{EnvelopeId: id}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCloseDoesNotWaitForACallbackThatNeverReturns(t *testing.T) {
	running, returning := make(chan struct{}), make(chan struct{})
	publisher := newDaemonAndPublisher(t, Options{
		BatchEnvelopesMax: 1,
		OnResults: func([]*intercomdv1.EnvelopeResult) {
			close(running)
			<-returning
		},
	})
	publish(t, publisher, "a", "b")
	<-running
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	left, err := publisher.Close(ctx)
	if len(left) != 1 || left[0].GetEnvelopeId() != "b" || err == nil {
		t.Errorf("%v, %v", left, err)
	}
	close(returning)
}

func TestCloseInACallbackEndsInTime(t *testing.T) {
	closed := make(chan int, 1)
	var publisher *Publisher
	publisher = newDaemonAndPublisher(t, Options{
		OnResults: func([]*intercomdv1.EnvelopeResult) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			left, _ := publisher.Close(ctx)
			closed <- len(left)
		},
	})
	publish(t, publisher, "a")
	if left := <-closed; left != 0 {
		t.Errorf("%d envelopes left, want none: its result is there", left)
	}
}

func TestCallbackThatEndsItsGoroutineStopsThePublisher(t *testing.T) {
	publisher := newDaemonAndPublisher(t, Options{OnResults: func([]*intercomdv1.EnvelopeResult) { runtime.Goexit() }})
	publish(t, publisher, "a")
	if err := publisher.Flush(t.Context()); err == nil {
		t.Error("nothing sends any more, and Flush has no error")
	}
	if _, err := publisher.PublishAndWait(t.Context(), &intercomdv1.Envelope{}); err == nil {
		t.Error("nothing sends any more, and PublishAndWait has no error")
	}
	if left, err := publisher.Close(t.Context()); len(left) != 0 || err != nil {
		t.Errorf("%v, %v", left, err)
	}
}
