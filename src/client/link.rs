//! Whether the other end of a connection is still there.
//!
//! The kernel asks by itself while nothing is said (keep-alive). It asks nothing more
//! while bytes wait for an acknowledgement, and it gives those up only after a quarter
//! of an hour. Linux has an option for that, `TCP_USER_TIMEOUT`, but it also ends a
//! connection to a server that reads slowly. Hence the client looks by itself.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use smol::future::or;
use smol::{Async, Timer};
use socket2::{SockRef, TcpKeepalive};

/// The kernel notices after 60 s and 4 questions that a silent server is gone.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);
/// It asks like this in a hosted room, where another member goes on with the room.
const HOSTED: (Duration, Duration, u32) = (Duration::from_secs(2), Duration::from_secs(1), 3);
/// How long sent bytes may stay unacknowledged there.
#[cfg(any(target_os = "linux", target_os = "android"))]
const HOSTED_TIMEOUT: Duration = Duration::from_secs(5);
/// It asks like this after the machine has slept.
const AWAKE: (Duration, Duration, u32) = (Duration::from_secs(1), Duration::from_secs(5), 4);
/// How long it goes on to ask like that.
const AWAKENING: Duration = Duration::from_secs(30);
/// After this time without an acknowledgement, the bytes count as lost.
const ACKNOWLEDGED: Duration = Duration::from_secs(26);
/// Where acknowledgements are not told, a silence of this time is looked into.
#[cfg_attr(target_os = "linux", allow(dead_code))]
const SILENCE: Duration = Duration::from_secs(20);
/// How long a server may take to accept a connection that only asks whether it is there.
const ANSWER: Duration = Duration::from_secs(8);
/// How often the client looks while it waits for an acknowledgement.
const LOOK: Duration = Duration::from_secs(4);
/// How often it looks whether the machine has slept, when it waits for nothing. A client
/// with nothing to do sleeps, so that the machine can.
const NAP: Duration = Duration::from_secs(60);
/// A sleep that is shorter than this harms no connection.
const SLEEP: Duration = Duration::from_secs(10);

/// A question to the server, on a connection of its own: whether it is there.
pub type Question = Pin<Box<dyn Future<Output = bool>>>;

/// The result of a look at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against the connection.
    Alive,
    /// The server is gone.
    Gone,
    /// The server has to be asked.
    Doubtful,
}

/// The kernel's facts about a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    /// Bytes wait for an acknowledgement, or for room at the server.
    waiting: bool,
    /// They were sent again, and more than once where only room is asked for.
    repeated: bool,
    /// How long ago the server last acknowledged anything.
    acknowledged: Duration,
}

/// Watches one connection.
#[derive(Debug)]
pub struct Watch {
    /// Since when something may be unacknowledged.
    since: Option<Instant>,
    /// The time of both clocks at the last look.
    clocks: (Instant, SystemTime),
    /// Until when the kernel asks more often.
    awakening: Option<Instant>,
}

impl Watch {
    /// Sets up a connection and begins to watch it. A system does without what it does
    /// not know.
    pub fn start(stream: &TcpStream) -> Watch {
        stream.set_nodelay(true).ok(); // It only would be slower.
        ask(stream, KEEPALIVE);
        let clocks = (Instant::now(), SystemTime::now());
        Watch { since: None, clocks, awakening: None }
    }

