//! Which server to join: at an address, under a name, or whichever there is.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::num::NonZero;
use std::thread;
use std::time::{Duration, Instant};

use smol::Timer;
use smol::future::or;

use crate::client::opening::{self, Answer};
use crate::client::terminal::Terminal;
use crate::config::{Connect, Hosting, Target};
use crate::discovery::{self, Browser, Encryption, Hidden, Hosted, Server, cause, shown, shown_ip};
use crate::error::Error;
use crate::secure::Fingerprint;
use crate::target;
use crate::texts::Texts;
use crate::trust::{self, KnownServers};
use crate::wire::DEFAULT_PORT;
use crate::wire::sanitize::visible;

/// How long to look for a server of a known title before looking anew.
const LOOK: Duration = Duration::from_secs(3);
/// The list of servers counts as complete, once it has one, this long after the first
/// question, and this long after the last news.
const COMPLETE: Duration = Duration::from_millis(200);
const QUIET: Duration = Duration::from_millis(50);
/// The client waits this many times longer for a person to choose from a longer list.
const PATIENCE: u32 = 2;
/// How long a name server may take, once a chat server of that name is found.
const NAME_SERVER: Duration = Duration::from_millis(500);

/// How many characters of an answer are repeated that means no server.
const MAX_ANSWER: usize = 40;

/// A server to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundServer {
    /// The name that people use for it.
    pub name: String,
    /// Where it may be reached, best first.
    pub addresses: Vec<SocketAddr>,
    /// The title under which it was found, if it was.
    pub title: Option<String>,
    /// The port of its page for browsers, if it was told.
    pub web: Option<NonZero<u16>>,
    /// Whether it lets people in unencrypted, as far as that is known.
    pub in_clear: bool,
    /// The fingerprint of its key, if it was told.
    pub fingerprint: Option<Fingerprint>,
    /// The marks of a hosted room, if it was told that it is one.
    pub hosted: Option<Hosted>,
}

/// Finds the server that is meant. A person chooses if there are several. None is a room of
/// this program's own, because there is no other. Those that are `gone` do not count.
pub async fn find(
    config: &Connect,
    texts: &Texts,
    terminal: &Terminal,
    gone: &[Hosted],
) -> Result<Option<FoundServer>, Error> {
    match &config.target {
        Target::Host(host, port) => match resolve(host, *port, config.timeout).await {
            Err(err) => Err(meant(config, host, *port).await.unwrap_or(err)),
            found => found.map(Some),
        },
        Target::Named(name) => find_named(config, texts, name, terminal).await.map(Some),
        Target::Any => {
            if terminal.editor.is_some() {
                terminal.remark(&format!("* {}", texts.client.looking));
            }
            find_any(config, texts, terminal, gone).await
        }
    }
}

/// Where the server is that was at `server`: it may have another address or port by now,
/// or be where it was.
pub async fn find_again(config: &Connect, server: &FoundServer) -> Option<FoundServer> {
    match (&server.title, &config.target) {
        (Some(title), _) => look_for(config, title).await,
        (None, Target::Host(host, port)) => resolve(host, *port, config.timeout).await.ok(),
        (None, Target::Named(name)) => match target::host(name) {
            Some((host, port)) => resolve(host, port, config.timeout).await.ok(),
            None => None,
        },
        (None, Target::Any) => None,
    }
}

/// The server of exactly this title, as soon as it shows.
async fn look_for(config: &Connect, title: &str) -> Option<FoundServer> {
    let end = Instant::now() + LOOK;
    let mut browser = browse(config).ok()?;
    loop {
        let servers = browser.servers();
        let titled = servers.iter().find(|server| server.title == title && server.is_compatible());
        if let Some(server) = titled {
            return found(server).ok();
        }
        if !browser.changes_before(end).await {
            return None;
        }
    }
}

/// The hint if no such host is found, and a title with a blank was typed
/// without quotes: `connect Redes 1`.
async fn meant(config: &Connect, host: &str, port: u16) -> Option<Error> {
    let end = Instant::now() + COMPLETE * PATIENCE;
    let mut browser = browse(config).ok()?;
    while browser.changes_before(end).await {}
    let servers = matching(&browser.servers(), &format!("{host} {port}"));
    let name = target::quoted(&servers.first()?.title)?;
    Some(Error::Meant(host.into(), name))
}

