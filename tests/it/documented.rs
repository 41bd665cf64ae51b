//! Man pages, READMEs and the protocol agree with the program, and the shells offer what
//! the help tells of. What is generated from the table of options: `generated.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use minichat::client::chat_commands;
use minichat::texts::{ENGLISH, Errors, PORTUGUESE, Texts};
use minichat::web::PORT_OFFSET;
use minichat::wire::DEFAULT_PORT;

use crate::cli::COMMANDS;
use crate::harness::{minichat, run};
#[cfg(unix)]
use crate::shells::{Tab, complete, is_installed, scratch, told, tool};

/// The names of things, and what is told about them: `-p, --port PORT`, or `server`.
type Told = BTreeMap<String, String>;

/// Where the man pages of each language are.
const LANGUAGES: [(&str, &str, &Texts); 2] =
    [("man", "C", &ENGLISH), ("man/pt_BR", "pt_BR.UTF-8", &PORTUGUESE)];

/// A file of the project.
#[track_caller]
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    text.replace("\r\n", "\n")
}

/// Lists everything in which two differ.
#[track_caller]
fn check(place: &str, expected: &Told, found: &Told) {
    let mut faults = Vec::new();
    for (name, text) in expected {
        match found.get(name) {
            None => faults.push(format!("`{name}` is missing: {text:?}")),
            Some(other) if other != text => {
                faults.push(format!("`{name}` is {text:?} in the help, and {other:?} here"));
            }
            Some(_) => (),
        }
    }
    let surplus = found.keys().filter(|name| !expected.contains_key(*name));
    faults.extend(surplus.map(|name| format!("`{name}` is not in the help")));
    assert!(faults.is_empty(), "{place}:\n  {}", faults.join("\n  "));
    assert!(!expected.is_empty(), "{place}: there is something to compare");
}

/// The help of a command, as it is printed.
#[track_caller]
fn help(command: &str, locale: &str) -> String {
    let words = command.split_whitespace().chain(["--help"]);
    let output = run(minichat().args(words).env("LC_ALL", locale), "");
    assert_eq!((output.status, &*output.stderr), (Some(0), ""), "{command}");
    output.stdout
}

/// The rows of a help, or of a list like it: a name, two blanks or more, a text.
fn rows(list: &str) -> Told {
    let rows = list.lines().filter_map(|line| line.strip_prefix("  ")?.rsplit_once("  "));
    let rows = rows.map(|(name, text)| (name.trim().to_string(), text.to_string()));
    rows.filter(|(name, _)| !name.is_empty()).collect()
}

/// The options of a command.
#[track_caller]
fn options(command: &str, locale: &str) -> Told {
    let rows = rows(&help(command, locale)).into_iter();
    rows.filter(|(name, _)| name.starts_with('-')).collect()
}

/// The commands.
#[track_caller]
fn commands(locale: &str) -> Told {
    let rows = rows(&help("", locale)).into_iter();
    rows.filter(|(name, _)| !name.starts_with('-')).collect()
}

/// Each name of each option with the text of all: `-p` and `--port`.
fn one_by_one(options: &Told) -> Told {
    let names = options.iter().flat_map(|(names, text)| {
        names
            .split(", ")
            .map(move |name| (name.split(' ').next().unwrap_or(name).to_string(), text.clone()))
    });
    names.collect()
}

/// The words that an option of this name takes, as the help of `connect` says:
/// `ring for: never, me, all (default: me)`.
fn choices(option: &str) -> BTreeSet<String> {
    let all = one_by_one(&options("connect", "C"));
    let text = &all[option];
    let (_, words) = text.split_once(": ").expect("there is a list");
    let (words, _) = words.split_once(" (").expect("there is a default");
    words.split(", ").map(String::from).collect()
}

/// The shells, as the help says: `bash, zsh, fish or powershell`.
fn shells() -> BTreeSet<String> {
    let words = rows(&help("completions", "C"))["shell"].replace(" or ", ", ");
    words.split(", ").map(String::from).collect()
}

/// The text as a sentence, but for its end.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

mod pages {
    //! A little of mdoc.

    use super::{Told, read};

    /// The lines of a section, by its name in either language.
    pub fn section(page: &str, names: [&str; 2]) -> Vec<String> {
        let text = read(page);
        let begins = |line: &str| line.strip_prefix(".Sh ").map(|name| names.contains(&name));
        let mut lines = Vec::new();
        let mut inside = false;
        for line in text.lines() {
            inside = begins(line).unwrap_or(inside);
            if inside {
                lines.push(line.to_string());
            }
        }
        assert!(!lines.is_empty(), "{page} has a section {names:?}");
        lines
    }

    /// The items of lists, and the first line of text of each, without its full
    /// stop.
    pub fn items(lines: &[String]) -> Told {
        let items = lines.iter().enumerate().filter_map(|(at, line)| {
            let text = lines.get(at + 1).map_or("", String::as_str);
            let text = text.strip_suffix('.').unwrap_or(text);
            Some((plain(line.strip_prefix(".It ")?), unescaped(text)))
        });
        items.collect()
    }

