package intercomd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

// resultTimeout is how long PublishAndWait waits if its context has no deadline.
const resultTimeout = 30 * time.Second

// callbackTimeout is how long Close waits after its time for a callback that runs.
const callbackTimeout = time.Second

// Options are the settings of a Publisher. The zero value suits a daemon beside the service.
type Options struct {
	// TLS secures the calls; nil: plain text.
	TLS *TLS
	// Token is sent with every call as "authorization: Bearer ...".
	Token string
	// TokenFile is a file that holds the token. It is read again before each call, so that the token may be replaced.
	TokenFile string
	// DialOptions are added to those of the connection, such as interceptors. They win over the publisher's own.
	DialOptions []grpc.DialOption
	// Logger gets warnings about failed calls and rejected envelopes; nil: slog.Default().
	Logger *slog.Logger

	// OnResults is called with the results of each batch, in the order of publishing. It must be quick. Callbacks may publish,
	// but must not wait for room or results, or close: no result comes meanwhile.
	OnResults func([]*intercomdv1.EnvelopeResult)
	// OnRejected is called with each rejected envelope and its result. It must be quick. Without callbacks, the publisher
	// logs how many envelopes were rejected, and why.
	OnRejected func(*intercomdv1.Envelope, *intercomdv1.EnvelopeResult)
	// Traceparent returns the W3C trace context of Publish's context, for an envelope without one; "": none. With
	// OpenTelemetry:
	//
	//	func(ctx context.Context) string {
	//		carrier := propagation.MapCarrier{}
	//		propagation.TraceContext{}.Inject(ctx, carrier)
	//		return carrier["traceparent"]
	//	}
	Traceparent func(context.Context) string

	// BatchEnvelopesMax is the number of envelopes in one call, 200 by default; the daemon accepts at most 500.
	BatchEnvelopesMax int
	// BatchBytesMax is the size of one call in bytes, 1 MiB by default; the daemon accepts at most 4 MiB.
	BatchBytesMax int
	// Linger is how long the first envelope of a batch waits for others, 10 ms by default; negative: not at all.
	Linger time.Duration
	// BufferBytesMax bounds the encoded envelopes in memory, those in flight included, 16 MiB by default. Above it Publish
	// waits.
	BufferBytesMax int
	// CallsInFlightMax is the number of calls at a time, 1 by default. Above 1, the daemon may accept envelopes out of order.
	CallsInFlightMax int
	// CallTimeout is how long one call may take, 30 s by default; the daemon answers after a disk sync.
	CallTimeout time.Duration
	// Backoff is the longest first pause after a failed call, 200 ms by default, unless the daemon requests one. It doubles
	// with each failure.
	Backoff time.Duration
	// BackoffMax is the limit of this growth, 5 s by default.
	BackoffMax time.Duration
	// RepeatMax is how long a batch is repeated before the publisher stops with an error; 0: for ever.
	RepeatMax time.Duration
	// CloseTimeout is how long Close waits for results if its context has no deadline, 10 s by default.
	CloseTimeout time.Duration
	// ValidateOnly makes the daemon return results for the envelopes, but accept none.
	ValidateOnly bool
}

func (o Options) withDefaults() (Options, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	for _, number := range []struct {
		name    string
		value   *int
		initial int
	}{
		{"BatchEnvelopesMax", &o.BatchEnvelopesMax, 200},
		{"BatchBytesMax", &o.BatchBytesMax, 1 << 20},
		{"BufferBytesMax", &o.BufferBytesMax, 16 << 20},
		{"CallsInFlightMax", &o.CallsInFlightMax, 1},
	} {
		if *number.value < 0 {
			return o, fmt.Errorf("intercomd: %s is %d: it must be at least 1, or 0 for the default", number.name, *number.value)
		}
		if *number.value == 0 {
			*number.value = number.initial
		}
	}
	for _, span := range []struct {
		name    string
		value   *time.Duration
		initial time.Duration
	}{
		{"CallTimeout", &o.CallTimeout, 30 * time.Second},
		{"Backoff", &o.Backoff, 200 * time.Millisecond},
		{"BackoffMax", &o.BackoffMax, 5 * time.Second},
		{"RepeatMax", &o.RepeatMax, 0},
		{"CloseTimeout", &o.CloseTimeout, 10 * time.Second},
	} {
		if *span.value < 0 {
			return o, fmt.Errorf("intercomd: %s is %s: it must be positive, or 0 for the default", span.name, *span.value)
		}
		if *span.value == 0 {
			*span.value = span.initial
		}
	}
	if o.Linger == 0 {
		o.Linger = 10 * time.Millisecond
	}
	return o, nil
}