    /// Bytes were sent.
    pub fn sent(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Bytes were heard: the server was there a moment ago. `owes` says whether it may
    /// have something to acknowledge still.
    pub fn heard(&mut self, now: Instant, owes: bool) {
        if self.since.is_some() {
            self.since = owes.then_some(now);
        }
    }

    /// When the next look is due.
    pub fn deadline(&self) -> Instant {
        let (looked, _) = self.clocks;
        let acknowledged = self.since.map(|since| since.max(looked) + LOOK);
        let due = [acknowledged, self.awakening].into_iter().flatten();
        due.fold(looked + NAP, Instant::min)
    }

    /// Looks. `unsent` says whether the kernel has no room for more bytes.
    pub fn look(&mut self, stream: &TcpStream, unsent: bool, now: Instant) -> Verdict {
        let wall = SystemTime::now();
        if has_slept(self.clocks, (now, wall)) {
            ask(stream, AWAKE);
            self.awakening = Some(now + AWAKENING);
        }
        if self.awakening.is_some_and(|end| now >= end) {
            ask(stream, KEEPALIVE);
            self.awakening = None;
        }
        self.clocks = (now, wall);
        let told = known(stream);
        let verdict = self.since.map_or(Verdict::Alive, |since| match told {
            Some(known) => judge(known, now - since),
            None if now - since >= SILENCE => Verdict::Doubtful,
            None => Verdict::Alive,
        });
        if told.is_some_and(|known| !known.waiting) && !unsent {
            self.since = None;
        }
        verdict
    }

    /// Whether the server has acknowledged all bytes that the kernel was given; none where
    /// that is not told.
    pub fn acknowledged(stream: &TcpStream) -> Option<bool> {
        known(stream).map(|known| !known.waiting)
    }

    /// The server has answered a [question](question).
    pub fn answered(&mut self, unsent: bool, now: Instant) {
        self.since = unsent.then_some(now);
    }
}

/// Whether a machine slept between two looks at both its clocks: one of them stands
/// still meanwhile on most systems. A clock that is set forward looks the same, and
/// then a question too many does no harm.
fn has_slept(before: (Instant, SystemTime), now: (Instant, SystemTime)) -> bool {
    let passed = now.0.saturating_duration_since(before.0);
    let slept = now.1.duration_since(before.1).is_ok_and(|wall| wall > passed + SLEEP);
    slept || passed > NAP + SLEEP
}

/// The verdict from the kernel's facts, when bytes were sent this long ago.
fn judge(known: Known, sent: Duration) -> Verdict {
    match known {
        Known { waiting: false, .. } => Verdict::Alive,
        _ if sent.min(known.acknowledged) < ACKNOWLEDGED => Verdict::Alive,
        Known { repeated: true, .. } => Verdict::Gone,
        // A full server is asked for room ever more seldom.
        _ => Verdict::Doubtful,
    }
}

/// Has the kernel ask, after this time without a word, whether the server is there.
fn ask(stream: &TcpStream, (after, every, times): (Duration, Duration, u32)) {
    let keepalive = TcpKeepalive::new().with_time(after).with_interval(every).with_retries(times);
    SockRef::from(stream).set_tcp_keepalive(&keepalive).ok();
}

/// Has the kernel reset a connection when it is closed, and forget what waits to be sent. A
/// connection that is closed without that is told later, when its bytes are sent again.
pub fn abort(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok();
}

/// Notices in 5 s that the other end is gone, also while bytes wait to be acknowledged.
pub fn notice_soon(stream: &TcpStream) {
    ask(stream, HOSTED);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SockRef::from(stream).set_tcp_user_timeout(Some(HOSTED_TIMEOUT)).ok();
}

/// Asks a server on a new connection whether it is there.
pub fn question(address: SocketAddr) -> Question {
    question_within(address, ANSWER)
}

/// The same with another limit of time.
pub fn question_within(address: SocketAddr, patience: Duration) -> Question {
    let late = async move {
        Timer::after(patience).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    let answer = async move {
        let connected = or(Async::<TcpStream>::connect(address), late).await;
        !connected.is_err_and(|err| {
            use io::ErrorKind::{
                ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut,
            };
            let gone =
                [ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut];
            gone.contains(&err.kind())
        })
    };
    Box::pin(answer)
}

#[cfg(target_os = "linux")]
fn known(stream: &TcpStream) -> Option<Known> {
    use nix::sys::socket::getsockopt;

    // To try here what is done where the kernel tells nothing.
    if cfg!(debug_assertions) && std::env::var_os("MINICHAT_NO_TCP_INFO").is_some() {
        return None;
    }
    let info = getsockopt(stream, linux::TcpInfo).ok()?;
    Some(Known {
        // It backs off while a full server takes nothing.
        waiting: info.unacked > 0 || info.probes > 0 || info.backoff > 0,
        repeated: info.unacked > 0 && info.retransmits > 0 || info.probes > 1,
        acknowledged: Duration::from_millis(info.last_ack_recv.into()),
    })
}

#[cfg(not(target_os = "linux"))]
fn known(_: &TcpStream) -> Option<Known> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use nix::{getsockopt_impl, libc, sockopt_impl};

    /// The beginning of the system's `tcp_info`, as every version of Linux has it.
    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    pub struct Info {
        _states: [u8; 2],
        pub retransmits: u8,
        pub probes: u8,
        pub backoff: u8,
        _options: [u8; 3],
        _times: [u32; 4],
        pub unacked: u32,
        _counts: [u32; 4],
        _last_sent: [u32; 2],
        _last_received: u32,
        /// In milliseconds.
        pub last_ack_recv: u32,
        _rest: [u32; 11],
    }

    sockopt_impl!(
        /// The facts that the kernel knows about a connection.
        TcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        Info
    );
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn connection_asks_by_itself_while_nothing_is_said() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut watch = Watch::start(&stream);
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        #[cfg(target_os = "linux")]
        {
            let asks = || (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval());
            assert_eq!(asks().0, KEEPALIVE.0);
            // A reader that is slow on purpose is not given up by the kernel.
            assert_eq!(socket.tcp_user_timeout().unwrap(), None);
            watch.clocks.1 -= 60 * SECOND;
            let now = Instant::now();
            assert_eq!(watch.look(&stream, false, now), Verdict::Alive);
            assert_eq!(asks().0, AWAKE.0);
            watch.look(&stream, false, now + AWAKENING);
            assert_eq!(asks().0, KEEPALIVE.0);
        }
        (&stream).write_all(b"oi").unwrap();
        let now = Instant::now();
        watch.sent(now);
        let later = now + 60 * SECOND;
        let told = if cfg!(target_os = "linux") { Verdict::Alive } else { Verdict::Doubtful };
        assert_eq!(watch.look(&stream, false, later), told);
    }

