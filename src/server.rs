//! A running server: the sockets, the tasks and the one lock.
//!
//! Each connection is one task of a worker. A worker is a thread, of which there is one for
//! each core. All tasks share the hub, with the room in it.

mod connection;
mod delivery;
mod door;
#[cfg(feature = "engine")]
pub mod engine;
mod guesses;
mod handovers;
mod handshakes;
mod hub;
mod inbox;
mod listener;
mod mutes;
mod origin;
mod reactor;
mod transport;
mod visit;

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use async_channel::{Receiver, Sender};
use smol::Executor;
use smol::future::or;

use crate::secure::{Identity, Password};

pub use crate::room::{
    Change, EvictReason, Eviction, Followed, FollowerId, Lookup, MAX_PAST_BYTES, MemberChange,
    Offer, OperatorLine, Rules, SessionId, Wanted,
};
#[cfg(test)]
pub(crate) use hub::tests::TestHub;
pub use hub::{Access, Capacities, Hub, Report, State};
use listener::Kind;
pub use listener::{Listener, bind};
pub use mutes::Suspect;
pub use origin::{Origin, own_addresses};
use reactor::Reactor;
pub use visit::{MAX_VISITORS, Site};

/// How long the last lines may take to be sent when the server stops.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Never sent: closing the channel that would carry it is the message.
enum Never {}

/// The limits of a server and of its clients.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The lines that one client may send in a second; 0 is no limit.
    pub rate: u32,
    /// How long a client may take to say its nick. Then it is disconnected.
    pub registration: Duration,
    /// How many connections a worker gets before the next worker gets any. A class is
    /// served best by one thread: it has no other to wake, and more lines share a send.
    pub connections_per_worker: usize,
    /// The key and the title for clients that want an encrypted channel; none if there is no
    /// such thing.
    pub identity: Option<Identity>,
    /// Whether clients that talk in the clear are refused.
    pub encrypted_only: bool,
    /// The password of a closed room.
    pub password: Option<Password>,
    /// A line at which the task of a connection panics, for a test of panics.
    pub panic_at: Option<Box<[u8]>>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            rate: 0,
            registration: Duration::from_secs(30),
            connections_per_worker: 128,
            identity: None,
            encrypted_only: false,
            password: None,
            panic_at: None,
        }
    }
}

/// The parts of a server.
pub struct Setup {
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// The room that they enter. It may have followers before anyone enters.
    pub hub: Arc<Hub>,
    /// The limits of the clients.
    pub limits: Limits,
}

/// A server that runs on threads of its own. Its drop stops it at once.
pub struct Server {
    hub: Arc<Hub>,
    addresses: Vec<SocketAddr>,
    /// Takes the deadline for the last lines.
    stop: Sender<Instant>,
    /// Is closed when all threads have ended.
    ended: Receiver<Never>,
}

impl Server {
    /// Starts to serve.
    ///
    /// # Errors
    /// If the system has no descriptors or threads for it.
    pub fn start(setup: Setup) -> io::Result<Server> {
        let Setup { listeners, hub, limits } = setup;
        let addresses = listeners.iter().map(|listener| listener.address).collect();
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let reactors = (0..cores).map(|_| Reactor::new()).collect::<io::Result<Vec<_>>>()?;
        let (stop, stopped) = async_channel::bounded(1);
        let (end, ended) = async_channel::bounded(1);
        let (report, started) = mpsc::channel();
        let shared = hub.clone();
        let serve = move || {
            let (hub, limits) = (&*shared, &limits);
            let served = on_all_cores(&reactors, |workers| {
                let watch = |Listener { kind, socket, .. }: Listener| {
                    Ok((reactors[0].listen(socket)?, kind))
                };
                let listeners = listeners.into_iter().map(watch).collect::<io::Result<_>>()?;
                report.send(Ok(())).ok(); // It is received below.
                Ok(serve(workers, hub, listeners, limits, stopped))
            });
            if let Err(err) = served {
                report.send(Err(err)).ok(); // It is received below.
            }
            drop::<Sender<Never>>(end);
        };
        thread::Builder::new().spawn(serve)?;
        started.recv().expect("the thread reports how it began")?;
        Ok(Server { hub, addresses, stop, ended })
    }

