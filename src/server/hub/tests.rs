use std::net;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;
use std::thread;

use async_channel::Receiver;

use super::*;

pub const GREETING: &str = "New User. Please register with: NICK <your_nick>";

/// How many connections one origin may have in a test.
const EACH_ORIGIN: usize = 64;

/// A hub with sockets that come from this machine and claim other addresses.
pub struct TestHub {
    pub hub: Hub,
    listener: net::TcpListener,
    pub reports: Receiver<Report>,
    users: Receiver<usize>,
}

/// A connection and its session.
pub struct Client<'a> {
    session: Option<SessionGuard<'a>>,
    _connection: ConnectionGuard<'a>,
    pub id: SessionId,
}

impl Client<'_> {
    /// Ends the session. The socket is still there.
    pub fn leaves(&mut self) {
        self.session = None;
    }
}

impl TestHub {
    pub fn open(capacity: usize) -> TestHub {
        TestHub::with_rules(Rules::default(), capacity)
    }

    pub fn with_rules(rules: Rules, capacity: usize) -> TestHub {
        TestHub::with_capacities(rules, Capacities { all: capacity, each_origin: EACH_ORIGIN })
    }

    fn with_capacities(rules: Rules, capacities: Capacities) -> TestHub {
        let (report_to, reports) = async_channel::unbounded();
        let (users_to, users) = async_channel::bounded(1);
        let hub = Hub::new(rules, capacities, report_to, users_to);
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        TestHub { hub, listener, reports, users }
    }

    pub fn enters(&self, address: &str) -> Client<'_> {
        let ip = address.parse().unwrap();
        self.enters_as(SocketAddr::new(ip, 50412), Origin::of(ip, &[]), &self.transport())
    }

    /// A session that only [`TestHub::leaves`] ends.
    pub fn enters_and_stays(&self, address: &str) -> SessionId {
        let address = SocketAddr::new(address.parse().unwrap(), 50412);
        let own = ["192.168.1.2", "fd77::2"].map(|ip| ip.parse().unwrap());
        let origin = Origin::of(address.ip(), &own);
        let client = self.enters_as(address, origin, &self.transport());
        let id = client.id;
        mem::forget(client);
        id
    }

    pub fn leaves(&self, id: SessionId) {
        drop(SessionGuard { hub: &self.hub, id });
    }

    fn enters_as(
        &self,
        address: SocketAddr,
        origin: Option<Origin>,
        transport: &Arc<Transport>,
    ) -> Client<'_> {
        let connection = self.hub.admit(address, origin);
        let session = self.hub.enter(&connection, transport, false);
        let id = session.id;
        Client { session: Some(session), _connection: connection, id }
    }

    fn transport(&self) -> Arc<Transport> {
        let stream = net::TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        Arc::new(Transport::Plain(mio::net::TcpStream::from_std(stream)))
    }

    /// Ana and João, with their nicks.
    pub fn members(&self) -> [Client<'_>; 2] {
        [("10.0.0.1", "ana"), ("10.0.0.2", "joao")].map(|(address, nick)| {
            let client = self.enters(address);
            self.says(client.id, &format!("NICK {nick}"));
            client
        })
    }

    pub fn says(&self, id: SessionId, line: &str) {
        let mut access = self.hub.lock();
        let now = access.now;
        let heard = access.hear(id, Ok(line.as_bytes()), &mut Sender::new(now), now);
        assert_eq!(heard, Heard::Done);
    }

    /// Says something, and leaves it to the caller to deliver it.
    pub fn says_pending(&self, id: SessionId, line: &str) -> Pending {
        let mut access = self.hub.lock();
        let now = access.now;
        access.room.hear(id, Ok(line.as_bytes()), now);
        access.defer_wakeups(id)
    }

    /// Gives claimed peers back, and claims the pending ones.
    pub fn turn(&self, pending: &Pending, sends: &mut Sends) {
        let mut access = self.hub.lock();
        let now = access.now;
        let State { room, peers, .. } = &mut *access;
        sends.turn(peers, room, pending, now);
    }

    pub fn poll(&self, id: SessionId, batch: &mut Batch, waker: &Waker) -> Poll<bool> {
        self.hub.poll_read(id, batch, &mut Context::from_waker(waker))
    }

    /// All that a session has not read.
    pub fn reads(&self, id: SessionId) -> String {
        let (mut batch, mut read) = (Batch::default(), Vec::new());
        while self.poll(id, &mut batch, Waker::noop()) == Poll::Ready(true) {
            read.extend_from_slice(batch.last());
        }
        String::from_utf8(read).unwrap()
    }

    pub fn last_line(&self, id: SessionId) -> String {
        self.reads(id).lines().next_back().unwrap_or_default().into()
    }
}

