//! The command line: words into a [`config`]; help.
//!
//! gumdrop splits the words into options, values and arguments. The table in [`flags`]
//! says what they mean. This module adds help, arguments that are not UTF-8, checks across
//! options, defaults from the environment, and errors: one line says what is wrong, and
//! one says what to do.

pub mod flags;

use std::ffi::OsString;
use std::net::IpAddr;

use gumdrop::{Parser, ParsingStyle};
use unicode_width::UnicodeWidthStr;

use crate::config::{self, Engine, EngineFlaw, Hosting, Target, WebPort};
use crate::secure::Password;
use crate::secure::password::Unfit;
use crate::suggest::nearest;
use crate::target;
use crate::texts::{Both, CommandLine, Texts};
use crate::wire::sanitize::visible;
use crate::wire::{DEFAULT_PORT, MAX_COMMAND};

use flags::{Command, Flaw, Free, Given, Mistake};

/// The variable with the address of the log that several servers share. A command line is
/// shown to everybody on the machine, and a password in it, too.
const ENGINE: &str = "MINICHAT_ENGINE";

/// The request of a command line.
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

/// The script that teaches each shell to complete.
const SCRIPTS: [&str; flags::SHELLS.len()] = [
    include_str!("../completions/minichat.bash"),
    include_str!("../completions/_minichat"),
    include_str!("../completions/minichat.fish"),
    include_str!("../completions/_minichat.ps1"),
];

/// A command line that has only words that there are.
struct Read {
    command: &'static Command,
    /// Help or the version, if one of them is asked for.
    question: Option<Question>,
    /// The configuration, or the error of a check across options.
    asked: Result<Asked, String>,
}

/// Words that the program prints by itself.
enum Question {
    Help,
    Version,
}

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
    let read = match read(&words, texts) {
        Ok(read) => read,
        // Without a command the options are those of `connect`. An unknown word that is no
        // typing error of a command can only be a place.
        Err(mistake) if is_slip(&words[0]) || is_command(&words[0]) => {
            return misunderstood(&words, mistake, texts);
        }
        Err(first) => {
            let longer = [&["connect".to_string()], &words[..]].concat();
            match read(&longer, texts) {
                Ok(read) => read,
                Err(mistake) if words.iter().any(|word| !word.starts_with('-')) => {
                    return misunderstood(&longer, mistake, texts);
                }
                Err(_) => return misunderstood(&words, first, texts),
            }
        }
    };
    match read.question {
        Some(Question::Version) => {
            Asked::Print(format!("minichat {}\n", env!("CARGO_PKG_VERSION")))
        }
        Some(Question::Help) => Asked::Help(help(read.command, texts)),
        None => read.asked.unwrap_or_else(|what| wrong(read.command.name, what, texts)),
    }
}

/// Reads the options of the program, a command, and the options of the command.
fn read(words: &[String], texts: &CommandLine) -> Result<Read, Mistake> {
    let words = &mut Parser::new(words, ParsingStyle::AllOptions);
    let mut version = false;
    let given = flags::read(flags::PROGRAM, words, Free::Command, &mut version)?;
    let name = given.arguments.into_iter().next().unwrap_or_default();
    let Some(command) = flags::command(&name) else { return Err(Mistake::UnknownCommand(name)) };
    let (help, asked) = match command.name {
        "server" => ask(flags::SERVER, words, 0, |given, config| server(&given, config, texts)),
        "discover" => {
            ask(flags::DISCOVER, words, 0, |given, config| discover(&given, config, texts))
        }
        "completions" => ask(flags::COMPLETIONS, words, 1, |given, ()| completions(&given, texts)),
        _ => ask(flags::CONNECT, words, usize::MAX, |given, config| connect(&given, config, texts)),
    }?;
    let question = match (version, given.help || help) {
        (true, _) => Some(Question::Version),
        (false, true) => Some(Question::Help),
        (false, false) => None,
    };
    Ok(Read { command, question, asked })
}

/// Reads the options of a command, and says whether help is asked for.
fn ask<T: Default>(
    rows: &'static [flags::Row<T>],
    words: &mut Parser<'_, String>,
    arguments: usize,
    check: impl FnOnce(Given, T) -> Result<Asked, String>,
) -> Result<(bool, Result<Asked, String>), Mistake> {
    let mut config = T::default();
    let given = flags::read(rows, words, Free::UpTo(arguments), &mut config)?;
    Ok((given.help, check(given, config)))
}

