//! The cost of a chat: the real server over loopback, and Redis beside it if it is
//! installed, in the same run and in turn.
//!
//!     cargo bench --bench chat                  prints the tables
//!     cargo bench --bench chat -- --write       writes them to docs/ and the README
//!     cargo bench --bench chat -- fan100 dm2    measures only these
//!
//! With small numbers it is one of the tests: the [crowd](generator) checks that
//! everyone hears every line, in order.

// How long another process has worked, each of its threads to the nanosecond, is
// something only Linux tells.
#[cfg(target_os = "linux")]
mod generator;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod servers;
#[cfg(target_os = "linux")]
mod workloads;

#[cfg(target_os = "linux")]
fn main() {
    workloads::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this measures on Linux only");
}
