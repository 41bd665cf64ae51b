//! The company of a host: when to tell them that the room ends with them.

use std::future;
use std::mem;
use std::time::{Duration, Instant};

use smol::Timer;

use crate::client::conversation::Conversation;
use crate::client::format::Formatter;

/// How long the host has company before they are told that the room ends with them.
const COMPANY: Duration = Duration::from_secs(10);

impl Conversation<'_> {
    /// When the host is told that the room ends with them, unless the others leave before.
    pub(super) fn company_deadline(&mut self) -> Option<Instant> {
        let room = self.hosted.as_ref().filter(|_| !self.told_of_end)?;
        let others = room.users() > 1 && room.next().is_none();
        self.company = others.then(|| self.company.unwrap_or_else(Instant::now));
        Some(self.company? + COMPANY)
    }

    /// Tells the host, once, that the room ends with them.
    pub(super) fn tell_of_end(&mut self) {
        if !mem::replace(&mut self.told_of_end, true) {
            let text = self.texts.client.room_ends;
            self.tell(Formatter::format_note, text);
        }
    }
}

/// Waits for a moment, or for ever.
pub(super) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => _ = Timer::at(moment).await,
        None => future::pending().await,
    }
}
