//! A room that outlives its host: the decisions.
//!
//! The members of a hosted room are programs. One of them, the host, carries the server.
//! When it is gone, the others must agree on the next host without a word to each other, and
//! no line may be lost or shown twice. This module decides that, and does nothing:
//!
//! - [`Heirs`]: the host's list of the members that can be the next host;
//! - [`Seeker`]: a member looks for the new host, or becomes it;
//! - [`Standby`]: a member that could be the next host is asked for the room;
//! - [`Lineage`]: the terms of the room, and up to where two hosts agree;
//! - [`Memory`]: the lines that a member has read and said, across hosts;
//! - [`Rank`] and [`Rivals`]: which of two rooms of one title goes to the other.
//!
//! Nothing here knows a socket or a clock. The driving contract: report each event with the
//! present time, and do what is returned. The simulator of this module does that with
//! thousands of evenings, and the client with sockets.

mod heirs;
mod lineage;
mod memory;
mod rivals;
mod seeker;
mod standby;

#[cfg(test)]
mod simulator;

use std::fmt;
use std::time::Duration;

pub use heirs::{Heir, Heirs, MAX_HEIRS};
pub use lineage::{Lineage, MAX_ANCESTORS, MAX_PLACES, Place};
pub use memory::{Line, MAX_TAIL, MAX_TAIL_BYTES, Memory, Numbered, Rejoined, Tail};
pub use rivals::{Merge, Noticed, Rank, Rivals};
pub use seeker::{Answer, Known, Seeker, Step};
pub use standby::{Door, Situation, Standby};

/// How long one attempt to reach a host may take.
pub const TRY: Duration = Duration::from_millis(500);
/// How long to wait between two rounds of looking for the host.
pub const AGAIN: Duration = Duration::from_millis(250);
/// How long a member that seeks keeps a visitor waiting, because it may become the host.
pub const HOLD: Duration = Duration::from_secs(2);
/// How often a host announces its room again.
pub const BEACON: Duration = Duration::from_secs(10);

/// Names one run of a program, or one room: random, and told as 8 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u32);

impl Token {
    /// Reads 8 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Token> {
        let is_token = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(text, 16).ok().filter(|_| is_token).map(Token)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The facts on which all hosts of a room agree, and how many hosts there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// Names the room.
    pub room: Token,
    /// How many machines have hosted it, the present one included.
    pub epoch: u32,
    /// When it was opened, in seconds since 1970.
    pub born: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_read_as_it_is_written() {
        for token in [0, 0x7f3a_9c21, u32::MAX].map(Token) {
            assert_eq!(Token::parse(&token.to_string()), Some(token));
        }
        for text in ["", "7f3a9c2", "7f3a9c211", "+f3a9c21", "7f3a9c2é"] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
    }
}
