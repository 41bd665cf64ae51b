//! How fast one client may talk, and how much while others are behind.

use std::time::{Duration, Instant};

/// How many lines may come at once, after a silence: enough for a paste.
const BURST: u32 = 200;

/// A bucket of [`BURST`] lines that fills again at a steady rate.
///
/// Whoever finds it empty is not refused anything: their next line waits.
#[derive(Debug)]
pub struct LineBucket {
    /// How long one line takes to be allowed again; zero is no limit.
    interval: Duration,
    /// When the bucket will be full again; each line puts that off.
    full: Option<Instant>,
}

impl LineBucket {
    /// A full bucket that allows `rate` lines a second; 0 is no limit.
    pub fn new(rate: u32) -> LineBucket {
        LineBucket {
            interval: Duration::from_secs(1).checked_div(rate).unwrap_or_default(),
            full: None,
        }
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.interval > Duration::ZERO
    }

    /// When the next line is allowed; none if it is allowed now.
    pub fn wait(&self, now: Instant) -> Option<Instant> {
        // One line is missing in the bucket for each interval until it is full.
        let next = self.full?.checked_sub(self.interval * (BURST - 1))?;
        (next > now).then_some(next)
    }

    /// Takes note of one line.
    pub fn count(&mut self, now: Instant) {
        if self.is_limited() {
            self.full = Some(self.full.map_or(now, |full| full.max(now)) + self.interval);
        }
    }
}

/// While somebody who does read is well behind, all together may say so many bytes a
/// second: little enough for a slow network...
const CALM: u64 = 256 << 10;
/// ...each who talks the same share of it, as if they were so many at least, and at most:
/// what is less than that floods nobody...
const COMPANY: [usize; 2] = [64, 256];
/// ...and so much of that at once who has said little before. A person does not even
/// notice that others shout.
const SAVINGS: Duration = Duration::from_secs(1);

/// What one client has said of late, against its share; or those from one place who are
/// nobody yet.
#[derive(Debug)]
pub struct ByteBucket {
    /// When what it has said will be no more than its share.
    even: Instant,
}

impl ByteBucket {
    /// The share of a newcomer. They have not saved anything, or whoever comes again and
    /// again would have no end of savings.
    pub fn new(now: Instant) -> ByteBucket {
        ByteBucket { even: now + SAVINGS }
    }

    /// Takes note of so many bytes, said where so many people talk. Nobody has to wait
    /// longer than this line or their next one is worth, whatever came before.
    pub fn spend(&mut self, bytes: usize, people: usize, now: Instant) {
        let cost = cost(bytes, people);
        self.even = (self.even.max(now) + cost).min(now + cost.max(SAVINGS));
    }

    /// Whether it has said so much that so many bytes more have to wait.
    pub fn is_spent(&self, bytes: usize, people: usize, now: Instant) -> bool {
        let cost = cost(bytes, people);
        !self.is_even(now) && self.even + cost > now + cost.max(SAVINGS)
    }

    /// Whether it has said nothing of late that it had no share for: it need not wait,
    /// however much comes.
    pub fn is_even(&self, now: Instant) -> bool {
        self.even <= now
    }
}

/// For how long so many bytes use up a share among so many people.
fn cost(bytes: usize, people: usize) -> Duration {
    let [least, most] = COMPANY;
    let all = (bytes * people.clamp(least, most)) as u64;
    Duration::from_nanos(all * 1_000_000_000 / CALM)
}

/// How many have talked of late: in this second, or the one before.
#[derive(Debug, Default)]
pub struct Talkers {
    second: u64,
    now: usize,
    before: usize,
}

impl Talkers {
    /// Takes note of one who talks in this second, and did so last in another.
    pub fn count(&mut self, last: &mut Option<u64>, second: u64) {
        if second != self.second {
            self.before = if second == self.second + 1 { self.now } else { 0 };
            (self.second, self.now) = (second, 0);
        }
        self.now += usize::from(last.replace(second) != Some(second));
    }

    /// How many they are.
    pub fn number(&self) -> usize {
        self.now.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_little_need_never_wait_and_who_says_much_as_long_as_it_lasts() {
        let mut now = Instant::now();
        let mut share = ByteBucket::new(now);
        assert!(share.is_spent(80, 2, now), "a newcomer has saved nothing");
        now += SAVINGS;
        // A paste, and then ten lines a second for an hour.
        share.spend(3 << 10, 2, now);
        for _ in 0..36_000 {
            assert!(!share.is_spent(80, 2, now));
            share.spend(80, 2, now);
            now += Duration::from_millis(100);
        }
        for (people, wait) in [(2, 1), (64, 1), (256, 4), (1000, 4)] {
            for _ in 0..1000 {
                share.spend(4096, people, now);
            }
            let wait = Duration::from_secs(wait);
            assert!(share.is_spent(4096, people, now + wait - Duration::from_millis(1)));
            assert!(!share.is_spent(4096, people, now + wait), "{people} people");
        }
    }

    #[test]
    fn all_together_say_no_more_than_a_slow_network_takes() {
        for (people, length) in [(2, 20), (64, 20), (64, 4096), (128, 4096), (256, 200)] {
            let start = Instant::now();
            let mut shares: Vec<ByteBucket> = (0..people).map(|_| ByteBucket::new(start)).collect();
            // They have kept silent before.
            let start = start + 10 * SAVINGS;
            let mut said = 0;
            for millis in 0..10_000 {
                let now = start + Duration::from_millis(millis);
                for share in &mut shares {
                    while !share.is_spent(length, people, now) {
                        share.spend(length, people, now);
                        said += length;
                    }
                }
            }
            let at_once = (CALM as usize).max(people * length);
            let most = 10 * CALM as usize + at_once + people * length;
            assert!(said <= most, "{people} people say {said} bytes");
            assert!(people < 64 || said > most / 2, "{people} people say only {said} bytes");
        }
    }

    #[test]
    fn who_talks_is_counted_once_for_each_second_and_forgotten_after_two() {
        let mut talkers = Talkers::default();
        let mut people = [None; 5];
        for (second, who, number) in [
            (0, 0..5, 5),
            (0, 0..5, 5),
            (1, 0..2, 5), // Three of them are silent now.
            (2, 0..2, 2),
            (2, 2..3, 3),
            (9, 3..4, 1),
        ] {
            people[who].iter_mut().for_each(|last| talkers.count(last, second));
            assert_eq!(talkers.number(), number, "in second {second}");
        }
    }

    /// How many lines are allowed from `start` on, until one has to wait.
    fn burst(pace: &mut LineBucket, now: Instant) -> u32 {
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
        let mut pace = LineBucket::new(50);
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
        assert_eq!(burst(&mut LineBucket::new(0), Instant::now()), 10_000);
    }
}
