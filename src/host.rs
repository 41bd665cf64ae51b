//! The program `minichat server`: a server with its console, its log and its advert.

mod console;
mod engine;
mod log;
mod operator;
mod patience;
mod recorder;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::path::Path;
use std::pin::pin;
use std::process;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use smol::LocalExecutor;
use smol::Timer;
use smol::future::or;

use crate::config::{self, WebPort};
use crate::discovery::{self, Advert, Encryption, MAX_TITLE, News};
use crate::error::{Error, plain};
use crate::hosting::page::{self, Page};
use crate::hosting::{RECALL, best_address, capacities, history, host_name};
use crate::interrupt::{Interrupt, Interrupts};
use crate::invitation;
use crate::log_file::LogFile;
use crate::records::Record;
use crate::secure::{Fingerprint, Identity, Password};
use crate::server::{
    self, Hub, Limits, Listener, Report, Rules, STOP_TIMEOUT, Server, Setup, Site,
};
use crate::store::{Contents, OpenError, Store};
use crate::texts::Texts;
use crate::trust::{self, Kept, OwnKey};
use crate::web;
use crate::wire::sanitize::visible;
use crate::wire::{LAST_LINE, RECORDED, sanitize};
use console::{CommandSource, Console, Invitation};
use log::Log;
use recorder::{Recorder, unix_millis};

/// How long the last reports may take to be logged and shown, from the end of the last
/// lines or from half of [`STOP_TIMEOUT`]. A terminal that is held is given back in another
/// half second, if it can be.
const REPORT_TIMEOUT: Duration = Duration::from_millis(450);
/// How many reports wait for a console that is slow or stopped.
const MAX_REPORTS: usize = 1024;

