//! The command `discover`: the servers on the network, as a table for people and
//! as columns or JSON for programs.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use serde::ser::{Serialize, SerializeMap, Serializer};
use smol::Timer;
use smol::future::or;
use unicode_width::UnicodeWidthStr;

use crate::config;
use crate::discovery::{self, Browser, Change, Encryption, Server, scan, shown_ip};
use crate::error::Error;
use crate::interrupt::{Interrupt, Interrupts, Reader};
use crate::screen::{self, Stream};
use crate::secure::Fingerprint;
use crate::stdio::Stderr;
use crate::terminal::write_out;
use crate::texts::Texts;
use crate::trust::{self, KnownServers};
use crate::web;
use crate::wire::DEFAULT_PORT;

/// How long the first server has to tell the rest of its addresses.
const REST: Duration = Duration::from_millis(40);
/// A list is complete when it is so old, and nothing was new for a while. By then
/// everybody was asked three times and has had time to answer.
const COMPLETE: Duration = Duration::from_millis(600);
const QUIET: Duration = Duration::from_millis(250);
/// How often `--watch` asks again. A server that is gone without a word is
/// missed after three times that, and 2 s to prove the contrary.
const AGAIN: Duration = Duration::from_secs(3);

/// A wall clock that gains more than this between two looks was set, or the machine slept.
const SET: Duration = Duration::from_secs(1);
/// How long a server has to answer again after the wall clock was set.
const DOUBT: Duration = Duration::from_secs(4);

/// How wide a list may be that meets no terminal, in columns.
const WIDTH: usize = 80;

/// Looks for servers and prints them. Returns the exit status.
///
/// # Errors
/// If none is found, if there is no such interface, or if the output cannot be
/// written.
pub fn run(config: &config::Discover, texts: &'static Texts) -> Result<u8, Error> {
    let only = config.interface.as_deref();
    discovery::check(only)
        .map_err(|others| Error::NoInterface(only.unwrap_or_default().into(), others))?;
    let browser = Browser::start(only).map_err(Error::Search)?;
    let mut interrupts = Interrupts::watch().map_err(Error::Signals)?;
    let style = match (config.json, io::stdout().is_terminal()) {
        (true, _) => Style::Json,
        (false, true) => Style::Table,
        (false, false) => Style::Columns,
    };
    let printed = smol::block_on(async {
        if config.watch {
            return watch(browser, style, &mut interrupts).await;
        }
        let reader = Reader::watch();
        let unread = async {
            reader.gone().await;
            Ok(Err(Error::Output(io::ErrorKind::BrokenPipe.into())))
        };
        let interrupted = async { Err(interrupts.next().await) };
        match or(or(interrupted, unread), async { Ok(look(browser, config, texts).await) }).await {
            Ok(servers) => {
                let known = KnownServers::open(trust::folder().as_deref());
                print(&list(&servers?, style, &known, texts), style).map(|()| 0)
            }
            Err(interrupt) => Ok(interrupt.status()),
        }
    });
    match printed {
        // The reader of the output has had enough.
        Err(Error::Output(err)) if err.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        printed => printed,
    }
}

/// Looks until all there are must have answered, or for the whole time if none
/// does.
async fn look(
    mut browser: Browser,
    config: &config::Discover,
    texts: &Texts,
) -> Result<Vec<Server>, Error> {
    let begin = Instant::now();
    let (complete, quiet) = if config.first { (REST, REST) } else { (COMPLETE, QUIET) };
    let mut others = Vec::new();
    if config.scan {
        let scanning = screen::fit(texts.discover.scanning, Stream::Error);
        writeln!(Stderr, "{scanning}").ok();
        others = scan(browser.interfaces(), DEFAULT_PORT).await;
    }
    // When there was something new; of the first server, only that it came counts.
    let mut news = (!others.is_empty()).then_some(begin);
    loop {
        let end = match news {
            Some(last) => (last + quiet).max(begin + complete),
            None => begin + config.timeout,
        };
        // A network where there is always something new has no end.
        let end = end.min(begin + config.timeout.max(complete));
        if !browser.changes_before(end).await {
            break;
        }
        if news.is_none() || !config.first {
            news = Some(Instant::now());
        }
    }
    let mut servers = browser.servers();
    others
        .retain(|other| !servers.iter().any(|server| server.addresses.contains(&other.address())));
    servers.append(&mut others);
    if config.first {
        servers.truncate(1);
    }
    match servers.is_empty() {
        true => {
            let (asked, cause) = browser.explain(texts);
            if config.scan && !asked.is_empty() {
                return Err(Error::NotScanned(asked));
            }
            Err(Error::NotFound(asked, begin.elapsed(), cause))
        }
        false => Ok(servers),
    }
}

