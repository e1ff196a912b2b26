package intercomd

import (
	"time"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

// batch holds frames that are sent together, and the callers that wait for their results, by the frame's place.
type batch struct {
	frames  []frame
	waiters map[int]chan<- answer
	bytes   int
	due     time.Time
	// answered is the number of frames, from the first on, that have their result.
	answered int
}

// answer is what a caller of PublishAndWait gets.
type answer struct {
	result *intercomdv1.EnvelopeResult
	err    error
}

// buffer holds batches from their first frame to their last result. It decides when a batch is due and whether a frame has
// room; the publisher waits.
type buffer struct {
	options Options
	bytes   int
	// unfinished holds every batch with a frame that has no result, in the order in which they were filled.
	unfinished []*batch
	untaken    []*batch
	// open is the last of the untaken batches, while it has room.
	open *batch
}

// hasRoom reports whether a frame may be put now. A frame above the whole bound may if the buffer is empty.
func (b *buffer) hasRoom(bytes int) bool {
	return b.bytes == 0 || b.bytes+bytes <= b.options.BufferBytesMax
}

// put adds a frame at the end.
func (b *buffer) put(framed frame, waiter chan<- answer, now time.Time) {
	if b.open == nil || b.open.bytes+len(framed) > b.options.BatchBytesMax {
		b.hasten()
		b.open = &batch{due: now.Add(b.options.Linger), waiters: map[int]chan<- answer{}}
		b.untaken = append(b.untaken, b.open)
		b.unfinished = append(b.unfinished, b.open)
	}
	current := b.open
	if waiter != nil {
		current.waiters[len(current.frames)] = waiter
	}
	current.frames = append(current.frames, framed)
	current.bytes += len(framed)
	b.bytes += len(framed)
	if len(current.frames) >= b.options.BatchEnvelopesMax {
		b.hasten()
		b.open = nil
	}
}

// hasten makes the open batch due now, without its linger. It still accepts frames until it is taken.
func (b *buffer) hasten() {
	if b.open != nil {
		b.open.due = time.Time{}
	}
}

// take returns the next batch that is due; if none is, how long until one is, negative if there is none.
func (b *buffer) take(now time.Time) (*batch, time.Duration) {
	if len(b.untaken) == 0 {
		return nil, -1
	}
	next := b.untaken[0]
	if wait := next.due.Sub(now); wait > 0 {
		return nil, wait
	}
	b.untaken = b.untaken[1:]
	if next == b.open {
		b.open = nil
	}
	return next, 0
}

// resolve passes results to the callers that wait for them.
func (b *batch) resolve(results []*intercomdv1.EnvelopeResult) {
	for place, result := range results {
		if waiter, ok := b.waiters[b.answered+place]; ok {
			waiter <- answer{result: result}
			delete(b.waiters, b.answered+place)
		}
	}
	b.answered += len(results)
}

// settle frees the room of a batch whose frames all have their results.
func (b *buffer) settle(done *batch) {
	b.bytes -= done.bytes
	for place, candidate := range b.unfinished {
		if candidate == done {
			b.unfinished = append(b.unfinished[:place:place], b.unfinished[place+1:]...)
			return
		}
	}
}

// fail ends the wait of all callers.
func (b *buffer) fail(err error) {
	for _, pending := range b.unfinished {
		for place, waiter := range pending.waiters {
			waiter <- answer{err: err}
			delete(pending.waiters, place)
		}
	}
}

// unanswered returns the envelopes without a result, in their order.
func (b *buffer) unanswered() []*intercomdv1.Envelope {
	var envelopes []*intercomdv1.Envelope
	for _, pending := range b.unfinished {
		for _, framed := range pending.frames[pending.answered:] {
			envelopes = append(envelopes, framed.envelope())
		}
	}
	return envelopes
}