    /// `Fl p , Fl -port Ar PORT` as people read it: `-p, --port PORT`.
    fn plain(head: &str) -> String {
        let (mut text, mut prefix, mut end) = (String::new(), "", "");
        for word in head.split(' ') {
            match word {
                "Ar" | "Cm" | "Ic" => (),
                "Fl" => prefix = "-",
                "Op" => (prefix, end) = ("[", "]"),
                "," => text += ",",
                word => {
                    let blank = if text.is_empty() { "" } else { " " };
                    text += &format!("{blank}{prefix}{}", unescaped(word));
                    prefix = "";
                }
            }
        }
        text + end
    }

    pub fn unescaped(text: &str) -> String {
        text.replace(r"\(dq", "\"").replace(r"\&", "").replace(r"\-", "-")
    }
}

/// The placeholders of values: in English, and in Portuguese.
const PLACEHOLDERS: [(&str, &str); 15] = [
    ("DATE", "DATA"),
    ("KEY", "CHAVE"),
    ("ADDR", "ENDEREÇO"),
    ("FILE", "ARQUIVO"),
    ("DIR", "PASTA"),
    ("NAME", "NOME"),
    ("NAMES", "NOMES"),
    ("NICK", "APELIDO"),
    ("PORT", "PORTA"),
    ("REASON", "MOTIVO"),
    ("SECS", "SEGUNDOS"),
    ("SERVER", "SERVIDOR"),
    ("VERSION", "VERSÃO"),
    ("WORD", "PALAVRA"),
    ("WORDS", "PALAVRAS"),
];

/// A message with the placeholders of the language of a folder.
fn in_words_of(folder: &str, message: &str) -> String {
    if folder == "man" {
        return message.into();
    }
    let mut words = String::new();
    let mut rest = message;
    while let Some(start) = rest.find(|c: char| c.is_ascii_uppercase()) {
        let length = rest[start..].find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len() - start);
        let word = &rest[start..start + length];
        let told = PLACEHOLDERS.iter().find(|(english, _)| *english == word);
        words += &rest[..start];
        words += told.map_or(word, |(_, told)| told);
        rest = &rest[start + length..];
    }
    words + rest
}

/// The pages of a language, by their paths.
fn man_pages(folder: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(path).expect("the pages are there");
    let names = entries.map(|entry| entry.expect("it can be listed").file_name());
    let names = names.map(|name| name.into_string().expect("a name in UTF-8"));
    names.filter(|name| name.contains('.')).map(|name| format!("{folder}/{name}")).collect()
}

#[test]
fn man_pages_list_every_typed_command() {
    for (folder, _, texts) in LANGUAGES {
        let words =
            ["/who", "/say", "/kick", "/mute", "/unmute", "/ban", "/listen", "/invite", "/help"];
        let orders = words.into_iter().zip(texts.operator.commands).map(|(word, (what, text))| {
            (format!("{word} {what}").trim_end().to_string(), capital(text))
        });
        let said = chat_commands(texts.client.language);
        let said = said.map(|(command, text)| (command, capital(text)));
        let kinds: [(&str, Told); 2] = [("server", orders.collect()), ("connect", said.collect())];
        for (command, expected) in kinds {
            let page = format!("{folder}/minichat-{command}.1");
            let found = pages::items(&pages::section(&page, ["COMMANDS", "COMANDOS"]));
            check(&page, &expected, &found);
        }
    }
}

/// All that ends the program, in one line each, with words in the place of values.
fn failures(texts: &Texts) -> Vec<String> {
    // A new message has to be added here, or it does not compile.
    let Errors {
        address_in_use,
        port_denied,
        no_such_address,
        listen_for_page,
        listen,
        log,
        log_held,
        store,
        store_in_use,
        store_not_ours,
        store_unknown,
        engine,
        engine_login: _,
        engine_denied: _,
        engine_old: _,
        engine_key: _,
        engine_version: _,
        engine_missing: _,
        since,
        no_place,
        resolve,
        connect,
        unanswered,
        unreachable,
        no_link,
        silent,
        lost,
        not_found,
        not_scanned,
        unknown,
        unknown_among,
        several,
        same_title,
        meant,
        incompatible,
        unversioned,
        no_interface,
        no_nick,
        nick,
        refused,
        input,
        utf16,
        output,
        signals,
        search,
        no_workers,
        system: _,
    } = &texts.error;
    let all = [
        address_in_use("ADDR", ""),
        port_denied("ADDR"),
        no_such_address("ADDR"),
        listen_for_page("ADDR", "REASON"),
        listen("ADDR", "REASON"),
        log("FILE", "REASON"),
        log_held("FILE"),
        store("DIR", "REASON"),
        store_in_use("DIR"),
        store_not_ours("DIR"),
        store_unknown("FILE"),
        engine("ADDR", "REASON"),
        since("FILE", "REASON"),
        no_place("FILE"),
        resolve("HOST", "REASON"),
        connect("SERVER", "", "REASON"),
        unanswered("SERVER", 7, "REASON"),
        unreachable("SERVER", "REASON"),
        no_link("SERVER", "REASON"),
        silent("SERVER", 7.0).replace("7 s", "SECS s"),
        lost("SERVER", ""),
        not_found("INTERFACES", 7.0, "REASON")
            .replace("7.0 s", "SECS s")
            .replace("7,0 s", "SECS s"),
        not_scanned("INTERFACES", 9000),
        unknown("NAME"),
        unknown_among("NAME", ""),
        several("NAMES"),
        same_title("NAMES", ""),
        meant("HOST", ""),
        incompatible("NAME", 7).replace(": 7", ": VERSION"),
        unversioned("NAME"),
        no_interface("NAME", ""),
        no_nick.to_string(),
        nick("NICK", "REASON"),
        refused("SERVER", "REASON"),
        input("REASON"),
        utf16.to_string(),
        output("REASON"),
        signals("REASON"),
        search("REASON"),
        no_workers("REASON"),
    ];
    let firsts = all.iter().filter_map(|message| message.lines().next());
    firsts.map(String::from).collect()
}