/// Prints what changes until an interrupt.
async fn watch(
    mut browser: Browser,
    style: Style,
    interrupts: &mut Interrupts,
) -> Result<u8, Error> {
    let mut again = Timer::interval(AGAIN);
    let mut doubt = Doubt::new(SystemTime::now(), Instant::now());
    let reader = Reader::watch();
    // The last row of each server: an address more is not always news.
    let mut told: HashMap<(Option<String>, u16, String), String> = HashMap::new();
    let mut tell = |change: &Change| {
        let line = line(change, style);
        let (Change::Up(server) | Change::Down(server)) = change;
        let (id, port, title) = server.identity();
        let key = (id.map(Into::into), port, title.into());
        let last = match change {
            Change::Up(_) => told.insert(key, line.clone()),
            // The row of it begins with another sign from now on.
            Change::Down(_) => told.remove(&key),
        };
        if last.as_ref() == Some(&line) { Ok(()) } else { print(&line, style) }
    };
    loop {
        enum Happening {
            Change(Change),
            Again,
            Interrupted(Interrupt),
            Unread,
        }
        let change = async { Happening::Change(browser.next().await) };
        let timer = async {
            smol::stream::StreamExt::next(&mut again).await;
            Happening::Again
        };
        let interrupted = async { Happening::Interrupted(interrupts.next().await) };
        let unread = async {
            reader.gone().await;
            Happening::Unread
        };
        match or(interrupted, or(unread, or(change, timer))).await {
            Happening::Change(change) => {
                if doubt.looks_at(SystemTime::now(), Instant::now()) {
                    browser.ask_again().ok();
                }
                if let Some(change) = doubt.passes(change) {
                    tell(&change)?;
                }
            }
            // Without interfaces no server can be asked; they may come back.
            Happening::Again => {
                browser.ask_again().ok();
                doubt.looks_at(SystemTime::now(), Instant::now());
                for server in doubt.gone(Instant::now()) {
                    tell(&Change::Down(server))?;
                }
            }
            // That is how one stops watching, and so is this.
            Happening::Unread => return Ok(0),
            Happening::Interrupted(Interrupt::Interrupted) => return Ok(0),
            Happening::Interrupted(interrupt) => return Ok(interrupt.status()),
        }
    }
}

/// Servers that seem to be gone because the wall clock was set.
///
/// An announcement is valid for a time, which the library counts by the wall
/// clock. When that is set forward, all servers seem to be gone, and come back as soon
/// as they answer. Neither is told.
struct Doubt {
    wall: SystemTime,
    steady: Instant,
    /// Until when what seems to be gone may answer.
    until: Option<Instant>,
    held: Vec<Server>,
}

impl Doubt {
    fn new(wall: SystemTime, steady: Instant) -> Doubt {
        Doubt { wall, steady, until: None, held: Vec::new() }
    }

    /// Looks at both clocks. Whether the wall clock was set forward since the last look.
    fn looks_at(&mut self, wall: SystemTime, steady: Instant) -> bool {
        let passed = wall.duration_since(self.wall).unwrap_or_default();
        let is_set = passed > steady.duration_since(self.steady) + SET;
        (self.wall, self.steady) = (wall, steady);
        if is_set {
            self.until = Some(steady + DOUBT);
        }
        is_set
    }

