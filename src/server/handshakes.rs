//! When each handshake may take place, so that many at once do not hold up the talk.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::server::origin::Origin;

/// How much of the server's time the handshakes take: 500 in a second, and so many at once.
const ALL: Rate = Rate { interval: Duration::from_millis(2), burst: 500 };
/// How far apart they are, so that the tasks of others go on between two of them.
const APART: Rate = Rate { interval: Duration::from_micros(500), burst: 1 };
/// How much of it those of one origin take. for one origin. This machine has no such limit.
const OF_ORIGIN: Rate = Rate { interval: Duration::from_millis(50), burst: 64 };
/// How many origins are remembered before the idle ones are forgotten.
const MAX_ORIGINS: usize = 1024;

/// How often something may happen.
struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// Counts one, and tells how long it waits. `full` is when all of the burst is back.
    fn count(&self, full: &mut Duration, now: Duration) -> Duration {
        *full = (*full).max(now) + self.interval;
        full.saturating_sub(now + self.interval * self.burst)
    }
}

/// The handshakes of late.
#[derive(Debug, Default)]
pub struct Handshakes {
    full: Duration,
    next: Duration,
    of_origin: BTreeMap<Origin, Duration>,
}

impl Handshakes {
    /// Counts a handshake, and tells how long it has to wait.
    pub fn count(&mut self, origin: Option<Origin>, now: Duration) -> Duration {
        let mut wait = ALL.count(&mut self.full, now).max(APART.count(&mut self.next, now));
        if let Some(origin) = origin {
            if self.of_origin.len() >= MAX_ORIGINS {
                self.of_origin.retain(|_, full| *full > now);
            }
            let full = self.of_origin.entry(origin).or_default();
            wait = wait.max(OF_ORIGIN.count(full, now));
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(last: u8) -> Option<Origin> {
        Origin::of([10, 0, 0, last].into(), &[])
    }

    #[test]
    fn one_origin_waits_and_the_others_do_not() {
        let mut handshakes = Handshakes::default();
        let now = Duration::from_secs(7);
        let apart = |n| APART.interval * n;
        for n in 0..64 {
            assert_eq!(handshakes.count(origin(1), now), apart(n));
        }
        assert_eq!(handshakes.count(origin(1), now), Duration::from_millis(50));
        assert_eq!(handshakes.count(origin(1), now), Duration::from_millis(100));
        assert_eq!(handshakes.count(origin(2), now), apart(66));
        // Two seconds later it has 40 more.
        let later = now + Duration::from_secs(2);
        for n in 0..38 {
            assert_eq!(handshakes.count(origin(1), later), apart(n));
        }
        assert_eq!(handshakes.count(origin(1), later), Duration::from_millis(50));
    }

    #[test]
    fn a_thousand_from_this_machine_are_done_in_a_second() {
        let mut handshakes = Handshakes::default();
        let now = Duration::from_secs(7);
        let waits: Vec<Duration> = (0..1000).map(|_| handshakes.count(None, now)).collect();
        assert!(waits[499] < Duration::from_millis(250));
        assert_eq!(waits[999], Duration::from_secs(1));
    }

    #[test]
    fn idle_origins_are_forgotten() {
        let mut handshakes = Handshakes::default();
        for n in 0..5000 {
            let ip = std::net::Ipv4Addr::from_bits(0x0A00_0000 + n);
            handshakes.count(Origin::of(ip.into(), &[]), Duration::from_secs(n.into()));
        }
        assert!(handshakes.of_origin.len() <= MAX_ORIGINS);
    }
}
