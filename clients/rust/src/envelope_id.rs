use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

const COUNTER_BITS: u32 = 42;

/// One for the process: the ids of all its publishers form one increasing sequence.
static IDS: Mutex<EnvelopeIds> = Mutex::new(EnvelopeIds { millisecond: 0, counter: 0 });

/// Returns a new UUIDv7, such as `0198c2a5-7f3e-7c1b-9d4e-2b6f8a901c3d`, greater than all previous ones.
///
/// Publishers assign one to every envelope without an id. Assign it yourself where an envelope may be published twice, and
/// store it with its data, so that the daemon recognizes the repeat.
pub fn new_envelope_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    IDS.lock().unwrap_or_else(PoisonError::into_inner).next(now.try_into().unwrap_or(u64::MAX))
}

/// Generates increasing UUIDv7s, even if the clock is set back.
///
/// RFC 9562, section 6.2, method 1: after the 48 bits of the millisecond (and the version) a counter of 42 bits around the
/// variant, seeded at random with its highest bit zero, then 32 random bits.
struct EnvelopeIds {
    millisecond: u64,
    counter: u64,
}

impl EnvelopeIds {
    fn next(&mut self, now: u64) -> String {
        self.advance(now);
        let high = self.millisecond << 16 | 0x7000 | self.counter >> 30;
        let low = 1 << 63 | (self.counter & 0x3FFF_FFFF) << 32 | random(32);
        let text = format!("{high:016x}{low:016x}");
        [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
    }

    /// Seeds the counter in a new millisecond; otherwise, or if the clock went back, increments it.
    fn advance(&mut self, now: u64) {
        self.counter += 1;
        if now > self.millisecond || self.counter >> COUNTER_BITS != 0 {
            self.millisecond = now.max(self.millisecond + 1);
            self.counter = random(COUNTER_BITS - 1);
        }
    }
}

/// Returns a number of this many random bits, at most 64.
pub(crate) fn random(bits: u32) -> u64 {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).expect("the operating system has random numbers");
    u64::from_be_bytes(bytes) >> (64 - bits)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    pub(crate) fn is_uuid7(id: &str) -> bool {
        let groups: Vec<&str> = id.split('-').collect();
        groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && id.chars().all(|character| matches!(character, '0'..='9' | 'a'..='f' | '-'))
            && groups[2].starts_with('7')
            && groups[3].starts_with(['8', '9', 'a', 'b'])
    }

    #[test]
    fn ids_increase_even_if_the_clock_is_set_back() {
        let mut ids = EnvelopeIds { millisecond: 0, counter: 0 };
        let mut last = String::new();
        for now in [1_000, 1_000, 1_001, 5, 1_001, 2_000, 1_999] {
            let id = ids.next(now);
            assert!(is_uuid7(&id) && id > last, "{id} after {last}");
            last = id;
        }
        assert!(last.starts_with("00000000-07d0-7"), "{last} does not begin with the latest millisecond, 2000");
    }

    #[test]
    fn full_counter_moves_to_the_next_millisecond() {
        let mut ids = EnvelopeIds { millisecond: 2_000, counter: (1 << COUNTER_BITS) - 1 };
        assert!(ids.next(2_000).starts_with("00000000-07d1-7"));
    }

    #[test]
    fn ids_are_unique_across_threads() {
        let threads: Vec<_> =
            (0..8).map(|_| thread::spawn(|| (0..1_000).map(|_| new_envelope_id()).collect::<Vec<_>>())).collect();
        let ids: HashSet<String> = threads.into_iter().flat_map(|each| each.join().unwrap()).collect();
        assert_eq!(ids.len(), 8_000);
    }
}