#[test]
fn man_pages_explain_exactly_the_complaints() {
    for (folder, _, texts) in LANGUAGES {
        let (server, discovery, cli) = (&texts.server, &texts.discovery, &texts.cli);
        let mut expected: BTreeSet<String> = failures(texts).into_iter().collect();
        expected.extend([
            (server.hidden)("REASON"),
            (server.not_on)("INTERFACES"),
            server.only_ipv6.to_string(),
            (server.name_cut)(63, "NAME"),
            (server.page_moved)(7, 8).replace(['7', '8'], "PORT"),
            (server.no_page)(7, "REASON").replace('7', "PORT"),
            (server.log_gap)("FILE"),
            (server.log_failed)("FILE", "REASON"),
            (texts.client.since_failed)("FILE", "REASON"),
            (server.store_gap)("DIR"),
            (server.store_failed)("DIR", "REASON"),
            (server.left_out)("FILE", 7).replace('7', "N"),
            (server.no_orders)("REASON"),
            (server.cut)("NICK", "ADDR", "REASON"),
        ]);
        expected.extend([
            (server.behind)(7).replace('7', "N"),
            (server.stalled)(7).replace('7', "N"),
            (server.lost)(7).replace('7', "N"),
            server.evicted.to_string(),
            server.failed.to_string(),
            (server.more_cut)(7).replace('7', "N"),
        ]);
        let reasons = [
            discovery.no_network,
            discovery.elsewhere,
            discovery.port_taken,
            discovery.no_multicast,
            discovery.blocked,
        ];
        expected.extend(reasons.map(String::from));
        let encryption = &texts.encryption;
        let first_line = |text: String| text.lines().next().unwrap_or_default().to_string();
        expected.extend(
            [
                (encryption.key_file)("FILE", "REASON"),
                (encryption.copied)("FILE"),
                (encryption.not_kept)(Some(("FILE", "REASON"))),
                (encryption.not_kept)(None),
                (encryption.stripped)("NAME"),
                (encryption.not_announced)("NAME"),
                (encryption.no_password)("NAME"),
                (encryption.refused_password)("NAME"),
                (encryption.not_closed)("NAME"),
                (encryption.tampered)("NAME"),
                (encryption.unasked)("NAME", Some("DATE"), "KEY", ""),
                (encryption.forgetful)("FILE", "REASON"),
            ]
            .map(first_line),
        );
        // A mistake in a command line mostly explains itself.
        let possible = [
            (cli.unknown_command)("WORD"),
            (cli.unknown_option)("WORD"),
            (cli.missing_value)("WORD"),
            (cli.no_choice)("WORD", "WORDS"),
            (cli.no_text)("WORD"),
        ];
        let mut explained = BTreeSet::new();
        for page in man_pages(folder).iter().filter(|page| page.ends_with(".1")) {
            let lines = pages::section(page, ["DIAGNOSTICS", "DIAGNÓSTICOS"]);
            let items = lines.iter().filter_map(|line| line.strip_prefix(".It "));
            explained.extend(items.map(pages::unescaped));
        }
        let words = |message: String| in_words_of(folder, &message);
        let expected: BTreeSet<String> = expected.into_iter().map(words).collect();
        let missing: Vec<_> = expected.difference(&explained).collect();
        assert!(missing.is_empty(), "{folder} does not explain {missing:#?}");
        let known = expected.into_iter().chain(possible.map(words)).collect();
        let surplus: Vec<_> = explained.difference(&known).collect();
        assert!(surplus.is_empty(), "{folder} explains what nobody says: {surplus:#?}");
    }
}

