//! Standard input and output without a line editor: pipes, scripts and plain
//! terminals. Both may block for ever, so each has a thread of its own.

use std::io::{self, BufRead, Read, Write};
use std::thread::{self, JoinHandle};

use async_channel::{Receiver, Sender};

/// The longest line that is read at once, in bytes; a longer one comes in pieces.
const MAX_LINE: u64 = 64 << 10;
/// How many lines may wait to be sent, and how many batches to be printed. Then
/// whoever writes to us, or reads from us, is waited for.
const QUEUE: usize = 64;

/// The lines of standard input, their ends included, as they come. The channel
/// closes at the end of the input.
pub fn keyboard() -> Receiver<Vec<u8>> {
    let (sender, receiver) = async_channel::bounded(QUEUE);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            // An input that cannot be read has ended.
            match stdin.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if sender.send_blocking(line).is_err() => return,
                Ok(_) => (),
            }
        }
    });
    receiver
}

/// Standard output behind a queue.
pub struct Printer {
    queue: Sender<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
}

impl Printer {
    /// Starts it.
    pub fn start() -> Printer {
        let (queue, texts) = async_channel::bounded::<Vec<u8>>(QUEUE);
        let thread = thread::spawn(move || {
            let mut stdout = io::stdout().lock();
            while let Ok(text) = texts.recv_blocking() {
                stdout.write_all(&text)?;
                if texts.is_empty() {
                    stdout.flush()?;
                }
            }
            Ok(())
        });
        Printer { queue, thread }
    }

    /// Prints some lines, if that is still possible.
    pub async fn print(&self, text: Vec<u8>) {
        self.queue.send(text).await.ok(); // Somebody waits for `broken`.
    }

    /// Waits until nothing can be printed any more.
    pub async fn broken(&self) {
        self.queue.closed().await;
    }

    /// Waits until all is printed, or says why it could not be.
    pub fn finish(self) -> io::Result<()> {
        drop(self.queue);
        self.thread.join().expect("printing does not panic")
    }
}
