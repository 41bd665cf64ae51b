//! The table of commands and options. An option is one row: its names, its value, its
//! text in both languages, and how its value gets into the configuration.
//!
//! Help is printed from this table. The completions of the shells, the OPTIONS of the man
//! pages and the lists of the READMEs are generated from it: `tests/it/generated.rs`.

mod connect;
mod reading;
mod rows;
mod values;

use crate::config::{Bell, Color, Discover, Server, WebPort};
use crate::texts::{Both, Language, both};

pub(super) use connect::CONNECT;
pub(super) use reading::{Free, Given, Mistake, read};
use rows::{excluding, help, needing, option, switch, value};
pub(super) use values::{Flaw, MAX_SECONDS};
use values::{add, address, count, engine, number, path, port, put, seconds, web_port, word};

/// A command: its name, its text, and its tables.
#[derive(Debug)]
pub struct Command {
    /// Its name; empty for the program itself.
    pub name: &'static str,
    /// Its text in the help.
    pub help: Both,
    /// The arguments that no option takes.
    pub arguments: &'static [Argument],
    /// Lists its options, in the order of the help.
    pub flags: fn() -> Vec<&'static Flag>,
}

/// An argument that no option takes.
#[derive(Debug)]
pub struct Argument {
    /// Its name in the help.
    pub name: &'static str,
    /// Its text in the help.
    pub help: Both,
    /// The words that TAB offers for it.
    pub completes: Completes,
    /// The names of the options that exclude it.
    pub excluded_by: &'static [&'static str],
}

/// An option, as people read it.
#[derive(Debug)]
pub struct Flag {
    /// The letter behind one dash, if there is one.
    pub short: Option<char>,
    /// The name behind two dashes.
    pub long: &'static str,
    /// The value; a switch has none.
    pub value: Option<Value>,
    /// Its text in the help.
    pub help: Both,
    /// The names of the options that it excludes. Each pair stands in one row.
    pub excludes: &'static [&'static str],
    /// The name of the option without which it has no effect.
    pub needs: Option<&'static str>,
}

/// The value of an option.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// The placeholder for it.
    pub name: Both,
    /// The words that TAB offers for it.
    pub completes: Completes,
}

/// The words that TAB offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completes {
    /// Nothing.
    Nothing,
    /// The files of the system.
    Files,
    /// The network interfaces.
    Interfaces,
    /// The servers on the network.
    Servers,
    /// These words.
    Words(&'static [&'static str]),
}

/// A row of the table: an option, and what it does to the configuration `T`.
pub(super) struct Row<T> {
    flag: Flag,
    set: Set<T>,
}

/// How an option gets into the configuration `T`.
enum Set<T> {
    /// A switch that is given.
    On(fn(&mut T)),
    /// A value.
    To(fn(&mut T, &str) -> Result<(), Flaw>),
}

/// The shells that complete.
pub(super) const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

const ADDR: Value = value("ADDR", "ENDEREÇO", Completes::Nothing);
const DAYS: Value = value("DAYS", "DIAS", Completes::Nothing);
const DIR: Value = value("DIR", "PASTA", Completes::Files);
const FILE: Value = value("FILE", "ARQUIVO", Completes::Files);
const INTERFACE: Value = value("NAME", "NOME", Completes::Interfaces);
const LINES: Value = value("LINES", "LINHAS", Completes::Nothing);
const N: Value = value("N", "N", Completes::Nothing);
const URL: Value = value("URL", "URL", Completes::Nothing);
const NAME: Value = value("NAME", "NOME", Completes::Nothing);
const NICK: Value = value("NICK", "APELIDO", Completes::Nothing);
const PORT: Value = value("PORT", "PORTA", Completes::Nothing);
const SECS: Value = value("SECS", "SEGUNDOS", Completes::Nothing);
const TEXT: Value = value("TEXT", "TEXTO", Completes::Nothing);
const WHEN_TO_RING: Value = value("WHEN", "QUANDO", Completes::Words(&Bell::WORDS));
const WHEN_TO_COLOR: Value = value("WHEN", "QUANDO", Completes::Words(&Color::WORDS));

/// The program itself, and its commands.
pub const COMMANDS: [Command; 5] = [
    Command { name: "", help: both("", ""), arguments: &[], flags: || flags(PROGRAM) },
    Command {
        name: "server",
        help: both(
            "run a chat server and announce it on the network",
            "inicia um servidor de chat e o anuncia na rede",
        ),
        arguments: &[],
        flags: || flags(SERVER),
    },
    Command {
        name: "discover",
        help: both("list the chat servers on the network", "lista os servidores de chat da rede"),
        arguments: &[],
        flags: || flags(DISCOVER),
    },
    Command {
        name: "connect",
        help: both(
            "join a chat; so does no command at all",
            "entra em um chat; é o padrão, sem comando algum",
        ),
        arguments: &[Argument {
            name: "host",
            help: both(
                "which server, and its port (default: find one; 9000)",
                "qual servidor, e a porta (padrão: procura um; 9000)",
            ),
            completes: Completes::Servers,
            excluded_by: &["auto", "host", "name"],
        }],
        flags: || flags(CONNECT),
    },
    Command {
        name: "completions",
        help: both(
            "print what makes a shell complete with TAB",
            "mostra o que faz um shell completar com TAB",
        ),
        arguments: &[Argument {
            name: "shell",
            help: both("bash, zsh, fish or powershell", "bash, zsh, fish ou powershell"),
            completes: Completes::Words(&SHELLS),
            excluded_by: &[],
        }],
        flags: || flags(COMPLETIONS),
    },
];

