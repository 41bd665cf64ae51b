//! The command line: gumdrop options into a [`config`]; help.
//!
//! gumdrop parses; this adds what it lacks: help on standard output with a
//! synopsis, arguments that are not UTF-8, checks across options, defaults from
//! the environment, and errors of one line that says what is wrong and one that
//! says what to do.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use gumdrop::{Options, ParsingStyle};
use unicode_width::UnicodeWidthStr;

use crate::config::{self, Bell, Color, Format, Target, WebPort};
use crate::guess::nearest;
use crate::target;
use crate::texts::{CommandLine, Texts};
use crate::web;
use crate::wire::sanitize::visible;
use crate::wire::{DEFAULT_PORT, MAX_COMMAND};

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub enum Asked {
    /// Run a server.
    Server(config::Server),
    /// Join a chat.
    Connect(config::Connect),
    /// List servers.
    Discover(config::Discover),
    /// Print this on standard output; it ends with a line feed.
    Print(String),
    /// Show this to people, as `Print` does; a terminal may break its lines.
    Help(String),
    /// Nothing that can be done: what is wrong, and what to do, on a line each.
    Wrong(String),
}

#[derive(Debug, Options)]
struct Args {
    #[options(help = "print this help and exit")]
    help: bool,
    #[options(short = "V", help = "print the version and exit")]
    version: bool,
    #[options(command)]
    command: Option<Command>,
}

#[derive(Debug, Options)]
enum Command {
    #[options(help = "run a chat server and announce it on the network")]
    Server(Server),
    #[options(help = "list the chat servers on the network")]
    Discover(Discover),
    #[options(help = "join a chat; so does no command at all")]
    Connect(Connect),
    #[options(help = "print what makes a shell complete with TAB")]
    Completions(Completions),
}

#[derive(Debug, Options)]
struct Server {
    #[options(help = "print this help and exit")]
    help: bool,
    #[options(
        meta = "PORT",
        parse(try_from_str = "port"),
        help = "TCP port to listen on, 0 for any free one (default: 9000)"
    )]
    port: Option<u16>,
    #[options(
        meta = "ADDR",
        parse(try_from_str = "address"),
        help = "listen on ADDR only; may be repeated (default: all)"
    )]
    bind: Vec<IpAddr>,
    #[options(
        meta = "NAME",
        parse(try_from_str = "word"),
        help = "name to announce (default: the host name)"
    )]
    name: Option<String>,
    #[options(meta = "TEXT", help = "greet everyone who joins with TEXT")]
    motd: Option<String>,
    #[options(
        meta = "FILE",
        parse(try_from_str = "path"),
        help = "append the public conversation to FILE"
    )]
    log: Option<PathBuf>,
    #[options(
        no_short,
        meta = "N",
        parse(try_from_str = "number"),
        help = "tell newcomers the last N messages (default: 0)"
    )]
    history: Option<u32>,
    #[options(
        no_short,
        meta = "N",
        parse(try_from_str = "number"),
        help = "people at once, 0 for no limit (default: 1000)"
    )]
    max_users: Option<u32>,
    #[options(
        no_short,
        meta = "N",
        parse(try_from_str = "number"),
        help = "connections from one address, 0 for no limit (default: 64)"
    )]
    per_address: Option<u32>,
    #[options(
        no_short,
        meta = "LINES",
        parse(try_from_str = "number"),
        help = "lines a second per user, 0 for no limit (default: 50)"
    )]
    rate: Option<u32>,
    #[options(no_short, help = "do not announce the server on the network")]
    no_mdns: bool,
    #[options(
        no_short,
        meta = "PORT",
        parse(try_from_str = "web_port"),
        help = "port of the page for browsers (default: 80 higher)"
    )]
    web_port: Option<u16>,
    #[options(no_short, help = "no page for browsers")]
    no_web: bool,
    #[options(
        no_short,
        meta = "NAME",
        parse(try_from_str = "word"),
        help = "announce on interface NAME only (default: all)"
    )]
    interface: Option<String>,
    #[options(help = "print only errors")]
    quiet: bool,
}

#[derive(Debug, Options)]
struct Discover {
    #[options(help = "print this help and exit")]
    help: bool,
    #[options(
        meta = "SECS",
        parse(try_from_str = "seconds"),
        help = "how long to look (default: 2)"
    )]
    timeout: Option<Duration>,
    #[options(short = "1", help = "stop at the first server found")]
    first: bool,
    #[options(help = "go on, and tell what changes, until Ctrl-C")]
    watch: bool,
    #[options(help = "print one JSON object per server")]
    json: bool,
    #[options(no_short, help = "try port 9000 of all local addresses, too")]
    scan: bool,
    #[options(
        no_short,
        meta = "NAME",
        parse(try_from_str = "word"),
        help = "look on interface NAME only (default: all)"
    )]
    interface: Option<String>,
}

