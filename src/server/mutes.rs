//! Muted persons, as far as they are known when they come back.

use std::time::{Duration, Instant};

use crate::room::SessionId;
use crate::server::origin::Origin;
use crate::wire::Nick;

/// How long a muted person is expected back after leaving. Later it is another lesson,
/// and perhaps another person.
const EXPECTED: Duration = Duration::from_secs(30 * 60);
/// How many mutes are kept; the oldest goes first.
const MAX_MUTES: usize = 256;
/// How many nicks of one muted person are kept.
const MAX_NICKS: usize = 8;

/// All muted persons, here or expected back.
///
/// A mute is of a person: one session, under whatever nick. When that session ends, the
/// mute waits for one newcomer from the same address and passes to it. If others came
/// from that address meanwhile, only one of the person's nicks is a proof, because no
/// person is to be silent because of another.
#[derive(Debug, Default)]
pub struct Mutes(Vec<Mute>);

#[derive(Debug)]
struct Mute {
    /// None after the person has left.
    session: Option<SessionId>,
    /// The nicks that the person has had, the last one at the end.
    nicks: Vec<Nick>,
    /// None is this machine, on which everybody may be anybody.
    origin: Option<Origin>,
    /// Others come from the same address.
    shared: bool,
    left: Instant,
}

/// The knowledge about a newcomer from where a muted person is or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The newcomer.
    pub nick: Nick,
    /// The muted person's last nick.
    pub muted: Nick,
    /// It is taken to be the same person, and is muted.
    pub certain: bool,
}

impl Mutes {
    /// Mutes a session. `shared` says whether others come from the same address.
    pub fn add(&mut self, id: SessionId, nick: Nick, origin: Option<Origin>, shared: bool) {
        if self.0.len() >= MAX_MUTES {
            self.0.remove(0);
        }
        let shared = shared || origin.is_none();
        let left = Instant::now();
        self.0.push(Mute { session: Some(id), nicks: vec![nick], origin, shared, left });
    }

    /// Forgets the mute of a session.
    pub fn lift(&mut self, id: SessionId) {
        self.0.retain(|mute| mute.session != Some(id));
    }

    /// Forgets the mute of an absent person, by any of the nicks. Returns the last nick.
    pub fn lift_absent(&mut self, key: &str) -> Option<Nick> {
        let known = |nick: &Nick| *nick.key() == *key;
        let at = self
            .0
            .iter()
            .position(|mute| mute.session.is_none() && mute.nicks.iter().any(known))?;
        self.0.remove(at).nicks.pop()
    }

    /// A session has another nick.
    pub fn renamed(&mut self, id: SessionId, nick: &Nick) {
        if let Some(mute) = self.0.iter_mut().find(|mute| mute.session == Some(id)) {
            mute.is_called(nick);
        }
    }

    /// A person has come back in another session before theirs was over.
    pub fn moved(&mut self, from: SessionId, id: SessionId) {
        if let Some(mute) = self.0.iter_mut().find(|mute| mute.session == Some(from)) {
            mute.session = Some(id);
        }
    }

    /// Whether this session is muted.
    pub fn hold(&self, id: SessionId) -> bool {
        self.0.iter().any(|mute| mute.session == Some(id))
    }

    /// A session has ended; `shared` says whether others come from the same address.
    pub fn left(&mut self, id: SessionId, shared: bool) {
        if let Some(mute) = self.0.iter_mut().find(|mute| mute.session == Some(id)) {
            mute.session = None;
            mute.shared |= shared;
            mute.left = Instant::now();
        }
    }

    /// Passes a mute on to a newcomer, if it is the newcomer's.
    pub fn joined(
        &mut self,
        id: SessionId,
        nick: &Nick,
        origin: Option<Origin>,
    ) -> Option<Suspect> {
        self.expire();
        let suspect = |mute: &Mute, certain| {
            Some(Suspect { nick: nick.clone(), muted: mute.last_nick().clone(), certain })
        };
        let there = |mute: &&mut Mute| mute.origin == origin;
        let mut absent = self.0.iter_mut().filter(|mute| mute.session.is_none());
        let owner = absent.find(|mute| {
            mute.origin == origin
                && (!mute.shared || mute.nicks.iter().any(|known| known.key() == nick.key()))
        });
        if let Some(mute) = owner {
            let suspect = suspect(mute, true);
            mute.session = Some(id);
            mute.is_called(nick);
            return suspect;
        }
        let mut doubt = None;
        for mute in self.0.iter_mut().filter(there) {
            mute.shared = true;
            doubt = doubt.or_else(|| suspect(mute, false));
        }
        doubt.filter(|_| origin.is_some()) // On this machine that is no sign.
    }

    /// The absent persons that are expected back: their last nick, from where, and how
    /// long ago they left.
    pub fn absent(&mut self) -> impl Iterator<Item = (&Nick, Option<Origin>, Duration)> {
        self.expire();
        let absent = self.0.iter().filter(|mute| mute.session.is_none());
        absent.map(|mute| (mute.last_nick(), mute.origin, mute.left.elapsed()))
    }

    fn expire(&mut self) {
        self.0.retain(|mute| mute.session.is_some() || mute.left.elapsed() < EXPECTED);
    }
}

impl Mute {
    fn last_nick(&self) -> &Nick {
        self.nicks.last().expect("a mute is of a member")
    }

    fn is_called(&mut self, nick: &Nick) {
        self.nicks.retain(|known| known.key() != nick.key());
        if self.nicks.len() >= MAX_NICKS {
            self.nicks.remove(0);
        }
        self.nicks.push(nick.clone());
    }
}