async fn resolve(host: &str, port: u16, patience: Duration) -> Result<FoundServer, Error> {
    let query = (host.to_string(), port);
    let late = async {
        Timer::after(patience).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, "the name server does not answer"))
    };
    // A thread of its own, since one of a pool would go on waking up for ever; and
    // none for what needs no answer.
    let answer = async {
        if let Ok(ip) = host.parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let (sender, answer) = async_channel::bounded(1);
        thread::Builder::new().spawn(move || {
            let addresses = query.to_socket_addrs().map(Vec::from_iter);
            sender.send_blocking(addresses).ok(); // Nobody may be waiting any more.
        })?;
        answer.recv().await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into()))
    };
    let addresses = or(answer, late).await.map_err(|err| Error::Resolve(host.into(), err))?;
    let name =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Ok(FoundServer {
        name,
        addresses: in_order(addresses),
        title: None,
        web: None,
        in_clear: true,
        fingerprint: None,
        hosted: None,
    })
}

fn in_order(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses.sort_by_key(|address| (!address.ip().is_loopback(), !address.is_ipv4()));
    addresses
}

/// A word that is no address may be the name of a machine or the title of a
/// server. Both are asked for at once. The title counts more; the machine counts more
/// than a title that only begins like this.
async fn find_named(
    config: &Connect,
    texts: &Texts,
    name: &str,
    terminal: &Terminal,
) -> Result<FoundServer, Error> {
    let begin = Instant::now();
    let (complete, quiet) = until_complete(config, terminal);
    let mut browser = browse(config)?;
    let host = target::host(name);
    let resolve = host.map(|(host, port)| Box::pin(resolve(host, port, config.timeout)));
    let mut resolving = resolve;
    let mut machine = None;
    let mut last = begin;
    loop {
        enum Happening {
            Resolved(Result<FoundServer, Error>),
            Changed,
            Time,
        }
        let servers = browser.servers();
        let close = matching(&servers, name);
        let exact = close.iter().any(|server| target::key(&server.title) == target::key(name));
        // When the next thing is to be decided, if nothing happens before.
        let decision = match (&close[..], &resolving) {
            // A machine of this name, unless a server shows soon that has it as its title.
            _ if machine.is_some() => (last + quiet).max(begin + complete),
            ([], _) => begin + config.timeout,
            _ if exact => (last + quiet).max(begin + complete),
            (_, None) => (last + quiet).max(begin + complete),
            (_, Some(_)) => begin + NAME_SERVER,
        };
        if Instant::now() >= decision {
            if let Some(server) = machine.filter(|_| !exact) {
                return Ok(server);
            }
            return match &close[..] {
                [] if servers.is_empty()
                    && cause(config.interface.as_deref()) == Hidden::NoNetwork =>
                {
                    let (asked, cause) = browser.explain(texts);
                    Err(Error::NotFound(asked, begin.elapsed(), cause))
                }
                [] => Err(Error::Unknown(name.into(), titles(&servers))),
                [server] => join(server, texts, terminal),
                several if terminal.is_interactive => {
                    join(choose(several, texts, terminal).await?, texts, terminal)
                }
                several => Err(choice(several)),
            };
        }
        let resolved = async {
            match &mut resolving {
                Some(resolving) => Happening::Resolved(resolving.as_mut().await),
                None => std::future::pending().await,
            }
        };
        let changed = async {
            browser.next().await;
            Happening::Changed
        };
        let time = async {
            Timer::at(decision).await;
            Happening::Time
        };
        match or(resolved, or(changed, time)).await {
            Happening::Resolved(found) => (resolving, machine) = (None, found.ok()),
            Happening::Changed => last = Instant::now(),
            Happening::Time => (),
        }
    }
}

