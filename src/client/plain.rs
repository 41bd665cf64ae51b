//! Standard input and output without a line editor: pipes, scripts and plain
//! terminals. All of them may block for ever, so each has a thread of its own.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use async_channel::{Receiver, Sender, TrySendError};
use smol::future::or;

use crate::interrupt::Reader;

use crate::stdio::{self, Piece, Stderr, Stdout};

/// How many lines may wait to be sent, and how many batches to be printed. Then
/// the writer of the input, or the reader of the output, has to wait.
const QUEUE: usize = 64;

/// The lines of standard input, their ends included, as they come. The channel
/// closes at the end of the input; an error is the last item.
///
/// # Errors
/// If the system gives no thread.
pub fn keyboard() -> io::Result<Receiver<io::Result<Piece>>> {
    let (sender, receiver) = async_channel::bounded(QUEUE);
    thread::Builder::new().spawn(move || {
        for line in stdio::lines() {
            let failed = line.is_err();
            if sender.send_blocking(line).is_err() || failed {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// A queue in front of something that may block: standard output, the line editor
/// or a log.
pub struct Printer {
    queue: Sender<Vec<u8>>,
    /// Its result.
    end: Receiver<io::Result<()>>,
    /// The reader of the output, where that is known.
    reader: Option<Reader>,
}

impl Printer {
    /// Starts it. Each batch goes to `write`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        mut write: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static,
    ) -> io::Result<Printer> {
        let (queue, texts) = async_channel::bounded::<Vec<u8>>(QUEUE);
        let (ended, end) = async_channel::bounded(1);
        thread::Builder::new().spawn(move || {
            let result = loop {
                let Ok(text) = texts.recv_blocking() else { break Ok(()) };
                if let Err(err) = write(&text) {
                    break Err(err);
                }
            };
            drop(texts); // Nobody need wait for a place in the queue.
            ended.send_blocking(result).ok(); // Nobody may want to know.
        })?;
        Ok(Printer { queue, end, reader: None })
    }

    /// Starts one in front of standard output.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start_output() -> io::Result<Printer> {
        Ok(Printer { reader: Some(Reader::watch()), ..Printer::start(print)? })
    }

    /// Prints some lines, if that is still possible, as soon as there is room.
    pub async fn print(&self, text: Vec<u8>) {
        self.queue.send(text).await.ok(); // Somebody waits for `broken`.
    }

    /// Prints some lines if there is room now; else gives them back.
    pub fn offer(&self, text: Vec<u8>) -> Vec<u8> {
        match self.queue.try_send(text) {
            Err(TrySendError::Full(text)) => text,
            Ok(()) | Err(TrySendError::Closed(_)) => Vec::new(),
        }
    }

    /// Waits until nothing can be printed any more.
    pub async fn broken(&self) {
        match &self.reader {
            Some(reader) => or(reader.gone(), self.queue.closed()).await,
            None => self.queue.closed().await,
        }
    }

    /// Waits until all is printed, or says why it could not be.
    pub async fn finish(self) -> io::Result<()> {
        drop(self.queue);
        self.end.recv().await.expect("the printer says how it ends")
    }
}

/// Prints to standard output.
pub fn print(text: &[u8]) -> io::Result<()> {
    Stdout.write_all(text)
}

/// How long the reader of standard error is waited for.
const REMARK: Duration = Duration::from_secs(1);

/// Standard error, for what is said about the conversation. It is said before whatever
/// comes next on standard output; but a missing reader is waited for once.
#[derive(Clone)]
pub struct Remarks {
    queue: Sender<(String, mpsc::Sender<()>)>,
    /// It has no reader.
    unread: Arc<AtomicBool>,
}

impl Remarks {
    /// Starts it.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start() -> io::Result<Remarks> {
        let (queue, remarks) = async_channel::bounded::<(String, _)>(QUEUE);
        let unread = Arc::new(AtomicBool::new(false));
        let read = unread.clone();
        thread::Builder::new().spawn(move || {
            while let Ok((text, _written)) = remarks.recv_blocking() {
                Stderr.write_all(text.as_bytes()).ok(); // Nobody may be there.
                read.store(false, Ordering::SeqCst);
            }
        })?;
        Ok(Remarks { queue, unread })
    }

    /// Says something. If too much waits to be said already, it is not.
    pub fn say(&self, text: String) {
        let (done, written) = mpsc::channel();
        if self.queue.try_send((text, done)).is_ok() && !self.unread.load(Ordering::SeqCst) {
            // It is dropped when it is written.
            let late = written.recv_timeout(REMARK) == Err(RecvTimeoutError::Timeout);
            self.unread.store(late, Ordering::SeqCst);
        }
    }
}