/// Runs a server until it is asked to stop.
///
/// The first line on standard output is `Listening on ADDR:PORT`, or that in the
/// language of the texts.
/// If standard input is a terminal, it takes orders from there.
///
/// # Errors
/// If it cannot listen, open its log or watch for signals. Once it runs, nothing
/// that a client does ends it.
pub fn run(config: &config::Server, texts: &'static Texts) -> Result<(), Error> {
    let capacities = capacities(config.web != WebPort::None, config.max_per_address);
    let only = config.interface.as_deref();
    discovery::check(only)
        .map_err(|others| Error::NoInterfaceYet(only.unwrap_or_default().into(), others))?;
    let folder = trust::folder();
    let own = trust::OwnKey::open(folder.as_deref(), config.new_key);
    let own = own.map_err(|(path, err)| Error::KeyFile(path, err))?;
    let print = own.key.public.fingerprint();
    let given = config.password.as_deref().and_then(|given| Password::new(given).ok());
    let password = config.closed.then(|| given.unwrap_or_else(Password::generate));
    let store = config.store.as_deref();
    let store = store.map(|dir| {
        let opened = Store::open(dir, config.keep, unix_millis());
        opened.map_err(|err| match err {
            OpenError::InUse => Error::StoreInUse(dir.into()),
            OpenError::NotOurs => Error::StoreNotOurs(dir.into()),
            OpenError::Unknown(file) => Error::StoreUnknown(file),
            OpenError::Io(err) => Error::Store(dir.into(), err),
        })
    });
    let store = store.transpose()?;
    let link = config.engine.as_ref().map(|engine| engine::open(engine, texts)).transpose()?;
    let listeners = server::bind(&config.bind, config.port);
    let listeners = listeners.map_err(|(address, err)| Error::Listen(address, err))?;
    let addresses: Vec<_> = listeners.iter().map(|listener| listener.address).collect();
    let (page, page_warning) = listen_for_page(config, addresses[0].port(), texts)?;
    let page_addresses: Vec<_> = page.iter().map(|listener| listener.address).collect();
    let log = config.log.as_deref();
    let log = log.map(|path| LogFile::open(path).map_err(|err| Error::Log(path.into(), err)));
    let log = log.transpose()?;
    let mut interrupts = Interrupts::watch().map_err(Error::Signals)?;

    let advert = config.announce.then(|| advert(config, &addresses, &page_addresses, print));
    let (console, orders) = Console::open(config.quiet, interrupts.trigger(), texts);
    let _restored = Restored(console.clone());
    if !config.quiet {
        // A program that waits for the first line must not wait for the others.
        console.print(&((texts.server.listening)(&addresses[0].to_string()) + "\n"));
        let title = advert.as_ref().map(|advert| advert.title.as_str());
        let taken = !matches!(orders, CommandSource::None);
        let (listening, title) = (addresses.clone(), title.map(Into::into));
        let page = page_addresses.first().map(SocketAddr::port);
        // The name follows as soon as it is announced.
        let mut key = (texts.encryption.own)(&print.to_string(), config.encrypted_only);
        if let Some(password) = &password {
            let made = config.password.is_none().then(|| password.as_str());
            key += &format!("\n{}", (texts.encryption.password)(made));
        }
        console.invite(
            Invitation { listening, title, page, key, in_clear: !config.encrypted_only },
            taken,
        );
        if let Some(dir) = &config.store {
            let dir = visible(&dir.display().to_string()).into_owned();
            console.print(&((texts.server.recording)(&dir, config.keep) + "\n"));
        }
        let left_out = store.iter().flat_map(|(_, contents)| &contents.left_out);
        let left_out = left_out.map(|(file, count)| {
            (texts.server.left_out)(&visible(&file.display().to_string()), *count)
        });
        for warning in warnings(config, texts)
            .into_iter()
            .chain(page_warning)
            .chain(key_warning(&own, texts))
            .chain(left_out)
        {
            console.print(&((texts.server.warning)(&warning) + "\n"));
        }
    }

    let (report_to, reports) = async_channel::bounded(MAX_REPORTS);
    let (users_to, users) = async_channel::bounded(1);
    let term = store.as_ref().map(|(store, _)| store.term());
    let hub = Hub::new(rules(config, term), capacities, report_to.clone(), users_to);
    let hub = Arc::new(hub);
    if link.is_some() {
        hub.lock().room.share(fastrand::u64(1..));
    }
    let (shown, open) = (console.clone(), Arc::downgrade(&hub));
    let mut threads = vec![spawn(move || shown.show(reports, &open))?];
    // It ends with the hub, and is not waited for.
    let (lookups, open) = (hub.answer_lookups(), Arc::downgrade(&hub));
    let dir = config.store.clone();
    spawn(move || history::answer(&lookups, &open, dir.as_deref()))?;
    if let Some((store, contents)) = store {
        restore(&hub, &contents);
        let (hub, id) = (hub.clone(), hub.follow_messages());
        let recorder = Recorder::new(store, report_to.clone(), texts);
        threads.push(spawn(move || recorder.follow(&hub, id))?);
    }
    if let Some(log) = log {
        // Before anyone enters, so that the log misses nothing.
        let (hub, id) = (hub.clone(), hub.follow());
        let log = Log::new(log, report_to.clone(), texts);
        interrupts.on_hang_up(log.rotation(interrupts.outlive_terminal()));
        threads.push(spawn(move || log.follow(&hub, id))?);
    }
    // The operator is not waited for, and keeps nothing from ending.
    let (taker, open) = (console.clone(), Arc::downgrade(&hub));
    let run_commands = move || taker.run_commands(orders, &open);
    thread::Builder::new().spawn(run_commands).map_err(Error::Threads)?;
    console.begin();

    let link = link.map(|link| link.start(&hub)).transpose().map_err(Error::Threads)?;
    let site = Arc::new(site(config, &page_addresses));
    let page = page.into_iter().map(|listener| listener.for_page(site.clone()));
    let listeners = listeners.into_iter().chain(page).collect();
    let server = Server::start(Setup { listeners, hub, limits: limits(config, own, password) });
    let server = server.map_err(|err| match err.kind() {
        std::io::ErrorKind::WouldBlock => Error::Threads(err),
        _ => Error::Listen(addresses[0], err),
    })?;
    let presence = announce(advert, users, &console, &report_to, texts);
    let end = smol::block_on(serve(&server, presence, interrupts));
    if let Some(interrupt) = end.at_once {
        console.give_back();
        process::exit(interrupt.status().into());
    }
    if let Some(link) = link {
        link.finish((end.since + STOP_TIMEOUT).saturating_duration_since(Instant::now()));
    }
    drop(server);
    let deadline = (end.since + STOP_TIMEOUT / 2).max(Instant::now()) + REPORT_TIMEOUT;
    let stopped = Report::Stopped(end.users, deadline);
    report_to.force_send(stopped).ok(); // If need be, before others.
    drop(report_to);
    for done in threads {
        // A terminal that is held or a disk that hangs is not waited for.
        done.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok();
    }
    Ok(())
}