/// A limit, its value as `protocol.md` or `docs/limits.md` tells it, and the constants that it is made
/// of, each with the module it is in.
type Limit = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const LIMITS: &[Limit] = &[
    (
        "handshakes",
        "500 in a second, 20 of them from one address, after 500 and 64 at once",
        &[
            ("server/handshakes", "interval: Duration::from_millis(2), burst: 500 };"),
            ("server/handshakes", "interval: Duration::from_millis(50), burst: 64 };"),
        ],
    ),
    (
        "passwords",
        "5 wrong ones from one address in a minute; 60 in all, and then one in a second",
        &[
            ("server/guesses", "OF_ORIGIN: usize = 5;"),
            ("server/guesses", "WINDOW: Duration = Duration::from_secs(60);"),
            ("server/guesses", "BURST: u32 = 60;"),
            ("server/guesses", "INTERVAL: Duration = Duration::from_secs(1);"),
        ],
    ),
    ("client line", "4,096 bytes,", &[("wire", "MAX_COMMAND: usize = 4096;")]),
    ("server line", "8,192 bytes,", &[("wire", "MAX_EVENT: usize = 8192;")]),
    ("nick", "32 characters", &[("wire/nick", "MAX_NICK: usize = 32;")]),
    ("registration", "30 s ", &[("server", "registration: Duration::from_secs(30),")]),
    ("users", "1,000 (", &[("config", "max_users: 1000,")]),
    ("comings and goings", "told up to 1,000 users (", &[("config", "notices: 1000,")]),
    ("list of users", "64 KiB;", &[("room/listing", "MAX_LIST: usize = 64 << 10;")]),
    ("connections", "64 from", &[("config", "max_per_address: 64,")]),
    (
        "sockets",
        "but 48 and 3 for each core",
        &[("hosting", "RESERVE: usize = 48;"), ("hosting", "RESERVE_FOR_WORKER: usize = 3;")],
    ),
    (
        "visitors",
        "256 requests at once on the page's port, 32 from one address, 10 s for each",
        &[
            ("server/visit", "MAX_VISITORS: usize = 256;"),
            ("server/visit", "MAX_VISITORS_OF_ORIGIN: usize = 32;"),
            ("server/visit", "REQUEST_TIMEOUT: Duration = Duration::from_secs(10);"),
        ],
    ),
    (
        "rounds of telling",
        "50 ms from one to the next, with more than 2,000 connections",
        &[
            ("server/hub/rounds", "FEW: usize = 2000;"),
            ("server/hub/rounds", "PAUSE: Duration = Duration::from_millis(50);"),
        ],
    ),
    (
        "heard at a time",
        "64 KiB or 256 lines of what a client has sent; 16 KiB with a rate, 4,096 bytes ",
        &[
            ("server/inbox", "READ: usize = 64 << 10;"),
            ("server/inbox", "READ_THROTTLED: usize = 16 << 10;"),
            ("server/inbox", "READ_OF_GUEST: usize = MAX_COMMAND;"),
            ("server/inbox", "MAX_LINES: usize = 256;"),
        ],
    ),
    (
        "talk",
        "50 lines/s, burst of 200",
        &[("config", "rate: 50,"), ("room/budget", "BURST: u32 = 200;")],
    ),
    (
        "the others",
        "256 KiB/s, divided by the talkers, as if they were 64 to 256; 1 s of it at once; \
         guests of one address have one share | \
         while a reader that has read in the last second, or 4 s if it is slow, \
         is 256 to 896 KiB behind, or 8 MiB of private lines wait; \
         a leaving reader is waited for, too, for 30 s at most",
        &[
            ("room/budget", "CALM: u64 = 256 << 10;"),
            ("room/budget", "COMPANY: [usize; 2] = [64, 256];"),
            ("room/budget", "SAVINGS: Duration = Duration::from_secs(1);"),
            ("room/lag", "SOFT_LAG: usize = 256 << 10;"),
            ("room/lag", "HARD_LAG: usize = (1 << 20) - (128 << 10);"),
            ("room/lag", " GRACE: Duration = Duration::from_secs(1);"),
            ("room/lag", "LONG_GRACE: Duration = Duration::from_secs(4);"),
            ("room/reader", "LEAVING_TIMEOUT: Duration = Duration::from_secs(30);"),
        ],
    ),
    (
        "changes of nick",
        "5 in 30 s",
        &[
            ("room/session", "MAX_RENAMES: usize = 5;"),
            ("room/session", "RENAME_WINDOW: Duration = Duration::from_secs(30);"),
        ],
    ),
    (
        "past",
        "500 messages and 48 KiB in an answer, 50 messages of a search, out of the last 512 KiB",
        &[
            ("room/past", "MAX_PAST: usize = 500;"),
            ("room/past", "MAX_PAST_BYTES: usize = 48 << 10;"),
            ("hosting/history", "MAX_FOUND: usize = 50;"),
            ("room", "MAX_HISTORY: usize = TRANSCRIPT / 2;"),
        ],
    ),
    (
        "searches",
        "5, and then one in 10 s, for 2 to 200 bytes; 16 wait in all",
        &[
            ("room/past", "SEARCH_BURST: u32 = 5;"),
            ("room/past", "SEARCH_INTERVAL: Duration = Duration::from_secs(10);"),
            ("room/past", "SEARCHED: [usize; 2] = [2, 200];"),
            ("room/past", "MAX_LOOKUPS: usize = 16;"),
        ],
    ),
    (
        "store",
        "64 MiB, and 30 days (`--keep`)",
        &[
            ("store", "MAX_STORE: u64 = 64 << 20;"),
            ("store", "SEGMENT: u64 = 4 << 20;"),
            ("config", "keep: 30,"),
        ],
    ),
    ("unread replies", "64 KiB", &[("room", "MAX_UNREAD_ANSWERS: usize = 64 << 10;")]),
    (
        "unread lines",
        "1 MiB of public or of private ones, 16 MiB of private ones for all together",
        &[
            ("room", "TRANSCRIPT: usize = 1 << 20;"),
            ("room/feed", "MAX_NOTES: usize = 1 << 20;"),
            ("room/feed", "MAX_ALL_NOTES: usize = 16 << 20;"),
        ],
    ),
    (
        "no progress",
        "10 s ",
        &[("server/connection", "STALL_TIMEOUT: Duration = Duration::from_secs(10);")],
    ),
    (
        "no answer",
        "30 s with something on its way, 2 min ",
        &[
            ("server/listener", "ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(30);"),
            ("server/listener", "(Duration::from_secs(60), Duration::from_secs(15), 4);"),
        ],
    ),
    ("sent ahead", "64 KiB", &[("server/listener", "SEND_BUFFER: usize = 64 << 10;")]),
    ("at the door", "1,024 ", &[("server/listener", "BACKLOG: i32 = 1024;")]),
    (
        "no sockets left",
        "10 ms, then twice as long, up to 1 s",
        &[("server/listener", "[Duration::from_millis(10), Duration::from_secs(1)];")],
    ),
    (
        "last words",
        "for 1 s after a goodbye, 2 s ",
        &[
            ("server/connection", "CLOSE_TIMEOUT: Duration = Duration::from_secs(1);"),
            ("server", "STOP_TIMEOUT: Duration = Duration::from_secs(2);"),
        ],
    ),
    (
        "a broken connection",
        "heard for 30 s,",
        &[("server/connection", "AFTER_BREAK: Duration = Duration::from_secs(30);")],
    ),
    (
        "a kept nick",
        "60 s after a connection with a ticket broke (section 14); 1,000 nicks",
        &[
            ("room/keep", "KEPT: Duration = Duration::from_secs(60);"),
            ("room/keep", "MAX_KEPT: usize = 1000;"),
        ],
    ),
    ("limit", "value", &[]), // The head of the table.
];

