//! Keeps what is said to all on the disk, as it happens.
//!
//! The recorder follows the messages on a thread of its own. No sender waits for it.

use std::future::poll_fn;
use std::io;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_channel::Sender;
use smol::Timer;
use smol::future::or;

use crate::error::plain;
use crate::host::patience::Patience;
use crate::server::{Followed, FollowerId, Hub, Report};
use crate::store::Store;
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
        let (dir, tell) = (shown(&store), reports.clone());
        let patience = Patience::new(move || {
            let what = (texts.server.store_failed)(&dir, texts.server.no_answer);
            tell.try_send(Report::Warning(what)).ok(); // Nobody may be looking.
        });
        Recorder { store, patience, reports, texts, due: None, failed: false, well: None }
    }

    /// Writes what a follower reads until the room closes.
    pub fn follow(mut self, hub: &Hub, id: FollowerId) {
        let mut read = Vec::new();
        loop {
            let messages = async { Some(poll_fn(|cx| hub.poll_messages(id, &mut read, cx)).await) };
            let followed = match self.due {
                Some(due) => smol::block_on(or(messages, async {
                    Timer::at(due).await;
                    None
                })),
                None => smol::block_on(messages),
            };
            if !read.is_empty() {
                self.write(&read, hub);
                read.clear();
                if followed != Some(Followed::Closed) {
                    thread::sleep(GATHER);
                }
            }
            match followed {
                Some(Followed::Closed) => return self.sync(),
                Some(Followed::Gap) => self.warn(&(self.texts.server.store_gap)(&self.dir())),
                Some(Followed::Some | Followed::Nothing) => (),
                None => self.sync(),
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

    fn sync(&mut self) {
        if self.due.take().is_some()
            && let Err(err) = self.patience.during(|| self.store.sync())
        {
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

/// The folder of a store, as people read it.
fn shown(store: &Store) -> String {
    visible(&store.dir().display().to_string()).into_owned()
}

/// The time, in milliseconds since 1970.
pub fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