/// When the servers are all known: this long after the first question, and this
/// long after the last news.
fn until_complete(config: &Connect, terminal: &Terminal) -> (Duration, Duration) {
    let patience = if terminal.is_interactive && !config.auto { PATIENCE } else { 1 };
    (COMPLETE * patience, QUIET * patience)
}

/// The servers whose title is `name`, or else is that but for the case, or else
/// begins with it.
fn matching(servers: &[Server], name: &str) -> Vec<Server> {
    let whole = shown(name); // A title is cut to this length.
    let (folded, whole) = (target::key(name), target::key(&whole));
    if folded.is_empty() {
        return Vec::new();
    }
    let tests: [&dyn Fn(&str) -> bool; 3] = [
        &|title| title == name,
        &|title| target::key(title) == folded || target::key(title) == whole,
        &|title| target::key(title).starts_with(&folded),
    ];
    let mut found = tests.iter().map(|test| {
        servers.iter().filter(|server| test(&server.title)).cloned().collect::<Vec<_>>()
    });
    found.find(|servers| !servers.is_empty()).unwrap_or_default()
}

/// Whichever server there is; of several, the one that is chosen. None is a room of this
/// program's own.
async fn find_any(
    config: &Connect,
    texts: &Texts,
    terminal: &Terminal,
    gone: &[Hosted],
) -> Result<Option<FoundServer>, Error> {
    let begin = Instant::now();
    let (complete, quiet) = until_complete(config, terminal);
    let mut browser = browse(config)?;
    let may_open = opening::may_open(config, terminal);
    let patience = if may_open { opening::look_time() } else { config.timeout };
    let limit = begin + patience.min(config.timeout);
    let meant = |browser: &Browser| meant_servers(config, browser, gone);
    look(meant, &mut browser, limit, (begin + complete, quiet)).await;
    let (mut ours, others) = meant(&browser);
    let looked = begin.elapsed();
    // With no network no other machine could join, unless the user knows better.
    let is_alone = || cause(config.interface.as_deref()) == Hidden::NoNetwork;
    if ours.is_empty() && others.is_empty() && may_open {
        let answer = match config.hosting {
            Hosting::Always => Answer::Yes,
            _ if is_alone() => Answer::No,
            _ => {
                let shows = |browser: &Browser| !meant(browser).0.is_empty();
                opening::ask(&mut browser, shows, texts, terminal).await?
            }
        };
        match answer {
            Answer::Yes => return Ok(None),
            Answer::No => (),
            Answer::Needless => {
                let now = Instant::now();
                look(meant, &mut browser, now, (now + complete, quiet)).await;
                ours = meant(&browser).0;
            }
        }
    }
    let chosen = match &ours[..] {
        [] => {
            return Err(match &others[..] {
                [] => {
                    let (asked, cause) = browser.explain(texts);
                    Error::NotFound(asked, looked, cause)
                }
                [other, ..] => Error::Incompatible(other.title.clone(), other.protocol),
            });
        }
        [only] => only,
        [first, ..] if config.auto => {
            let known = KnownServers::open(trust::folder().as_deref());
            ours.iter().find(|server| is_known(server, &known)).unwrap_or(first)
        }
        several if terminal.is_interactive => choose(several, texts, terminal).await?,
        several => return Err(choice(several)),
    };
    join(chosen, texts, terminal).map(Some)
}

/// Looks until the list of servers is complete: at that moment, and so long after the last
/// news. If there is none, looks until the limit.
async fn look(
    meant: impl Fn(&Browser) -> (Vec<Server>, Vec<Server>),
    browser: &mut Browser,
    limit: Instant,
    (complete, quiet): (Instant, Duration),
) {
    let mut last = Instant::now();
    loop {
        let end = match meant(browser).0.is_empty() {
            false => (last + quiet).max(complete).min(limit.max(complete)),
            true => limit,
        };
        if !browser.changes_before(end).await {
            return;
        }
        last = Instant::now();
    }
}