#[derive(Debug, Default, Options)]
struct Connect {
    #[options(help = "print this help and exit")]
    help: bool,
    #[options(help = "never ask which server: take the first by name")]
    auto: bool,
    #[options(
        meta = "NICK",
        parse(try_from_str = "word"),
        help = "your nickname (default: $MINICHAT_NICK, or ask)"
    )]
    nick: Option<String>,
    #[options(
        meta = "SECS",
        parse(try_from_str = "seconds"),
        help = "how long to look and to connect (default: 5)"
    )]
    timeout: Option<Duration>,
    #[options(help = "protocol lines, unchanged in both directions")]
    raw: bool,
    #[options(help = "print one JSON object per event")]
    json: bool,
    #[options(no_short, help = "say every line as it is: no line is a command")]
    text: bool,
    #[options(help = "keep listening after the end of the input")]
    stay: bool,
    #[options(meta = "FILE", parse(try_from_str = "path"), help = "append what is shown to FILE")]
    log: Option<PathBuf>,
    #[options(
        no_short,
        meta = "WHEN",
        parse(try_from_str = "bell"),
        help = "ring for: never, me, all (default: me)"
    )]
    bell: Option<Bell>,
    #[options(no_short, help = "notify of what is for you where the terminal can")]
    notify: bool,
    #[options(
        no_short,
        meta = "WHEN",
        parse(try_from_str = "color"),
        help = "colours: auto, always, never (default: auto)"
    )]
    color: Option<Color>,
    #[options(no_short, help = "leave when the connection is lost")]
    no_reconnect: bool,
    #[options(
        no_short,
        meta = "NAME",
        parse(try_from_str = "word"),
        help = "look on interface NAME only (default: all)"
    )]
    interface: Option<String>,
    #[options(free, help = "which server, and its port (default: find one; 9000)")]
    host: Vec<String>,
}

#[derive(Debug, Options)]
struct Completions {
    #[options(help = "print this help and exit")]
    help: bool,
    #[options(free, help = "bash, zsh, fish or powershell")]
    shell: Option<String>,
}

/// The names of the commands.
const COMMANDS: [&str; 4] = ["server", "discover", "connect", "completions"];

/// The shells that complete, and what teaches them to.
const SHELLS: [(&str, &str); 4] = [
    ("bash", include_str!("../completions/minichat.bash")),
    ("zsh", include_str!("../completions/_minichat")),
    ("fish", include_str!("../completions/minichat.fish")),
    ("powershell", include_str!("../completions/_minichat.ps1")),
];

/// Reads the arguments, without the program's own name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>, texts: &Texts) -> Asked {
    let texts = &texts.cli;
    let words: Result<Vec<String>, OsString> =
        arguments.into_iter().map(OsString::into_string).collect();
    let words = match words {
        Ok(words) => words,
        Err(word) => {
            let word = word.to_string_lossy().escape_debug().to_string();
            return wrong("", (texts.no_text)(&word), texts);
        }
    };
    // It is what many type first.
    let words = match &words[..] {
        [help] if help == "help" => vec!["--help".into()],
        [help, command] if help == "help" => vec![command.clone(), "--help".into()],
        _ => words,
    };
    let parse = |words: &[String]| Args::parse_args(words, ParsingStyle::AllOptions);
    let args = match parse(&words) {
        Ok(args) => args,
        // Without a command the options are those of `connect`, as nothing is; and a
        // word that is no command, nor one with a slip, can only be a place.
        Err(err) if is_slip(&words[0]) || COMMANDS.contains(&&*words[0]) => {
            return misunderstood(&words, &err.to_string(), texts);
        }
        Err(first) => match parse(&[&["connect".to_string()], &words[..]].concat()) {
            Ok(args) => args,
            Err(err) if words.iter().any(|word| !word.starts_with('-')) => {
                let words = [&["connect".to_string()], &words[..]].concat();
                return misunderstood(&words, &err.to_string(), texts);
            }
            Err(_) => return misunderstood(&words, &first.to_string(), texts),
        },
    };
    if args.version {
        return Asked::Print(format!("minichat {}\n", env!("CARGO_PKG_VERSION")));
    }
    if args.help_requested() {
        return Asked::Help(help(&args, texts));
    }
    let (command, asked) = match args.command {
        Some(Command::Server(options)) => ("server", server(options, texts)),
        Some(Command::Discover(options)) => ("discover", discover(options, texts)),
        Some(Command::Connect(options)) => ("connect", connect(options, texts)),
        Some(Command::Completions(options)) => ("completions", completions(options, texts)),
        None => ("", connect(Connect::default(), texts)),
    };
    asked.unwrap_or_else(|what| wrong(command, what, texts))
}

