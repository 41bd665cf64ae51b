//! The language spoken on the wire, in both directions.
//!
//! Server and client share this module, so they cannot disagree: a [`Command`]
//! is what a client asks, an [`Event`] is what the server tells, and each can
//! be both printed and parsed. `protocol.md` describes the same language for
//! people; its example sessions run as tests and hold the two together.

mod command;
mod event;
mod foreign;
mod framing;
mod literal;
mod nick;
mod others;
mod pieces;
pub mod sanitize;
mod telnet;
mod ticket;

pub use command::{Command, MAX_PLACES, Places};
pub use event::{Event, Heir, Refusal, Scope};
pub use foreign::ForeignWatch;
pub use framing::{LineBuffer, Offered, TooLong};
pub use literal::literal;
pub use nick::Nick;
pub use others::Others;
pub use pieces::pieces;
pub use telnet::{NO_TIMING_MARK, Telnet};
pub use ticket::Ticket;

/// The nick under which the server itself speaks.
pub const SERVER: &str = "server";

/// The server says this to all when it stops.
pub const LAST_LINE: &str = "the server is stopping; goodbye";

/// The host of a room says this to all when it leaves and another machine goes on with the
/// room. The address of that machine follows.
pub const GOES_ON: &str = "the room goes on at ";

/// The server says this to a member that the operator removes. A reason follows `: `.
pub const REMOVED: &str = "you were removed by the operator";

/// The server says this to everybody who registers if what is said is recorded. ` for 30
/// days` may follow.
pub const RECORDED: &str = "this room is recorded: what is said to all is kept";

/// The server says this to a client that talks in the clear where all is encrypted.
pub const ENCRYPTED_ONLY: &str = "this room is encrypted; join it with minichat";

/// The server says this to all when there are too many members to tell joins and leaves.
pub const NOTICES_END: &str = "so many are here that comings and goings are not told any more";

/// The server says this to all when there are few enough again.
pub const NOTICES_AGAIN: &str = "comings and goings are told again";

/// The server says this to a member whose nick another one has, because this server was cut off.
pub const NICK_LOST: &str = "somebody else took your nick while this server was cut off";

/// The server says this to its members when it cannot reach the log that several servers share.
pub const CUT_OFF: &str = "the other servers cannot be reached; what you say waits until they can";

/// The server says this to its members when it reaches the log again.
pub const TOGETHER: &str = "the servers of this room are together again";

/// The server says this to each newcomer while comings and goings are not told.
pub const NOTICES_OFF: &str = "comings and goings are not told here";

/// The TCP port of a server that was not told another one.
pub const DEFAULT_PORT: u16 = 9000;

/// The longest line a client may send, in bytes, its end included.
pub const MAX_COMMAND: usize = 4096;

/// The longest line a server may send, in bytes, its end included.
///
/// It is not [`MAX_COMMAND`], because a text comes back with `FROM`, a nick and
/// a scope before it: 4,096 + 32 characters of 4 bytes + 14 would not fit there.
pub const MAX_EVENT: usize = 8192;
