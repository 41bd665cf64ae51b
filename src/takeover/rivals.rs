//! Several rooms of one title: which of them goes to the other.

use std::cmp::Reverse;
use std::time::Duration;

use super::{BEACON, Token};

/// The least time between two answers to announcements of others.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a worse room may stay, until the better one takes it that it cannot come.
const STAY: Duration = Duration::from_secs(15);
/// How many other rooms are remembered.
const MAX_RIVALS: usize = 64;

/// The order of rooms of one title: the smallest is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// It lives on the machines of its members. A server is better.
    pub hosted: bool,
    /// When it was opened, in seconds since 1970.
    pub born: u64,
    /// Names the room.
    pub room: Token,
    /// The later host of one room is better.
    pub epoch: Reverse<u64>,
    /// Names the host.
    pub host: Token,
}

/// The other rooms of the title that a host hears of.
#[derive(Debug)]
pub struct Rivals<K> {
    /// The worse ones, and since when they are there.
    worse: Vec<(K, Rank, Duration)>,
    answered: Option<Duration>,
}

/// The treatment of another room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Announce our own room, because its host may have missed that.
    pub announce: bool,
    /// Go there.
    pub merge: Merge,
}

/// Whether to go to another room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It comes to us.
    No,
    /// It is the better one.
    Better,
    /// It is worse, and cannot come.
    Worse,
}

impl<K> Default for Rivals<K> {
    fn default() -> Self {
        Rivals { worse: Vec::new(), answered: None }
    }
}

impl<K: PartialEq> Rivals<K> {
    /// Another room of our title was announced.
    pub fn notice(&mut self, key: K, theirs: Rank, ours: Rank, now: Duration) -> Noticed {
        let announce = self.answered.is_none_or(|answered| now >= answered + ANSWER);
        if announce {
            self.answered = Some(now);
        }
        if theirs < ours {
            return Noticed { announce, merge: Merge::Better };
        }
        let known = self.worse.iter().find(|(known, rank, _)| *known == key && *rank == theirs);
        let since = known.map(|(_, _, since)| *since);
        if since.is_none() {
            self.worse.retain(|(known, ..)| *known != key);
            if self.worse.len() == MAX_RIVALS {
                self.worse.remove(0);
            }
            self.worse.push((key, theirs, now));
        }
        let stays = since.is_some_and(|since| now > since + STAY);
        Noticed { announce, merge: if stays { Merge::Worse } else { Merge::No } }
    }
}

const _: () = assert!(STAY.as_millis() > BEACON.as_millis());

#[cfg(test)]
mod tests {
    use super::*;

    fn rank(born: u64, epoch: u64) -> Rank {
        Rank { hosted: true, born, room: Token(7), epoch: Reverse(epoch), host: Token(1) }
    }

    #[test]
    fn server_is_best_and_then_the_oldest_room_and_the_latest_host() {
        let server = Rank { hosted: false, ..rank(99, 1) };
        let other = Rank { room: Token(8), ..rank(5, 1) };
        let order = [server, rank(4, 1), rank(5, 3), rank(5, 2), other];
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn better_room_goes_to_one_that_stays() {
        let mut rivals = Rivals::default();
        let mut notice =
            |theirs, secs| rivals.notice("b", theirs, rank(5, 1), Duration::from_secs(secs)).merge;
        assert_eq!(notice(rank(4, 1), 0), Merge::Better);
        assert_eq!(notice(rank(6, 1), 10), Merge::No);
        assert_eq!(notice(rank(6, 1), 25), Merge::No);
        assert_eq!(notice(rank(6, 1), 26), Merge::Worse);
        assert_eq!(notice(rank(6, 2), 27), Merge::No, "it has another host");
    }

    #[test]
    fn announcements_are_answered_now_and_then() {
        let mut rivals = Rivals::default();
        let mut notice = |millis| {
            let at = Duration::from_millis(millis);
            rivals.notice("b", rank(6, 1), rank(5, 1), at).announce
        };
        assert_eq!([0, 100, 1999, 2000, 2001].map(&mut notice), [true, false, false, true, false]);
    }
}
