package intercomd

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"
)

const counterBits = 42

// envelopeIDs generates increasing UUIDv7s, even if the clock is set back.
//
// RFC 9562, section 6.2, method 1: after the 48 bits of the millisecond (and the version) a counter of 42 bits around the
// variant, seeded at random with its highest bit zero, then 32 random bits.
type envelopeIDs struct {
	mu          sync.Mutex
	millisecond uint64
	counter     uint64
}

// One for the process: the ids of all its publishers form one increasing sequence.
var ids envelopeIDs

// NewEnvelopeID returns a new UUIDv7, such as "0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d", greater than all previous ones.
//
// Publishers assign one to every envelope without an id. Assign it yourself where an envelope may be published twice, and
// store it with its data, so that the daemon recognizes the repeat.
func NewEnvelopeID() string {
	return ids.next(uint64(time.Now().UnixMilli()))
}

func (g *envelopeIDs) next(now uint64) string {
	millisecond, counter := g.advance(now)
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], millisecond<<16|0x7000|counter>>30)
	binary.BigEndian.PutUint64(id[8:], 1<<63|(counter&0x3FFFFFFF)<<32|random(32))
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// advance seeds the counter in a new millisecond; otherwise, or if the clock went back, it increments it.
func (g *envelopeIDs) advance(now uint64) (millisecond, counter uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counter++
	if now > g.millisecond || g.counter>>counterBits != 0 {
		g.millisecond = max(now, g.millisecond+1)
		g.counter = random(counterBits - 1)
	}
	return g.millisecond, g.counter
}

// random returns a number of this many random bits, at most 64.
func random(bits uint) uint64 {
	var bytes [8]byte
	_, _ = rand.Read(bytes[:]) // it never fails: "Read fills b with cryptographically secure random bytes. It never returns an error"
	return binary.BigEndian.Uint64(bytes[:]) >> (64 - bits)
}
