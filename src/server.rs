//! The sockets, the tasks and the one lock.
//!
//! Each connection is one task of a worker, a thread of which there is one for each
//! core; what they share is the hub, with the room in it.

mod budget;
mod connection;
mod console;
mod delivery;
mod handovers;
mod hub;
mod inbox;
mod log;
mod mutes;
mod operator;
mod origin;
mod reactor;
mod transport;

use std::env;
use std::io;
use std::iter;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::process;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use mio::net::TcpListener;
use smol::Executor;
use smol::future::{or, yield_now};
use socket2::{Domain, Socket, TcpKeepalive, Type};

use crate::config;
use crate::discovery::{self, Advert, News};
use crate::error::Error;
use crate::interrupt::{Interrupt, Interrupts};
use crate::logfile::LogFile;
use crate::room::Rules;
use crate::texts::Texts;
use crate::wire::{LAST_LINE, sanitize};
use console::{CommandSource, Console};
use hub::{Capacities, Hub, Report};
use log::Log;
use origin::OriginFinder;
use reactor::{Listener, Reactor};

/// How many connections may wait to be accepted: a class that starts together
/// must not wait for its SYN packets to be sent again.
const BACKLOG: i32 = 1024;
/// How long to wait after an accept that failed, most likely for want of
/// descriptors; doubled each time up to the second value.
const ACCEPT_PAUSE: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];
/// How many descriptors are for other things than connections: the log, discovery, and
/// those who are told that there is no place...
const RESERVE: usize = 48;
/// ...and what each worker needs for itself.
const RESERVE_FOR_WORKER: usize = 3;
/// How much the kernel may hold back for one client, in bytes. With more, a
/// reader who has stopped would be noticed megabytes later.
const SEND_BUFFER: usize = 64 << 10;
/// A peer that is gone without a word is noticed after 60 s and 4 questions.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);
/// What was sent and is not acknowledged in this long was sent to nobody.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ACKNOWLEDGEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Who says nothing about themselves in this long has to go.
const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How many connections a worker gets before the next one gets any. A class is served
/// best by one thread: it has no other to wake, and more is heard by one send.
const CONNECTIONS_PER_WORKER: usize = 128;
/// How long the last words may take to be sent when the server stops...
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// ...and how long, from then on or from half of it, what is yet to be logged and shown
/// may take to be written. A terminal that is held is given back in another half second,
/// if it can be.
const REPORT_TIMEOUT: Duration = Duration::from_millis(450);
/// How many reports wait for a console that is slow or stopped.
const MAX_REPORTS: usize = 1024;

/// Never sent: closing the channel that would carry it is the message.
enum Never {}

