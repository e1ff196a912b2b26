// Command conformance performs the commands of the conformance scenarios with the Go client: one JSON object a line on the
// standard input, one reply a line on the standard output, and the client's log on the standard error.
// clients/conformance/README.md describes the commands.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	intercomd "github.com/intercomd/intercomd/clients/go"
	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

type command struct {
	Do        string            `json:"do"`
	Target    string            `json:"target"`
	Options   options           `json:"options"`
	Envelopes []json.RawMessage `json:"envelopes"`
	Envelope  json.RawMessage   `json:"envelope"`
	Count     int               `json:"count"`
	Prefix    string            `json:"prefix"`
	Users     int               `json:"users"`
	Padded    bool              `json:"padded"`
	Case      string            `json:"case"`
	TimeoutMS int               `json:"timeout_ms"`
}

type options struct {
	Token             string `json:"token"`
	TokenFile         string `json:"token_file"`
	TLS               bool   `json:"tls"`
	CAFile            string `json:"ca_file"`
	CertificateFile   string `json:"certificate_file"`
	KeyFile           string `json:"key_file"`
	ServerName        string `json:"server_name"`
	LingerMS          int    `json:"linger_ms"`
	BatchEnvelopesMax int    `json:"batch_envelopes_max"`
	BatchBytesMax     int    `json:"batch_bytes_max"`
	BufferBytesMax    int    `json:"buffer_bytes_max"`
	CallsInFlightMax  int    `json:"calls_in_flight_max"`
	CallTimeoutMS     int    `json:"call_timeout_ms"`
	RepeatMaxMS       int    `json:"repeat_max_ms"`
	ValidateOnly      bool   `json:"validate_only"`
	CallbackRaises    bool   `json:"callback_raises"`
}

type result struct {
	ID          string   `json:"id"`
	Disposition string   `json:"disposition"`
	Reasons     []string `json:"reasons"`
	Adjustments []string `json:"adjustments"`
}

type driver struct {
	publisher  *intercomd.Publisher
	goroutines int

	mu       sync.Mutex
	results  []result
	rejected []string
	raises   bool
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	d := &driver{goroutines: runtime.NumGoroutine()}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	replies := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, "invalid command:", err)
			os.Exit(2)
		}
		if c.Do == "exit" {
			return
		}
		reply, err := d.perform(c)
		if err != nil {
			if reply == nil {
				reply = map[string]any{}
			}
			reply["error"] = err.Error()
		}
		if err := replies.Encode(reply); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
}

func (d *driver) perform(c command) (map[string]any, error) {
	ctx := context.Background()
	if c.TimeoutMS > 0 {
		timed, cancel := context.WithTimeout(ctx, time.Duration(c.TimeoutMS)*time.Millisecond)
		defer cancel()
		ctx = timed
	}
	switch c.Do {
	case "open":
		return map[string]any{}, d.open(c.Target, c.Options)
	case "publish":
		return d.publish(ctx, c.Envelopes)
	case "publish_many":
		return d.publishMany(ctx, c)
	case "publish_and_wait":
		return d.publishAndWait(ctx, c.Envelope)
	case "flush":
		return map[string]any{}, d.publisher.Flush(ctx)
	case "results":
		d.mu.Lock()
		defer d.mu.Unlock()
		return map[string]any{"results": d.results, "rejected": d.rejected}, nil
	case "close":
		left, err := d.publisher.Close(ctx)
		ids := make([]string, 0, len(left))
		for _, envelope := range left {
			ids = append(ids, envelope.GetEnvelopeId())
		}
		return map[string]any{"unanswered": ids}, err
	case "leaks":
		// A goroutine that was told to end may not have been scheduled yet.
		for tries := 0; tries < 200 && runtime.NumGoroutine() > d.goroutines; tries++ {
			time.Sleep(10 * time.Millisecond)
		}
		return map[string]any{"left": runtime.NumGoroutine() - d.goroutines}, nil
	case "build":
		return build()
	case "rate":
		return rate(ctx, c)
	case "ends_by_itself":
		return map[string]any{"not_applicable": "Go runs nothing when main returns: defer Close"}, nil
	case "fork":
		return map[string]any{"not_applicable": "Go programs do not fork"}, nil
	case "misuse":
		return d.misuse(ctx, c.Case)
	}
	return map[string]any{"not_applicable": "unknown command " + c.Do}, nil
}