    /// A change that is to be told now.
    fn passes(&mut self, change: Change) -> Option<Change> {
        match change {
            Change::Down(server) if self.until.is_some() => {
                self.held.push(server);
                None
            }
            Change::Up(server) => {
                self.held.retain(|held| held.identity() != server.identity());
                Some(Change::Up(server))
            }
            change => Some(change),
        }
    }

    /// The servers that did not answer in time.
    fn gone(&mut self, now: Instant) -> Vec<Server> {
        if self.until.is_some_and(|until| until > now) {
            return Vec::new();
        }
        self.until = None;
        std::mem::take(&mut self.held)
    }
}

fn print(text: &str, style: Style) -> Result<(), Error> {
    let printed = match style {
        Style::Table => write_out(&screen::fit(text, Stream::Output)),
        Style::Columns | Style::Json => write_out(text),
    };
    printed.map_err(Error::Output)
}

/// How servers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// For people.
    Table,
    /// Name, address, users and version, with tabs between.
    Columns,
    /// One object for each.
    Json,
}

fn list(servers: &[Server], style: Style, known: &KnownServers, texts: &Texts) -> String {
    match style {
        Style::Columns => servers.iter().map(|server| columns(server) + "\n").collect(),
        Style::Json => servers.iter().map(|server| json(server, None) + "\n").collect(),
        Style::Table => {
            let columns = screen::columns(Stream::Output).unwrap_or(WIDTH);
            table(servers, columns, known, texts)
        }
    }
}

/// One change as a line that begins with a plus or a minus.
fn line(change: &Change, style: Style) -> String {
    let (sign, server) = match change {
        Change::Up(server) => ('+', server),
        Change::Down(server) => ('-', server),
    };
    match style {
        Style::Json => json(server, Some(sign)) + "\n",
        Style::Columns => format!("{sign}\t{}\n", columns(server)),
        Style::Table => format!("{sign} {}\n", columns(server).replace('\t', "  ").trim_end()),
    }
}

fn columns(server: &Server) -> String {
    let users = server.users.map(|users| users.to_string()).unwrap_or_default();
    let version = server.version.as_deref().unwrap_or_default();
    format!("{}\t{}\t{users}\t{version}", server.title, server.address())
}

/// The address of a server's page for browsers, if it has one that others can open.
fn page(server: &Server) -> Option<String> {
    let port = server.web?.get();
    let ip = discovery::best_for_others(server.addresses.iter().map(SocketAddr::ip))?;
    Some(web::url(SocketAddr::new(ip, port)))
}

/// The state of the key that a server announces, as an index into the words for it: it is known, new or another one, or there is none.
fn key_state(server: &Server, known: &KnownServers) -> usize {
    let announced = server.fingerprint.as_deref().and_then(Fingerprint::parse);
    let Some(announced) = announced else { return 3 };
    match known.pin(&server.title) {
        Some(pin) if pin.key.fingerprint() == announced => 0,
        None => 1,
        Some(_) => 2,
    }
}