/// The servers that can be joined, and those of another protocol. Rooms without a server of
/// their own come last. If the user names a room, only that one counts.
fn meant_servers(
    config: &Connect,
    browser: &Browser,
    gone: &[Hosted],
) -> (Vec<Server>, Vec<Server>) {
    let mut servers = browser.servers();
    servers.retain(|server| server.hosted.is_none_or(|marks| !gone.contains(&marks)));
    if config.name.is_some() {
        let key = opening::title(config);
        servers.retain(|server| target::key(&server.title) == target::key(&key));
    }
    servers.sort_by_key(|server| server.hosted.is_some());
    servers.into_iter().partition(Server::is_compatible)
}

/// Whether the user knows the server of this title by the key that it announces. A stranger
/// can announce a title that comes first, but not with that key.
fn is_known(server: &Server, known: &KnownServers) -> bool {
    let announced = server.fingerprint.as_deref().and_then(Fingerprint::parse);
    announced.is_some_and(|announced| {
        known.pin(&server.title).is_some_and(|pin| pin.key.fingerprint() == announced)
    })
}

/// Asks which of several servers is meant.
async fn choose<'a>(
    servers: &'a [Server],
    texts: &Texts,
    terminal: &Terminal,
) -> Result<&'a Server, Error> {
    for (number, server) in (1..).zip(servers) {
        let people = server.users.map(|users| format!("  {}", (texts.client.people)(users)));
        let people = people.unwrap_or_default();
        terminal.remark(&format!("{number:3}  {}  {}{people}", server.title, server.address()));
    }
    loop {
        terminal.ask(texts.client.which, "");
        let Some(line) = terminal.next().await.map_err(Error::Input)? else {
            terminal.break_line(); // The cursor stands behind the question.
            return Err(Error::Several(titles(servers)));
        };
        match chosen(servers, String::from_utf8_lossy(&line.piece.bytes).trim()) {
            Choice::One(server) => return Ok(server),
            Choice::None(word) => {
                let what = (texts.client.no_choice)(&word, servers.len());
                terminal.remark(&format!("* {what}"));
            }
            Choice::Several(word, titles) => {
                let what = (texts.client.ambiguous)(&word, &titles.join(", "));
                terminal.remark(&format!("* {what}"));
            }
        }
    }
}

/// The meaning of an answer.
#[derive(Debug)]
enum Choice<'a> {
    One(&'a Server),
    /// It is neither a number of the list nor a title. The beginning of it.
    None(String),
    /// Titles that begin like this.
    Several(String, Vec<String>),
}

/// The server that an answer means: its number, its title or how that begins, or the
/// first one if the answer is empty.
fn chosen<'a>(servers: &'a [Server], answer: &str) -> Choice<'a> {
    let number = if answer.is_empty() { Some(1) } else { answer.parse::<usize>().ok() };
    if let Some(server) = number.and_then(|number| servers.get(number.checked_sub(1)?)) {
        return Choice::One(server);
    }
    let shown: String = answer.chars().take(MAX_ANSWER).collect();
    let shown = format!("\"{}\"", visible(&shown));
    match &matching(servers, answer)[..] {
        [] => Choice::None(shown),
        [one] => match servers.iter().find(|server| *server == one) {
            Some(server) => Choice::One(server),
            None => Choice::None(shown),
        },
        several => Choice::Several(shown, titles(several)),
    }
}

/// Several servers could be meant: by their titles, or by their addresses if they have
/// the same title.
fn choice(servers: &[Server]) -> Error {
    let first = &servers[0];
    match servers.iter().all(|server| target::key(&server.title) == target::key(&first.title)) {
        true => Error::SameTitle(titles(servers), typed(&first.address())),
        false => Error::Several(titles(servers)),
    }
}

/// An address as it is typed: with its port, unless that is the usual one.
fn typed(address: &SocketAddr) -> String {
    match (shown_ip(address), address.port()) {
        (ip, DEFAULT_PORT) => ip,
        (ip, port) if address.is_ipv6() => format!("[{ip}]:{port}"),
        (ip, port) => format!("{ip}:{port}"),
    }
}

fn titles(servers: &[Server]) -> Vec<String> {
    servers.iter().map(|server| format!("{} ({})", server.title, server.address())).collect()
}

fn join(server: &Server, texts: &Texts, terminal: &Terminal) -> Result<FoundServer, Error> {
    let server = found(server)?;
    terminal.remark(&format!("* {}", (texts.client.joining)(&server.name)));
    Ok(server)
}

