package intercomd

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	intercomdv1 "github.com/intercomd/intercomd/clients/go/intercomd/v1"
)

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestEnvelopeIDsIncreaseEvenIfTheClockIsSetBack(t *testing.T) {
	var generator envelopeIDs
	last := ""
	for _, now := range []uint64{1_000, 1_000, 1_001, 5, 1_001, 2_000, 1_999} {
		id := generator.next(now)
		if !uuid7.MatchString(id) || id <= last {
			t.Errorf("%s after %s", id, last)
		}
		last = id
	}
	if !strings.HasPrefix(last, "00000000-07d0-7") {
		t.Errorf("%s does not begin with the latest millisecond, 2000", last)
	}
}

func TestEnvelopeIDsAreUniqueAcrossGoroutines(t *testing.T) {
	var mu sync.Mutex
	var done sync.WaitGroup
	seen := map[string]bool{}
	for range 8 {
		done.Add(1)
		go func() {
			defer done.Done()
			for range 1_000 {
				id := NewEnvelopeID()
				mu.Lock()
				seen[id] = true
				mu.Unlock()
			}
		}()
	}
	done.Wait()
	if len(seen) != 8_000 {
		t.Errorf("%d different ids of 8,000", len(seen))
	}
}

func TestFrameKeepsTheEnvelope(t *testing.T) {
	given := &intercomdv1.Envelope{
		EnvelopeId: "a", Identity: &intercomdv1.Identity{CustomerId: "42"}, Event: CustomEvent("e", Int("n", 1)),
	}
	before := proto.CloneOf(given)
	framed, err := newFrame(given, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(given, before) {
		t.Error("the sender's envelope changed")
	}
	want := proto.CloneOf(given)
	want.Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if got := framed.envelope(); !proto.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestFramesJoinedAreOneRequest(t *testing.T) {
	var joined []byte
	for _, id := range []string{"a", "", "c"} {
		framed, err := newFrame(&intercomdv1.Envelope{EnvelopeId: id}, "")
		if err != nil {
			t.Fatal(err)
		}
		joined = append(joined, framed...)
	}
	var request intercomdv1.PublishRequest
	if err := proto.Unmarshal(joined, &request); err != nil {
		t.Fatal(err)
	}
	if len(request.Envelopes) != 3 || request.Envelopes[0].EnvelopeId != "a" || !uuid7.MatchString(request.Envelopes[1].EnvelopeId) {
		t.Errorf("%v", &request)
	}
}

func TestFrameRefusesWhatCannotBeSent(t *testing.T) {
	if _, err := newFrame(nil, ""); err == nil {
		t.Error("nil is no envelope")
	}
	if _, err := newFrame(&intercomdv1.Envelope{Identity: &intercomdv1.Identity{CustomerId: "\xff"}}, ""); err == nil {
		t.Error("text must be UTF-8")
	}
}

func TestBufferFillsBatchesInOrder(t *testing.T) {
	options, err := Options{BatchEnvelopesMax: 3, BatchBytesMax: 10, BufferBytesMax: 20}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	b := buffer{options: options}
	now := time.Unix(0, 0)
	for _, size := range []int{1, 1, 1, 6, 6} {
		if !b.hasRoom(size) {
			t.Fatalf("no room for %d bytes beside %d", size, b.bytes)
		}
		b.put(make(frame, size), nil, now)
	}
	if b.hasRoom(6) {
		t.Error("21 bytes are above the bound of 20")
	}
	var sizes []int
	for {
		next, wait := b.take(now)
		if next == nil {
			if wait != options.Linger {
				t.Errorf("the open batch is due in %s, want %s", wait, options.Linger)
			}
			break
		}
		sizes = append(sizes, len(next.frames))
		next.resolve(make([]*intercomdv1.EnvelopeResult, len(next.frames)))
		b.settle(next)
	}
	if len(sizes) != 2 || sizes[0] != 3 || sizes[1] != 1 {
		t.Errorf("batches of %v, want 3 by the count and 1 by the bytes", sizes)
	}
	b.hasten()
	if next, _ := b.take(now); next == nil || b.bytes != 6 {
		t.Errorf("a hastened batch is due at once; %d bytes are left", b.bytes)
	}
	if !(&buffer{options: options}).hasRoom(1_000) {
		t.Error("an envelope above the whole bound has room in an empty buffer")
	}
}