fn server(given: &Given, mut config: config::Server, texts: &CommandLine) -> Result<Asked, String> {
    let longest = config.motd.iter().flat_map(|motd| motd.lines()).map(str::len).max();
    if longest > Some(MAX_COMMAND) {
        return Err((texts.long_motd)(MAX_COMMAND));
    }
    check_together(given, texts)?;
    if config.closed {
        config.password = password(texts)?;
        if config.quiet && config.password.is_none() {
            return Err(texts.password_unshown.into());
        }
    }
    if config.engine.is_none()
        && let Some(url) = std::env::var(ENGINE).ok().filter(|url| !url.trim().is_empty())
    {
        let engine = Engine::parse(&url).map_err(Flaw::Engine);
        let engine = engine.map_err(|flaw| value_error(flaw, "", texts));
        config.engine = Some(engine.map_err(|what| (texts.wrong_value)(ENGINE, &what))?);
    }
    if config.port == 0 && config.web == WebPort::Default {
        config.web = WebPort::Any;
    }
    Ok(Asked::Server(config))
}

fn discover(given: &Given, config: config::Discover, texts: &CommandLine) -> Result<Asked, String> {
    check_together(given, texts)?;
    Ok(Asked::Discover(config))
}

fn connect(
    given: &Given,
    mut config: config::Connect,
    texts: &CommandLine,
) -> Result<Asked, String> {
    config.target = target(&given.arguments, texts)?;
    if config.auto && config.target != Target::Any {
        return Err(texts.auto_and_address.into());
    }
    let only_any =
        [("--host", config.hosting == Hosting::Always), ("--name", config.name.is_some())];
    if let Some((option, _)) = only_any.iter().find(|(_, given)| *given)
        && config.target != Target::Any
    {
        return Err((texts.exclusive)(option, "HOST"));
    }
    check_together(given, texts)?;
    let habit = || std::env::var("MINICHAT_NICK").ok().filter(|nick| !nick.trim().is_empty());
    config.nick = config.nick.or_else(habit);
    config.password = password(texts)?;
    // The server judges a nick, but it must arrive as one line.
    if let Some(nick) = config.nick.as_ref().filter(|nick| nick.contains(char::is_control)) {
        return Err((texts.no_nick)(nick));
    }
    Ok(Asked::Connect(config))
}

/// The password that the environment gives. A word of the command line could be seen by
/// everybody on the machine.
fn password(texts: &CommandLine) -> Result<Option<String>, String> {
    let given = std::env::var_os("MINICHAT_PASSWORD").filter(|given| !given.is_empty());
    let given = given.map(|given| given.to_str().ok_or(Unfit::Unseen).and_then(Password::new));
    let given = given.map(|given| given.map(|password| password.as_str().to_string()));
    given.transpose().map_err(|unfit| format!("MINICHAT_PASSWORD: {}", unfit.tell(texts)))
}

/// Refuses two options that exclude each other, and one without the one that it needs.
fn check_together(given: &Given, texts: &CommandLine) -> Result<(), String> {
    let dashed = |name: &str| format!("--{name}");
    match given.exclusive() {
        None => (),
        Some(("scan", "watch")) => return Err(texts.scan_and_watch.into()),
        Some(("raw", "nick")) => return Err(texts.raw_and_nick.into()),
        Some((one, other)) => return Err((texts.exclusive)(&dashed(one), &dashed(other))),
    }
    match given.lacking() {
        None => Ok(()),
        Some((one, other)) => Err((texts.lacking)(&dashed(one), &dashed(other))),
    }
}

fn completions(given: &Given, texts: &CommandLine) -> Result<Asked, String> {
    let names = flags::SHELLS.join(", ");
    let Some(shell) = given.arguments.first() else { return Err((texts.no_shell)(&names)) };
    let known = flags::SHELLS.into_iter().zip(SCRIPTS).find(|(name, _)| name == shell);
    let (_, script) = known.ok_or_else(|| (texts.no_choice)(shell, &names))?;
    Ok(Asked::Print(script.into()))
}

