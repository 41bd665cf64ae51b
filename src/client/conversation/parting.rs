//! The end of a connection, as the server is to take it.

use std::mem;
use std::time::Duration;

use smol::Timer;
use smol::future::or;

use crate::client::conversation::{Conversation, Ending};
use crate::client::link::{self, Watch};
use crate::client::record::Action;
use crate::client::transport::Transport;
use crate::interrupt::{Interrupt, Interrupts};
use crate::wire::Command;

/// How long the last lines may take when the program ends without waiting for an answer.
const LAST_LINES: Duration = Duration::from_millis(100);

impl Conversation<'_> {
    /// Talks over one connection until it ends, and ends it as is due.
    pub(in crate::client) async fn run(
        &mut self,
        transport: Transport,
        interrupts: &mut Interrupts,
    ) -> Ending {
        let ending = self.talk(&transport, interrupts).await;
        match ending {
            Ending::Interrupted(_) | Ending::Unheard | Ending::Failed(_) => {
                self.say_goodbye(&transport).await;
            }
            Ending::Away(_) | Ending::Unhurried if mem::take(&mut self.is_dead) => {
                self.dead.replace(transport).inspect(|dead| link::abort(dead.socket()));
            }
            Ending::Away(_) | Ending::Unhurried | Ending::Done => (),
        }
        ending
    }

    /// Keeps a dead connection until another one is made: see [`link::abort`].
    pub(super) fn keep(&mut self, ending: Ending) -> Ending {
        self.is_dead = true;
        ending
    }

    /// The connection is dead, though nothing was heard of that.
    pub(super) fn gone(&mut self) -> Result<Vec<Action>, Ending> {
        if self.answers_unheard() {
            return Err(Ending::Unhurried);
        }
        if self.comes_back() {
            return Err(Ending::Away(None));
        }
        self.lost = true;
        Ok(self.dialogue.closed())
    }

    /// Whether a server that does not answer has what was said, or could be given it.
    pub(super) async fn is_there(
        &self,
        transport: &Transport,
        interrupts: &mut Interrupts,
    ) -> Result<bool, Interrupt> {
        let question = async {
            match (Watch::acknowledged(transport.socket()), self.address) {
                (Some(acknowledged), _) => Ok(acknowledged),
                (None, Some(address)) => Ok(link::question(address).await),
                (None, None) => Ok(true),
            }
        };
        or(async { Err(interrupts.next().await) }, question).await
    }

    /// Says `QUIT` to a server that would keep the nick otherwise, and waits for no answer.
    async fn say_goodbye(&mut self, transport: &Transport) {
        if !self.dialogue.is_expected_back() || self.lost {
            return;
        }
        self.unsent.extend_from_slice(format!("{}\n", Command::Quit).as_bytes());
        let sent = async {
            while let Ok(count @ 1..) = transport.send(&self.unsent).await {
                self.unsent.drain(..count);
                if self.unsent.is_empty() {
                    break;
                }
            }
        };
        let late = async {
            Timer::after(LAST_LINES).await;
        };
        or(sent, late).await;
    }
}