fn server(options: Server, texts: &CommandLine) -> Result<Asked, String> {
    let default = config::Server::default();
    let mut bind = Vec::new();
    for ip in options.bind {
        // The same address twice is one address.
        if !bind.contains(&ip) {
            bind.push(ip);
        }
    }
    let longest = options.motd.iter().flat_map(|motd| motd.lines()).map(str::len).max();
    if longest > Some(MAX_COMMAND) {
        return Err((texts.long_motd)(MAX_COMMAND));
    }
    if options.no_web && options.web_port.is_some() {
        return Err((texts.exclusive)("--no-web", "--web-port"));
    }
    let port = options.port.unwrap_or(default.port);
    let web = match (options.no_web, options.web_port) {
        (true, _) => WebPort::None,
        (false, Some(0)) => WebPort::Any,
        (false, Some(port)) => WebPort::Chosen(port),
        (false, None) if port == 0 => WebPort::Any,
        (false, None) => WebPort::Default,
    };
    Ok(Asked::Server(config::Server {
        port,
        bind,
        web,
        name: options.name,
        announce: !options.no_mdns,
        interface: options.interface,
        motd: options.motd,
        log: options.log,
        history: options.history.map_or(default.history, |lines| lines as usize),
        max_users: options.max_users.map_or(default.max_users, |users| users as usize),
        max_per_address: options.per_address.map_or(default.max_per_address, |n| n as usize),
        rate: options.rate.unwrap_or(default.rate),
        quiet: options.quiet,
    }))
}

fn discover(options: Discover, texts: &CommandLine) -> Result<Asked, String> {
    if options.first && options.watch {
        return Err((texts.exclusive)("--first", "--watch"));
    }
    if options.scan && options.watch {
        return Err(texts.scan_and_watch.into());
    }
    let default = config::Discover::default();
    Ok(Asked::Discover(config::Discover {
        timeout: options.timeout.unwrap_or(default.timeout),
        first: options.first,
        watch: options.watch,
        json: options.json,
        scan: options.scan,
        interface: options.interface,
    }))
}

fn connect(options: Connect, texts: &CommandLine) -> Result<Asked, String> {
    let default = config::Connect::default();
    let target = target(&options.host, texts)?;
    if options.auto && target != Target::Any {
        return Err(texts.auto_and_address.into());
    }
    let format = match (options.raw, options.json) {
        (true, true) => return Err((texts.exclusive)("--raw", "--json")),
        (true, false) if options.text => return Err((texts.exclusive)("--raw", "--text")),
        (true, false) if options.nick.is_some() => return Err(texts.raw_and_nick.into()),
        (true, false) => Format::Raw,
        (false, true) => Format::Json,
        (false, false) => default.format,
    };
    let habit = || std::env::var("MINICHAT_NICK").ok().filter(|nick| !nick.trim().is_empty());
    let nick = options.nick.or_else(habit);
    // The server judges a nick, but it must arrive as one line.
    if let Some(nick) = nick.as_ref().filter(|nick| nick.contains(char::is_control)) {
        return Err((texts.no_nick)(nick));
    }
    Ok(Asked::Connect(config::Connect {
        target,
        auto: options.auto,
        interface: options.interface,
        nick,
        timeout: options.timeout.unwrap_or(default.timeout),
        format,
        text: options.text,
        stay: options.stay,
        log: options.log,
        bell: options.bell.unwrap_or_default(),
        notify: options.notify,
        color: options.color.unwrap_or_default(),
        reconnect: !options.no_reconnect,
    }))
}

fn completions(options: Completions, texts: &CommandLine) -> Result<Asked, String> {
    let names = SHELLS.map(|(name, _)| name).join(", ");
    let Some(shell) = options.shell else { return Err((texts.no_shell)(&names)) };
    let known = SHELLS.into_iter().find(|(name, _)| *name == shell);
    let (_, script) = known.ok_or_else(|| (texts.no_choice)(&shell, &names))?;
    Ok(Asked::Print(script.into()))
}