#[test]
fn both_tables_of_limits_tell_the_constants_of_the_source() {
    let protocol = read("protocol.md");
    let (_, section) = protocol.split_once("## 9. Limits").expect("there is a section");
    let (section, _) = section.split_once("\n## ").expect("and another one");
    let scheduling = read("docs/limits.md");
    let lines = section.lines().chain(scheduling.lines());
    let rows: Vec<&str> = lines.filter(|line| line.starts_with("| ")).collect();
    for (limit, value, constants) in LIMITS.iter().copied() {
        let row = rows.iter().find(|row| row.starts_with(&format!("| {limit} |")));
        assert!(row.is_some_and(|row| row.contains(value)), "{limit}: {value:?} in {row:?}");
        for (file, constant) in constants {
            let file = format!("src/{file}.rs");
            assert!(read(&file).contains(constant), "{limit}: not {constant:?} in {file}");
        }
    }
    // Each of the two tables has a head.
    assert_eq!(rows.len(), LIMITS.len() + 1, "{rows:#?}");
}

#[test]
fn the_man_page_of_the_protocol_explains_every_code() {
    let protocol = read("protocol.md");
    let (_, table) = protocol.split_once("| `ERR` code |").expect("there is a table");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let expected: BTreeSet<String> =
        rows.filter_map(|row| row.split('`').nth(1)).map(String::from).collect();
    for (folder, ..) in LANGUAGES {
        let page = format!("{folder}/minichat-protocol.7");
        let lines = pages::section(&page, ["DIAGNOSTICS", "DIAGNÓSTICOS"]);
        let items = lines.iter().filter_map(|line| line.strip_prefix(".It Li "));
        assert_eq!(items.map(String::from).collect::<BTreeSet<_>>(), expected, "{page}");
    }
}

#[test]
fn pages_of_the_protocol_have_the_same_items_in_each_language() {
    let names = |folder: &str| -> Vec<String> {
        let page = read(&format!("{folder}/minichat-protocol.7"));
        let items = page.lines().filter(|line| line.starts_with(".It "));
        // The names of values are in each language.
        let words = items.map(|item| item.split(" Ar ").next().unwrap_or_default().to_string());
        words.collect()
    };
    assert_eq!(names("man/pt_BR"), names("man"));
}

