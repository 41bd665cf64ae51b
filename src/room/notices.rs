//! Whether the members are told of joins and leaves.
//!
//! To tell everybody of everybody is quadratic: a hundred thousand people that come within a
//! minute are more bytes than a network carries. Above a number of members the room says
//! once that it tells of no more changes.

use crate::room::Entry;
use crate::wire::{NOTICES_AGAIN, NOTICES_END};

/// Whether changes of the members are told at this place of the transcript.
#[derive(Debug)]
pub(super) struct Notices {
    /// The most members with which they are told; none is no limit.
    limit: Option<usize>,
    told: bool,
}

/// The lines that the members read of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Its own.
    Own,
    /// None.
    Nothing,
    /// This, which the server says in their place.
    Instead(&'static str),
}

impl Notices {
    /// Changes are told up to this number of members; with 0 they never are.
    pub fn new(limit: Option<usize>) -> Notices {
        Notices { limit, told: limit != Some(0) }
    }

    /// Whether changes are told at this place.
    pub fn are_told(&self) -> bool {
        self.told
    }

    /// Decides what is told of an entry, with so many members before it.
    pub fn decide(&mut self, entry: Entry<'_>, members: usize) -> Telling {
        let members = match entry {
            Entry::Joined(..) | Entry::Came(_) => members + 1,
            Entry::Left(..) | Entry::Went(_) => members.saturating_sub(1),
            Entry::Renamed { .. } | Entry::Turned { .. } => members,
            _ => return Telling::Own,
        };
        let limit = self.limit.unwrap_or(usize::MAX);
        match self.told {
            true if members > limit => {
                self.told = false;
                Telling::Instead(NOTICES_END)
            }
            true => Telling::Own,
            // Well below the limit, so that few people at the limit do not change it again and
            // again.
            false if members < limit.div_ceil(2) => {
                self.told = true;
                Telling::Instead(NOTICES_AGAIN)
            }
            false => Telling::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::SessionId;
    use crate::wire::Nick;

    /// The numbers of members at which something else than each change was told, in a room
    /// that fills up and empties.
    fn turns(limit: Option<usize>) -> Vec<(usize, Telling)> {
        let (mut notices, nick) = (Notices::new(limit), Nick::new("ana").unwrap());
        let mut turns = Vec::new();
        let steps = (1..=9).map(|now| (now - 1, now)).chain((0..9).rev().map(|now| (now + 1, now)));
        for (before, now) in steps {
            let entry = match before < now {
                true => Entry::Joined(SessionId(0), &nick),
                false => Entry::Left(SessionId(0), &nick),
            };
            match notices.decide(entry, before) {
                telling @ Telling::Instead(_) => turns.push((now, telling)),
                telling => assert_eq!(telling == Telling::Own, notices.are_told(), "{now}"),
            }
        }
        turns
    }

    #[test]
    fn notices_end_above_the_limit_and_return_below_half() {
        let (end, again) = (Telling::Instead(NOTICES_END), Telling::Instead(NOTICES_AGAIN));
        assert_eq!(turns(Some(6)), [(7, end), (2, again)]);
        assert_eq!(turns(Some(5)), [(6, end), (2, again)]);
        assert_eq!(turns(Some(1)), [(2, end), (0, again)]);
        assert_eq!(turns(Some(8)), [(9, end), (3, again)]);
        for never in [None, Some(9), Some(0)] {
            assert_eq!(turns(never), [], "{never:?}");
        }
    }

    #[test]
    fn rename_is_told_as_other_changes_are() {
        let (old, new) = (Nick::new("ana").unwrap(), Nick::new("bia").unwrap());
        let entry = Entry::Renamed { id: SessionId(0), old: &old, new: &new };
        assert_eq!(Notices::new(Some(3)).decide(entry, 3), Telling::Own);
        assert_eq!(Notices::new(Some(0)).decide(entry, 3), Telling::Nothing);
        let said = Entry::Said { by: SessionId(0), from: "ana", text: "oi" };
        assert_eq!(Notices::new(Some(0)).decide(said, 3), Telling::Own);
    }
}
