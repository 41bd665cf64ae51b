//! A file that lines are appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// A log that is open. What it cannot write is lost, and that is said once.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
    /// The last attempt to write has failed.
    failing: AtomicBool,
}

impl LogFile {
    /// Opens the file for appending, or makes one that only its owner can read.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        Ok(LogFile {
            path: path.into(),
            file: Mutex::new(open(path)?),
            failing: AtomicBool::new(false),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file of that name, which may be another one by now: somebody has
    /// renamed the old one, and waits for it to be complete.
    ///
    /// # Errors
    /// If the system does not allow it; then the old file is still written to.
    pub fn reopen(&self) -> io::Result<()> {
        let file = open(&self.path)?;
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }

    /// Appends whole lines at once. Of a line for which there is no room, nothing is
    /// left.
    ///
    /// # Errors
    /// The first time that it cannot; then not before it could again.
    pub fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let result = write_lines(&mut file, lines);
        let failed = self.failing.swap(result.is_err(), Ordering::Relaxed);
        if failed { Ok(()) } else { result }
    }
}

/// Writes lines, and takes back the beginning of one whose end cannot be written:
/// the next line would go on where it breaks off.
fn write_lines(file: &mut File, lines: &[u8]) -> io::Result<()> {
    let mut written = 0;
    while written < lines.len() {
        match file.write(&lines[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => written += n,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => (),
            Err(err) => {
                let piece = lines[..written].rsplit(|&byte| byte == b'\n').next();
                let piece = piece.map_or(0, <[u8]>::len) as u64;
                // It stays where it cannot be taken back, or is not the last any more,
                // since somebody else writes there, too.
                if let (1.., Ok(end), Ok(metadata)) =
                    (piece, file.stream_position(), file.metadata())
                    && end == metadata.len()
                {
                    file.set_len(end.saturating_sub(piece)).ok();
                }
                return Err(err);
            }
        }
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether a hang-up (SIGHUP) is meant for the log. It is not where it says that
/// the terminal is gone, nor where nothing else can be meant, as on Windows.
pub fn is_rotated() -> impl Fn() -> bool + Send + 'static {
    // Whatever standard input is, that is the terminal which hangs up.
    let has_terminal = || File::open("/dev/tty").is_ok();
    let had_terminal = has_terminal();
    move || cfg!(unix) && (!had_terminal || has_terminal())
}
