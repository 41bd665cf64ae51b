//! The log that several servers share: a stream of Redis or Valkey, and nothing else of it.
//!
//! Two threads have a connection each. One appends the entries of the room, and one reads
//! the entries of all servers in their order. Neither knows the meaning of an entry.

use std::collections::VecDeque;
use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use redis::{
    Client, Connection, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, RedisResult, Value,
};

use crate::room::{EntryId, Room};
use crate::server::delivery::Sends;
use crate::server::hub::Hub;
use crate::wire::{CUT_OFF, TOGETHER};

/// The length of the log that is kept, in bytes.
const KEPT: usize = 4 << 20;
/// How long an answer may take. A connection that is later is thrown away.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one question for new entries waits, in milliseconds. It is shorter than the
/// timeout.
const BLOCK: usize = 1000;
/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(200);
/// How often the thread that appends looks whether a beat is due.
const LOOK: Duration = Duration::from_millis(50);
/// After so long without the log, the members are told.
const UNNOTICED: Duration = Duration::from_secs(3);
/// After so long, an appended entry should have been read back. Else reading begins anew.
const READ_BACK: Duration = Duration::from_secs(3);
/// How many entries are read at a time.
const ENTRIES: usize = 256;

/// Where the log is, and for whom.
#[derive(Clone)]
pub struct Address {
    /// The engine.
    pub engine: Place,
    /// The user of the engine; none is its default user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The room, which names the key.
    pub room: String,
}

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a host and port.
    Tcp(String, u16),
    /// At a socket in the file system.
    Unix(PathBuf),
}

/// Why the log cannot be used.
#[derive(Debug)]
pub enum LinkError {
    /// The engine cannot be reached.
    Io(io::Error),
    /// The engine does not know the user or the password.
    Login,
    /// The user may not do what is needed: the engine's words.
    Denied(String),
    /// The engine is too old: streams can be cut by their ids from 6.2 on.
    TooOld,
    /// Something else has the key.
    OtherKind(String),
    /// Another version of minichat uses the log, with this version of the format.
    OtherVersion(u32),
    /// Anything else: the engine's words.
    Other(String),
}

impl From<RedisError> for LinkError {
    fn from(err: RedisError) -> LinkError {
        let text = err.to_string();
        if err.kind() == ErrorKind::AuthenticationFailed {
            return LinkError::Login;
        }
        match err.code() {
            Some("NOAUTH" | "WRONGPASS") => LinkError::Login,
            Some("NOPERM") => LinkError::Denied(err.detail().unwrap_or(&text).into()),
            Some("WRONGTYPE") => LinkError::OtherKind(String::new()),
            _ if text.contains("syntax error") || text.contains("unknown command") => {
                LinkError::TooOld
            }
            _ if err.is_timeout() => LinkError::Io(io::ErrorKind::TimedOut.into()),
            _ => match err.source().and_then(|it| it.downcast_ref::<io::Error>()) {
                Some(io) => LinkError::Io(match io.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(io.kind(), io.to_string()),
                }),
                None => LinkError::Other(text),
            },
        }
    }
}

/// A log that was found usable.
pub struct Link {
    client: Client,
    key: String,
}

impl Link {
    /// Connects, and looks whether everything that is needed works.
    ///
    /// # Errors
    /// If it does not.
    pub fn open(address: &Address) -> Result<Link, LinkError> {
        let key = format!("minichat:{{{}}}", address.room);
        let place = match address.engine.clone() {
            Place::Tcp(host, port) => ConnectionAddr::Tcp(host, port),
            Place::Unix(path) => ConnectionAddr::Unix(path),
        };
        let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(user) = &address.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &address.password {
            settings = settings.set_password(password);
        }
        let client = Client::open(place.into_connection_info()?.set_redis_settings(settings))?;
        let link = Link { client, key };
        link.try_out().map_err(|err| match err {
            LinkError::OtherKind(_) => LinkError::OtherKind(link.key.clone()),
            other => other,
        })?;
        Ok(link)
    }

    /// Uses each command once. The entry that may stay for a moment says nothing.
    fn try_out(&self) -> Result<(), LinkError> {
        let mut connection = self.connect(ANSWER_TIMEOUT)?;
        let _: String = redis::cmd("PING").query(&mut connection)?;
        let key = &self.key;
        let mut add = redis::cmd("XADD");
        add.arg(key).arg("NOMKSTREAM").arg("MINID").arg("~").arg("0-1").arg("*").arg("e").arg("");
        let id: Option<String> = add.query(&mut connection)?;
        let id = id.unwrap_or_else(|| "0-1".into());
        let _: i64 = redis::cmd("XDEL").arg(key).arg(id).query(&mut connection)?;
        let mut from = String::from("0-0");
        loop {
            let entries = self.read(&mut connection, &from, None)?;
            let Some((last, _)) = entries.last() else { return Ok(()) };
            from.clone_from(last);
            for (_, entry) in &entries {
                if let Some(version) = Room::foreign_version(entry) {
                    return Err(LinkError::OtherVersion(version));
                }
            }
        }
    }