#[test]
fn both_pages_about_security_have_the_same_sections_and_items() {
    let outline = |file: &str| -> Vec<&'static str> {
        let text = read(file);
        let kind = |line: &str| ["## ", "- **", "- `"].into_iter().find(|it| line.starts_with(it));
        text.lines().filter_map(kind).collect()
    };
    assert_eq!(outline("SECURITY.pt-BR.md"), outline("SECURITY.md"));
    let files = |file: &str| -> BTreeSet<String> {
        let text = read(file);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let links = links.map(|(link, _)| link.to_string());
        links.filter(|link| !link.starts_with("SECURITY")).collect()
    };
    assert_eq!(files("SECURITY.pt-BR.md"), files("SECURITY.md"));
}

#[test]
fn synopsis_has_a_row_for_each_form_in_each_language() {
    for page in man_pages("man").iter().filter(|page| page.ends_with(".1")) {
        let english = pages::section(page, ["SYNOPSIS"; 2]);
        let page = page.replace("man/", "man/pt_BR/");
        let portuguese = pages::section(&page, ["SINOPSE"; 2]);
        let forms = |lines: &[String]| lines.iter().filter(|line| line.starts_with(".Nm")).count();
        assert_eq!(forms(&portuguese), forms(&english), "{page}");
        // Only in a section of the English name does each form begin a row by itself.
        let rows = portuguese.iter().filter(|line| *line == ".It").count();
        assert_eq!(rows.max(1), forms(&portuguese), "{page}");
    }
}

#[test]
fn every_man_page_is_of_this_version() {
    for page in LANGUAGES.into_iter().flat_map(|(folder, ..)| man_pages(folder)) {
        let version = format!("\n.Os minichat {}\n", env!("CARGO_PKG_VERSION"));
        assert!(read(&page).contains(&version), "{page} is not of version{version}");
    }
}

#[test]
#[cfg(unix)] // Elsewhere there are no man pages.
fn man_pages_have_no_flaws() {
    let Some(_) = tool("mandoc") else { return };
    for page in LANGUAGES.into_iter().flat_map(|(folder, ..)| man_pages(folder)) {
        let mut command = tool("mandoc").expect("it was there before");
        let output = run(command.args(["-T", "lint", "-W", "warning", &page]), "");
        let told = (output.status, &*output.stdout, &*output.stderr);
        assert_eq!(told, (Some(0), "", ""), "{page}");
    }
}

#[test]
fn readmes_list_every_typed_command() {
    for (file, texts) in [("README.md", &ENGLISH), ("README.pt-BR.md", &PORTUGUESE)] {
        let readme = read(file);
        // `/help` is what tells of the others.
        for (command, _) in chat_commands(texts.client.language).skip(1) {
            let row = format!("\n| `{command}` | ");
            assert!(readme.contains(&row), "{file} has no row {row:?}");
        }
        let (_, orders) = readme.split_once("`/who`, `/say ").expect("there is a list of orders");
        let (orders, _) = orders.split_once("\n\n").expect("it ends");
        for order in
            ["`/kick ", "`/mute ", "`/unmute ", "`/ban ", "`/listen`", "`/invite`", "`/help`"]
        {
            assert!(orders.contains(order), "{file} does not tell of {order}");
        }
    }
}

