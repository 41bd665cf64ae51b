//! Parse, run, exit code; nothing else.

use std::io::{self, Write};
use std::process::ExitCode;

use minichat::cli::{self, Asked};
use minichat::error::Error;
use minichat::{client, discover, server};

fn main() -> ExitCode {
    let result = match cli::parse(std::env::args_os().skip(1)) {
        Asked::Server(config) => server::run(&config).map(|()| 0),
        Asked::Connect(config) => client::run(&config),
        Asked::Discover(config) => discover::run(&config),
        Asked::Print(text) => {
            match io::stdout().write_all(text.as_bytes()) {
                // A reader that has seen enough is no failure.
                Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(err)),
                _ => Ok(0),
            }
        }
        Asked::Wrong(what) => {
            complain(&what);
            Ok(2)
        }
    };
    let status = result.unwrap_or_else(|error| {
        complain(&error.to_string());
        error.status()
    });
    status.into()
}

/// Tells people what is wrong, if there is anybody to tell.
fn complain(what: &str) {
    writeln!(io::stderr(), "minichat: {what}").ok();
}
