//! The public conversation, appended to a file as it happens.
//!
//! The log follows the transcript with a place of its own. Each line is the local time
//! and the line of the protocol: members that come and go, and what is said to all. Direct
//! messages stay private.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use async_channel::Sender;
use chrono::{Local, SecondsFormat};

use crate::error::plain;
use crate::host::patience::Patience;
use crate::log_file::LogFile;
use crate::server::{Followed, FollowerId, Hub, Report};
use crate::texts::Texts;
use crate::wire::sanitize::visible;

/// A log in a file. Clones are the same one.
#[derive(Clone)]
pub struct Log {
    file: Arc<LogFile>,
    patience: Arc<Patience>,
    /// Where it reports trouble.
    reports: Sender<Report>,
    texts: &'static Texts,
}

impl Log {
    /// A log in an open file. Trouble with the file is reported.
    pub fn new(file: LogFile, reports: Sender<Report>, texts: &'static Texts) -> Log {
        let (path, tell) = (shown(&file), reports.clone());
        let patience = Patience::new(Arc::new(move || {
            let what = (texts.server.log_failed)(&path, texts.server.no_answer);
            tell.try_send(Report::Warning(what)).ok(); // Nobody may be looking.
        }));
        Log { file: Arc::new(file), patience: Arc::new(patience), reports, texts }
    }

    /// The effect of a hang-up on it; see [`LogFile::rotation`].
    pub fn rotation(&self, outlives: bool) -> impl FnMut() -> bool + Send + 'static {
        let log = self.clone();
        self.file.clone().rotation(outlives, move |err| log.fail(err))
    }

    /// Writes down what a follower reads until the room closes.
    pub fn follow(self, hub: &Hub, id: FollowerId) {
        let mut read = Vec::new();
        loop {
            let followed = smol::block_on(poll_fn(|cx| hub.poll_follow(id, &mut read, cx)));
            // Only whole lines: a batch may end in the middle of one.
            let end = read.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            self.write(&read[..end]);
            read.drain(..end);
            match followed {
                Followed::Closed => return,
                // The disk was so slow that the transcript has gone on without the log.
                Followed::Gap => {
                    self.warn(&(self.texts.server.log_gap)(&self.path()));
                    read.clear();
                }
                Followed::Some | Followed::Nothing => (),
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
        if let Err(err) = self.patience.during(|| self.file.append(&stamped)) {
            self.fail(&err);
        }
    }

    fn fail(&self, err: &io::Error) {
        let why = plain(err, &self.texts.error);
        self.warn(&(self.texts.server.log_failed)(&self.path(), &why));
    }

    /// Tells the operator, if the console is still there. The chat goes on.
    fn warn(&self, what: &str) {
        self.reports.try_send(Report::Warning(what.into())).ok();
    }

    fn path(&self) -> String {
        shown(&self.file)
    }
}

/// The path of a log, as people read it.
fn shown(file: &LogFile) -> String {
    visible(&file.path().display().to_string()).into_owned()
}