#[test]
fn links_of_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut missing) = (0, Vec::new());
    // The crate that is published has no fuzzer.
    let fuzzed = root.join("fuzz").is_dir();
    let folders = [Some("docs"), fuzzed.then_some("fuzz"), Some("")];
    for folder in folders.into_iter().flatten().map(|folder| root.join(folder)) {
        let files = fs::read_dir(&folder).expect("it can be listed");
        let files = files.map(|entry| entry.expect("it can be listed").path());
        for file in files.filter(|path| path.extension().is_some_and(|end| end == "md")) {
            let text = fs::read_to_string(&file).expect("it is text");
            let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            let links = links.map(|(link, _)| link.split('#').next().unwrap_or_default());
            for link in links.filter(|link| !link.is_empty() && !link.contains("://")) {
                found += 1;
                let expected = fuzzed || !link.starts_with("fuzz/");
                if expected && !folder.join(link).exists() {
                    missing.push(format!("{link}, in {}", file.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "there is no {missing:#?}");
    assert!(found > 10, "only {found} links were found");
}

#[test]
fn both_readmes_have_the_same_commands_to_type() {
    // The description of a command, and the name of a file, is in each language.
    let typed = |file: &str| -> Vec<String> {
        let readme = read(file);
        let blocks = readme.split("```sh\n").skip(1);
        let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
        let lines = lines.map(|line| line.split(" # ").next().unwrap_or_default().trim_end());
        lines.map(|line| line.replace("conversa.jsonl", "talk.jsonl")).collect()
    };
    assert_eq!(typed("README.pt-BR.md"), typed("README.md"));
}

#[test]
fn printed_completions_are_those_installed() {
    let files = ["minichat.bash", "_minichat", "minichat.fish", "_minichat.ps1"];
    let mut shells = shells();
    for (shell, file) in ["bash", "zsh", "fish", "powershell"].into_iter().zip(files) {
        let output = run(minichat().args(["completions", shell]), "");
        assert_eq!((output.status, &*output.stderr), (Some(0), ""));
        assert_eq!(output.stdout, read(&format!("completions/{file}")), "{shell}");
        assert!(shells.remove(shell), "help tells of {shell}");
    }
    assert!(shells.is_empty(), "{shells:?}");
}

/// A program that notes that it was run. To complete options, no server is looked for,
/// least of all on a network that is not the test's own.
#[cfg(unix)]
struct Nobody(PathBuf);

#[cfg(unix)]
impl Nobody {
    fn of(shell: &str) -> Nobody {
        use std::os::unix::fs::PermissionsExt;
        let program = scratch(&format!("nobody-for-{shell}")).join("minichat");
        fs::create_dir(program.parent().expect("it is in a folder")).expect("one can be made");
        fs::write(&program, "#!/bin/sh\ntouch \"$0-ran\"\n").expect("a file can be made");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        Nobody(program)
    }

    #[track_caller]
    fn complete(&self, shell: &str, line: &str) -> Option<Tab> {
        let tab = complete(shell, line, &self.0);
        let ran = fs::exists(self.0.with_file_name("minichat-ran")).expect("one can look");
        assert!(!ran, "{shell} looks for servers to complete: minichat {line}");
        tab
    }
}

/// The words that every shell must offer.
#[cfg(unix)]
#[track_caller]
fn check_shell(shell: &str, nobody: &Nobody) {
    let check_words = |line: &str, expected: &BTreeSet<String>| {
        let Some(tab) = nobody.complete(shell, line) else { return };
        let expected = expected.iter().map(String::as_str).collect();
        assert_eq!(tab.names(), expected, "{shell}, minichat {line}");
    };
    check_words("", &commands("C").into_keys().collect());
    check_words("completions ", &shells());
    for option in ["--bell", "--color"] {
        check_words(&format!("connect {option} "), &choices(option));
    }
    check_words("discover --timeout ", &BTreeSet::new());
    check_words("connect 127.0.0.1 --nick ", &BTreeSet::new());
    for option in ["server -l", "connect --log"] {
        let Some(tab) = nobody.complete(shell, &format!("{option} LICEN")) else { return };
        // bash itself knows best how to quote files.
        let files = if shell == "bash" { "compopt -o default" } else { "LICENSE" };
        assert_eq!(tab.names(), [files].into(), "{shell}, minichat {option}");
    }
}

/// The same without the texts, for shells that do not show them to programs.
#[cfg(unix)]
#[track_caller]
fn check_names(place: &str, command: &str, tab: &Tab) {
    let name = |name: &str| (name.to_string(), String::new());
    let expected = one_by_one(&options(command, "C"));
    let expected = expected.keys().map(|option| name(option)).collect();
    check(place, &expected, &tab.names().into_iter().map(name).collect());
}

#[test]
#[cfg(unix)] // Elsewhere a shell of this name is another system's.
fn bash_completes_what_the_help_tells_of() {
    let nobody = Nobody::of("bash");
    check_shell("bash", &nobody);
    for command in COMMANDS {
        let Some(tab) = nobody.complete("bash", format!("{command} -").trim_start()) else {
            return;
        };
        check_names(&format!("completions/minichat.bash, {command}"), command, &tab);
    }
}

#[test]
#[cfg(unix)] // Elsewhere a shell of this name is another system's.
fn fish_completes_what_the_help_tells_of() {
    let nobody = Nobody::of("fish");
    check_shell("fish", &nobody);
    for command in COMMANDS {
        let [Some(one), Some(two)] = ["-", "--"]
            .map(|dashes| nobody.complete("fish", format!("{command} {dashes}").trim_start()))
        else {
            return;
        };
        let found = one.offers.into_iter().chain(two.offers).collect();
        let expected = one_by_one(&options(command, "C"));
        check(&format!("completions/minichat.fish, {command}"), &expected, &found);
    }
    let Some(tab) = nobody.complete("fish", "") else { return };
    check("completions/minichat.fish", &commands("C"), &tab.offers.into_iter().collect());
}

#[test]
#[cfg(unix)] // Elsewhere a shell of this name is another system's.
fn zsh_completes_what_the_help_tells_of() {
    let nobody = Nobody::of("zsh");
    check_shell("zsh", &nobody);
    for command in COMMANDS {
        let Some(tab) = nobody.complete("zsh", format!("{command} -").trim_start()) else { return };
        check_names(&format!("completions/_minichat, {command}"), command, &tab);
    }
}

#[test]
#[cfg(unix)] // Elsewhere it is an older one that answers to this name.
fn powershell_itself_completes() {
    // Not every system has a package of it, so it is not required.
    if !is_installed("pwsh") {
        return eprintln!("SKIP: pwsh is not installed");
    }
    let script = "
        . ./completions/_minichat.ps1
        $tab = TabExpansion2 -inputScript 'minichat server --' -cursorColumn 18
        $tab.CompletionMatches | ForEach-Object { '  ' + $_.ListItemText + '  ' + $_.ToolTip }";
    let mut command = tool("pwsh").expect("it is there");
    let found = rows(&told(command.args(["-NoProfile", "-NonInteractive", "-Command", script])));
    let mut expected = one_by_one(&options("server", "C"));
    expected.retain(|name, _| name.starts_with("--"));
    check("completions/_minichat.ps1, server", &expected, &found);
}

#[test]
fn firewalls_let_in_the_default_ports() {
    let [chat, web] = [DEFAULT_PORT, DEFAULT_PORT + PORT_OFFSET];
    let profile = read("packaging/firewall/ufw");
    assert!(profile.contains(&format!("ports={chat},{web}/tcp|5353/udp\n")), "{profile}");
    let service = read("packaging/firewall/firewalld.xml");
    for port in [chat, web] {
        assert!(service.contains(&format!("<port port=\"{port}\" protocol=\"tcp\"/>")), "{port}");
    }
    assert!(service.contains("<include service=\"mdns\"/>"));
}

#[test]
#[cfg(unix)] // Elsewhere nothing is installed like this.
fn make_installs_and_removes_every_page_and_completion() {
    let root = scratch("installed");
    let make = |target: &str| {
        let command = tool("make")?;
        let binary = format!("BIN={}", env!("CARGO_BIN_EXE_minichat"));
        let root = format!("DESTDIR={}", root.display());
        Some((command, [target.to_string(), binary, root, "PREFIX=/usr".into()]))
    };
    let installed = || -> BTreeSet<String> {
        let (mut files, mut folders) = (BTreeSet::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("it can be listed") {
                let path = entry.expect("it can be listed").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        let path = path.strip_prefix(&root).expect("it is below");
                        files.insert(path.display().to_string());
                    }
                }
            }
        }
        files
    };
    let Some((mut command, arguments)) = make("install") else { return };
    told(command.args(&arguments));
    let mut expected: BTreeSet<String> = [
        "bin/minichat",
        "share/bash-completion/completions/minichat",
        "share/zsh/site-functions/_minichat",
        "share/fish/vendor_completions.d/minichat.fish",
        "share/doc/minichat/README.md",
        "share/doc/minichat/README.pt-BR.md",
        "share/doc/minichat/SECURITY.md",
        "share/doc/minichat/SECURITY.pt-BR.md",
        "share/doc/minichat/protocol.md",
        "share/doc/minichat/docs/install.md",
        "share/doc/minichat/docs/install.pt-BR.md",
        "share/doc/minichat/docs/troubleshooting.md",
        "share/doc/minichat/docs/troubleshooting.pt-BR.md",
        "share/doc/minichat/docs/bots.md",
        "share/doc/minichat/docs/limits.md",
        "share/doc/minichat/docs/engine.md",
        "share/doc/minichat/docs/engine.pt-BR.md",
        "share/doc/minichat/docs/performance.md",
        "share/doc/minichat/docs/performance.svg",
        "share/doc/minichat/docs/session.svg",
        "share/doc/minichat/docs/session.pt-BR.svg",
        "share/doc/minichat/docs/page/room-phone-light-en-US.png",
        "share/doc/minichat/docs/page/room-phone-light-pt-BR.png",
        "share/doc/minichat/examples/client.py",
        "share/doc/minichat/examples/notifier.sh",
        "share/doc/minichat/examples/logger.sh",
        "share/doc/minichat/examples/answerer.py",
        "share/doc/minichat/LICENSE",
    ]
    .map(|path| format!("usr/{path}"))
    .into();
    if cfg!(target_os = "linux") {
        expected.extend(
            [
                "usr/lib/systemd/system/minichat.service",
                "usr/lib/firewalld/services/minichat.xml",
                "etc/ufw/applications.d/minichat",
            ]
            .map(String::from),
        );
    }
    for page in LANGUAGES.into_iter().flat_map(|(folder, ..)| man_pages(folder)) {
        let (folder, name) = page.rsplit_once('/').expect("it is in a folder");
        let number = name.rsplit_once('.').expect("it has a section").1;
        expected.insert(format!("usr/share/{folder}/man{number}/{name}"));
    }
    assert_eq!(installed(), expected);
    for page in expected.iter().filter(|path| path.ends_with(".md")).map(|path| root.join(path)) {
        let text = fs::read_to_string(&page).expect("it is text");
        for picture in text.split("![").skip(1).filter_map(|rest| rest.split_once("](")) {
            let picture = picture.1.split(')').next().unwrap_or_default();
            assert!(page.with_file_name(picture).exists(), "{picture}, in {}", page.display());
        }
    }
    let version = told(std::process::Command::new(root.join("usr/bin/minichat")).arg("--version"));
    assert_eq!(version, format!("minichat {}\n", env!("CARGO_PKG_VERSION")));

    let (mut command, arguments) = make("uninstall").expect("it was there before");
    told(command.args(&arguments));
    assert_eq!(installed(), BTreeSet::new());
    fs::remove_dir_all(&root).expect("folders can be removed");
}