/// What one connection is allowed.
#[derive(Clone, Copy)]
struct Limits {
    /// Lines a second; 0 is no limit.
    rate: u32,
    /// How long a guest may stay one.
    registration: Duration,
}

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
    // Each client is a descriptor. Where that cannot be known, accepting pauses when
    // there are no more.
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(u64::MAX);
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let capacity = descriptors.saturating_sub(RESERVE + RESERVE_FOR_WORKER * cores);
    let only = config.interface.as_deref();
    discovery::check(only)
        .map_err(|others| Error::NoInterfaceYet(only.unwrap_or_default().into(), others))?;
    let listeners = listen(&config.bind, config.port)?;
    let addresses: Vec<SocketAddr> = listeners.iter().map(|(address, _)| *address).collect();
    let cannot = |err| Error::Listen(addresses[0], err);
    let reactors = iter::repeat_with(Reactor::new).take(cores).collect::<io::Result<Vec<_>>>();
    let reactors = reactors.map_err(cannot)?;
    let listeners = listeners.into_iter().map(|(_, listener)| reactors[0].listen(listener));
    let listeners = listeners.collect::<io::Result<_>>().map_err(cannot)?;
    let log = config.log.as_deref();
    let log = log.map(|path| LogFile::open(path).map_err(|err| Error::Log(path.into(), err)));
    let log = log.transpose()?;
    let mut interrupts = Interrupts::watch().map_err(Error::Signals)?;

    let advert = config.announce.then(|| advert(config, &addresses));
    let (console, orders) = Console::open(config.quiet, interrupts.trigger(), texts);
    let _restored = Restored(console.clone());
    if !config.quiet {
        // Whoever waits for the first line must not wait for the others.
        console.print(&((texts.server.listening)(&addresses[0].to_string()) + "\n"));
        let title = advert.as_ref().map(|advert| advert.title.as_str());
        console.set_invitation(&addresses, title);
        // The name follows as soon as it is announced.
        let taken = !matches!(orders, CommandSource::None);
        console.print(&console::invitation(&addresses, None, taken, &texts.server));
    }

    let (report_to, reports) = async_channel::bounded(MAX_REPORTS);
    let (crowd, count) = async_channel::bounded(1);
    let capacities = Capacities { all: capacity, each_origin: config.max_per_address };
    let hub = Arc::new(Hub::new(rules(config), capacities, report_to.clone(), crowd));
    let (shown, open) = (console.clone(), Arc::downgrade(&hub));
    let mut threads = vec![spawn(move || shown.show(reports, &open))?];
    if let Some(log) = log {
        // Before anybody can come: the log misses nothing.
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

    let limits = Limits { rate: config.rate, registration: registration() };
    let presence = async {
        if let Some(advert) = advert {
            let name = console::by_name(&advert.title, &texts.server);
            let tell = |news: News| {
                if !matches!(news, News::NotOn(_)) {
                    console.set_announced(news == News::Announced);
                }
                let report = match news {
                    News::Announced => Report::Notice(name.clone()),
                    News::Hidden(why) => Report::Warning((texts.server.hidden)(why.tell(texts))),
                    News::NotOn(links) => Report::Warning((texts.server.not_on)(&links.join(", "))),
                };
                report_to.try_send(report).ok(); // Nobody may be looking.
            };
            discovery::advertise(advert, count, tell).await;
        }
    };
    let end = on_all_cores(&reactors, |workers| {
        serve(workers, &hub, listeners, limits, presence, interrupts)
    });
    let end = end.map_err(Error::Threads)?;
    if let Some(interrupt) = end.at_once {
        console.give_back();
        process::exit(interrupt.status().into());
    }
    drop(hub);
    let deadline = (end.since + STOP_TIMEOUT / 2).max(Instant::now()) + REPORT_TIMEOUT;
    let stopped = Report::Stopped(end.people, deadline);
    report_to.force_send(stopped).ok(); // If need be, before others.
    drop(report_to);
    for done in threads {
        // A terminal that is held or a disk that hangs is not waited for.
        done.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok();
    }
    Ok(())
}

/// Gives the terminal back, however the server ends.
struct Restored(Console);

impl Drop for Restored {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

fn advert(config: &config::Server, listening: &[SocketAddr]) -> Advert {
    let host = || {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        host.split('.').next().unwrap_or_default().to_string()
    };
    let title = config.name.clone().unwrap_or_else(host);
    Advert {
        title: if title.is_empty() { "minichat".into() } else { discovery::shown(&title) },
        listening: listening.to_vec(),
        interface: config.interface.clone(),
        max_users: config.max_users,
    }
}

fn rules(config: &config::Server) -> Rules {
    let greeting = config.motd.as_deref().unwrap_or_default().lines().map(sanitize::strip);
    Rules {
        greeting: greeting.filter(|line| !line.trim().is_empty()).map(Into::into).collect(),
        max_users: config.max_users,
        history: config.history,
    }
}

/// [`REGISTRATION_TIMEOUT`], or fewer seconds for the sake of a test.
fn registration() -> Duration {
    for_tests("MINICHAT_REGISTRATION_SECS").map_or(REGISTRATION_TIMEOUT, Duration::from_secs)
}

/// [`CONNECTIONS_PER_WORKER`], or a smaller one for the sake of a test: one that has few
/// clients wants them on all workers.
fn class() -> usize {
    for_tests("MINICHAT_CLASS").map_or(CONNECTIONS_PER_WORKER, NonZero::get)
}

/// What a test wants to be different.
fn for_tests<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

/// Something that listens on a thread of its own, and a word when it is over.
fn spawn(work: impl FnOnce() + Send + 'static) -> Result<mpsc::Receiver<()>, Error> {
    let (done, waiting) = mpsc::channel();
    let run = move || {
        work();
        done.send(()).ok(); // Nobody may be waiting any more.
    };
    thread::Builder::new().spawn(run).map_err(Error::Threads)?;
    Ok(waiting)
}

/// One thread that serves connections: their tasks, and what those wait for.
#[derive(Clone)]
struct Worker<'a> {
    executor: Arc<Executor<'a>>,
    reactor: &'a Reactor,
    /// Each connection that it has holds on to this.
    seats: Arc<()>,
}