/// Counts how often it is woken.
pub struct Counter(pub AtomicUsize);

impl Counter {
    pub fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter(AtomicUsize::new(0)));
        (counter.clone(), Waker::from(counter))
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn many_listeners_are_woken_once_in_a_round() {
    let server = TestHub::open(usize::MAX);
    server.hub.lock().rounds = Rounds::new(1);
    let clients = server.members();
    clients.iter().for_each(|client| _ = server.reads(client.id));
    let (counter, waker) = Counter::new();
    let mut batch = Batch::default();
    // The first may come too soon after the joins, and the next ones do.
    for (woken, text) in ["one", "two", "three"].into_iter().enumerate() {
        assert_eq!(server.poll(clients[0].id, &mut batch, &waker), Poll::Pending);
        server.hub.lock().room.announce(text);
        server.hub.lock().room.announce("more");
        assert!(server.hub.lock().rounds.due().is_some(), "{text}");
        while counter.0.load(Ordering::SeqCst) == woken {
            thread::sleep(smol::block_on(server.hub.next_round()));
            server.hub.lock().begin_round();
        }
        let heard = format!("FROM server [all]: {text}\nFROM server [all]: more\n");
        assert_eq!(server.reads(clients[0].id), heard);
    }
    // A talking client reads its own line at once.
    server.hub.lock().room.announce("again");
    assert_eq!(server.reads(clients[1].id).lines().count(), 7);
}

