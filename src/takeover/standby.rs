//! A member that could be the next host is asked for the room.

use std::time::Duration;

/// How often a member tries its host because another one has lost it, at most.
const DOUBT: Duration = Duration::from_millis(200);

/// The member's own situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation<A> {
    /// It was in no room yet.
    Outside,
    /// It hears its host, which is there.
    Member(A),
    /// It has lost its host, and may be the next one.
    Seeking,
}

/// The treatment of a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door<A> {
    /// Keep it waiting for [`HOLD`](super::HOLD) at most. Serve it if we become the host.
    Hold,
    /// Tell it where the host is, as far as we know.
    Turn {
        /// The host.
        host: Option<A>,
        /// Try whether the host takes a new connection, with [`TRY`](super::TRY) for that. If
        /// it does not, take it for lost: the first to notice wakes the others.
        doubt: bool,
    },
}

/// Decides about visitors.
#[derive(Debug, Default)]
pub struct Standby {
    doubted: Option<Duration>,
}

impl Standby {
    /// A visitor asks for the room.
    pub fn visited<A>(&mut self, situation: Situation<A>, now: Duration) -> Door<A> {
        match situation {
            Situation::Seeking => Door::Hold,
            Situation::Outside => Door::Turn { host: None, doubt: false },
            Situation::Member(host) => {
                let doubt = self.doubted.is_none_or(|doubted| now >= doubted + DOUBT);
                if doubt {
                    self.doubted = Some(now);
                }
                Door::Turn { host: Some(host), doubt }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visitor_makes_a_member_try_its_host_now_and_then() {
        let mut standby = Standby::default();
        let mut visited =
            |millis| standby.visited(Situation::Member(1), Duration::from_millis(millis));
        assert_eq!(visited(0), Door::Turn { host: Some(1), doubt: true });
        assert_eq!(visited(199), Door::Turn { host: Some(1), doubt: false });
        assert_eq!(visited(200), Door::Turn { host: Some(1), doubt: true });
        assert_eq!(standby.visited(Situation::<u8>::Seeking, Duration::ZERO), Door::Hold);
    }
}
