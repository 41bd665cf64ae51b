//! The place in a room up to which a program has read, in a file.
//!
//! The file holds a term and a number. It is written anew by a rename, at most once a
//! second, on a thread of its own, because a disk may hang.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How often the file is written, at most.
const INTERVAL: Duration = Duration::from_secs(1);
/// The longest file that can be a place, in bytes.
const MAX_LENGTH: u64 = 200;

/// A file that remembers a place.
pub struct SinceFile {
    places: Sender<String>,
    /// Is closed when the last place is written.
    written: mpsc::Receiver<()>,
}

/// The place in a file; none if there is no file yet, or nothing in it.
///
/// # Errors
/// If the file cannot be read, or holds something else.
pub fn read(path: &Path) -> io::Result<Option<(String, u64)>> {
    match fs::metadata(path) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err),
        Ok(metadata) if !metadata.is_file() || metadata.len() > MAX_LENGTH => {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(_) => (),
    }
    let text = fs::read_to_string(path)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [] => Ok(None),
        [term, number] => match number.parse() {
            Ok(number) => Ok(Some((term.into(), number))),
            Err(_) => Err(io::ErrorKind::InvalidData.into()),
        },
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

impl SinceFile {
    /// Begins to write to a file. Tells `complain` once if that does not work.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        path: PathBuf,
        complain: impl FnOnce(&io::Error) + Send + 'static,
    ) -> io::Result<SinceFile> {
        let (places, received) = mpsc::channel::<String>();
        let (done, written) = mpsc::channel();
        thread::Builder::new().spawn(move || {
            let mut complain = Some(complain);
            while let Ok(mut place) = received.recv() {
                let due = Instant::now() + INTERVAL;
                let ends = loop {
                    match received.recv_timeout(due.saturating_duration_since(Instant::now())) {
                        Ok(next) => place = next,
                        Err(err) => break err == RecvTimeoutError::Disconnected,
                    }
                };
                if let Err(err) = write(&path, &place)
                    && let Some(complain) = complain.take()
                {
                    complain(&err);
                }
                if ends {
                    break;
                }
            }
            drop::<Sender<()>>(done);
        })?;
        Ok(SinceFile { places, written })
    }

    /// Remembers another place.
    pub fn remember(&self, (term, number): (&str, u64)) {
        self.places.send(format!("{term} {number}\n")).ok(); // It goes on without the file.
    }

    /// Writes the last place, if that takes no longer than this.
    pub fn finish(self, patience: Duration) {
        drop(self.places);
        self.written.recv_timeout(patience).ok(); // It is closed, and never sent.
    }
}

/// Replaces the file, so that it is whole at each moment.
fn write(path: &Path, place: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&new)?.write_all(place.as_bytes())?;
    fs::rename(&new, path)
}
