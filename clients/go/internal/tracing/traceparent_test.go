// Package tracing tests the client with OpenTelemetry, in a module of its own: the client does not depend on it.
package tracing

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	intercomd "github.com/intercomd/intercomd/clients/go"
	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

func TestEnvelopeCarriesTheTraceContextOfPublish(t *testing.T) {
	publisher, err := intercomd.NewPublisher("127.0.0.1:1", intercomd.Options{
		Traceparent: func(ctx context.Context) string {
			carrier := propagation.MapCarrier{}
			propagation.TraceContext{}.Inject(ctx, carrier)
			return carrier["traceparent"]
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	const own = "00-00f067aa0ba902b700f067aa0ba902b7-00f067aa0ba902b7-01"
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	inside := trace.ContextWithSpanContext(context.Background(), span)
	for _, test := range []struct {
		ctx         context.Context
		traceparent string
	}{{context.Background(), ""}, {inside, ""}, {inside, own}} {
		if err := publisher.Publish(test.ctx, &intercomdv1.Envelope{Traceparent: test.traceparent}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	left, _ := publisher.Close(ctx)
	want := []string{"", "00-" + span.TraceID().String() + "-" + span.SpanID().String() + "-01", own}
	if len(left) != len(want) {
		t.Fatalf("%d envelopes, want %d", len(left), len(want))
	}
	for place, envelope := range left {
		if envelope.Traceparent != want[place] {
			t.Errorf("envelope %d: traceparent %q, want %q", place, envelope.Traceparent, want[place])
		}
	}
}
