//! How fast one client may talk, and how much while a reader lags.

use std::time::Duration;

/// How many lines may come at once after a silence. It is enough for a paste.
const BURST: u32 = 200;

/// A bucket of `BURST` lines that fills again at a steady rate.
///
/// A client that finds it empty is refused nothing: its next line waits.
#[derive(Debug)]
pub struct LineBucket {
    /// How long one line takes to be allowed again; zero is no limit.
    interval: Duration,
    /// When the bucket will be full again; each line puts that off.
    full: Option<Duration>,
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

    /// How long the next line has to wait; none if it is allowed now.
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        // One line is missing in the bucket for each interval until it is full.
        let next = self.full?.checked_sub(self.interval * (BURST - 1))?;
        (next > now).then(|| next - now)
    }

    /// Counts one line.
    pub fn count(&mut self, now: Duration) {
        if self.is_limited() {
            self.full = Some(self.full.map_or(now, |full| full.max(now)) + self.interval);
        }
    }
}

/// The bytes that all senders together may say in a second while a reader lags. A slow
/// network takes so much.
const CALM: u64 = 256 << 10;
/// The least and the greatest number of senders that divide [`CALM`]. Less than such a share
/// is no flood.
const COMPANY: [usize; 2] = [64, 256];
/// For how long a client saves its share. A person does not even notice that
/// others flood the room.
const SAVINGS: Duration = Duration::from_secs(1);

/// The use that one client has made of late of its share of `CALM`. The guests of one origin
/// have one together.
#[derive(Debug)]
pub struct ByteBucket {
    /// When what it has said will be no more than its share.
    even: Duration,
}

impl ByteBucket {
    /// The bucket of a newcomer. It is empty, because a client that comes again and again
    /// would have endless savings.
    pub fn new(now: Duration) -> ByteBucket {
        ByteBucket { even: now + SAVINGS }
    }

    /// Counts so many bytes, said while so many senders talk. A client waits no longer than
    /// this line or its next one costs, whatever came before.
    pub fn spend(&mut self, bytes: usize, people: usize, now: Duration) {
        let cost = cost(bytes, people);
        self.even = (self.even.max(now) + cost).min(now + cost.max(SAVINGS));
    }

    /// Whether so many bytes more have to wait.
    pub fn is_spent(&self, bytes: usize, people: usize, now: Duration) -> bool {
        let cost = cost(bytes, people);
        !self.is_even(now) && self.even + cost > now + cost.max(SAVINGS)
    }

    /// Whether all that was said was within the share. Then nothing waits, however long.
    pub fn is_even(&self, now: Duration) -> bool {
        self.even <= now
    }
}

/// The lines and bytes of one client of late.
#[derive(Debug)]
pub struct Sender {
    /// Its share while a reader lags.
    pub bytes: ByteBucket,
    /// The second in which it last talked.
    pub second: Option<u64>,
}

impl Sender {
    /// A newcomer.
    pub fn new(now: Duration) -> Sender {
        Sender { bytes: ByteBucket::new(now), second: None }
    }
}

/// How long so many bytes use up a share among so many senders.
fn cost(bytes: usize, people: usize) -> Duration {
    let [least, most] = COMPANY;
    let all = (bytes * people.clamp(least, most)) as u64;
    Duration::from_nanos(all * 1_000_000_000 / CALM)
}

/// Counts the senders of this second and of the one before.
#[derive(Debug, Default)]
pub struct Talkers {
    second: u64,
    now: usize,
    before: usize,
}

impl Talkers {
    /// Counts a sender that talks in this second, and talked last in another.
    pub fn count(&mut self, last: &mut Option<u64>, second: u64) {
        if second != self.second {
            self.before = if second == self.second + 1 { self.now } else { 0 };
            (self.second, self.now) = (second, 0);
        }
        self.now += usize::from(last.replace(second) != Some(second));
    }

    /// How many senders there are.
    pub fn number(&self) -> usize {
        self.now.max(self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_sender_never_waits_and_fast_one_until_its_share() {
        let mut now = Duration::ZERO;
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
    fn all_senders_together_stay_below_the_calm_rate() {
        for (people, length) in [(2, 20), (64, 20), (64, 4096), (128, 4096), (256, 200)] {
            let start = Duration::ZERO;
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
    fn sender_counts_once_a_second_for_two_seconds() {
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
    fn burst(pace: &mut LineBucket, now: Duration) -> u32 {
        let mut lines = 0;
        while lines < 10_000 && pace.wait(now).is_none() {
            pace.count(now);
            lines += 1;
        }
        lines
    }

    #[test]
    fn bucket_allows_a_burst_and_then_a_steady_rate() {
        let start = Duration::from_secs(3600);
        let mut pace = LineBucket::new(50);
        assert_eq!(burst(&mut pace, start), BURST);
        assert_eq!(pace.wait(start), Some(Duration::from_millis(20)));
        assert_eq!(burst(&mut pace, start + Duration::from_millis(100)), 5);
        assert_eq!(
            burst(&mut pace, start + Duration::from_secs(60)),
            BURST,
            "silence fills it again"
        );
    }

    #[test]
    fn rate_zero_is_no_limit() {
        assert_eq!(burst(&mut LineBucket::new(0), Duration::ZERO), 10_000);
    }
}