// Publisher sends envelopes to intercomd: in batches, in the order of the calls to Publish, until each has its result. It is
// safe for concurrent use.
//
// It opens its connection at the first Publish. It repeats calls that failed for a transient reason, for ever by default. A
// repeat carries the same envelope ids, so that the daemon accepts nothing twice.
type Publisher struct {
	target  string
	options Options
	access  *access
	sender  *sender
	ctx     context.Context
	cancel  context.CancelFunc
	senders sync.WaitGroup
	closing sync.Mutex
	closed  bool

	mu      sync.Mutex
	buffer  buffer
	started bool
	refusal error
	failure error
	// changed is closed, and replaced, when something happened that a caller or a sender may wait for.
	changed    chan struct{}
	unanswered []*intercomdv1.Envelope
}

// NewPublisher returns a publisher for the daemon at target, in gRPC's syntax: "127.0.0.1:50051",
// "unix:/run/intercomd.sock", "dns:///intercomd:50051". It makes no connection. An error names the argument that can never
// work.
func NewPublisher(target string, options Options) (*Publisher, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	access, err := newAccess(target, options)
	if err != nil {
		return nil, fmt.Errorf("intercomd: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Publisher{
		target:  target,
		options: options,
		access:  access,
		sender:  newSender(target, options, access),
		ctx:     ctx,
		cancel:  cancel,
		buffer:  buffer{options: options},
		changed: make(chan struct{}),
	}, nil
}

// Publish takes an envelope, to send it soon. It waits only while the buffer is full, for as long as ctx allows.
//
// The envelope is encoded here and now, and may be used again afterwards. One without an id gets a new UUIDv7. An error means
// that the publisher does not send the envelope.
func (p *Publisher) Publish(ctx context.Context, envelope *intercomdv1.Envelope) error {
	return p.put(ctx, envelope, nil)
}

// PublishAndWait takes an envelope, and waits for its result, for 30 s if ctx has no deadline. Concurrent callers share calls.
//
// After ctx's error the publisher still sends an envelope that it has taken.
func (p *Publisher) PublishAndWait(ctx context.Context, envelope *intercomdv1.Envelope) (*intercomdv1.EnvelopeResult, error) {
	ctx, cancel := withDefaultTimeout(ctx, resultTimeout)
	defer cancel()
	waiter := make(chan answer, 1)
	if err := p.put(ctx, envelope, waiter); err != nil {
		return nil, err
	}
	select {
	case answer := <-waiter:
		return answer.result, answer.err
	case <-ctx.Done():
		return nil, p.late(ctx.Err())
	}
}

// Flush waits until every envelope that was published so far has its result.
func (p *Publisher) Flush(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := map[*batch]bool{}
	for _, pending := range p.buffer.unfinished {
		waiting[pending] = true
	}
	p.buffer.hasten()
	p.notify()
	for {
		if p.failure != nil {
			return p.failure
		}
		left := false
		for _, pending := range p.buffer.unfinished {
			left = left || waiting[pending]
		}
		if !left {
			return nil
		}
		if err := p.wait(ctx, -1); err != nil {
			return p.late(err)
		}
	}
}

// late returns the error of a wait for results that has ended; it names the newest failed call.
func (p *Publisher) late(err error) error {
	if last := p.sender.lastFailure(); last != nil {
		return fmt.Errorf("intercomd: no result yet, and the publisher goes on sending: %w: %w", err, last)
	}
	return fmt.Errorf("intercomd: no result yet, and the publisher goes on sending: %w", err)
}

// Close flushes, for CloseTimeout if ctx has no deadline, and ends.
//
// It returns the envelopes without a result, in their order, with their ids, to be published elsewhere or kept, and an error
// that says why there are any. The daemon may have accepted some of them: with the same id they are then duplicates. Another
// Close returns the same.
func (p *Publisher) Close(ctx context.Context) ([]*intercomdv1.Envelope, error) {
	p.closing.Lock()
	defer p.closing.Unlock()
	if !p.closed {
		p.closed = true
		p.close(ctx)
	}
	left := p.Unanswered()
	if len(left) == 0 {
		return nil, nil
	}
	p.mu.Lock()
	cause := p.failure
	p.mu.Unlock()
	if errors.Is(cause, ErrClosed) {
		cause = p.sender.lastFailure()
		if cause == nil {
			cause = context.DeadlineExceeded
		}
	}
	return left, fmt.Errorf("intercomd: %d envelopes were not answered: %w", len(left), cause)
}

func (p *Publisher) close(ctx context.Context) {
	ctx, cancel := withDefaultTimeout(ctx, p.options.CloseTimeout)
	defer cancel()
	p.mu.Lock()
	if p.refusal == nil {
		p.refusal = ErrClosed
	}
	p.notify()
	p.mu.Unlock()
	_ = p.Flush(ctx) // the envelopes that are left say it
	p.cancel()
	p.waitForSenders(ctx)
	p.fail(ErrClosed)
	p.sender.close()
	p.mu.Lock()
	p.unanswered = p.buffer.unanswered()
	p.mu.Unlock()
}

// waitForSenders waits for the goroutines that send, whose calls and pauses have ended: only a callback may still run.
func (p *Publisher) waitForSenders(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		p.senders.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	grace := time.NewTimer(callbackTimeout)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		p.options.Logger.Warn("Close does not wait any longer for a callback that still runs")
	}
}

