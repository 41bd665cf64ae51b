use std::iter;
use std::sync::atomic::Ordering;

use super::*;
use crate::server::hub::Report;
use crate::server::hub::tests::{Counter, TestHub};

/// The system's number for that.
const TIMED_OUT: i32 = match () {
    () if cfg!(windows) => 10060,
    () if cfg!(target_os = "macos") => 60,
    () => 110,
};

/// The bytes that are on their way to a peer that waits.
fn on_its_way(server: &TestHub, from: SessionId, to: SessionId) -> (Pending, Sends) {
    server.reads(to);
    let pending = server.says_pending(from, "MSG one");
    let mut sends = Sends::default();
    server.turn(&pending, &mut sends);
    assert_eq!(sends.claimed.len(), 1);
    (pending, sends)
}

/// How a connection ends after 30 s without an answer. The system reports it once.
fn lost() -> Option<EvictReason> {
    broken(&io::Error::from_raw_os_error(TIMED_OUT))
}

#[test]
fn batch_is_used_again_and_ends_where_reading_ends() {
    let server = TestHub::open(usize::MAX);
    let [ana, joao] = ["10.0.0.1", "10.0.0.2"].map(|address| server.enters(address));
    for (id, line) in [(ana.id, "NICK ana"), (joao.id, "NICK joao"), (ana.id, "MSG oi")] {
        server.says(id, line);
    }
    let mut batch = Batch::default();
    for (id, start) in [
        (ana.id, "New User. Please register with: NICK <your_nick>\nOK welcome ana\n"),
        (joao.id, "New User. Please register with: NICK <your_nick>\nOK welcome joao\n"),
    ] {
        assert_eq!(server.poll(id, &mut batch, Waker::noop()), Poll::Ready(true));
        let read = String::from_utf8_lossy(batch.last());
        assert!(read.starts_with(start) && read.ends_with("FROM ana [all]: oi\n"), "{read}");
    }
    server.says(ana.id, "MSG all well?");
    for expected in [Poll::Ready(true), Poll::Pending] {
        for id in [ana.id, joao.id] {
            assert_eq!(server.poll(id, &mut batch, Waker::noop()), expected);
            // A session that has nothing to read leaves it to the next.
            assert_eq!(batch.last(), b"FROM ana [all]: all well?\n");
        }
    }
}

#[test]
fn busy_peer_is_not_sent_to_by_others() {
    let server = TestHub::open(usize::MAX);
    let [ana, joao] = server.members();
    let says = |line| server.hub.deliver(&server.says_pending(ana.id, line), &mut Sends::default());
    server.reads(joao.id); // He has read everything, and waits.
    drop(server.says_pending(ana.id, "MSG one"));
    let mut batch = Batch::default();
    assert_eq!(server.poll(joao.id, &mut batch, Waker::noop()), Poll::Ready(true));
    assert_eq!(batch.last(), b"FROM ana [all]: one\n");
    // His task has not sent that yet.
    says("MSG two");
    assert_eq!(server.last_line(joao.id), "FROM ana [all]: two");
    // Now he waits again.
    says("MSG three");
    assert_eq!(server.last_line(joao.id), "");
}

#[test]
fn claimed_peer_reads_nothing_until_released() {
    let server = TestHub::open(usize::MAX);
    let [ana, joao] = server.members();
    let (_, mut first) = on_its_way(&server, ana.id, joao.id);
    let pending = server.says_pending(ana.id, "MSG two");
    let mut batch = Batch::default();
    assert_eq!(server.poll(joao.id, &mut batch, Waker::noop()), Poll::Pending);
    let mut second = Sends::default();
    server.turn(&pending, &mut second);
    assert_eq!(second.claimed.len(), 0);
    // His kernel took nothing.
    server.turn(&Pending::default(), &mut first);
    assert_eq!(server.poll(joao.id, &mut batch, Waker::noop()), Poll::Ready(true));
    assert_eq!(batch.last(), b"FROM ana [all]: one\nFROM ana [all]: two\n");
}

#[test]
fn claimed_peer_with_a_lost_connection_is_evicted() {
    let server = TestHub::open(usize::MAX);
    let [ana, joao] = server.members();
    let (pending, mut sends) = on_its_way(&server, ana.id, joao.id);
    sends.claimed[0].lost = lost();
    server.hub.deliver(&pending, &mut sends);
    let seen = iter::from_fn(|| server.reports.try_recv().ok()).find_map(|seen| match seen {
        Report::Evicted(eviction, address) => {
            Some((eviction.nick?.to_string(), eviction.reason, address.ip()))
        }
        _ => None,
    });
    assert_eq!(seen, Some(("joao".into(), EvictReason::Lost, "10.0.0.2".parse().unwrap())));
    assert_eq!(server.last_line(ana.id), "User joao left the chat.");
    assert_eq!(server.last_line(joao.id), "", "he reads nothing more");
}

#[test]
fn evicted_peer_is_woken_after_its_release() {
    let server = TestHub::open(usize::MAX);
    let [ana, joao] = server.members();
    let (pending, mut sends) = on_its_way(&server, ana.id, joao.id);
    // While another task sends to him, he says that he will say nothing more.
    server.hub.lock().room.input_ended(joao.id);
    let (counter, waker) = Counter::new();
    let mut batch = Batch::default();
    assert!(server.poll(joao.id, &mut batch, &waker).is_pending());
    sends.claimed[0].lost = lost();
    server.hub.deliver(&pending, &mut sends);
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    assert_eq!(server.poll(joao.id, &mut batch, &waker), Poll::Ready(false));
}
