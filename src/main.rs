//! Parse, run, exit code; nothing else.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use minichat::cli::{self, Asked};
use minichat::error::{Error, find_threads};
use minichat::interrupt;
use minichat::screen::{self, Stream};
use minichat::stdio::{Stderr, Stdout};
use minichat::{client, discover, host, texts};

fn main() -> ExitCode {
    interrupt::outlive_file_limit();
    let texts = texts::here();
    let result = match cli::parse(std::env::args_os().skip(1), texts) {
        Asked::Server(config) => {
            find_threads().and_then(|()| host::run(&config, texts)).map(|()| 0)
        }
        Asked::Connect(config) => find_threads().and_then(|()| client::run(&config, texts)),
        Asked::Discover(config) => find_threads().and_then(|()| discover::run(&config, texts)),
        Asked::Print(text) => print(&text),
        Asked::Help(text) => print(&screen::fit(&text, Stream::Output)),
        Asked::Wrong(what) => {
            complain(&what);
            Ok(2)
        }
    };
    let status = result.unwrap_or_else(|error| {
        complain(&error.tell(texts));
        error.status()
    });
    status.into()
}

/// Prints a text on standard output.
fn print(text: &str) -> Result<u8, Error> {
    match Stdout.write_all(text.as_bytes()) {
        // A reader that has seen enough is no failure.
        Err(err) if err.kind() != ErrorKind::BrokenPipe => Err(Error::Output(err)),
        _ => Ok(0),
    }
}

/// Tells people what is wrong, if there is anybody to tell.
fn complain(what: &str) {
    let what = format!("minichat: {what}");
    writeln!(Stderr, "{}", screen::fit(&what, Stream::Error)).ok();
}
