//! Reports that come in crowds: they are told together, or counted.

use std::mem;
use std::time::{Duration, Instant};

use crate::host::console::clock;
use crate::server::{Change, MemberChange};
use crate::texts;

/// How many members that come or go are shown one by one within [`BURST`].
const ONE_BY_ONE: usize = 10;
/// Members that come or go within this time of each other are shown together.
const BURST: Duration = Duration::from_secs(1);
/// How many nicks are shown together; more are counted.
const TOGETHER: usize = 12;

/// Keeps many members that come or go at once from scrolling away how to join.
#[derive(Default)]
pub(super) struct Crowd {
    /// When the present burst began, and how many of it were shown one by one.
    since: Option<Instant>,
    shown: usize,
    joined: Vec<String>,
    left: Vec<String>,
    members: usize,
}

impl Crowd {
    /// Whether this one is shown later, with others.
    pub fn holds(&mut self, change: &MemberChange) -> bool {
        let (nicks, nick) = match &change.what {
            Change::Joined(nick) => (&mut self.joined, nick),
            Change::Left(nick) => (&mut self.left, nick),
            Change::Renamed(..) | Change::Resumed(..) => return false,
        };
        if self.since.is_none_or(|since| since.elapsed() >= BURST) {
            (self.since, self.shown) = (Some(Instant::now()), 0);
        }
        if self.shown < ONE_BY_ONE {
            self.shown += 1;
            return false;
        }
        nicks.push(nick.to_string());
        self.members = change.members;
        true
    }

    fn is_waiting(&self) -> bool {
        !self.joined.is_empty() || !self.left.is_empty()
    }

    /// When the members that wait are told, if there are any.
    pub fn due(&self) -> Option<Instant> {
        self.since.filter(|_| self.is_waiting()).map(|since| since + BURST)
    }

    /// The members that wait, once the burst is over.
    pub fn take_late(&mut self, texts: &texts::Server) -> Option<String> {
        let late = self.since.is_some_and(|since| since.elapsed() >= BURST);
        (late && self.is_waiting()).then(|| self.take(texts))
    }

    /// The members that wait, in one line for joins and one for leaves.
    pub fn take(&mut self, texts: &texts::Server) -> String {
        let mut lines = String::new();
        let time = clock();
        for (sign, nicks) in [("+", mem::take(&mut self.joined)), ("-", mem::take(&mut self.left))]
        {
            if !nicks.is_empty() {
                let named = &nicks[..nicks.len().min(TOGETHER)];
                let text = (texts.several)(sign, &named.join(", "), nicks.len() - named.len());
                lines += &format!("{time} {text} ({})\n", self.members);
            }
        }
        lines
    }
}

/// How many cuts are told in a second; more are counted.
const CUTS: usize = 10;
/// How long after the first cut those beyond are counted.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps a crowd that is cut off from flooding the terminal.
#[derive(Default)]
pub(super) struct Brake {
    /// When the first of the last ones was told, and how many there were since.
    since: Option<Instant>,
    cuts: usize,
}

impl Brake {
    /// Whether one more is too many to be told.
    pub fn holds(&mut self) -> bool {
        self.since.get_or_insert_with(Instant::now);
        self.cuts += 1;
        self.cuts > CUTS
    }

    /// When it is told how many were not told, if there are any.
    pub fn due(&self) -> Option<Instant> {
        self.since.filter(|_| self.cuts > CUTS).map(|since| since + PAUSE)
    }

    /// How many were not told, once there is time for that.
    pub fn kept(&mut self) -> Option<usize> {
        self.since.filter(|since| since.elapsed() >= PAUSE)?;
        self.release()
    }

    /// How many were not told so far.
    pub fn release(&mut self) -> Option<usize> {
        let cuts = mem::take(&mut self.cuts);
        self.since = None;
        cuts.checked_sub(CUTS).filter(|&kept| kept > 0)
    }
}