    fn connect(&self, patience: Duration) -> RedisResult<Connection> {
        let connection = self.client.get_connection_with_timeout(patience)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(patience))?;
        Ok(connection)
    }

    /// Reads entries after one, and waits for them if need be.
    fn read(
        &self,
        connection: &mut Connection,
        after: &str,
        block: Option<usize>,
    ) -> RedisResult<Vec<(String, Vec<u8>)>> {
        let mut command = redis::cmd("XREAD");
        command.arg("COUNT").arg(ENTRIES);
        if let Some(millis) = block {
            command.arg("BLOCK").arg(millis);
        }
        Ok(entries(command.arg("STREAMS").arg(&self.key).arg(after).query(connection)?))
    }

    /// Appends an entry, and drops those before another one. Returns its id.
    fn append(
        &self,
        connection: &mut Connection,
        entry: &str,
        oldest: Option<EntryId>,
    ) -> RedisResult<String> {
        let mut command = redis::cmd("XADD");
        command.arg(&self.key);
        if let Some((millis, number)) = oldest {
            command.arg("MINID").arg("~").arg(format!("{millis}-{number}"));
        }
        command.arg("*").arg("e").arg(entry).query(connection)
    }

    /// Begins to append what the room proposes, and to tell the room what is in the order.
    ///
    /// # Errors
    /// If the system has no threads for it.
    pub fn start(self, hub: &Arc<Hub>) -> io::Result<Running> {
        let (bell, rung) = mpsc::sync_channel(1);
        let (end, ended) = mpsc::channel();
        hub.on_proposal(bell.clone());
        let shared = Arc::new(Shared {
            link: self,
            stopping: AtomicBool::new(false),
            progress: Mutex::default(),
        });
        let (reader, room) = (shared.clone(), Arc::downgrade(hub));
        thread::Builder::new().spawn(move || reader.read_all(&room))?;
        let (writer, room) = (shared.clone(), Arc::downgrade(hub));
        thread::Builder::new().spawn(move || {
            writer.append_all(&room, &rung);
            drop(end);
        })?;
        Ok(Running { shared, bell, ended })
    }
}

/// A link at work.
pub struct Running {
    shared: Arc<Shared>,
    bell: SyncSender<()>,
    ended: Receiver<()>,
}

impl Running {
    /// Waits until the log has the last lines of a room that was closed, or for so long.
    pub fn finish(self, patience: Duration) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        self.bell.try_send(()).ok(); // It may be ringing.
        self.ended.recv_timeout(patience).ok(); // It is closed, and never sent.
    }
}

/// The common knowledge of both threads.
struct Shared {
    link: Link,
    stopping: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// The first entry that was appended and not read back, and when.
    appended: Option<(EntryId, Instant)>,
    /// The ids and lengths of the entries that were read and are to be kept.
    window: VecDeque<(EntryId, usize)>,
    length: usize,
    /// The oldest entry that is kept, once there is more than that.
    oldest: Option<EntryId>,
}

impl Progress {
    /// Takes note of an entry that was read.
    fn pass(&mut self, id: EntryId, length: usize) {
        self.window.push_back((id, length));
        self.length += length;
        while self.length > KEPT
            && let Some((_, length)) = self.window.pop_front()
        {
            self.length -= length;
            self.oldest = self.window.front().map(|&(id, _)| id);
        }
        if self.appended.is_some_and(|(appended, _)| id >= appended) {
            self.appended = None;
        }
    }

    /// Whether an entry should have been read back by now.
    fn is_deaf(&self) -> bool {
        self.appended.is_some_and(|(_, since)| since.elapsed() >= READ_BACK)
    }
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the log until the hub is gone.
    fn read_all(&self, hub: &Weak<Hub>) {
        let mut after = String::from("0-0");
        let mut sends = Sends::default();
        let mut fresh = true;
        loop {
            let Ok(mut connection) = self.link.connect(ANSWER_TIMEOUT) else {
                if hub.strong_count() == 0 {
                    return;
                }
                thread::sleep(PAUSE);
                continue;
            };
            if !std::mem::take(&mut fresh)
                && let Some(hub) = hub.upgrade()
            {
                hub.lock().room.doubt();
            }
            while let Ok(entries) = self.link.read(&mut connection, &after, Some(BLOCK)) {
                let Some(hub) = hub.upgrade() else { return };
                if let Some((last, _)) = entries.last() {
                    after.clone_from(last);
                    self.tell(&hub, &entries, &mut sends);
                }
                let mut progress = self.progress();
                if progress.is_deaf() {
                    // The clock of an engine that began anew may be set back, and its ids with it.
                    after = String::from("0-0");
                    *progress = Progress::default();
                }
            }
            thread::sleep(PAUSE);
        }
    }

