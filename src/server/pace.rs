//! How fast one client may talk.

use std::time::{Duration, Instant};

/// How many lines may come at once, after a silence: enough for a paste.
const BURST: u32 = 200;

/// A bucket of [`BURST`] lines that fills again at a steady rate.
///
/// Whoever finds it empty is not refused anything: their next line waits.
#[derive(Debug)]
pub struct Pace {
    /// How long one line takes to be allowed again; zero is no limit.
    interval: Duration,
    /// When the bucket will be full again; each line puts that off.
    full: Option<Instant>,
}

impl Pace {
    /// A full bucket that allows `rate` lines a second; 0 is no limit.
    pub fn new(rate: u32) -> Pace {
        Pace { interval: Duration::from_secs(1).checked_div(rate).unwrap_or_default(), full: None }
    }

    /// When the next line is allowed; none if it is allowed now.
    pub fn wait(&self, now: Instant) -> Option<Instant> {
        // One line is missing in the bucket for each interval until it is full.
        let next = self.full?.checked_sub(self.interval * (BURST - 1))?;
        (next > now).then_some(next)
    }

    /// Takes note of one line.
    pub fn count(&mut self, now: Instant) {
        if self.interval > Duration::ZERO {
            self.full = Some(self.full.map_or(now, |full| full.max(now)) + self.interval);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many lines are allowed from `start` on, until one has to wait.
    fn burst(pace: &mut Pace, now: Instant) -> u32 {
        let mut lines = 0;
        while lines < 10_000 && pace.wait(now).is_none() {
            pace.count(now);
            lines += 1;
        }
        lines
    }

    #[test]
    fn a_burst_is_allowed_and_then_a_steady_rate() {
        let start = Instant::now() + Duration::from_secs(3600);
        let mut pace = Pace::new(50);
        assert_eq!(burst(&mut pace, start), BURST);
        assert_eq!(pace.wait(start), Some(start + Duration::from_millis(20)));
        assert_eq!(burst(&mut pace, start + Duration::from_millis(100)), 5);
        assert_eq!(
            burst(&mut pace, start + Duration::from_secs(60)),
            BURST,
            "silence fills it again"
        );
    }

    #[test]
    fn no_limit_is_no_limit() {
        assert_eq!(burst(&mut Pace::new(0), Instant::now()), 10_000);
    }
}
