//! The real binary, driven over real sockets on loopback, or on a network that
//! the test makes.
//!
//! Every test starts what it needs on a free port, waits for events and never
//! for time to pass, and leaves nothing running.

#![cfg_attr(not(target_os = "linux"), allow(dead_code, unused_imports))]

mod bots;
#[cfg(target_os = "linux")] // The networks of the page are made there.
mod browser;
mod channel;
mod classroom;
mod cli;
mod client;
mod closed;
mod crowd;
mod dialects;
mod documented;
mod encrypted;
#[cfg(unix)] // An engine is a program of Unix.
mod engine;
mod evening;
#[cfg(debug_assertions)] // A release cannot be made to fail.
mod failing;
mod floors;
mod foreign;
mod generated;
mod growth;
mod harness;
mod hostile;
mod input;
#[cfg(target_os = "linux")] // Nowhere else can a test make a network.
mod lan;
mod language;
mod leaving;
#[cfg(unix)] // Elsewhere a log is not rotated by a signal.
mod logs;
mod measured;
mod nicks;
mod operator;
mod order;
mod past;
mod pipes;
mod platforms;
mod promises;
mod script;
mod sessions;
#[cfg(unix)] // Elsewhere a shell of this name is another system's.
mod shells;
mod shown;
#[cfg(target_os = "linux")] // It is looked at what the server uses.
mod siege;
mod signals;
#[cfg(unix)] // Elsewhere there is no signal to end the server with.
mod soak;
mod stored;
mod stuck;
mod telnet;
#[cfg(unix)] // Elsewhere a terminal is not something that a program can be.
mod terminal;
#[cfg(unix)] // The operator is at a terminal.
mod together;
#[cfg(unix)] // The terminal that is none elsewhere.
mod tty;
mod visitors;
mod websocket;
