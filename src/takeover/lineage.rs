//! The terms of a room: up to where two programs have read the same.

/// A term, and the number of the last message in it that a program has read.
pub type Place = (String, u64);

/// How many earlier terms a host remembers.
pub const MAX_ANCESTORS: usize = 8;
/// How many places a member remembers and tells.
pub const MAX_PLACES: usize = 4;

/// A term and the terms before it.
///
/// Each hosting is a term with a random name. Numbers go on from one term to the next, and
/// the messages up to the end of an earlier term are the same in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The present term.
    pub term: String,
    /// The terms before it, newest first, and the number of the last message of each that
    /// belongs to this room.
    pub ancestors: Vec<Place>,
}

impl Lineage {
    /// A term without ancestors.
    pub fn new(term: String) -> Lineage {
        Lineage { term, ancestors: Vec::new() }
    }

    /// The ancestors of the next term, whose host has read this one up to `last`.
    pub fn next_ancestors(&self, last: u64) -> Vec<Place> {
        let mut ancestors = vec![(self.term.clone(), last)];
        // An earlier term cannot have ended after that.
        ancestors.extend(self.ancestors.iter().map(|(term, end)| (term.clone(), *end.min(&last))));
        ancestors.truncate(MAX_ANCESTORS);
        ancestors
    }

    /// The next term, whose host has read this one up to `last`.
    #[cfg(test)]
    pub fn succeed(&self, last: u64, term: String) -> Lineage {
        Lineage { term, ancestors: self.next_ancestors(last) }
    }

    /// The number up to which a program that has been at these places, newest first, has read
    /// the same as this room, whose last message is `last`. None if it knows none of them.
    pub fn common(&self, places: &[Place], last: u64) -> Option<u64> {
        places.iter().find_map(|(term, number)| {
            if *term == self.term {
                return Some(*number.min(&last));
            }
            let ended = self.ancestors.iter().find(|(known, _)| known == term);
            ended.map(|(_, end)| *number.min(end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(all: &[(&str, u64)]) -> Vec<Place> {
        all.iter().map(|(term, number)| (term.to_string(), *number)).collect()
    }

    #[test]
    fn common_is_where_the_newest_known_term_ended() {
        let lineage = Lineage::new("a".into()).succeed(10, "b".into()).succeed(15, "c".into());
        assert_eq!(lineage.ancestors, places(&[("b", 15), ("a", 10)]));
        let check = |been: &[(&str, u64)], expected| {
            assert_eq!(lineage.common(&places(been), 20), expected, "{been:?}");
        };
        check(&[("c", 18)], Some(18));
        check(&[("c", 22)], Some(20));
        check(&[("b", 17), ("a", 10)], Some(15));
        check(&[("b", 12), ("a", 10)], Some(12));
        check(&[("x", 17), ("a", 12)], Some(10));
        check(&[("x", 17)], None);
        check(&[], None);
    }

    #[test]
    fn ancestors_are_bounded() {
        let mut lineage = Lineage::new("0".into());
        for term in 1..20_u64 {
            lineage = lineage.succeed(term, term.to_string());
        }
        assert_eq!(lineage.ancestors.len(), MAX_ANCESTORS);
        assert_eq!(lineage.ancestors[0], ("18".into(), 19));
    }
}
