//! The public conversation, appended to a file as it happens.
//!
//! The log is one more listener with a place in the transcript. Each line is
//! the local time and the line of the protocol: who came and went, and what was
//! said to all. Direct messages are nobody else's business.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use async_channel::Sender;
use chrono::{Local, SecondsFormat};

use crate::error::plain;
use crate::logfile::LogFile;
use crate::room::SessionId;
use crate::server::hub::{Batch, Hub, Report};
use crate::texts::Texts;
use crate::wire::sanitize::visible;

/// A log to be kept. Clones are the same one.
#[derive(Clone)]
pub struct Log {
    file: Arc<LogFile>,
    /// Where it complains.
    console: Sender<Report>,
    texts: &'static Texts,
}

impl Log {
    /// A log in an open file. Whatever goes wrong with it is said on the console.
    pub fn new(file: LogFile, console: Sender<Report>, texts: &'static Texts) -> Log {
        Log { file: Arc::new(file), console, texts }
    }

    /// What a hang-up does to it; see [`LogFile::rotation`].
    pub fn rotation(&self, outlives: bool) -> impl FnMut() -> bool + Send + 'static {
        let log = self.clone();
        self.file.clone().rotation(outlives, move |err| log.fail(err))
    }

    /// Writes down what a session hears until the room closes.
    pub fn follow(self, hub: &Hub, mut id: SessionId) {
        let (mut batch, mut heard) = (Batch::default(), Vec::new());
        loop {
            let more = smol::block_on(poll_fn(|cx| hub.poll_read(id, &mut batch, cx)));
            if more {
                heard.extend_from_slice(&batch.bytes);
            }
            // Only whole lines: a batch may end in the middle of one.
            let end = heard.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            self.write(&heard[..end]);
            heard.drain(..end);
            if !more {
                let closed = hub.with(|room, _| room.is_closed());
                hub.leave(id);
                if closed {
                    return;
                }
                // The disk was so slow that the transcript has gone on without us.
                self.warn(&(self.texts.server.log_gap)(&self.path()));
                heard.clear();
                id = hub.observe();
            }
        }
    }

    fn write(&self, lines: &[u8]) {
        let now = Local::now().to_rfc3339_opts(SecondsFormat::Secs, false);
        let mut stamped = Vec::with_capacity(2 * lines.len());
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            stamped.extend_from_slice(now.as_bytes());
            stamped.push(b' ');
            stamped.extend_from_slice(line);
        }
        if let Err(err) = self.file.append(&stamped) {
            self.fail(&err);
        }
    }

    fn fail(&self, err: &io::Error) {
        let why = plain(err, &self.texts.error);
        self.warn(&(self.texts.server.log_failed)(&self.path(), &why));
    }

    /// Tells the operator, if there is still somebody to tell. The chat goes on.
    fn warn(&self, what: &str) {
        self.console.try_send(Report::Warning(what.into())).ok();
    }

    fn path(&self) -> String {
        visible(&self.file.path().display().to_string()).into_owned()
    }
}
