//! The door of a closed room: asks a newcomer for the password, and judges the answer.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::secure::Password;
use crate::secure::password::Question;
use crate::server::guesses::Guess;
use crate::server::hub::{ConnectionGuard, Hub};
use crate::server::reactor::{Sleep, Stream};

/// The door in front of one newcomer. Drop it while the room is not locked, because that may
/// give the attempt back.
pub struct Door<'a> {
    hub: &'a Hub,
    password: &'a Password,
    /// Identifies the channel.
    binding: [u8; 32],
    guess: Guess,
    state: State<'a>,
    /// The newcomer has answered, and was not right.
    spent: bool,
}

enum State<'a> {
    /// Others are asked before.
    Waits(Sleep<'a>),
    /// The newcomer has the question.
    Asked(Question),
    /// The newcomer's line is to be judged.
    Answered(Question, Box<[u8]>),
    /// All is done.
    Judged,
}

impl<'a> Door<'a> {
    /// A door in front of a newcomer. None if there were too many attempts from there.
    pub fn close(
        connection: &ConnectionGuard<'a>,
        stream: &Stream<'a>,
        password: &'a Password,
        binding: [u8; 32],
    ) -> Option<Door<'a>> {
        let hub = connection.hub;
        let mut access = hub.lock();
        let now = access.now;
        let (guess, wait) = access.guesses.begin(connection.origin, now)?;
        drop(access);
        let state = State::Waits(stream.reactor().sleep(wait));
        Some(Door { hub, password, binding, guess, state, spent: false })
    }

    /// Waits until it is the newcomer's turn to be asked.
    pub fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Waits(timer) => Pin::new(timer).poll(cx),
            _ => Poll::Pending,
        }
    }

    /// Makes the line that asks.
    pub fn ask(&mut self) -> String {
        let (question, line) = Question::new(self.password, &self.binding);
        self.state = State::Asked(question);
        line
    }

    /// Whether the newcomer's next line is the answer.
    pub fn is_asked(&self) -> bool {
        matches!(self.state, State::Asked(_))
    }

    /// Takes the newcomer's answer. It is judged when the room is not locked.
    pub fn take(&mut self, line: &[u8]) {
        self.spent = true;
        self.state = match std::mem::replace(&mut self.state, State::Judged) {
            State::Asked(question) => State::Answered(question, line.into()),
            other => other,
        };
    }

    /// Whether there is an answer to be judged.
    pub fn is_answered(&self) -> bool {
        matches!(self.state, State::Answered(..))
    }

    /// Judges the answer. Returns the server's own proof for a newcomer that knows the
    /// password.
    pub fn judge(&mut self) -> Option<String> {
        match std::mem::replace(&mut self.state, State::Judged) {
            State::Answered(question, line) => {
                let proof = question.judge(&line)?;
                self.spent = false;
                Some(proof)
            }
            _ => None,
        }
    }
}

impl Drop for Door<'_> {
    fn drop(&mut self) {
        if !self.spent {
            self.hub.lock().guesses.give_back(self.guess);
        }
    }
}