    #[test]
    fn silent_server_is_gone_and_a_full_one_is_not() {
        let known = |waiting, repeated, seconds| Known {
            waiting,
            repeated,
            acknowledged: seconds * SECOND,
        };
        for (known, sent, verdict) in [
            // Idle for an hour, and now something was lost and sent again.
            (known(true, true, 3600), 1, Verdict::Alive),
            (known(true, true, 3600), 30, Verdict::Gone),
            (known(true, true, 30), 60, Verdict::Gone),
            (known(true, true, 20), 60, Verdict::Alive),
            (known(false, true, 3600), 3600, Verdict::Alive),
            // Full, and the last question is half a minute old.
            (known(true, false, 40), 300, Verdict::Doubtful),
            (known(true, false, 5), 300, Verdict::Alive),
        ] {
            assert_eq!(judge(known, sent * SECOND), verdict, "{known:?} {sent}");
        }
    }

    #[test]
    fn sleep_is_a_clock_that_stood_still() {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let after = |passed: u32, shown: u32| {
            has_slept((now, wall), (now + passed * SECOND, wall + shown * SECOND))
        };
        assert!(after(1, 3600) && after(3600, 3600));
        assert!(!after(60, 60) && !after(60, 61) && !after(62, 0));
    }

    #[test]
    fn client_with_nothing_to_wait_for_looks_once_a_minute() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut watch = Watch::start(&stream);
        let (start, _) = watch.clocks;
        assert_eq!(watch.deadline(), start + NAP);
        watch.sent(start + SECOND);
        watch.sent(start + 2 * SECOND);
        assert_eq!(watch.deadline(), start + SECOND + LOOK);
        // It has heard an answer, but not to all.
        watch.heard(start + 3 * SECOND, true);
        assert_eq!(watch.deadline(), start + 3 * SECOND + LOOK);
        watch.heard(start + 4 * SECOND, false);
        assert_eq!(watch.deadline(), start + NAP);
        // A private line has no answer, but the kernel knows that it was acknowledged.
        watch.sent(start + 5 * SECOND);
        watch.look(&stream, false, start + 9 * SECOND);
        let again = if cfg!(target_os = "linux") { NAP } else { LOOK };
        assert_eq!(watch.deadline(), start + 9 * SECOND + again);
    }

    #[test]
    fn question_tells_whether_a_server_is_there() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(smol::block_on(question(address)));
        drop(listener);
        assert!(!smol::block_on(question(address)));
    }
}