fn found(server: &Server) -> Result<FoundServer, Error> {
    if !server.is_compatible() && server.protocol.is_some() {
        return Err(Error::Incompatible(server.title.clone(), server.protocol));
    }
    Ok(FoundServer {
        name: format!("{} ({})", server.title, server.address()),
        addresses: server.addresses.clone(),
        title: Some(server.title.clone()),
        web: server.web,
        in_clear: matches!(server.encryption, Encryption::None | Encryption::Offered),
        fingerprint: server.fingerprint.as_deref().and_then(Fingerprint::parse),
        hosted: server.hosted,
    })
}

fn browse(config: &Connect) -> Result<Browser, Error> {
    let only = config.interface.as_deref();
    discovery::check(only)
        .map_err(|others| Error::NoInterface(only.unwrap_or_default().into(), others))?;
    Browser::start(only).map_err(Error::Search)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(titles: &[&str]) -> Vec<Server> {
        let server = |title: &&str| Server {
            title: title.to_string(),
            id: None,
            host: None,
            port: 9000,
            addresses: vec!["10.0.0.1:9000".parse().unwrap()],
            users: None,
            version: None,
            protocol: Some(1),
            web: None,
            encryption: Encryption::None,
            fingerprint: None,
            hosted: None,
        };
        titles.iter().map(server).collect()
    }

    #[test]
    fn server_is_found_by_its_title_or_its_beginning() {
        let there = servers(&["Sala 3", "Sala 30", "Redes"]);
        for (name, expected) in [
            ("sala 3", &["Sala 3"][..]),
            ("SALA", &["Sala 3", "Sala 30"]),
            ("re", &["Redes"]),
            ("x", &[]),
        ] {
            let found = matching(&there, name);
            let found: Vec<&str> = found.iter().map(|server| server.title.as_str()).collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn answer_is_a_number_or_a_name() {
        let there = servers(&["Redes", "Sala 3", "Sala 30", "101"]);
        for (answer, expected) in [
            ("", "Redes"),
            ("2", "Sala 3"),
            ("sala 3", "Sala 3"),
            ("red", "Redes"),
            ("101", "101"),
            ("sala", "several"),
            ("7", "none"),
            ("0", "none"),
            ("-1", "none"),
            ("x\u{1b}[2J", "none"),
        ] {
            let found = match chosen(&there, answer) {
                Choice::One(server) => server.title.clone(),
                Choice::Several(..) => "several".into(),
                Choice::None(shown) => {
                    assert!(!shown.contains('\u{1b}'), "{shown:?}");
                    "none".into()
                }
            };
            assert_eq!(found, expected, "{answer:?}");
        }
        let Choice::None(shown) = chosen(&there, &"x".repeat(5000)) else { panic!("it is none") };
        assert!(shown.len() < 50);
    }

    #[test]
    fn a_server_of_another_protocol_is_not_joined() {
        let mut server = servers(&["Sala 3"]).remove(0);
        assert!(found(&server).is_ok());
        server.protocol = Some(2);
        assert!(matches!(found(&server), Err(Error::Incompatible(_, Some(2)))));
    }

    #[test]
    fn server_is_known_by_its_title_and_its_key() {
        use crate::secure::Key;

        let folder = std::env::temp_dir().join(format!("minichat-find-{}", std::process::id()));
        std::fs::remove_dir_all(&folder).ok();
        let known = KnownServers::open(Some(&folder));
        let key = Key::generate().public;
        known.remember("Sala 3", &key).unwrap();
        let announces = |title: &str, key: Option<&crate::secure::PublicKey>| {
            let mut server = servers(&[title]).remove(0);
            server.fingerprint = key.map(|key| key.fingerprint().to_hex());
            is_known(&server, &known)
        };
        assert!(announces("Sala 3", Some(&key)));
        assert!(!announces("AAA", Some(&key)), "that is another title");
        assert!(!announces("Sala 3", Some(&Key::generate().public)));
        assert!(!announces("Sala 3", None));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
