//! A member has lost its host: it looks for the new one, or becomes it.

use super::{Heir, Token};

/// After so many rounds, the seeker takes all places before its own for empty.
const MAX_ROUNDS: u32 = 60;

/// A member's knowledge when its host is gone.
#[derive(Clone, Debug)]
pub struct Known<A> {
    /// The room; none on the way to a better one.
    pub room: Option<Token>,
    /// Where the host was.
    pub host: A,
    /// The heirs, in their order.
    pub heirs: Vec<Heir<A>>,
    /// This run of the program, which may be one of them.
    pub me: Token,
}

/// The next thing to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<A> {
    /// Connect to all of these at once, with [`TRY`](super::TRY) for each, and report each
    /// result to [`connected`](Seeker::connected).
    Try(Vec<A>),
    /// Wait for other results.
    Wait,
    /// Close the other connections. Ask this one for its room, and report the answer.
    Ask(A),
    /// Call [`next_round`](Seeker::next_round) after [`AGAIN`](super::AGAIN).
    Pause,
    /// Stay on the connection that was asked: it is the host's.
    Join,
    /// Be the host.
    Host,
    /// Look for the room on the network. None of the known places has it.
    Look,
}

/// The answer at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<A> {
    /// Nothing, or nothing that makes sense.
    Nothing,
    /// The host of this room; none for a server that names none.
    Room(Option<Token>),
    /// No host, but this run of a program, and where it takes its host to be.
    Elsewhere(Token, Option<A>),
}

/// One search for the host.
///
/// All members that lost the host ask the old one and the heirs before themselves. The first
/// in this order that is a host is joined. A member without an heir before it is the host.
#[derive(Debug)]
pub struct Seeker<A> {
    known: Known<A>,
    round: u32,
    /// Where no host is.
    dead: Vec<A>,
    /// Where others have said that the host is.
    named: Option<A>,
    /// The places that are asked in this round, in order, and whether they were reached.
    targets: Vec<(A, Option<bool>)>,
    asked: Option<A>,
}

impl<A: Clone + PartialEq> Seeker<A> {
    /// Begins to look. The first step follows.
    pub fn new(known: Known<A>) -> (Seeker<A>, Step<A>) {
        let mut seeker = Seeker {
            known,
            round: 0,
            dead: Vec::new(),
            named: None,
            targets: Vec::new(),
            asked: None,
        };
        let step = seeker.try_all();
        (seeker, step)
    }

    /// The heirs that come before us: all, if we are none.
    fn before(&self) -> &[Heir<A>] {
        let heirs = &self.known.heirs;
        let me = heirs.iter().position(|heir| heir.token == self.known.me);
        &heirs[..me.unwrap_or(heirs.len())]
    }

    /// Whether we are among the heirs.
    fn is_heir(&self) -> bool {
        self.known.heirs.iter().any(|heir| heir.token == self.known.me)
    }

    fn try_all(&mut self) -> Step<A> {
        let before = self.before().iter().map(|heir| heir.address.clone());
        let all = self.named.iter().cloned().chain([self.known.host.clone()]).chain(before);
        let mut targets: Vec<(A, Option<bool>)> = Vec::new();
        for target in all {
            if !self.dead.contains(&target) && targets.iter().all(|(known, _)| *known != target) {
                targets.push((target, None));
            }
        }
        self.targets = targets;
        if !self.targets.is_empty() && self.round <= MAX_ROUNDS {
            return Step::Try(self.targets.iter().map(|(target, _)| target.clone()).collect());
        }
        if self.is_heir() { Step::Host } else { Step::Look }
    }

    /// Whether one of the places was reached.
    pub fn connected(&mut self, target: &A, reached: bool) -> Step<A> {
        if self.asked.is_some() {
            return Step::Wait;
        }
        for (known, result) in &mut self.targets {
            if known == target {
                *result = Some(reached);
            }
        }
        // The first that is there, in this order.
        for (target, reached) in &self.targets {
            match reached {
                None => return Step::Wait,
                Some(false) => (),
                Some(true) => {
                    self.asked = Some(target.clone());
                    return Step::Ask(target.clone());
                }
            }
        }
        let targets = self.targets.drain(..).map(|(target, _)| target);
        self.dead.extend(targets);
        self.go_on(None)
    }

