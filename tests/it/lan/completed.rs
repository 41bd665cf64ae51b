//! The titles of servers, completed by shells that must not do what they say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Instant;

use super::{Host, SOON, on_a_lan};
use crate::shells::{complete, scratch, told, tool};

const PROGRAM: &str = env!("CARGO_BIN_EXE_minichat");

/// A shell that runs what stands in one of these makes a file.
const TITLES: [&str; 10] = [
    "a b",
    "$(touch made)",
    "`touch made`",
    ";touch made;",
    "\";touch made;\"",
    "';touch made;'",
    r"\$(touch made)\",
    "&touch made|touch made>made",
    "{a,b}*?[a]~#!!é🎉",
    "e'\"$(touch made)`touch made`;touch made;\\",
];

#[test]
fn titles_are_completed_and_not_run() {
    on_a_lan(2, |lan| {
        // One that looks like an option would be one, and is left out.
        let titles = TITLES.into_iter().chain(["--raw"]);
        let start = |(port, title): (u16, &str)| {
            lan.host(1).server(&["--name", title, "--port", &port.to_string()])
        };
        let _servers: Vec<_> = (9001..).zip(titles.clone()).map(start).collect();
        lan.host(2).sees(&titles.collect::<Vec<_>>());
        thread::scope(|scope| {
            for shell in ["bash", "zsh", "fish"] {
                scope.spawn(move || check(lan.host(2), shell));
            }
        });
        assert!(!fs::exists("made").expect("one can look"), "TAB has run what is in a title");
    });
}

/// A completed word, read by a shell on this host, is what was meant.
fn check(host: &Host, shell: &str) {
    let folder = scratch(&format!("made-by-{shell}"));
    fs::create_dir(&folder).expect("a folder can be made");
    for (quote, typed) in [("", ""), ("'", ""), ("\"", ""), ("", "e"), ("'", "e"), ("\"", "e")] {
        if shell == "zsh" && !quote.is_empty() && typed.is_empty() {
            continue; // Of several words, it begins only the first with the quote.
        }
        let expected: BTreeSet<&str> =
            TITLES.into_iter().filter(|title| title.starts_with(typed)).collect();
        let line = format!("connect {quote}{typed}");
        let complete = || complete(shell, &line, Path::new(PROGRAM));
        // A machine that is busy with other tests may answer once too late.
        let mut tabs = (0..10).map_while(|_| host.inside(complete));
        let Some(tab) = tabs.find(|tab| tab.offers.len() >= expected.len()) else {
            return assert!(tool(shell).is_none(), "{shell} does not offer {expected:?}");
        };
        let mut command = tool(shell).expect("it was there before");
        let words = format!("printf '%s\\n' {}", tab.words);
        let read = told(command.current_dir(&folder).args(["-c", &words]));
        let read: BTreeSet<&str> = read.lines().collect();
        assert_eq!(read, expected, "{shell}, {quote}{typed}: {}", tab.words);
        let made = fs::read_dir(&folder).expect("it is there").count();
        assert_eq!(made, 0, "{shell} has run what is in a title: {}", tab.words);
    }
    fs::remove_dir(folder).expect("there is nothing in it");
}

#[test]
fn tab_offers_nothing_without_servers() {
    on_a_lan(1, |lan| {
        for network in ["up", "down"] {
            lan.host(1).ip(&format!("link set eth0 {network}"));
            for shell in ["bash", "zsh", "fish"] {
                let begin = Instant::now();
                let complete = || complete(shell, "connect x", Path::new(PROGRAM));
                // It fails if anything is said on standard error.
                let Some(tab) = lan.host(1).inside(complete) else { continue };
                assert!(tab.offers.is_empty(), "{shell}: {tab:?}");
                assert!(begin.elapsed() < SOON, "{shell}: {:?}", begin.elapsed());
            }
        }
    });
}
