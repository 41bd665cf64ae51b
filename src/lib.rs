//! Chat for the people in the same room.
//!
//! The house has six floors, and each knows only the ones below it:
//!
//! 1. [`wire`], the language spoken, as pure functions between text and types;
//!    [`texts`], the words for people; [`suggest`], what a misspelt word means;
//!    [`records`], the history as text; [`takeover`], the decisions by which a room
//!    outlives its host; [`interrupt`], requests to stop; [`stdio`], the standard streams;
//! 2. [`room`], the members and what they say, as a pure state machine;
//!    [`discovery`], being found on the network and finding; [`config`], what the
//!    user asked for; [`error`], why the program stopped; [`terminal`], the line at
//!    the bottom of the terminal; [`screen`], how wide that is; [`log_file`], a file
//!    that lines are appended to; [`store`], the history on disk;
//! 3. [`server`], a running server: the sockets, the tasks and the one lock;
//!    [`invitation`], how to join, in words and as a code to scan;
//! 4. [`hosting`], a server that a program carries;
//! 5. [`host`], the program `minichat server`; [`client`], the program
//!    `minichat connect`; [`discover`], the list of servers; [`cli`], the command
//!    line. They do not know each other;
//! 6. `main`, which puts them together.
//!
//! `wire`, `takeover` and `room` do no I/O, read no clock and know no runtime. `server` knows no
//! signals, standard streams, texts or environment.

pub mod cli;
pub mod client;
pub mod config;
pub mod discover;
pub mod discovery;
pub mod error;
pub mod host;
pub mod hosting;
pub mod interrupt;
pub mod invitation;
pub mod log_file;
pub mod records;
pub mod room;
pub mod screen;
pub mod secure;
pub mod server;
pub mod stdio;
pub mod store;
pub mod suggest;
pub mod takeover;
pub mod target;
pub mod terminal;
pub mod texts;
pub mod trust;
pub mod web;
pub mod wire;