    /// The answer of the place that was asked.
    pub fn answered(&mut self, answer: Answer<A>) -> Step<A> {
        let Some(asked) = self.asked.take() else { return Step::Wait };
        match answer {
            Answer::Room(room) if self.known.room.is_none_or(|known| room == Some(known)) => {
                self.asked = Some(asked);
                Step::Join
            }
            Answer::Nothing | Answer::Room(_) => {
                self.dead.push(asked);
                self.go_on(None)
            }
            Answer::Elsewhere(token, host) => {
                let own = self.known.heirs.iter().find(|heir| heir.token == self.known.me);
                let own = own.map(|heir| heir.address.clone());
                let heir =
                    self.before().iter().any(|heir| heir.address == asked && heir.token == token);
                let is_named = self.named.as_ref() == Some(&asked);
                let is_new = |host: &A| {
                    *host != asked && Some(host) != own.as_ref() && !self.dead.contains(host)
                };
                let other = host.filter(is_new);
                if heir && !is_named {
                    // It seeks, too, or it hears the old host, and we were cut off.
                    return match other {
                        Some(other) if other != self.known.host => self.go_on(Some(other)),
                        _ => Step::Pause,
                    };
                }
                self.dead.push(asked);
                self.go_on(other)
            }
        }
    }

    fn go_on(&mut self, named: Option<A>) -> Step<A> {
        self.round += 1;
        self.named = named;
        self.try_all()
    }

    /// The pause is over. Everybody may have come back meanwhile.
    pub fn next_round(&mut self) -> Step<A> {
        self.dead.clear();
        self.go_on(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Token = Token(7);

    /// A member with these heirs; its own token is 3. The host is at 0, and each heir at the
    /// place of its token.
    fn seeker(heirs: &[u32]) -> (Seeker<u32>, Step<u32>) {
        let heirs = heirs.iter().map(|&at| Heir { token: Token(at), address: at }).collect();
        Seeker::new(Known { room: Some(ROOM), host: 0, heirs, me: Token(3) })
    }

    #[test]
    fn first_heir_is_the_host_when_the_old_one_is_gone() {
        let (mut seeker, step) = seeker(&[3, 1]);
        assert_eq!(step, Step::Try(vec![0]));
        assert_eq!(seeker.connected(&0, false), Step::Host);
    }

    #[test]
    fn second_heir_waits_for_the_first_and_joins_it() {
        let (mut seeker, step) = seeker(&[1, 3, 2]);
        assert_eq!(step, Step::Try(vec![0, 1]));
        assert_eq!(seeker.connected(&1, true), Step::Wait);
        assert_eq!(seeker.connected(&0, false), Step::Ask(1));
        assert_eq!(seeker.answered(Answer::Room(Some(ROOM))), Step::Join);
    }

    #[test]
    fn heir_that_seeks_too_is_asked_again() {
        let (mut seeker, _) = seeker(&[1, 3]);
        seeker.connected(&0, false);
        assert_eq!(seeker.connected(&1, true), Step::Ask(1));
        assert_eq!(seeker.answered(Answer::Elsewhere(Token(1), None)), Step::Pause);
        assert_eq!(seeker.next_round(), Step::Try(vec![0, 1]));
    }

    #[test]
    fn program_that_is_not_the_heir_any_more_is_passed_over() {
        let (mut seeker, _) = seeker(&[1, 3]);
        seeker.connected(&0, false);
        seeker.connected(&1, true);
        assert_eq!(seeker.answered(Answer::Elsewhere(Token(9), None)), Step::Try(vec![0]));
        assert_eq!(seeker.connected(&0, false), Step::Host);
    }

    #[test]
    fn machine_with_another_room_is_passed_over() {
        let (mut seeker, _) = seeker(&[3]);
        assert_eq!(seeker.connected(&0, true), Step::Ask(0));
        assert_eq!(seeker.answered(Answer::Room(Some(Token(8)))), Step::Host);
    }

    #[test]
    fn address_of_the_new_host_is_followed() {
        let (mut seeker, _) = seeker(&[3]);
        seeker.connected(&0, true);
        let elsewhere = Answer::Elsewhere(Token(5), Some(2));
        assert_eq!(seeker.answered(elsewhere), Step::Try(vec![2]));
        assert_eq!(seeker.connected(&2, true), Step::Ask(2));
        assert_eq!(seeker.answered(Answer::Room(Some(ROOM))), Step::Join);
    }

    #[test]
    fn member_that_is_no_heir_looks_on_the_network() {
        let (mut seeker, step) = seeker(&[1, 2]);
        assert_eq!(step, Step::Try(vec![0, 1, 2]));
        seeker.connected(&2, false);
        seeker.connected(&1, false);
        assert_eq!(seeker.connected(&0, false), Step::Look);
    }

    #[test]
    fn programs_that_name_each_other_do_not_hold_a_seeker_for_ever() {
        let (mut seeker, mut step) = seeker(&[1, 3]);
        let mut steps = 0;
        while step != Step::Host {
            steps += 1;
            assert!(steps < 1000);
            step = match step {
                Step::Try(targets) => {
                    let results =
                        targets.iter().map(|target| seeker.connected(target, *target != 0));
                    results.last().expect("there are targets")
                }
                Step::Ask(1) => seeker.answered(Answer::Elsewhere(Token(1), Some(0))),
                Step::Pause => seeker.next_round(),
                other => panic!("{other:?}"),
            };
        }
    }
}