    /// Tells the room some entries, and its readers what comes of them.
    fn tell(&self, hub: &Hub, entries: &[(String, Vec<u8>)], sends: &mut Sends) {
        let mut access = hub.lock();
        let now = access.now;
        let mut passed = Vec::with_capacity(entries.len());
        for (id, entry) in entries {
            let id = parse(id);
            access.room.ordered(id, entry, now);
            passed.push((id, entry.len()));
        }
        let pending = access.defer_all_wakeups();
        drop(access);
        let mut progress = self.progress();
        passed.into_iter().for_each(|(id, length)| progress.pass(id, length));
        drop(progress);
        hub.deliver(&pending, sends);
    }

    /// Appends the entries of the room until the hub is gone, or the room is closed and all
    /// of them are in the log.
    fn append_all(&self, hub: &Weak<Hub>, bell: &Receiver<()>) {
        let mut connection = None;
        let mut beat: Option<String> = None;
        let mut failing: Option<Instant> = None;
        let mut noticed = false;
        loop {
            let Some(hub) = hub.upgrade() else { return };
            let deaf = self.progress().is_deaf();
            let cut_off = deaf || failing.is_some_and(|since| since.elapsed() >= UNNOTICED);
            if cut_off != noticed && (cut_off || failing.is_none()) {
                noticed = cut_off;
                hub.lock().room.notice(if cut_off { CUT_OFF } else { TOGETHER });
            }
            let entry = {
                let mut access = hub.lock();
                let now = access.now;
                access.room.take_entry(now)
            };
            let Some(entry) = entry else {
                let stopping = self.stopping.load(Ordering::Relaxed);
                if stopping && hub.lock().room.has_settled() {
                    return;
                }
                drop(hub);
                match bell.recv_timeout(LOOK) {
                    Err(RecvTimeoutError::Disconnected) => return,
                    Ok(()) | Err(RecvTimeoutError::Timeout) => continue,
                }
            };
            let begun = Instant::now();
            // An attempt ends when the members are to be told.
            let left = failing.map(|since| UNNOTICED.saturating_sub(since.elapsed()));
            let patience = left.filter(|left| !left.is_zero()).unwrap_or(ANSWER_TIMEOUT);
            let patience = patience.min(ANSWER_TIMEOUT);
            if self.append_one(&mut connection, &entry, &mut beat, patience).is_ok() {
                failing = None;
                continue;
            }
            // Its next answer would be the wrong one.
            connection = None;
            failing.get_or_insert(begun);
            hub.lock().room.doubt();
            drop(hub);
            thread::sleep(PAUSE);
        }
    }

    /// Appends an entry. A beat takes the place of the one before.
    fn append_one(
        &self,
        connection: &mut Option<Connection>,
        entry: &str,
        beat: &mut Option<String>,
        patience: Duration,
    ) -> RedisResult<()> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.link.connect(patience)?),
        };
        let oldest = self.progress().oldest;
        let begun = Instant::now();
        let id = self.link.append(connection, entry, oldest)?;
        if patience < ANSWER_TIMEOUT {
            connection.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            connection.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        }
        self.progress().appended.get_or_insert((parse(&id), begun));
        if entry.split('\n').nth(1).is_some_and(|line| line.starts_with("B "))
            && let Some(before) = beat.replace(id)
        {
            let _: i64 = redis::cmd("XDEL").arg(&self.link.key).arg(before).query(connection)?;
        }
        Ok(())
    }
}

/// The ids and the bytes of the entries in an answer to `XREAD`.
fn entries(reply: Value) -> Vec<(String, Vec<u8>)> {
    let mut entries = Vec::new();
    let Value::Array(streams) = reply else { return entries };
    for stream in streams {
        let Value::Array(parts) = stream else { continue };
        let Some(Value::Array(items)) = parts.into_iter().nth(1) else { continue };
        for item in items {
            let Value::Array(mut pair) = item else { continue };
            let (Some(fields), Some(Value::BulkString(id))) = (pair.pop(), pair.pop()) else {
                continue;
            };
            let Ok(id) = String::from_utf8(id) else { continue };
            let entry = match fields {
                Value::Array(fields) => fields.into_iter().nth(1),
                _ => None,
            };
            // An entry that somebody else made counts as an empty one, so that reading goes on.
            let Some(Value::BulkString(entry)) = entry else {
                entries.push((id, Vec::new()));
                continue;
            };
            entries.push((id, entry));
        }
    }
    entries
}

/// The id of an entry: its time in milliseconds, and a number.
fn parse(id: &str) -> EntryId {
    let (millis, number) = id.split_once('-').unwrap_or((id, "0"));
    (millis.parse().unwrap_or(0), number.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_keeps_the_last_bytes_of_the_log() {
        let mut progress = Progress::default();
        for n in 0..100 {
            progress.pass((n, 0), 64 << 10);
            progress.appended.get_or_insert(((n + 1, 0), Instant::now()));
        }
        assert_eq!((progress.oldest, progress.length), (Some((36, 0)), KEPT));
        progress.pass((100, 0), 1);
        assert!(progress.appended.is_none());
    }
}