    /// The addresses at which it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many members there are.
    pub fn users(&self) -> usize {
        self.hub.lock().room.population()
    }

    /// Accepts no more connections, sends everyone a last line, and waits until all have read
    /// it, or until the deadline. Returns how many members there were.
    pub async fn stop(&self, last_line: &str, deadline: Instant) -> usize {
        self.hub.withdraw();
        self.stop.try_send(deadline).ok(); // It may have ended already.
        let users = self.hub.lock().room.close(last_line);
        self.ended.recv().await.ok(); // It is closed, and never sent.
        users
    }
}

/// One thread that serves connections: their tasks, and what those wait for.
#[derive(Clone)]
struct Worker<'a> {
    executor: Arc<Executor<'a>>,
    reactor: &'a Reactor,
    /// Each of its connections holds a clone.
    connections: Arc<()>,
}

impl<'a> Worker<'a> {
    fn new(reactor: &'a Reactor) -> Worker<'a> {
        Worker { executor: Arc::default(), reactor, connections: Arc::default() }
    }

    /// The worker for the next connection, if each is filled with so many at a time.
    fn least_busy<'b>(workers: &'b [Worker<'a>], filling: usize) -> &'b Worker<'a> {
        let fillings = |worker: &&Worker<'_>| Arc::strong_count(&worker.connections) / filling;
        workers.iter().min_by_key(fillings).expect("there is a core")
    }
}

/// Runs a future on a worker, of which there is one for each core. A connection stays with
/// the worker that it was given to.
fn on_all_cores<'a, F>(
    reactors: &'a [Reactor],
    work: impl FnOnce(Vec<Worker<'a>>) -> io::Result<F>,
) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'a,
{
    let workers: Vec<Worker<'a>> = reactors.iter().map(Worker::new).collect();
    let (over, waiting) = async_channel::bounded::<Never>(1);
    thread::scope(|scope| {
        for worker in &workers[1..] {
            let serve = || worker.reactor.run(&worker.executor, waiting.recv()).ok();
            if let Err(err) = thread::Builder::new().spawn_scoped(scope, serve) {
                drop(over); // The workers that have begun stop.
                return Err(err);
            }
        }
        let work = work(workers.clone());
        // As a task, because a worker polls what it runs for each time that anything happens.
        let Worker { executor, reactor, .. } = &workers[0];
        let result = work.map(|work| reactor.run(executor, executor.spawn(work)));
        drop(over);
        result
    })
}

/// Serves everyone until a deadline comes for the last lines, and then until all are gone.
async fn serve<'a>(
    workers: Vec<Worker<'a>>,
    hub: &'a Hub,
    listeners: Vec<(reactor::Listener<'a>, Kind)>,
    limits: &'a Limits,
    stop: Receiver<Instant>,
) {
    let Worker { executor, reactor, .. } = &workers[0];
    let (accepting, stopped) = async_channel::bounded(1);
    let (present, all_gone) = async_channel::bounded::<Never>(1);
    for (listener, kind) in listeners {
        let (workers, stopped, present) = (workers.clone(), stopped.clone(), present.clone());
        let accept = listener::accept(workers, hub, listener, kind, limits, stopped, present);
        executor.spawn(accept).detach();
    }
    executor.spawn(tell_in_rounds(hub, reactor)).detach();
    drop(present);
    let deadline = stop.recv().await.unwrap_or_else(|_| Instant::now());
    drop::<Sender<Never>>(accepting);
    let goodbyes = async {
        all_gone.recv().await.ok(); // It is closed, and never sent.
    };
    or(goodbyes, reactor.sleep_until(deadline)).await;
}

/// Begins each round of telling that is due, as long as the hub is there.
async fn tell_in_rounds(hub: &Hub, reactor: &Reactor) {
    loop {
        reactor.sleep(hub.next_round().await).await;
        hub.lock().begin_round();
    }
}