/// How serving ends.
struct End {
    /// When the first interrupt came.
    since: Instant,
    /// How many members there were.
    users: usize,
    /// The second interrupt, if there was one: nothing is waited for any more.
    at_once: Option<Interrupt>,
}

/// Lets the server and its advert be until an interrupt, then stops both.
async fn serve(
    server: &Server,
    presence: impl Future<Output = ()>,
    mut interrupts: Interrupts,
) -> End {
    let executor = LocalExecutor::new();
    let presence = executor.spawn(presence);
    executor.run(interrupts.next()).await;
    let since = Instant::now();
    let deadline = since + STOP_TIMEOUT;
    let mut users = 0;
    let at_once = {
        let goodbyes = pin!(async {
            users = server.stop(LAST_LINE, deadline).await;
            or(presence, async {
                Timer::at(deadline).await;
            })
            .await;
            None
        });
        executor.run(or(goodbyes, async { Some(interrupts.next().await) })).await
    };
    End { since, users, at_once }
}

/// Announces the server on the network until it stops.
async fn announce(
    advert: Option<Advert>,
    users: Receiver<usize>,
    console: &Console,
    reports: &Sender<Report>,
    texts: &'static Texts,
) {
    if let Some(advert) = advert {
        let name = invitation::by_name(&advert.title, &texts.server);
        let tell = |news: News| {
            if !matches!(news, News::NotOn(_)) {
                console.set_announced(news == News::Announced);
            }
            let report = match news {
                News::Announced => Report::Notice(name.clone()),
                News::Hidden(why) => Report::Warning((texts.server.hidden)(why.tell(texts))),
                News::NotOn(links) => Report::Warning((texts.server.not_on)(&links.join(", "))),
            };
            reports.try_send(report).ok(); // Nobody may be looking.
        };
        discovery::advertise(advert, users, tell).await;
    }
}

/// Gives the terminal back, however the server ends.
struct Restored(Console);