/// The options of the program itself. They fill in whether its version is asked for.
pub(super) const PROGRAM: &[Row<bool>] = &[
    help(),
    switch(
        Some('V'),
        "version",
        "print the version and exit",
        "mostra a versão e sai",
        |version| *version = true,
    ),
];

/// The options of `minichat server`.
pub(super) const SERVER: &[Row<Server>] = &[
    help(),
    option(
        Some('p'),
        "port",
        PORT,
        "TCP port to listen on, 0 for any free one (default: 9000)",
        "porta TCP, 0 é qualquer uma livre (padrão: 9000)",
        |server, text| put(&mut server.port, port(text)),
    ),
    option(
        Some('b'),
        "bind",
        ADDR,
        "listen on ADDR only; may be repeated (default: all)",
        "escuta só em ENDEREÇO; pode repetir (padrão: todos)",
        |server, text| add(&mut server.bind, address(text)),
    ),
    option(
        Some('n'),
        "name",
        NAME,
        "name to announce (default: the host name)",
        "nome a anunciar (padrão: o nome da máquina)",
        |server, text| put(&mut server.name, word(text).map(Some)),
    ),
    option(
        Some('m'),
        "motd",
        TEXT,
        "greet everyone who joins with TEXT",
        "recebe quem entra com a mensagem TEXTO",
        |server, text| put(&mut server.motd, Ok(Some(text.into()))),
    ),
    option(
        Some('l'),
        "log",
        FILE,
        "append the public conversation to FILE",
        "acrescenta a conversa pública a ARQUIVO",
        |server, text| put(&mut server.log, path(text).map(Some)),
    ),
    option(
        None,
        "history",
        N,
        "tell newcomers the last N messages (default: 50, if asked)",
        "últimas N mensagens a quem entra (padrão: 50, se pedir)",
        |server, text| put(&mut server.history, count(text).map(Some)),
    ),
    option(
        None,
        "store",
        DIR,
        "keep what is said to all in DIR, for later runs, too",
        "guarda em PASTA o que é dito a todos, para depois",
        |server, text| put(&mut server.store, path(text).map(Some)),
    ),
    needing(
        "store",
        option(
            None,
            "keep",
            DAYS,
            "days to keep it, 0 for ever (default: 30)",
            "por quantos dias guardar, 0 é sempre (padrão: 30)",
            |server, text| put(&mut server.keep, number(text)),
        ),
    ),
    option(
        None,
        "max-users",
        N,
        "people at once, 0 for no limit (default: 1000)",
        "máximo de pessoas, 0 é sem limite (padrão: 1000)",
        |server, text| put(&mut server.max_users, count(text)),
    ),
    option(
        None,
        "notices",
        N,
        "no joins and leaves told above N people (default: 1000)",
        "sem avisos de entrada e saída acima de N (padrão: 1000)",
        |server, text| put(&mut server.notices, count(text)),
    ),
    option(
        None,
        "per-address",
        N,
        "connections from one address, 0 for no limit (default: 64)",
        "conexões de um endereço, 0 é sem limite (padrão: 64)",
        |server, text| put(&mut server.max_per_address, count(text)),
    ),
    option(
        None,
        "rate",
        LINES,
        "lines a second per user, 0 for no limit (default: 50)",
        "linhas por segundo de cada um, 0: sem limite (padrão: 50)",
        |server, text| put(&mut server.rate, number(text)),
    ),
    option(
        None,
        "engine",
        URL,
        "be one room with other servers, by Redis or Valkey",
        "uma só sala com outros servidores, por Redis ou Valkey",
        |server, text| put(&mut server.engine, engine(text).map(Some)),
    ),
    switch(
        None,
        "no-mdns",
        "do not announce the server on the network",
        "não anuncia o servidor na rede",
        |server| server.announce = false,
    ),
    option(
        None,
        "web-port",
        PORT,
        "port of the page for browsers (default: 80 higher)",
        "porta da página para navegadores (padrão: 80 acima)",
        |server, text| put(&mut server.web, web_port(text)),
    ),
    excluding(
        &["web-port"],
        switch(None, "no-web", "no page for browsers", "sem página para navegadores", |server| {
            server.web = WebPort::None
        }),
    ),
    option(
        None,
        "interface",
        INTERFACE,
        "announce on interface NAME only (default: all)",
        "anuncia só na interface de rede NOME (padrão: todas)",
        |server, text| put(&mut server.interface, word(text).map(Some)),
    ),
    excluding(
        &["web-port"],
        switch(
            None,
            "encrypted-only",
            "nobody joins unencrypted; no page for browsers",
            "só entra quem criptografa; sem página",
            |server| server.encrypted_only = true,
        ),
    ),
    excluding(
        &["web-port"],
        switch(
            None,
            "closed",
            "ask for a password: $MINICHAT_PASSWORD, or one made",
            "exige senha: $MINICHAT_PASSWORD, ou cria uma",
            |server| (server.closed, server.encrypted_only) = (true, true),
        ),
    ),
    switch(
        None,
        "new-key",
        "make a new key for encryption",
        "cria uma chave nova de criptografia",
        |server| server.new_key = true,
    ),
    switch(Some('q'), "quiet", "print only errors", "mostra só os erros", |server| {
        server.quiet = true
    }),
];

