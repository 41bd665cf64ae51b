//! Parse, run, exit code; nothing else.

use std::process::ExitCode;

use minichat::cli::{self, Asked};
use minichat::{client, server};

fn main() -> ExitCode {
    let result = match cli::parse(std::env::args_os().skip(1)) {
        Asked::Server(config) => server::run(&config).map(|()| 0),
        Asked::Connect(config) => client::run(&config),
        Asked::Print(text) => {
            print!("{text}");
            Ok(0)
        }
        Asked::Wrong(what) => {
            eprintln!("minichat: {what}");
            Ok(2)
        }
    };
    let status = result.unwrap_or_else(|error| {
        eprintln!("minichat: {error}");
        error.status()
    });
    status.into()
}
