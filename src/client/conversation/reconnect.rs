//! A conversation without a connection: until the server is back, or a nick is known.

use std::cell::Cell;
use std::future::{self};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::time::Duration;

use smol::Timer;
use smol::future::or;

use crate::client::burst::InputPiece;
use crate::client::connect::{Refusals, attempt, reach_in_time};
use crate::client::conversation::{Conversation, Ending};
use crate::client::encryption::Distrust;
use crate::client::find::{self, FoundServer};
use crate::client::link;
use crate::client::transport::Transport;
use crate::error::Error;
use crate::interrupt::{Interrupt, Interrupts};
use crate::wire::DEFAULT_PORT;

/// How long to wait before the first attempt to come back, and at most between two.
const COME_BACK: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(1)];

/// How long the members of a room take to come back if all have lost it: at random up to so
/// much for each of them, and at most. A server makes the channels of 500 in a second.
const CROWD: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(5)];

/// How long the server may take to learn that an old connection is aborted.
const ABORTED: Duration = Duration::from_millis(200);

impl Conversation<'_> {
    /// Waits for a nick without a connection, and then makes one.
    pub(in crate::client) async fn await_nick(
        &mut self,
        interrupts: &mut Interrupts,
    ) -> Result<Transport, Ending> {
        (self.lost, self.stale, self.answered) = (false, false, false);
        self.unsent.clear();
        while !self.dialogue.knows_a_nick() {
            let interrupted = async { Err(Ending::Interrupted(interrupts.next().await)) };
            let unheard = async {
                self.printer.broken().await;
                Err(Ending::Unheard)
            };
            let typed = async { Ok(self.terminal.next().await) };
            let actions = match or(interrupted, or(unheard, typed)).await? {
                Ok(Some(line)) => self.typed(&line),
                Ok(None) => self.end_of_input(),
                Err(err) => {
                    self.unreadable = Some(err);
                    self.dialogue.end_of_input()
                }
            };
            if let Some(ending) = self.perform(actions) {
                return Err(ending);
            }
            self.print(interrupts).await?;
        }
        self.unsent.clear();
        if self.dialogue.is_leaving() {
            return Err(Ending::Done);
        }
        let (config, server) = (self.config, self.server.clone());
        let attempt = async move {
            let server = find::find_again(config, &server).await.unwrap_or(server);
            (reach_in_time(&server.addresses, 1, config.timeout).await, server)
        };
        let interrupted = async { Err(Ending::Interrupted(interrupts.next().await)) };
        match or(interrupted, async { Ok(attempt.await) }).await? {
            (Ok(transport), server) => {
                let before = self.trust.is_encrypted();
                match self.trust.meet(transport, &server, config.timeout).await {
                    Ok((transport, protection)) => {
                        if !before {
                            self.trust.tell(protection, config, self.texts, self.terminal);
                        }
                        self.server = server;
                        self.abort_dead_connection().await;
                        Ok(transport)
                    }
                    Err(Distrust::Lost(_)) if self.retries() => {
                        self.come_back(&None, interrupts).await
                    }
                    Err(distrust) => Err(Ending::Failed(distrust.into_error(&server, self.texts))),
                }
            }
            _ if self.retries() => self.come_back(&None, interrupts).await,
            (Err(err), server) => {
                let port = server.addresses.first().map_or(DEFAULT_PORT, SocketAddr::port);
                Err(Ending::Failed(Error::Connect(server.name, port, err)))
            }
        }
    }

    /// Waits for the server to come back, wherever it is then. What is typed
    /// meanwhile is not sent. `why` is what it said when it was last there.
    pub(in crate::client) async fn come_back(
        &mut self,
        why: &Option<String>,
        interrupts: &mut Interrupts,
    ) -> Result<Transport, Ending> {
        enum Happening {
            Attempt(Option<Result<(Transport, FoundServer), Error>>),
            Typed(io::Result<Option<InputPiece>>),
            Interrupted(Interrupt),
            Unheard,
        }
        (self.lost, self.asking) = (false, false);
        (self.stale, self.answered) = (false, false);
        self.unsent.clear();
        let seen = Cell::new(mem::take(&mut self.stopped));
        let refusals = Refusals { address: self.address, seen };
        self.crowd = Some(self.dialogue.crowd()).filter(|&crowd| crowd > 0).unwrap_or(self.crowd);
        let most = longest_wait(self.crowd);
        let mut actions = self.dialogue.lost();
        if let Some(why) = why
            && self.kept_out.replace(why.clone()).as_ref() != Some(why)
        {
            actions.extend(self.dialogue.not_yet(why));
        }
        let [mut pause, longest] = COME_BACK;
        if why.is_some() {
            pause = 2 * longest;
        }
        loop {
            // Not all of a class at once.
            let wait = pause.mul_f64(1.0 + fastrand::f64() / 4.0);
            let (config, server) = (self.config, self.server.clone());
            let (trust, texts) = (self.trust, self.texts);
            let attempt = async {
                Timer::after(wait).await;
                let (transport, server) = attempt(config, server, &refusals).await?;
                if refusals.seen.get() {
                    // All the others come back now.
                    Timer::after(most.mul_f64(fastrand::f64())).await;
                }
                match trust.meet(transport, &server, config.timeout).await {
                    Ok((transport, _)) => Some(Ok((transport, server))),
                    Err(Distrust::Lost(_)) => None,
                    Err(distrust) => Some(Err(distrust.into_error(&server, texts))),
                }
            };
            let mut attempt = Box::pin(attempt);
            loop {
                if let Some(ending) = self.perform(actions) {
                    return Err(ending);
                }
                self.print(interrupts).await?;
                // The lines of a program wait until the server is back.
                let typed = async {
                    match self.typing && self.dialogue.is_awake_when_away() {
                        true => Happening::Typed(self.terminal.next().await),
                        false => future::pending().await,
                    }
                };
                let attempt = async { Happening::Attempt(attempt.as_mut().await) };
                let interrupted = async { Happening::Interrupted(interrupts.next().await) };
                let unheard = async {
                    self.printer.broken().await;
                    Happening::Unheard
                };
                actions = match or(interrupted, or(unheard, or(typed, attempt))).await {
                    Happening::Interrupted(interrupt) => {
                        return Err(Ending::Interrupted(interrupt));
                    }
                    Happening::Unheard => return Err(Ending::Unheard),
                    Happening::Typed(Ok(Some(line))) => self.typed(&line),
                    Happening::Typed(Ok(None)) => self.end_of_input(),
                    Happening::Typed(Err(err)) => {
                        self.unreadable = Some(err);
                        self.dialogue.end_of_input()
                    }
                    Happening::Attempt(Some(Err(error))) => return Err(Ending::Failed(error)),
                    Happening::Attempt(Some(Ok((transport, server)))) => {
                        self.server = server;
                        self.abort_dead_connection().await;
                        return Ok(transport);
                    }
                    Happening::Attempt(None) => break,
                };
            }
            actions = Vec::new();
            pause = (2 * pause).min(longest);
        }
    }

    /// Tells the server that our old connection is dead, now that it can be reached. Else
    /// the nick would be in use there until the server notices.
    async fn abort_dead_connection(&mut self) {
        if let Some(dead) = self.dead.take() {
            link::abort(dead.socket());
            drop(dead);
            Timer::after(ABORTED).await;
        }
    }

    /// Whether a connection that is lost now may come back.
    pub(super) fn comes_back(&self) -> bool {
        self.retries() && self.dialogue.may_return()
    }

    /// Whether the client reconnects when the connection is lost.
    pub(super) fn retries(&self) -> bool {
        let wanted = self.terminal.is_interactive || self.config.stay;
        self.config.reconnect && self.formatter.is_some() && wanted
    }
}

/// How long at most a client waits before it goes back into a room that all of so many members
/// have lost.
fn longest_wait(members: usize) -> Duration {
    let [each, most] = CROWD;
    each.saturating_mul(members.min(u32::MAX as usize) as u32).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_grows_with_the_room_up_to_5_s() {
        for (members, millis) in [(1, 5), (30, 150), (1000, 5000), (100_000, 5000)] {
            assert_eq!(longest_wait(members), Duration::from_millis(millis));
        }
        assert_eq!(longest_wait(usize::MAX), Duration::from_secs(5));
    }
}