/// The servers as rows. Their pages are in the last column, where that fits. The column
/// before is about their keys, if any server has one.
fn table(servers: &[Server], columns: usize, known: &KnownServers, texts: &Texts) -> String {
    let (words, texts) = (&texts.encryption, &texts.discover);
    let encrypts = servers.iter().any(|server| server.encryption != Encryption::None);
    let rows: Vec<[String; 6]> = servers
        .iter()
        .map(|server| {
            let users = server.users.map_or("?".to_string(), |users| users.to_string());
            let version = server.version.clone().unwrap_or("?".into());
            let note = match server.protocol {
                Some(_) if !server.is_compatible() => format!(" ({})", texts.another_protocol),
                _ if server.hosted.is_some() => format!(" ({})", texts.hosted),
                _ => String::new(),
            };
            let page = page(server).unwrap_or_default();
            let key = if encrypts { words.states[key_state(server, known)] } else { "" };
            let (name, address) = (server.title.clone(), server.address().to_string());
            [name, address, users, version + &note, key.into(), page]
        })
        .collect();
    let [name, address, users, version, page] = texts.head;
    let key = if encrypts { words.column } else { "" };
    let head = [name, address, users, version, key, page].map(String::from);
    let all = || std::iter::once(&head).chain(&rows);
    let width = |column: usize| all().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let beside = |column: usize| if width(column) > 0 { 2 + width(column) } else { 0 };
    let has_pages = rows.iter().any(|row| !row[5].is_empty());
    let shows_pages = has_pages && (0..6).map(beside).sum::<usize>() - 2 <= columns;
    let pad = |text: &str, width: usize| " ".repeat(width - text.width());
    let row = |[name, address, users, version, key, page]: &[String; 6]| {
        let [names, addresses, counts, versions, keys] = widths;
        let (name, address) =
            (name.clone() + &pad(name, names), address.clone() + &pad(address, addresses));
        let mut line = format!("{name}  {address}  {}{users}  {version}", pad(users, counts));
        let mut end = pad(version, versions);
        if !key.is_empty() {
            line += &format!("{end}  {key}");
            end = pad(key, keys);
        }
        match shows_pages && !page.is_empty() {
            true => format!("{line}{end}  {page}\n"),
            false => line + "\n",
        }
    };
    all().map(row).collect()
}

fn json(server: &Server, sign: Option<char>) -> String {
    serde_json::to_string(&Object(server, sign))
        .expect("strings and numbers are all there is in it")
}