/// Runs a future on a worker, of which there is one for each core. A connection stays
/// with the one that it was given to.
fn on_all_cores<'a, T, F>(
    reactors: &'a [Reactor],
    work: impl FnOnce(Vec<Worker<'a>>) -> F,
) -> io::Result<T>
where
    T: Send + 'a,
    F: Future<Output = T> + Send + 'a,
{
    let worker = |reactor| Worker { executor: Arc::default(), reactor, seats: Arc::default() };
    let workers: Vec<Worker<'a>> = reactors.iter().map(worker).collect();
    let (over, waiting) = async_channel::bounded::<Never>(1);
    thread::scope(|scope| {
        for worker in &workers[1..] {
            let serve = || worker.reactor.run(&worker.executor, waiting.recv()).ok();
            if let Err(err) = thread::Builder::new().spawn_scoped(scope, serve) {
                drop(over); // The workers that have begun stop.
                return Err(err);
            }
        }
        // As a task: what a worker runs for is looked at each time that anything
        // happens, and to look for signals is a system call.
        let Worker { executor, reactor, .. } = &workers[0];
        let result = reactor.run(executor, executor.spawn(work(workers.clone())));
        drop(over);
        Ok(result)
    })
}

/// How serving ends.
struct End {
    /// When the first interrupt came.
    since: Instant,
    /// How many people were here.
    people: usize,
    /// The second interrupt, if there was one: nothing is waited for any more.
    at_once: Option<Interrupt>,
}

/// Serves everyone who comes until an interrupt, then says goodbye.
async fn serve<'a>(
    workers: Vec<Worker<'a>>,
    hub: &'a Hub,
    listeners: Vec<Listener<'a>>,
    limits: Limits,
    presence: impl Future<Output = ()> + Send + 'a,
    mut interrupts: Interrupts,
) -> End {
    let Worker { executor, reactor, .. } = &workers[0];
    let (stop, stopped) = async_channel::bounded(1);
    let (present, all_gone) = async_channel::bounded(1);
    for listener in listeners {
        let (workers, stopped, present) = (workers.clone(), stopped.clone(), present.clone());
        executor.spawn(accept(workers, hub, listener, limits, stopped, present)).detach();
    }
    drop(present);
    let presence = executor.spawn(presence);

    interrupts.next().await;
    let since = Instant::now();
    drop(stop);
    hub.withdraw();
    let people = hub.lock().room.close(LAST_LINE);
    let goodbyes = async {
        all_gone.recv().await.ok();
        presence.await;
        None
    };
    let patience = async {
        reactor.sleep(STOP_TIMEOUT).await;
        None
    };
    let at_once = async { Some(interrupts.next().await) };
    End { since, people, at_once: or(or(goodbyes, patience), at_once).await }
}

