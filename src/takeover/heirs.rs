//! The members that can be the next host, in the order of proof.

use std::time::Duration;

use super::Token;

/// How many heirs the members are told, at most.
pub const MAX_HEIRS: usize = 5;

/// The least time between two lists that the members are told.
const INTERVAL: Duration = Duration::from_secs(1);

/// A member that was reached from the host's machine, and can be the next host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heir<A> {
    /// Names the run of its program.
    pub token: Token,
    /// Where it listens.
    pub address: A,
}

/// The heirs of a room, by the session of each.
///
/// An heir is added at the end and keeps its place while it is there. So an older list is
/// the beginning of a newer one, less those that left, and no two heirs each believe that
/// they are first.
#[derive(Debug)]
pub struct Heirs<S, A> {
    list: Vec<(S, Heir<A>)>,
    changed: bool,
    told: Option<Duration>,
}

impl<S, A> Default for Heirs<S, A> {
    fn default() -> Self {
        Heirs { list: Vec::new(), changed: false, told: None }
    }
}

impl<S: PartialEq, A> Heirs<S, A> {
    /// A session was reached at this address.
    pub fn prove(&mut self, session: S, heir: Heir<A>) {
        if self.list.iter().all(|(known, _)| *known != session) {
            self.changed |= self.list.len() < MAX_HEIRS;
            self.list.push((session, heir));
        }
    }

    /// A session is over, or does not want to be the next host any more.
    pub fn remove(&mut self, session: &S) {
        if let Some(at) = self.list.iter().position(|(known, _)| known == session) {
            self.list.remove(at);
            self.changed |= at < MAX_HEIRS;
        }
    }

    /// The heirs that the members are told.
    pub fn first(&self) -> impl Iterator<Item = &Heir<A>> {
        self.list.iter().take(MAX_HEIRS).map(|(_, heir)| heir)
    }

    /// When the members are to be told; none if they know the list.
    pub fn due(&self) -> Option<Duration> {
        self.changed.then(|| self.told.map_or(Duration::ZERO, |told| told + INTERVAL))
    }

    /// Whether to tell the members now. The caller does that if so.
    pub fn tell(&mut self, now: Duration) -> bool {
        let tells = self.due().is_some_and(|due| due <= now);
        if tells {
            self.changed = false;
            self.told = Some(now);
        }
        tells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(heirs: &Heirs<u8, ()>) -> Vec<u32> {
        heirs.first().map(|heir| heir.token.0).collect()
    }

    #[test]
    fn heirs_keep_the_order_of_proof() {
        let mut heirs = Heirs::default();
        for session in [3, 1, 2, 1, 9, 8, 7] {
            heirs.prove(session, Heir { token: Token(session.into()), address: () });
        }
        assert_eq!(tokens(&heirs), [3, 1, 2, 9, 8]);
        heirs.remove(&1);
        heirs.remove(&5);
        assert_eq!(tokens(&heirs), [3, 2, 9, 8, 7]);
    }

    #[test]
    fn heirs_are_told_once_a_second_at_most() {
        let mut heirs = Heirs::default();
        let at = Duration::from_millis;
        assert!(!heirs.tell(at(0)), "nobody is an heir");
        heirs.prove(1, Heir { token: Token(1), address: () });
        assert!(heirs.tell(at(100)));
        assert!(!heirs.tell(at(1200)), "the list is the same");
        heirs.prove(2, Heir { token: Token(2), address: () });
        assert!(heirs.tell(at(1300)));
        heirs.remove(&1);
        assert_eq!(heirs.due(), Some(at(2300)));
        assert!(!heirs.tell(at(2299)));
        assert!(heirs.tell(at(2300)));
    }
}