/// A server in the order in which people read it; before it, when watching,
/// whether it came or went.
struct Object<'a>(&'a Server, Option<char>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Object(server, sign) = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(sign) = sign {
            map.serialize_entry("change", sign)?;
        }
        let addresses: Vec<String> = server.addresses.iter().map(shown_ip).collect();
        map.serialize_entry("name", &server.title)?;
        map.serialize_entry("id", &server.id)?;
        map.serialize_entry("host", &server.host)?;
        map.serialize_entry("port", &server.port)?;
        map.serialize_entry("addresses", &addresses)?;
        map.serialize_entry("users", &server.users)?;
        map.serialize_entry("version", &server.version)?;
        map.serialize_entry("web", &page(server))?;
        let encrypted = server.encryption != Encryption::None;
        map.serialize_entry("encrypted", &encrypted)?;
        map.serialize_entry("password", &(server.encryption == Encryption::Password))?;
        map.serialize_entry("fingerprint", &server.fingerprint)?;
        map.serialize_entry("hosted", &server.hosted.is_some())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::texts::{ENGLISH, PORTUGUESE};

    fn server(title: &str, address: &str, users: Option<u32>) -> Server {
        let address: SocketAddr = address.parse().unwrap();
        Server {
            title: title.into(),
            id: Some("a1b2c3d4".into()),
            host: Some("mc-x1.local".into()),
            port: address.port(),
            addresses: vec![address],
            users,
            version: Some("0.1.0".into()),
            protocol: Some(1),
            web: None,
            encryption: Encryption::None,
            fingerprint: None,
            hosted: None,
        }
    }

    #[test]
    fn people_get_a_table_whatever_the_script() {
        let servers = [
            server("pedro-laptop", "192.168.1.23:9000", Some(2)),
            server("教室", "192.168.1.100:9000", Some(12)),
            Server { protocol: Some(2), ..server("Sala 3", "[fd77::1]:9001", None) },
        ];
        let expected = "\
            NAME          ADDRESS             USERS  VERSION\n\
            pedro-laptop  192.168.1.23:9000       2  0.1.0\n\
            教室          192.168.1.100:9000     12  0.1.0\n\
            Sala 3        [fd77::1]:9001          ?  0.1.0 (another protocol)\n";
        assert_eq!(list(&servers, Style::Table, &KnownServers::open(None), &ENGLISH), expected);
        let expected = "\
            NOME          ENDEREÇO            USUÁRIOS  VERSÃO\n\
            pedro-laptop  192.168.1.23:9000          2  0.1.0\n\
            教室          192.168.1.100:9000        12  0.1.0\n\
            Sala 3        [fd77::1]:9001             ?  0.1.0 (outro protocolo)\n";
        assert_eq!(list(&servers, Style::Table, &KnownServers::open(None), &PORTUGUESE), expected);
    }

    #[test]
    fn pages_are_shown_where_they_fit() {
        let page = |server| Server { web: "9080".parse().ok(), ..server };
        let servers = [
            server("pedro-laptop", "192.168.1.23:9000", Some(2)),
            page(server("Sala 3", "192.168.1.100:9000", Some(12))),
        ];
        let (head, rows) = (
            "NAME          ADDRESS             USERS  VERSION",
            [
                "pedro-laptop  192.168.1.23:9000       2  0.1.0",
                "Sala 3        192.168.1.100:9000     12  0.1.0",
            ],
        );
        let narrow = [head, rows[0], rows[1], ""].join("\n");
        let wide = [
            &format!("{head}  PAGE"),
            rows[0],
            &format!("{}    http://192.168.1.100:9080/", rows[1]),
            "",
        ]
        .join("\n");
        let shown = |servers: &[Server], columns| {
            table(servers, columns, &KnownServers::open(None), &ENGLISH)
        };
        assert_eq!(shown(&servers, 80), wide);
        assert_eq!(shown(&servers, 76), wide);
        assert_eq!(shown(&servers, 75), narrow);
        let object = json(&servers[1], None);
        assert!(
            object.ends_with(
                r#","web":"http://192.168.1.100:9080/","encrypted":false,"password":false,"fingerprint":null,"hosted":false}"#
            ),
            "{object}"
        );
    }

    #[test]
    fn clock_set_forward_takes_no_server_away() {
        let (wall, steady) = (SystemTime::now(), Instant::now());
        let second = Duration::from_secs(1);
        let [one, other] = ["one", "other"].map(|title| server(title, "10.0.0.1:9000", None));
        let mut doubt = Doubt::new(wall, steady);
        assert!(!doubt.looks_at(wall + second, steady + second));
        assert!(doubt.passes(Change::Down(one.clone())).is_some(), "it is gone in earnest");
        // An hour is gained within a second.
        assert!(doubt.looks_at(wall + 3600 * second, steady + 2 * second));
        assert!(doubt.passes(Change::Down(one.clone())).is_none());
        assert!(doubt.passes(Change::Down(other)).is_none());
        assert!(doubt.passes(Change::Up(one)).is_some());
        assert!(doubt.gone(steady + 5 * second).is_empty());
        let gone = doubt.gone(steady + 6 * second);
        assert_eq!(gone.iter().map(|server| &*server.title).collect::<Vec<_>>(), ["other"]);
        // Backwards it takes nothing away.
        assert!(!doubt.looks_at(wall, steady + 7 * second));
    }

    #[test]
    fn programs_get_columns_or_objects() {
        let server = server("Sala 3", "10.0.0.1:9000", Some(12));
        let columns = "Sala 3\t10.0.0.1:9000\t12\t0.1.0\n";
        let listed = list(
            std::slice::from_ref(&server),
            Style::Columns,
            &KnownServers::open(None),
            &PORTUGUESE,
        );
        assert_eq!(listed, columns);
        assert_eq!(line(&Change::Down(server.clone()), Style::Columns), format!("-\t{columns}"));
        assert_eq!(
            line(&Change::Up(server.clone()), Style::Table),
            "+ Sala 3  10.0.0.1:9000  12  0.1.0\n"
        );
        let object = r#""name":"Sala 3","id":"a1b2c3d4","host":"mc-x1.local","port":9000,"addresses":["10.0.0.1"],"users":12,"version":"0.1.0","web":null,"encrypted":false,"password":false,"fingerprint":null,"hosted":false}"#;
        assert_eq!(json(&server, None), format!("{{{object}"));
        assert_eq!(json(&server, Some('+')), format!("{{\"change\":\"+\",{object}"));
    }
}