// Unanswered returns the envelopes that Close returned.
func (p *Publisher) Unanswered() []*intercomdv1.Envelope {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*intercomdv1.Envelope(nil), p.unanswered...)
}

// Err returns the reason why the publisher has stopped or was closed; nil: it works.
func (p *Publisher) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

func (p *Publisher) put(ctx context.Context, envelope *intercomdv1.Envelope, waiter chan<- answer) error {
	traceparent := ""
	if p.options.Traceparent != nil {
		traceparent = p.options.Traceparent(ctx)
	}
	framed, err := newFrame(envelope, traceparent)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.refusal == nil && !p.buffer.hasRoom(len(framed)) {
		p.buffer.hasten()
		p.notify()
		if err := p.wait(ctx, -1); err != nil {
			return fmt.Errorf("intercomd: the buffer is full (BufferBytesMax, %d bytes): %w", p.options.BufferBytesMax, err)
		}
	}
	if p.refusal != nil {
		return p.refusal
	}
	p.start()
	p.buffer.put(framed, waiter, time.Now())
	p.notify()
	return nil
}

// start starts the goroutines that send, at the first Publish.
func (p *Publisher) start() {
	if p.started {
		return
	}
	p.started = true
	for range p.options.CallsInFlightMax {
		p.senders.Add(1)
		go func() {
			defer p.senders.Done()
			// runtime.Goexit in a callback, such as by testing's FailNow, ends the goroutine without a panic. After
			// sendBatches, and while the publisher closes, it has no effect.
			defer func() {
				if p.ctx.Err() == nil {
					p.fail(errors.New("intercomd: the publisher stopped: a callback ended its goroutine"))
				}
			}()
			p.sendBatches()
		}()
	}
}

func (p *Publisher) sendBatches() {
	for {
		next := p.take()
		if next == nil {
			return
		}
		resolve := func(results []*intercomdv1.EnvelopeResult) {
			p.mu.Lock()
			defer p.mu.Unlock()
			next.resolve(results)
		}
		if err := p.sender.deliver(p.ctx, next, resolve); err != nil {
			if p.ctx.Err() == nil {
				p.fail(err)
			}
			return
		}
		p.mu.Lock()
		p.buffer.settle(next)
		p.notify()
		p.mu.Unlock()
	}
}

// take waits for the next batch that is due; nil: the publisher ends.
func (p *Publisher) take() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.failure == nil {
		next, wait := p.buffer.take(time.Now())
		if next != nil {
			return next
		}
		if p.wait(p.ctx, wait) != nil {
			return nil
		}
	}
	return nil
}

// notify wakes everything that waits. The caller holds mu.
func (p *Publisher) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// wait waits for a change, at most for a time unless it is negative. The caller holds mu, which it releases meanwhile.
func (p *Publisher) wait(ctx context.Context, limit time.Duration) error {
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	var timeout <-chan time.Time
	if limit >= 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-changed:
		return nil
	case <-timeout:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Publisher) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		p.failure = err
	}
	if p.refusal == nil {
		p.refusal = err
	}
	p.buffer.fail(err)
	p.notify()
}

func withDefaultTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}