func (d *driver) open(target string, o options) error {
	d.mu.Lock()
	d.results, d.rejected, d.raises = []result{}, []string{}, o.CallbackRaises
	d.mu.Unlock()
	settings := intercomd.Options{
		Token:             o.Token,
		TokenFile:         o.TokenFile,
		OnResults:         d.onResults,
		OnRejected:        d.onRejected,
		Linger:            milliseconds(o.LingerMS),
		BatchEnvelopesMax: o.BatchEnvelopesMax,
		BatchBytesMax:     o.BatchBytesMax,
		BufferBytesMax:    o.BufferBytesMax,
		CallsInFlightMax:  o.CallsInFlightMax,
		CallTimeout:       milliseconds(o.CallTimeoutMS),
		RepeatMax:         milliseconds(o.RepeatMaxMS),
		ValidateOnly:      o.ValidateOnly,
	}
	if o.TLS || o.CAFile != "" {
		settings.TLS = &intercomd.TLS{
			CAFile: o.CAFile, CertificateFile: o.CertificateFile, KeyFile: o.KeyFile, ServerName: o.ServerName,
		}
	}
	publisher, err := intercomd.NewPublisher(target, settings)
	d.publisher = publisher
	return err
}

func (d *driver) onResults(results []*intercomdv1.EnvelopeResult) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, each := range results {
		d.results = append(d.results, summary(each))
	}
	if d.raises {
		panic("a callback that raises")
	}
}

func (d *driver) onRejected(envelope *intercomdv1.Envelope, _ *intercomdv1.EnvelopeResult) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rejected = append(d.rejected, envelope.GetEnvelopeId())
	if d.raises {
		panic("a callback that raises")
	}
}

func (d *driver) publish(ctx context.Context, envelopes []json.RawMessage) (map[string]any, error) {
	for taken, text := range envelopes {
		envelope, err := decode(text)
		if err == nil {
			err = d.publisher.Publish(ctx, envelope)
		}
		if err != nil {
			return map[string]any{"taken": taken}, err
		}
	}
	return map[string]any{"taken": len(envelopes)}, nil
}

// publishMany publishes events of some users in turn, a second apart, with the ids <prefix>0, <prefix>1 and so on.
func (d *driver) publishMany(ctx context.Context, c command) (map[string]any, error) {
	var padding []*intercomdv1.Attribute
	for place := range 5 {
		if c.Padded {
			padding = append(padding, intercomd.String(fmt.Sprintf("p%d", place), strings.Repeat("x", 250)))
		}
	}
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range c.Count {
		envelope := &intercomdv1.Envelope{
			EnvelopeId: fmt.Sprintf("%s%d", c.Prefix, n),
			Identity:   &intercomdv1.Identity{CustomerId: fmt.Sprintf("user-%d", n%max(1, c.Users))},
			EventTime:  timestamppb.New(first.Add(time.Duration(n) * time.Second)),
			Event:      intercomd.CustomEvent("counted", padding...),
		}
		if err := d.publisher.Publish(ctx, envelope); err != nil {
			return map[string]any{"taken": n}, err
		}
	}
	return map[string]any{"taken": c.Count}, nil
}

func (d *driver) publishAndWait(ctx context.Context, text json.RawMessage) (map[string]any, error) {
	envelope, err := decode(text)
	if err != nil {
		return nil, err
	}
	answer, err := d.publisher.PublishAndWait(ctx, envelope)
	if err != nil {
		return nil, err
	}
	return map[string]any{"result": summary(answer)}, nil
}