/// Accepts connections until `stopped`. Each holds on to `present` until it ends.
async fn accept<'a>(
    workers: Vec<Worker<'a>>,
    hub: &'a Hub,
    listener: Listener<'a>,
    limits: Limits,
    stopped: Receiver<Never>,
    present: Sender<Never>,
) {
    let [shortest, longest] = ACCEPT_PAUSE;
    let mut pause = shortest;
    let mut origins = OriginFinder::default();
    let class = class();
    loop {
        let stop = async {
            stopped.recv().await.ok();
            None
        };
        match or(stop, async { Some(listener.accept().await) }).await {
            None => return,
            Some(Ok((stream, address))) => {
                pause = shortest;
                let classes = |worker: &&Worker<'_>| Arc::strong_count(&worker.seats) / class;
                let worker = workers.iter().min_by_key(classes).expect("there is a core");
                let (reactor, seat, present) =
                    (worker.reactor, worker.seats.clone(), present.clone());
                let place = origins.place(address.ip());
                let serve = async move {
                    connection::serve(hub, reactor, stream, address, place, limits).await;
                    drop((seat, present));
                };
                worker.executor.spawn(serve).detach();
                // In a rush there is always another one; who is here is served as well.
                yield_now().await;
            }
            // They changed their mind.
            Some(Err(err)) if has_gone(&err) => (),
            // Most likely out of descriptors: somebody has to leave first.
            Some(Err(_)) => {
                workers[0].reactor.sleep(pause).await;
                pause = (2 * pause).min(longest);
            }
        }
    }
}

/// Whether it is the one who was to be accepted that has gone; Windows calls that a reset.
fn has_gone(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(err.kind(), ConnectionAborted | ConnectionReset)
}

/// Listens on each address, or on all of IPv4 and, where there is such a thing,
/// all of IPv6. Port 0 is any port that is free on all of them.
fn listen(bind: &[IpAddr], port: u16) -> Result<Vec<(SocketAddr, TcpListener)>, Error> {
    let everywhere = bind.is_empty();
    let addresses: &[IpAddr] = match everywhere {
        true => &[IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        false => bind,
    };
    // A port that is free on one address may be taken on the next.
    let mut attempts = if port == 0 { 16 } else { 1 };
    'attempt: loop {
        attempts -= 1;
        let mut port = port;
        let mut listeners = Vec::new();
        for &ip in addresses {
            let address = SocketAddr::new(ip, port);
            match listen_on(address) {
                Ok(listener) => {
                    let address = listener.local_addr().unwrap_or(address);
                    port = address.port();
                    listeners.push((address, listener));
                }
                Err(err) if err.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {
                    continue 'attempt;
                }
                // A machine may have no IPv6.
                Err(err)
                    if everywhere && ip.is_ipv6() && err.kind() != io::ErrorKind::AddrInUse => {}
                Err(err) => return Err(Error::Listen(address, err)),
            }
        }
        return Ok(listeners);
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, so that both work alike everywhere.
        socket.set_only_v6(true)?;
    }
    // On Windows this would let somebody else take the port over.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    set_options(&socket);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(TcpListener::from_std(net::TcpListener::from(socket)))
}

/// Sets up whatever comes from a listener: a connection has the same options as the
/// socket that it was accepted from. What a system does not know it does without.
fn set_options(socket: &Socket) {
    let (after, every, times) = KEEPALIVE;
    let keepalive = TcpKeepalive::new().with_time(after).with_interval(every).with_retries(times);
    socket.set_tcp_nodelay(true).ok();
    // telnet sends one byte of a sequence as urgent; taken out, it would leave the other.
    socket.set_out_of_band_inline(true).ok();
    socket.set_send_buffer_size(SEND_BUFFER).ok();
    socket.set_tcp_keepalive(&keepalive).ok();
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(ACKNOWLEDGEMENT_TIMEOUT)).ok();
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_connection_is_set_up_like_the_listener_that_it_comes_from() {
        let listener = listen_on((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let _client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let reactor = Reactor::new().unwrap();
        let listener = reactor.listen(listener).unwrap();
        let (stream, _) = reactor.run(&Executor::new(), listener.accept()).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.out_of_band_inline().unwrap());
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE.0);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(ACKNOWLEDGEMENT_TIMEOUT));
            // Linux counts what it needs besides, too.
            assert_eq!(socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER);
        }
    }
}
