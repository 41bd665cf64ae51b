//! Keeps what is said to all on the disk, as it happens.
//!
//! The recorder follows the messages on a thread of its own. No sender waits for it, and it
//! does not wait for the disk itself: another thread syncs.

use std::future::{self, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_channel::{Receiver, Sender};
use smol::Timer;
use smol::future::or;

use crate::error::plain;
use crate::host::patience::Patience;
use crate::server::{Followed, FollowerId, Hub, Report};
use crate::store::{Store, Synced, Unsynced};
use crate::texts::Texts;
use crate::wire::sanitize::visible;

/// How long what is written may stay in the system's memory alone. A power cut takes no more.
const SYNC: Duration = Duration::from_secs(1);
/// How long messages gather after a write, so that many share the next one. The first
/// after a silence is written at once.
const GATHER: Duration = Duration::from_millis(10);
/// Where writing works now and then, it is not said each time that it does not, but once
/// until it went well for so long.
const RELAPSE: Duration = Duration::from_secs(60);

/// Keeps messages in a store.
pub struct Recorder {
    store: Store,
    patience: Patience,
    /// The thread that syncs, if there is one.
    syncing: Option<Syncing>,
    /// Where it reports trouble.
    reports: Sender<Report>,
    texts: &'static Texts,
    /// When the next sync is due, if something was written.
    due: Option<Instant>,
    /// Something could not be written, and since when it goes well again.
    failed: bool,
    well: Option<Instant>,
}

impl Recorder {
    /// Keeps messages in an open store. Trouble is reported.
    pub fn new(store: Store, reports: Sender<Report>, texts: &'static Texts) -> Recorder {
        let (dir, to) = (shown(&store), reports.clone());
        let told = Mutex::new(None::<Instant>);
        let tell = Arc::new(move || {
            // Two threads work with the same disk.
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.replace(Instant::now()).is_none_or(|then| then.elapsed() >= RELAPSE) {
                let what = (texts.server.store_failed)(&dir, texts.server.no_answer);
                to.try_send(Report::Warning(what)).ok(); // Nobody may be looking.
            }
        });
        let (patience, syncing) = (Patience::new(tell.clone()), Syncing::start(tell));
        let (due, failed, well) = (None, false, None);
        Recorder { store, patience, syncing, reports, texts, due, failed, well }
    }

    /// Writes what a follower reads until the room closes.
    pub fn follow(mut self, hub: &Hub, id: FollowerId) {
        let mut read = Vec::new();
        loop {
            let messages = async { Some(poll_fn(|cx| hub.poll_messages(id, &mut read, cx)).await) };
            let (due, done) = (self.due, self.syncing.as_ref().map(|it| it.done.clone()));
            let mut synced = None;
            let followed = smol::block_on(or(
                messages,
                or(
                    async {
                        match due {
                            Some(due) => _ = Timer::at(due).await,
                            None => future::pending().await,
                        }
                        None
                    },
                    async {
                        match done {
                            Some(done) => synced = Some(done.recv().await),
                            None => future::pending().await,
                        }
                        None
                    },
                ),
            ));
            match synced {
                Some(Ok(synced)) => self.synced(synced),
                Some(Err(_)) => self.syncing = None, // The thread has failed.
                None => (),
            }
            if !read.is_empty() {
                self.write(&read, hub);
                read.clear();
                if followed != Some(Followed::Closed) {
                    thread::sleep(GATHER);
                }
            }
            match followed {
                Some(Followed::Closed) => {
                    if self.syncing.take().is_some_and(|syncing| syncing.busy) {
                        self.due = Some(Instant::now());
                    }
                    return self.sync();
                }
                Some(Followed::Gap) => self.warn(&(self.texts.server.store_gap)(&self.dir())),
                Some(Followed::Some | Followed::Nothing) | None => (),
            }
            if self.due.is_some_and(|due| due <= Instant::now()) {
                self.sync();
            }
        }
    }

    fn write(&mut self, messages: &[u8], hub: &Hub) {
        match self.patience.during(|| self.store.append(messages, unix_millis())) {
            Ok(deleted) => {
                self.succeed();
                if let (true, Some(first)) = (deleted, self.store.first()) {
                    hub.lock().room.set_stored_from(first);
                }
            }
            Err(err) => self.fail(&err),
        }
        self.due = self.due.or_else(|| Some(Instant::now() + SYNC));
    }

    /// Has the messages written to the disk. A sync that still goes on comes first.
    fn sync(&mut self) {
        if self.due.take().is_none() {
            return;
        }
        let synced = match &mut self.syncing {
            Some(syncing) if syncing.busy => {
                self.due = Some(Instant::now() + SYNC);
                return;
            }
            Some(syncing) => self.store.unsynced().map(|unsynced| {
                syncing.busy = unsynced.is_some_and(|unsynced| syncing.to.send(unsynced).is_ok());
            }),
            None => self.patience.during(|| self.store.sync()),
        };
        if let Err(err) = synced {
            self.fail(&err);
        }
    }

    fn synced(&mut self, synced: Synced) {
        if let Some(syncing) = &mut self.syncing {
            syncing.busy = false;
        }
        if let Err(err) = self.store.synced(synced) {
            self.fail(&err);
        }
    }

    fn succeed(&mut self) {
        if self.failed {
            self.well.get_or_insert_with(Instant::now);
        }
    }

    fn fail(&mut self, err: &io::Error) {
        let well = self.well.take().is_some_and(|since| since.elapsed() >= RELAPSE);
        if !std::mem::replace(&mut self.failed, true) || well {
            let why = plain(err, &self.texts.error);
            self.warn(&(self.texts.server.store_failed)(&self.dir(), &why));
        }
    }

    /// Tells the operator, if the console is still there. The chat goes on.
    fn warn(&self, what: &str) {
        self.reports.try_send(Report::Warning(what.into())).ok();
    }

    fn dir(&self) -> String {
        shown(&self.store)
    }
}

/// The thread that waits for the disk.
struct Syncing {
    to: mpsc::Sender<Unsynced>,
    done: Receiver<Synced>,
    /// It has something to do.
    busy: bool,
}

impl Syncing {
    /// Starts it; none if the system has no thread left.
    fn start(tell: Arc<impl Fn() + Send + Sync + 'static>) -> Option<Syncing> {
        let (to, unsynced) = mpsc::channel::<Unsynced>();
        let (done_to, done) = async_channel::bounded(1);
        let work = move || {
            let patience = Patience::new(tell);
            while let Ok(unsynced) = unsynced.recv() {
                let synced = patience.during(|| unsynced.sync());
                if done_to.send_blocking(synced).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().spawn(work).ok()?;
        Some(Syncing { to, done, busy: false })
    }
}

/// The folder of a store, as people read it.
fn shown(store: &Store) -> String {
    visible(&store.dir().display().to_string()).into_owned()
}

/// The time, in milliseconds since 1970.
pub fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