/// Reads `HOST`, `HOST:PORT`, `HOST PORT` or the name of a server, where an IPv6
/// address stands in brackets if a port follows it after a colon. A word that is no full
/// address may be a name, and is looked up as one.
fn target(words: &[String], texts: &CommandLine) -> Result<Target, String> {
    let Some(first) = words.first() else { return Ok(Target::Any) };
    // Neither a title that is shown nor a host has one, so nobody need be asked.
    if let Some(word) = words.iter().find(|word| word.contains(char::is_control)) {
        return Err((texts.garbled_name)(word));
    }
    let address = target::address(first);
    let (host, attached) = address.unwrap_or((first, None));
    let nameless = first.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    if host.trim().is_empty() || nameless {
        return Err(texts.no_name.into());
    }
    if address.is_none() && first.strip_prefix('[').is_some_and(target::is_ipv6) {
        return Err((texts.no_address)(first));
    }
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let (port, after) = match (attached, &words[1..]) {
        (None, []) if address.is_some() => return Ok(Target::Host(host.into(), DEFAULT_PORT)),
        (None, []) => return Ok(Target::Named(host.into())),
        (Some(port), []) => (port, None),
        (Some(_), [second, ..]) => return Err((texts.two_ports)(first, second)),
        (None, [port, after @ ..]) => (port.as_str(), after.first()),
    };
    // A name with blanks that the shell took for several words.
    if address.is_none() && (after.is_some() || !is_number(port) || host.contains(':')) {
        return Err((texts.unquoted)(&words.join(" ")));
    }
    if let Some(after) = after {
        return Err((texts.after_port)(after));
    }
    let port = port.parse().ok().filter(|port| *port > 0);
    let port = port.ok_or_else(|| {
        (texts.no_port)(words.get(1).map_or(attached.unwrap_or(""), String::as_str), 1)
    })?;
    Ok(Target::Host(host.into(), port))
}

/// The longest time, in seconds: a day.
const MAX_SECONDS: u32 = 86_400;

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| format!("port {text}"))
}

/// A port on which browsers open a page.
fn web_port(text: &str) -> Result<u16, String> {
    match port(text)? {
        port if port == 0 || web::is_port_allowed(port) => Ok(port),
        port => Err(format!("web-port {port}")),
    }
}