/// Reads `HOST`, `HOST:PORT`, `HOST PORT` or the name of a server, where an IPv6
/// address stands in brackets if a port follows it after a colon. A word that is no full
/// address may be a name, and is looked up as one.
fn target(words: &[String], texts: &CommandLine) -> Result<Target, String> {
    let Some(first) = words.first() else { return Ok(Target::Any) };
    // Neither a title that is shown nor a host has one, so no lookup is needed.
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

/// Tells the flaw of a value.
fn value_error(flaw: Flaw, value: &str, texts: &CommandLine) -> String {
    match flaw {
        Flaw::Port => (texts.no_port)(value, 0),
        Flaw::WebPort => (texts.no_web_port)(value),
        Flaw::Address => (texts.no_ip)(value),
        Flaw::OneLink => (texts.one_link)(value),
        Flaw::Number => (texts.no_number)(value, u32::MAX),
        Flaw::Seconds => (texts.no_time)(value, flags::MAX_SECONDS),
        Flaw::Choice(words) => (texts.no_choice)(value, &words.join(", ")),
        // It may hold a password, and is not shown.
        Flaw::Engine(EngineFlaw::Form) => texts.no_engine.into(),
        Flaw::Engine(EngineFlaw::Tls) => texts.engine_tls.into(),
        Flaw::Dash => texts.no_dash.into(),
        Flaw::Empty => texts.empty.into(),
    }
}

/// Tells the mistake in a command line.
fn translate_error(mistake: Mistake, texts: &CommandLine) -> String {
    match mistake {
        Mistake::UnknownOption(option) => (texts.unknown_option)(&option),
        Mistake::UnknownCommand(command) => (texts.unknown_command)(&command),
        Mistake::Unexpected(word) => (texts.unexpected)(&word),
        Mistake::MissingValue(option) => (texts.missing_value)(&option),
        Mistake::NeedlessValue(option) => (texts.needless_value)(&option),
        Mistake::WrongValue(option, value, what) => {
            (texts.wrong_value)(&option, &value_error(what, &value, texts))
        }
    }
}

/// The help of a command: its arguments, its options and examples.
fn help(command: &Command, texts: &CommandLine) -> String {
    let in_language = |text: Both| text.in_language(texts.language);
    let mut text = format!("{}\n\n", (texts.usage)(command.name));
    let arguments: Vec<_> = command
        .arguments
        .iter()
        .map(|argument| (argument.name.to_string(), in_language(argument.help)))
        .collect();
    let flags = (command.flags)().into_iter();
    let options: Vec<_> =
        flags.map(|flag| (flag.synopsis(texts.language), in_language(flag.help))).collect();
    let width = width(&arguments).max(width(&options));
    if !arguments.is_empty() {
        text += &format!("{}\n{}\n", texts.arguments, rows(&arguments, width));
    }
    text += &format!("{}\n{}", texts.options, rows(&options, width));
    if command.name.is_empty() {
        let commands: Vec<_> = flags::COMMANDS[1..]
            .iter()
            .map(|command| (command.name.to_string(), in_language(command.help)))
            .collect();
        let commands = rows(&commands, self::width(&commands));
        text += &format!("\n{}\n{commands}\n{}\n", texts.commands, texts.more);
    }
    text += &format!("\n{}\n", texts.examples);
    for line in (texts.examples_of)(command.name) {
        text += &format!("  {line}\n");
    }
    text
}

/// The widest name of a list.
fn width(list: &[(String, &str)]) -> usize {
    list.iter().map(|(name, _)| name.width()).max().unwrap_or(0)
}

/// A list in two columns, of which the first has this width.
fn rows(list: &[(String, &str)], width: usize) -> String {
    let row = |(name, text): &(String, &str)| {
        format!("  {name}{}  {text}\n", " ".repeat(width - name.width()))
    };
    list.iter().map(row).collect()
}

/// A line that says what was not understood, and one with a guess.
fn misunderstood(words: &[String], mistake: Mistake, texts: &CommandLine) -> Asked {
    let what = translate_error(mistake, texts);
    let first = words.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let command = command_names().find(|command| *command == first);
    let guess = match command {
        None => nearest(&first.to_lowercase(), command_names(), |command| command)
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

/// The names of the commands.
fn command_names() -> impl Iterator<Item = &'static str> + Clone {
    flags::COMMANDS[1..].iter().map(|command| command.name)
}

fn is_command(word: &str) -> bool {
    command_names().any(|command| command == word)
}

/// Whether a word is a command but for its case or a typing error.
fn is_slip(word: &str) -> bool {
    nearest(&word.to_lowercase(), command_names(), |command| command).is_some() && !is_command(word)
}

/// The option of a command that one of the words was meant to be.
fn near_option(command: &str, words: &[String]) -> Option<String> {
    let flags = (flags::command(command)?.flags)();
    let known = || flags.iter().map(|flag| flag.long);
    words.iter().find_map(|word| {
        let (word, _) = word.split_once('=').unwrap_or((word, ""));
        let typed = word.strip_prefix("--")?;
        match known().any(|option| option == typed) {
            true => None,
            false => nearest(&typed.to_lowercase(), known(), |option| option)
                .map(|option| format!("--{option}")),
        }
    })
}

/// Guesses the meaning of a word behind a command that takes none.
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
mod tests;