// rate publishes new events, with the client or with bare stubs in batches of 200, and returns how many a second were accepted.
func rate(ctx context.Context, c command) (map[string]any, error) {
	envelopes := make([]*intercomdv1.Envelope, c.Count)
	for n := range envelopes {
		envelopes[n] = &intercomdv1.Envelope{
			EnvelopeId: intercomd.NewEnvelopeID(),
			Identity:   &intercomdv1.Identity{CustomerId: fmt.Sprintf("user-%d", n%1000)},
			Event:      intercomd.CustomEvent("counted", intercomd.Int("number", n)),
		}
	}
	start := time.Now()
	publish := rateOfClient
	if c.Case == "stubs" {
		publish = rateOfStubs
	}
	err := publish(ctx, c.Target, envelopes)
	return map[string]any{"per_second": float64(c.Count) / time.Since(start).Seconds()}, err
}

func rateOfClient(ctx context.Context, target string, envelopes []*intercomdv1.Envelope) error {
	publisher, err := intercomd.NewPublisher(target, intercomd.Options{})
	if err != nil {
		return err
	}
	for _, envelope := range envelopes {
		if err := publisher.Publish(ctx, envelope); err != nil {
			return err
		}
	}
	_, err = publisher.Close(ctx)
	return err
}

func rateOfStubs(ctx context.Context, target string, envelopes []*intercomdv1.Envelope) error {
	connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	stubs := intercomdv1.NewIngestServiceClient(connection)
	for batch := range slices.Chunk(envelopes, 200) {
		if _, err := stubs.Publish(ctx, &intercomdv1.PublishRequest{Envelopes: batch}); err != nil {
			return err
		}
	}
	return nil
}

// build returns an envelope that was made with the client's own functions.
func build() (map[string]any, error) {
	envelope := &intercomdv1.Envelope{
		EnvelopeId: "built",
		Identity:   &intercomdv1.Identity{CustomerId: "42", Email: "ada@example.com"},
		UserAttributes: []*intercomdv1.Attribute{
			intercomd.String("text", "Zoë 🎉"),
			intercomd.String("empty", ""),
			intercomd.Int64("largest", 1<<63-1),
			intercomd.Int64("smallest", -1<<63),
			intercomd.Float64("number", 0.5),
			intercomd.Float64("whole number", 3),
			intercomd.Bool("yes", true),
			intercomd.Bool("no", false),
			intercomd.Time("moment", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
			intercomd.Strings("list", "a", "b"),
			intercomd.Money("price", "19.99", "USD"),
			intercomd.Link("page", "https://example.com/", "Page"),
			intercomd.Tag("tagged"),
		},
		Event: intercomd.CustomEvent("built", intercomd.Int("seats", 12)),
	}
	text, err := protojson.Marshal(envelope)
	return map[string]any{"envelope": json.RawMessage(text)}, err
}

// misuse does what the client must refuse at once.
func (d *driver) misuse(ctx context.Context, name string) (map[string]any, error) {
	publish := func(envelope *intercomdv1.Envelope) (map[string]any, error) {
		return map[string]any{}, d.publisher.Publish(ctx, envelope)
	}
	switch name {
	case "no_envelope":
		return publish(nil)
	case "invalid_text":
		return publish(&intercomdv1.Envelope{Identity: &intercomdv1.Identity{CustomerId: "\xff"}})
	case "naive_time":
		return map[string]any{"not_applicable": "a time.Time always has a location"}, nil
	case "wrong_type":
		return map[string]any{"not_applicable": "the compiler refuses it"}, nil
	}
	return map[string]any{"not_applicable": "unknown case " + name}, nil
}

func decode(text json.RawMessage) (*intercomdv1.Envelope, error) {
	var envelope intercomdv1.Envelope
	return &envelope, protojson.Unmarshal(text, &envelope)
}

func summary(r *intercomdv1.EnvelopeResult) result {
	short := result{
		ID: r.GetEnvelopeId(), Disposition: strings.TrimPrefix(r.GetDisposition().String(), "DISPOSITION_"),
		Reasons: []string{}, Adjustments: []string{},
	}
	for _, violation := range r.GetViolations() {
		short.Reasons = append(short.Reasons, violation.GetReason())
	}
	for _, adjustment := range r.GetAdjustments() {
		short.Adjustments = append(short.Adjustments, adjustment.GetReason())
	}
	return short
}

func milliseconds(count int) time.Duration { return time.Duration(count) * time.Millisecond }