#[test]
fn one_origin_has_limited_connections_and_this_machine_any() {
    for (address, neighbour, other) in
        [("10.0.0.5", "10.0.0.5", "10.0.0.6"), ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1")]
    {
        let server = TestHub::open(usize::MAX);
        let mut first: Vec<Client<'_>> = (0..EACH_ORIGIN).map(|_| server.enters(address)).collect();
        let mut surplus = server.enters(neighbour);
        assert_eq!(server.last_line(first[EACH_ORIGIN - 1].id), GREETING);
        assert_eq!(server.last_line(surplus.id), "ERR too_many_connections");
        assert_eq!(server.last_line(server.enters(other).id), GREETING);
        // A session that is over still has its socket.
        for client in [&mut first[0], &mut surplus] {
            client.leaves();
            assert_eq!(server.last_line(server.enters(neighbour).id), "ERR too_many_connections");
        }
        drop((first.remove(0), surplus));
        assert_eq!(server.last_line(server.enters(address).id), GREETING);
    }
    let server = TestHub::open(usize::MAX);
    let clients: Vec<Client<'_>> =
        (0..2 * EACH_ORIGIN).map(|_| server.enters("127.0.0.1")).collect();
    assert!(clients.iter().all(|client| server.last_line(client.id) == GREETING));
}

#[test]
fn full_server_evicts_oldest_guest_and_no_member() {
    let server = TestHub::open(3);
    let member = server.enters("10.0.0.1");
    server.says(member.id, "NICK ana");
    let oldest = server.enters("10.0.0.2");
    let younger = server.enters("10.0.0.3");
    assert!(matches!(server.reports.try_recv(), Ok(Report::Change(..))));
    let newcomer = server.enters("10.0.0.4");
    let Ok(Report::Evicted(eviction, _)) = server.reports.try_recv() else { panic!("nobody") };
    assert_eq!((eviction.id, eviction.reason), (oldest.id, EvictReason::Displaced));
    assert_eq!(server.last_line(newcomer.id), GREETING);
    assert_eq!(server.last_line(younger.id), GREETING);
    assert_eq!(server.last_line(member.id), "OK welcome ana");
}

#[test]
fn last_reported_number_of_users_is_right() {
    const TIMES: usize = 2000;
    let server = TestHub::open(usize::MAX);
    let (transport, together) = (server.transport(), Barrier::new(2));
    let come_and_go = &|nick: &str| {
        let line = format!("NICK {nick}");
        let go = || {
            let address = "127.0.0.1:50412".parse().unwrap();
            let client = server.enters_as(address, None, &transport);
            server.says(client.id, &line);
            together.wait();
            drop(client);
            let last = together.wait().is_leader().then(|| server.users.try_recv());
            together.wait();
            last
        };
        (0..TIMES).filter_map(|_| go()).collect::<Vec<_>>()
    };
    let counts = thread::scope(|scope| {
        let people = ["ana", "joao"].map(|nick| scope.spawn(move || come_and_go(nick)));
        people.map(|person| person.join().unwrap()).concat()
    });
    assert_eq!(counts, [Ok(0); TIMES]);
}

#[test]
fn passing_guest_wakes_no_session() {
    let server = TestHub::open(usize::MAX);
    let ana = server.enters("10.0.0.1");
    server.says(ana.id, "NICK ana");
    let (counter, waker) = Counter::new();
    let mut batch = Batch::default();
    for _ in 0..3 {
        while server.poll(ana.id, &mut batch, &waker).is_ready() {}
        let guest = server.enters("10.0.0.2");
        server.says(guest.id, "QUIT");
    }
    assert_eq!(counter.0.load(Ordering::SeqCst), 0);
}

#[test]
fn server_full_of_members_refuses_newcomers() {
    let server = TestHub::open(1);
    let members: Vec<Client<'_>> = (0..=SPARE).map(|_| server.enters("10.0.0.1")).collect();
    for (number, member) in members.iter().enumerate() {
        server.says(member.id, &format!("NICK n{number}"));
    }
    assert_eq!(server.last_line(server.enters("10.0.0.2").id), "ERR room_full");
}

#[test]
fn follower_is_woken_by_each_public_line() {
    let server = TestHub::open(usize::MAX);
    let [ana, _joao] = server.members();
    let id = server.hub.follow();
    let (counter, waker) = Counter::new();
    let mut cx = Context::from_waker(&waker);
    let mut read = Vec::new();
    for woken in 0..3 {
        assert!(server.hub.poll_follow(id, &mut read, &mut cx).is_pending());
        assert_eq!(counter.0.load(Ordering::SeqCst), woken);
        match woken {
            // Whether the drop wakes or the task delivers, the follower is woken.
            0 => server.says(ana.id, "MSG one"),
            _ => drop(server.says_pending(ana.id, "MSG two")),
        }
        let followed = server.hub.poll_follow(id, &mut read, &mut cx);
        assert_eq!(followed, Poll::Ready(Followed::Some));
    }
    let expected = "FROM ana [all]: one\nFROM ana [all]: two\nFROM ana [all]: two\n";
    assert_eq!(String::from_utf8(read).unwrap(), expected);
}

#[test]
fn line_waits_while_a_reader_lags() {
    let server = TestHub::open(usize::MAX);
    let [ana, joao] = server.members();
    let line = format!("MSG {}", "x".repeat(1000));
    let mut sender = Sender::new(Duration::ZERO);
    let mut offer = || {
        let mut access = server.hub.lock();
        let now = access.now;
        access.hear(ana.id, Ok(line.as_bytes()), &mut sender, now)
    };
    let mut said = 0;
    while offer() == Heard::Done {
        said += 1;
        server.reads(ana.id);
    }
    assert!((250..1000).contains(&said), "{said} lines are said");
    let read = server.reads(joao.id);
    assert_eq!(read.matches(" [all]: x").count(), said, "the line that waits is not said");
    let deadline = Instant::now() + Duration::from_secs(10);
    while offer() == Heard::Later {
        assert!(Instant::now() < deadline, "it waits on though joao has read all");
    }
}

#[test]
fn mute_and_former_nick_go_with_a_person_to_the_new_session() {
    let server = TestHub::open(usize::MAX);
    let comes = |address: &str, nicks: &[&str]| {
        let client = server.enters(address);
        server.hub.lock().room.set_encrypted(client.id);
        server.says(client.id, "CAP keep");
        server.says(client.id, "KEEP 00000000000000000000000000000007");
        nicks.iter().for_each(|nick| server.says(client.id, &format!("NICK {nick}")));
        client
    };
    let ana = comes("10.0.0.1", &["bia", "ana"]);
    let nick = server.hub.lock().room.nick(ana.id).cloned().unwrap();
    server.hub.lock().mute(ana.id, nick);
    let again = comes("10.0.0.2", &["ana"]);
    drop(ana);
    let mut access = server.hub.lock();
    assert_eq!(access.room.find("ana"), Some(again.id));
    assert_eq!(access.handovers.now_called("bia").map(Nick::as_str), Some("ana"));
    assert!(access.mutes.hold(again.id) && access.unmute(again.id));
    assert_eq!(access.mutes.absent().count(), 0);
}
