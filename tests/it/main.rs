//! The real binary, driven over real sockets on loopback.
//!
//! Every test starts what it needs on a free port, waits for events and never
//! for time to pass, and leaves nothing running.

mod classroom;
mod cli;
mod client;
mod crowd;
mod dialects;
mod evening;
mod floors;
mod harness;
mod hostile;
mod input;
mod leaving;
mod nicks;
mod operator;
mod order;
mod script;
mod sessions;
mod shown;