impl Drop for Restored {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Listens for the page. Returns also what the operator should know.
fn listen_for_page(
    config: &config::Server,
    chat_port: u16,
    texts: &Texts,
) -> Result<(Vec<Listener>, Option<String>), Error> {
    // Browsers ask for the page in the clear.
    let choice = if config.encrypted_only { WebPort::None } else { config.web };
    match page::listen(&config.bind, chat_port, choice) {
        Ok(Page { listeners, moved_from }) => {
            let port = listeners.first().map_or(0, |listener| listener.address.port());
            Ok((listeners, moved_from.map(|wanted| (texts.server.page_moved)(wanted, port))))
        }
        Err((address, err)) if matches!(config.web, WebPort::Chosen(_)) => {
            Err(Error::ListenForPage(address, err))
        }
        // The chat goes on without a page.
        Err((address, err)) => {
            let why = plain(&err, &texts.error);
            Ok((Vec::new(), Some((texts.server.no_page)(address.port(), &why))))
        }
    }
}

/// The facts about the room for the page.
fn site(config: &config::Server, listening: &[SocketAddr]) -> Site {
    let best = best_address(listening).filter(|ip| !ip.is_loopback());
    let url = best.map(|ip| web::url(SocketAddr::new(ip, listening[0].port())));
    Site::new(title(config), host_name(), url)
}

/// The server's title: what the operator chose, else the first label of the host name.
fn title(config: &config::Server) -> String {
    let host = || host_name().split('.').next().unwrap_or_default().to_string();
    let title = config.name.clone().unwrap_or_else(host);
    if title.is_empty() { "minichat".into() } else { discovery::shown(&title) }
}

/// Warnings for the operator about the options.
fn warnings(config: &config::Server, texts: &Texts) -> Vec<String> {
    let mut warnings = Vec::new();
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    if config.bind.contains(&any) && config.bind.iter().all(IpAddr::is_ipv6) {
        warnings.push(texts.server.only_ipv6.to_string());
    }
    let title = title(config);
    if config.name.as_ref().is_some_and(|name| visible(name).trim() != title) {
        warnings.push((texts.server.name_cut)(MAX_TITLE, &title));
    }
    warnings
}

/// The warning about the key, if there is one.
fn key_warning(own: &OwnKey, texts: &Texts) -> Option<String> {
    let shown = |path: &Path| visible(&path.display().to_string()).into_owned();
    let texts_here = &texts.encryption;
    match &own.kept {
        Kept::Here => None,
        Kept::Copied(path) => Some((texts_here.copied)(&shown(path))),
        Kept::Temporary(None) => Some((texts_here.not_kept)(None)),
        Kept::Temporary(Some((path, err))) => {
            Some((texts_here.not_kept)(Some((&shown(path), &plain(err, &texts.error)))))
        }
    }
}

fn advert(
    config: &config::Server,
    listening: &[SocketAddr],
    page: &[SocketAddr],
    print: Fingerprint,
) -> Advert {
    Advert {
        title: title(config),
        listening: listening.to_vec(),
        interface: config.interface.clone(),
        max_users: config.max_users,
        web: page.first().map(SocketAddr::port),
        encryption: match (config.closed, config.encrypted_only) {
            (true, _) => Encryption::Password,
            (false, true) => Encryption::Required,
            (false, false) => Encryption::Offered,
        },
        fingerprint: print.to_hex(),
        hosted: None,
    }
}

/// Puts the last messages of earlier runs into the room, before anyone enters.
fn restore(hub: &Hub, contents: &Contents) {
    let mut access = hub.lock();
    let lines = contents.tail.split(|&byte| byte == b'\n');
    for Record { number, millis, from, text } in lines.filter_map(Record::parse) {
        access.room.restore(number, millis, from, text);
    }
    access.room.count_from(contents.next);
    access.room.set_stored_from(contents.first.unwrap_or(contents.next));
}

fn rules(config: &config::Server, term: Option<&str>) -> Rules {
    let greeting = config.motd.as_deref().unwrap_or_default().lines().map(sanitize::strip);
    Rules {
        greeting: greeting.filter(|line| !line.trim().is_empty()).map(Into::into).collect(),
        max_users: config.max_users,
        history: config.history.unwrap_or(0),
        recall: config.history.unwrap_or(RECALL),
        term: term.map_or_else(|| format!("{:08x}", fastrand::u32(..)), Into::into),
        notices: Some(config.notices),
        recorded: config.store.as_ref().map(|_| match config.keep {
            0 => RECORDED.into(),
            1 => format!("{RECORDED} for 1 day"),
            days => format!("{RECORDED} for {days} days"),
        }),
        ..Rules::default()
    }
}

/// The limits of one client.
fn limits(config: &config::Server, own: OwnKey, password: Option<Password>) -> Limits {
    let temporary = own.is_temporary();
    let identity = Identity { key: own.key, title: title(config), temporary };
    let mut limits = Limits {
        rate: config.rate,
        identity: Some(identity),
        encrypted_only: config.encrypted_only,
        password,
        ..Limits::default()
    };
    if cfg!(debug_assertions) {
        shorten(&mut limits);
    }
    limits
}

/// Changes limits as a test of the binary wants. A release does not ask for that.
fn shorten(limits: &mut Limits) {
    let wanted = |name| std::env::var(name).ok();
    if let Some(seconds) = wanted("MINICHAT_REGISTRATION_SECS").and_then(|text| text.parse().ok()) {
        limits.registration = Duration::from_secs(seconds);
    }
    if let Some(filling) = wanted("MINICHAT_CLASS").and_then(|text| text.parse().ok()) {
        limits.connections_per_worker = NonZero::get(filling);
    }
    limits.panic_at = wanted("MINICHAT_PANIC").map(|line| line.into_bytes().into());
}

/// Runs something on a thread of its own. The channel closes or receives when it ends.
fn spawn(work: impl FnOnce() + Send + 'static) -> Result<mpsc::Receiver<()>, Error> {
    let (done, waiting) = mpsc::channel();
    let run = move || {
        work();
        done.send(()).ok(); // Nobody may be waiting any more.
    };
    thread::Builder::new().spawn(run).map_err(Error::Threads)?;
    Ok(waiting)
}