/// An address to listen on. One of a single link is refused, because the others on that
/// link could join and nobody else.
fn address(text: &str) -> Result<IpAddr, String> {
    let ip = text.split_once('%').map_or(text, |(ip, _)| ip);
    match ip.parse() {
        Ok(IpAddr::V6(v6)) if v6.is_unicast_link_local() => Err(format!("link {text}")),
        Ok(ip) if !text.contains('%') => Ok(ip),
        _ => Err(format!("address {text}")),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("number {text}"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let fits = |seconds: &f64| *seconds > 0.0 && *seconds <= f64::from(MAX_SECONDS);
    let seconds = text.parse().ok().filter(fits);
    seconds.map(Duration::from_secs_f64).ok_or_else(|| format!("seconds {text}"))
}

fn bell(text: &str) -> Result<Bell, String> {
    text.parse().map_err(|()| format!("bell {text}"))
}

fn color(text: &str) -> Result<Color, String> {
    text.parse().map_err(|()| format!("color {text}"))
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text == "-" {
        return Err("dash".into());
    }
    word(text).map(PathBuf::from)
}

fn word(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("word".into()) } else { Ok(text.into()) }
}

/// What is wrong with a value. Of an error of the functions above, gumdrop keeps
/// what it prints, and they have no texts to print it with: they only say what the
/// value should have been, and what it is.
fn flaw(what: &str, texts: &CommandLine) -> String {
    match what.split_once(' ') {
        Some(("port", value)) => (texts.no_port)(value, 0),
        Some(("web-port", value)) => (texts.no_web_port)(value),
        Some(("address", value)) => (texts.no_ip)(value),
        Some(("link", value)) => (texts.one_link)(value),
        Some(("number", value)) => (texts.no_number)(value, u32::MAX),
        Some(("seconds", value)) => (texts.no_time)(value, MAX_SECONDS),
        Some(("bell", value)) => (texts.no_choice)(value, "never, me, all"),
        Some(("color", value)) => (texts.no_choice)(value, "auto, always, never"),
        _ if what == "dash" => texts.no_dash.into(),
        _ => texts.empty.into(),
    }
}

/// What gumdrop says, in the language of the user. It only has English to tell
/// one thing from another by.
fn told(what: &str, texts: &CommandLine) -> String {
    let value = what.strip_prefix("invalid argument to option `");
    if let Some((option, what)) = value.and_then(|rest| rest.split_once("`: ")) {
        return (texts.wrong_value)(option, &flaw(what, texts));
    }
    let sayings = [
        ("unrecognized option `", "`", texts.unknown_option),
        ("unrecognized command `", "`", texts.unknown_command),
        ("unexpected free argument `", "`", texts.unexpected),
        ("missing argument to option `", "`", texts.missing_value),
        ("option `", "` does not accept an argument", texts.needless_value),
    ];
    let mut told = sayings.into_iter().filter_map(|(before, after, tell)| {
        Some(tell(what.strip_prefix(before)?.strip_suffix(after)?))
    });
    told.next().unwrap_or_else(|| what.into())
}

fn help(args: &Args, texts: &CommandLine) -> String {
    let name = args.command_name().unwrap_or_default();
    let options = args.command.as_ref().map_or(Args::usage(), |command| command.self_usage());
    let mut text = format!("{}\n\n{}", (texts.usage)(name), helped(options, texts));
    if let Some(commands) = args.self_command_list().filter(|_| name.is_empty()) {
        let commands = helped(commands, texts);
        text += &format!("\n{}\n{commands}\n{}\n", texts.commands, texts.more);
    }
    text += &format!("\n{}\n", texts.examples);
    for line in (texts.examples_of)(name) {
        text += &format!("  {line}\n");
    }
    text
}

/// What gumdrop tells of options or commands, in the language of the user. The
/// help comes last in a line, behind two blanks, so it can be of any length.
fn helped(lines: &str, texts: &CommandLine) -> String {
    let find = |list: &[(&str, &'static str)], english: &str| {
        list.iter().find(|(word, _)| *word == english).map(|(_, told)| *told)
    };
    let rows: Vec<(String, &str)> = lines
        .lines()
        .map(|line| match (line, line.rsplit_once("  ")) {
            ("Positional arguments:", _) => (texts.arguments.into(), ""),
            ("Optional arguments:", _) => (texts.options.into(), ""),
            (_, Some((names, help))) => {
                let names = names.trim_end();
                let (option, value) = names.rsplit_once(' ').unwrap_or((names, ""));
                let names = match find(texts.values, value) {
                    Some(value) => format!("{option} {value}"),
                    None => names.into(),
                };
                (names, find(texts.helps, help).unwrap_or(help))
            }
            _ => (line.into(), ""),
        })
        .collect();
    let told = rows.iter().filter(|(_, help)| !help.is_empty());
    let width = told.map(|(names, _)| names.width()).max().unwrap_or(0);
    let row = |(names, help): &(String, &str)| match help.is_empty() {
        true => format!("{names}\n"),
        false => format!("{names}{}  {help}\n", " ".repeat(width - names.width())),
    };
    rows.iter().map(row).collect()
}

/// What gumdrop did not understand, in fewer words and with a guess.
fn misunderstood(words: &[String], what: &str, texts: &CommandLine) -> Asked {
    let what = told(what, texts);
    let first = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let command = COMMANDS.into_iter().find(|command| *command == first);
    let guess = match command {
        None => nearest(&first.to_lowercase(), COMMANDS, |command| command)
            .map(|command| format!("minichat {command}")),
        Some(command) => near_option(command, words).or_else(|| free_word(command, words)),
    }
    .or_else(|| near_option("connect", words).filter(|_| command.is_none()));
    match guess {
        Some(guess) => {
            Asked::Wrong(format!("{}\n{}", visible(&what), (texts.did_you_mean)(&guess)))
        }
        None => wrong(command.unwrap_or_default(), what, texts),
    }
}

/// Whether a word is a command but for its case or a slip of the keys.
fn is_slip(word: &str) -> bool {
    nearest(&word.to_lowercase(), COMMANDS, |command| command).is_some()
        && !COMMANDS.contains(&word)
}

/// The option of a command that one of the words was meant to be.
fn near_option(command: &str, words: &[String]) -> Option<String> {
    let usage = match command {
        "server" => Server::usage(),
        "discover" => Discover::usage(),
        "connect" => Connect::usage(),
        _ => Completions::usage(),
    };
    let split = |c: char| c.is_whitespace() || c == ',';
    let known = || usage.split(split).filter_map(|word| word.strip_prefix("--"));
    words.iter().find_map(|word| {
        let (word, _) = word.split_once('=').unwrap_or((word, ""));
        let typed = word.strip_prefix("--")?.to_lowercase();
        match known().any(|option| option == &word[2..]) {
            true => None,
            false => nearest(&typed, known(), |option| option).map(|option| format!("--{option}")),
        }
    })
}

/// What was meant by a word behind a command that takes none.
fn free_word(command: &str, words: &[String]) -> Option<String> {
    let [_, word] = words else { return None };
    if word.starts_with('-') {
        return None;
    }
    let shown = visible(word);
    let quoted = match shown.contains(|c: char| !c.is_alphanumeric() && !"-_.:[]".contains(c)) {
        true => format!("\"{shown}\""),
        false => shown.to_string(),
    };
    match command {
        "server" if word.parse::<u16>().is_ok() => Some(format!("minichat server --port {word}")),
        "server" if word.parse::<IpAddr>().is_ok() => {
            Some(format!("minichat server --bind {word}"))
        }
        "server" => Some(format!("minichat server --name {quoted}")),
        "discover" => Some(format!("minichat connect {quoted}")),
        _ => None,
    }
}

/// One line that says what is wrong, whatever the arguments hold, and one that
/// says what to do.
fn wrong(command: &str, what: String, texts: &CommandLine) -> Asked {
    let line = match command {
        "" => "minichat --help".to_string(),
        command => format!("minichat {command} --help"),
    };
    Asked::Wrong(format!("{}\n{}", visible(&what), (texts.look_at)(&line)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::texts::{ENGLISH, PORTUGUESE};

    fn parse(line: &str) -> Asked {
        parse_in(&ENGLISH, line)
    }

    fn parse_in(texts: &Texts, line: &str) -> Asked {
        super::parse(line.split_whitespace().map(OsString::from), texts)
    }

    #[track_caller]
    fn check_wrong(line: &str, expected: &str) {
        assert_eq!(parse(line), Asked::Wrong(expected.into()), "{line}");
    }

    #[track_caller]
    fn check_target(line: &str, host: &str, port: u16) {
        let Asked::Connect(config) = parse(line) else { panic!("{:?}", parse(line)) };
        assert_eq!(config.target, Target::Host(host.into(), port), "{line}");
    }

    #[test]
    fn a_server_is_named_in_every_usual_way() {
        check_target("connect 192.168.1.100", "192.168.1.100", 9000);
        check_target("connect 192.168.1.100:9001", "192.168.1.100", 9001);
        check_target("connect 127.0.0.1 9001", "127.0.0.1", 9001);
        check_target("connect sala3.local 9000", "sala3.local", 9000);
        check_target("connect ::1", "::1", 9000);
        check_target("connect [::1]", "::1", 9000);
        check_target("connect [::1]:9001", "::1", 9001);
        check_target("connect ::1 9001", "::1", 9001);
        check_target("connect fe80::1%eth0 9001", "fe80::1%eth0", 9001);
        check_target("connect [fe80::1%eth0]:9001", "fe80::1%eth0", 9001);
    }

    #[test]
    fn what_is_no_address_is_looked_up() {
        for (line, target) in [
            ("", Target::Any),
            ("connect", Target::Any),
            ("connect --auto", Target::Any),
            ("connect sala3", Target::Named("sala3".into())),
            ("connect Redes:turma-B", Target::Named("Redes:turma-B".into())),
            ("connect sala3.local:9000", Target::Named("sala3.local:9000".into())),
            ("connect Turma:1", Target::Named("Turma:1".into())),
            ("connect a:70000", Target::Named("a:70000".into())),
            ("connect [a]:1", Target::Named("[a]:1".into())),
            ("connect 101", Target::Named("101".into())),
        ] {
            let Asked::Connect(config) = parse(line) else { panic!("{:?}", parse(line)) };
            assert_eq!(config.target, target, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_value_and_a_way_out() {
        let help = "\nTry `minichat connect --help`";
        for (line, what) in [
            ("connect --auto a", "--auto finds a server by itself; leave the address out"),
            ("connect :9000", "which server? Its name is empty"),
            ("connect a 0", "`0` is not a port: a number from 1 to 65535"),
            ("connect 10.0.0.1:70000", "`70000` is not a port: a number from 1 to 65535"),
            ("connect a b", "a name with blanks stands in quotes: minichat connect \"a b\""),
            ("connect a:1 2", "a name with blanks stands in quotes: minichat connect \"a:1 2\""),
            ("connect a 1 2", "a name with blanks stands in quotes: minichat connect \"a 1 2\""),
            ("connect 10.0.0.1:1 2", "a port is given twice: `10.0.0.1:1` and `2`"),
            ("connect 10.0.0.1 1 2", "unexpected `2` after the port"),
            ("connect [::1:9000", "`[::1:9000` is not an address"),
            ("connect --raw -n ana a", "--raw sends nothing but what is typed; leave --nick out"),
            ("connect --raw --json a", "--raw and --json exclude each other"),
            (
                "connect -t 0 a",
                "invalid argument to option `-t`: `0` is not a number of seconds up to 86400",
            ),
            ("connect --nick= a", "invalid argument to option `--nick`: it is empty"),
        ] {
            check_wrong(line, &format!("{what}{help}"));
        }
        let port = "`=80` is not a port: a number from 0 to 65535";
        check_wrong(
            "server -p=80",
            &format!("invalid argument to option `-p`: {port}\nTry `minichat server --help`"),
        );
        for (line, guess) in [
            ("server x", "minichat server --name x"),
            ("server 9001", "minichat server --port 9001"),
            ("server ::1", "minichat server --bind ::1"),
            ("discover x", "minichat connect x"),
        ] {
            let word = line.split(' ').next_back().unwrap_or_default();
            let expected = format!("`{word}` is one word too many\nDid you mean `{guess}`?");
            check_wrong(line, &expected);
        }
        let dash =
            "invalid argument to option `--log`: `-` names no file; a file of that name is ./-";
        check_wrong("server --log -", &format!("{dash}\nTry `minichat server --help`"));
        check_wrong("connect --log -", &format!("{dash}\nTry `minichat connect --help`"));
        let help = "\nTry `minichat discover --help`";
        check_wrong("discover -1w", &format!("--first and --watch exclude each other{help}"));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_language_of_the_user() {
        for (line, what, look_at) in [
            ("--no-such", "opção desconhecida `--no-such`", "minichat --help"),
            ("server -p", "falta o valor da opção `-p`", "minichat server --help"),
            ("server --quiet=1", "a opção `--quiet` não aceita valor", "minichat server --help"),
            (
                "server --port http",
                "valor inválido para a opção `--port`: `http` não é uma porta: um número de 0 a 65535",
                "minichat server --help",
            ),
            (
                "server -b port",
                "valor inválido para a opção `-b`: `port` não é um endereço IP",
                "minichat server --help",
            ),
            (
                "server --rate 1.5",
                "valor inválido para a opção `--rate`: `1.5` não é um número de 0 a 4294967295",
                "minichat server --help",
            ),
            (
                "discover -t 0",
                "valor inválido para a opção `-t`: `0` não é um número de segundos até 86400",
                "minichat discover --help",
            ),
            (
                "connect --nick= a",
                "valor inválido para a opção `--nick`: está vazio",
                "minichat connect --help",
            ),
            ("connect -rj a", "use --raw ou --json, não os dois", "minichat connect --help"),
            (
                "connect a 0",
                "`0` não é uma porta: um número de 1 a 65535",
                "minichat connect --help",
            ),
        ] {
            let expected = Asked::Wrong(format!("{what}\nVeja `{look_at}`"));
            assert_eq!(parse_in(&PORTUGUESE, line), expected, "{line}");
        }
        let guess = "comando desconhecido `sever`\nVocê quis dizer `minichat server`?";
        assert_eq!(parse_in(&PORTUGUESE, "sever"), Asked::Wrong(guess.into()));
    }

    #[test]
    fn a_slip_in_a_command_is_guessed() {
        check_wrong("conect a", "unrecognized command `conect`\nDid you mean `minichat connect`?");
        check_wrong("sever", "unrecognized command `sever`\nDid you mean `minichat server`?");
        check_wrong("SERVER", "unrecognized command `SERVER`\nDid you mean `minichat server`?");
    }

    #[test]
    fn a_word_that_is_no_command_is_a_place() {
        for line in ["10.0.0.1", "10.0.0.1:9001", "dance", "sala3.local 9001", "dance --nick ana"] {
            assert_eq!(parse(line), parse(&format!("connect {line}")), "{line}");
        }
        let sala = super::parse([OsString::from("Sala 3")], &ENGLISH);
        let Asked::Connect(config) = sala else { panic!("{sala:?}") };
        assert_eq!(config.target, Target::Named("Sala 3".into()));
        check_wrong(
            "10.0.0.1 http",
            "`http` is not a port: a number from 1 to 65535\nTry `minichat connect --help`",
        );
    }

    #[test]
    fn a_slip_in_an_option_is_guessed() {
        for (line, guess) in [
            ("connect --nik ana", "--nick"),
            ("connect --jsno", "--json"),
            ("connect --colour=never", "--color"),
            ("connect --timeot 3 a", "--timeout"),
            ("--atuo", "--auto"),
            ("dance --sty", "--stay"),
            ("server --prot 9001", "--port"),
            ("server --hisotry 5", "--history"),
            ("server --no-mdn", "--no-mdns"),
            ("discover --wach", "--watch"),
            ("discover --Scan", "--scan"),
        ] {
            let Asked::Wrong(what) = parse(line) else { panic!("{line}: {:?}", parse(line)) };
            let guessed = what.lines().nth(1);
            let expected = format!("Did you mean `{guess}`?");
            assert_eq!(guessed, Some(&*expected), "{line}: {what}");
        }
    }

    #[test]
    #[cfg(unix)] // The same for the arguments of Windows is tested with the program.
    fn an_argument_that_is_not_text_is_no_reason_to_panic() {
        use std::os::unix::ffi::OsStringExt;
        let asked =
            super::parse([OsString::from("connect"), OsString::from_vec(vec![0xFF])], &ENGLISH);
        assert_eq!(asked, Asked::Wrong("`\u{FFFD}` is not UTF-8\nTry `minichat --help`".into()));
    }

    #[test]
    fn help_fits_a_terminal() {
        for line in
            ["-h", "--help", "server --help", "discover --help", "connect -h", "completions -h"]
        {
            let Asked::Help(text) = parse(line) else { panic!("{line}") };
            assert!(text.starts_with("Usage: minichat"));
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            let Asked::Help(text) = parse_in(&PORTUGUESE, line) else { panic!("{line}") };
            assert!(text.starts_with("Uso: minichat"));
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
        assert_eq!(parse("-V"), Asked::Print(format!("minichat {}\n", env!("CARGO_PKG_VERSION"))));
        assert_eq!(parse("--version"), parse("-V"));
    }

    #[test]
    fn all_help_is_there_in_portuguese_and_no_more() {
        let all = [
            Args::usage(),
            Server::usage(),
            Discover::usage(),
            Connect::usage(),
            Completions::usage(),
        ];
        let all = all.into_iter().chain(Args::command_list());
        let lines = all.flat_map(str::lines).filter(|line| line.starts_with(' '));
        let english: BTreeSet<&str> = lines
            .map(|line| line.rsplit_once("  ").expect("help is behind two blanks").1)
            .collect();
        let helps = PORTUGUESE.cli.helps;
        let known: BTreeSet<&str> = helps.iter().map(|(english, _)| *english).collect();
        assert_eq!(english, known);
        assert_eq!(helps.len(), known.len(), "none is there twice");
        for (english, told) in helps {
            assert!(english != told && !told.contains("  "), "{told}");
        }
    }

    #[test]
    fn a_shell_is_taught_by_a_script_of_its_own() {
        let scripts: BTreeSet<&str> = SHELLS.into_iter().map(|(_, script)| script).collect();
        assert_eq!(scripts.len(), SHELLS.len());
        for (shell, script) in SHELLS {
            assert_eq!(parse(&format!("completions {shell}")), Asked::Print(script.into()));
            assert!(script.ends_with('\n') && !script.contains('\r'), "{shell}");
        }
        let help = "\nTry `minichat completions --help`";
        let shells = "bash, zsh, fish, powershell";
        check_wrong("completions csh", &format!("`csh` is none of {shells}{help}"));
        check_wrong("completions", &format!("which shell? One of {shells}{help}"));
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        assert_eq!(parse("server"), Asked::Server(config::Server::default()));
        let all = "server -p 0 --bind ::1 -b 127.0.0.1 --max-users 0 --rate 0 --history 5 -q --motd hi --log x";
        let Asked::Server(config) = parse(all) else { panic!("{:?}", parse(all)) };
        assert_eq!(config.bind, ["::1".parse::<IpAddr>().unwrap(), "127.0.0.1".parse().unwrap()]);
        assert_eq!((config.port, config.max_users, config.rate, config.history), (0, 0, 0, 5));
        assert!(config.quiet && config.motd.is_some() && config.log.is_some());
    }

    #[test]
    fn without_a_command_the_options_are_those_of_connect() {
        for line in ["", "--nick ana", "-an ana", "--nick ana 10.0.0.1", "--raw"] {
            assert_eq!(parse(line), parse(&format!("connect {line}")), "{line:?}");
        }
        let red = "invalid argument to option `--color`: `red` is none of auto, always, never";
        check_wrong("--color red", &format!("{red}\nTry `minichat connect --help`"));
    }
}