/// The options of `minichat discover`.
pub(super) const DISCOVER: &[Row<Discover>] = &[
    help(),
    option(
        Some('t'),
        "timeout",
        SECS,
        "how long to look (default: 2)",
        "por quantos segundos procurar (padrão: 2)",
        |discover, text| put(&mut discover.timeout, seconds(text)),
    ),
    excluding(
        &["watch"],
        switch(
            Some('1'),
            "first",
            "stop at the first server found",
            "para no primeiro servidor encontrado",
            |discover| discover.first = true,
        ),
    ),
    switch(
        Some('w'),
        "watch",
        "go on, and tell what changes, until Ctrl-C",
        "continua e mostra o que muda, até Ctrl-C",
        |discover| discover.watch = true,
    ),
    switch(
        Some('j'),
        "json",
        "print one JSON object per server",
        "mostra um objeto JSON por servidor",
        |discover| discover.json = true,
    ),
    excluding(
        &["watch"],
        switch(
            None,
            "scan",
            "try port 9000 of all local addresses, too",
            "tenta também a porta 9000 dos endereços locais",
            |discover| discover.scan = true,
        ),
    ),
    option(
        None,
        "interface",
        INTERFACE,
        "look on interface NAME only (default: all)",
        "procura só na interface de rede NOME (padrão: todas)",
        |discover, text| put(&mut discover.interface, word(text).map(Some)),
    ),
];

/// The options of `minichat completions`.
pub(super) const COMPLETIONS: &[Row<()>] = &[help()];

/// The options of a table.
pub(super) fn flags<T>(rows: &'static [Row<T>]) -> Vec<&'static Flag> {
    rows.iter().map(|row| &row.flag).collect()
}

/// The command of this name.
pub(super) fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

impl Flag {
    /// Its names and its value, as the help shows them: `-p, --port PORT`.
    pub fn synopsis(&self, language: Language) -> String {
        let short = self.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
        let value = self.value.map(|value| format!(" {}", value.name.in_language(language)));
        format!("{short}--{}{}", self.long, value.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Connect;

    /// A word or number that a text says is the default.
    fn told_default(text: &str) -> Option<&str> {
        let (_, rest) = text.split_once("(default: ").or_else(|| text.split_once("(padrão: "))?;
        rest.split_once(')').map(|(default, _)| default)
    }

    /// Each default that a text tells is that of the configuration.
    fn check_defaults<T: Clone + PartialEq + std::fmt::Debug>(rows: &[Row<T>], default: &T) {
        for Row { flag, set } in rows {
            let Set::To(set) = set else { continue };
            for text in [flag.help.english, flag.help.portuguese] {
                let is_value =
                    |word: &&str| !word.contains(' ') && !["all", "todos", "todas"].contains(word);
                if let Some(told) = told_default(text).filter(is_value) {
                    let mut config = default.clone();
                    assert_eq!(set(&mut config, told), Ok(()), "{text}");
                    assert_eq!(&config, default, "{text}");
                }
            }
        }
    }

    #[test]
    fn texts_tell_the_defaults_of_the_configuration() {
        check_defaults(SERVER, &Server::default());
        check_defaults(DISCOVER, &Discover::default());
        check_defaults(CONNECT, &Connect::default());
        assert_eq!(told_default("x (default: 50)"), Some("50"));
    }

    #[test]
    fn excluded_options_and_names_are_unambiguous() {
        for command in COMMANDS {
            let flags = (command.flags)();
            for (at, flag) in flags.iter().enumerate() {
                let same = |other: &&&Flag| {
                    other.long == flag.long || other.short.is_some() && other.short == flag.short
                };
                assert_eq!(flags[at + 1..].iter().find(same).map(|flag| flag.long), None);
                for name in flag.excludes.iter().chain(&flag.needs) {
                    assert!(flags.iter().any(|other| other.long == *name), "{name}");
                }
            }
        }
    }

    #[test]
    fn each_text_is_there_in_both_languages() {
        for command in &COMMANDS {
            let flags = (command.flags)();
            let texts = flags.iter().map(|flag| flag.help);
            let texts = texts.chain(command.arguments.iter().map(|argument| argument.help));
            for Both { english, portuguese } in texts {
                assert!(!english.is_empty() && english != portuguese, "{english}");
            }
        }
    }
}
