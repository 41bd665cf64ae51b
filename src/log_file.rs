//! A file that lines are appended to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Where there is a little room now and then, it is not said each time that there is
/// none, but once until it went well for so long.
const RELAPSE: Duration = Duration::from_secs(60);

/// How long opening may take. A pipe waits for its reader, and a disk may hang.
const OPENING: Duration = Duration::from_secs(2);

/// A log that is open. What it cannot write is lost, and that is said once.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Some lines could not be written.
    failed: bool,
    /// Since the last failure, all lines were written.
    well: Option<Instant>,
}

impl LogFile {
    /// Opens the file for appending, or makes one that only its owner can read.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let state = State { file: open(path)?, failed: false, well: None };
        Ok(LogFile { path: path.into(), state: Mutex::new(state) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file of that name, which may be another one by now: a rotation has
    /// renamed the old one, and waits for it to be complete.
    ///
    /// # Errors
    /// If the system does not allow it; then the old file is still written to.
    fn reopen(&self) -> io::Result<()> {
        // Once there is a new file, nothing more goes into the old one.
        let mut state = self.state();
        *state = State { file: open(&self.path)?, failed: false, well: None };
        Ok(())
    }

    /// The effect of a hang-up (SIGHUP) on the log of a program that `outlives` its terminal
    /// or not: where it is meant for the log, that is opened anew, on a thread of its own
    /// since a disk may hang. Whether it is.
    pub fn rotation(
        self: Arc<LogFile>,
        outlives: bool,
        complain: impl Fn(&io::Error) + Clone + Send + 'static,
    ) -> impl FnMut() -> bool + Send + 'static {
        let is_rotated = is_rotated(outlives);
        move || {
            let meant = is_rotated();
            if meant {
                let (log, complain) = (self.clone(), complain.clone());
                let failed = complain.clone();
                let reopen = move || log.reopen().unwrap_or_else(|err| complain(&err));
                if let Err(err) = thread::Builder::new().spawn(reopen) {
                    failed(&err);
                }
            }
            meant
        }
    }

    /// Appends whole lines at once. Of a line for which there is no room, nothing is
    /// left.
    ///
    /// # Errors
    /// The first time that it cannot; then not before it could for a minute.
    pub fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let Err(err) = write_lines(&mut state.file, lines) else {
            state.well.get_or_insert_with(Instant::now);
            return Ok(());
        };
        let well = state.well.take().is_some_and(|since| since.elapsed() >= RELAPSE);
        let known = mem::replace(&mut state.failed, true);
        if known && !well { Ok(()) } else { Err(err) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
                // since another program writes there, too.
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

/// Opens a log on a thread of its own, and gives up after [`OPENING`].
fn open(path: &Path) -> io::Result<File> {
    let (sender, opened) = mpsc::channel();
    let path = path.to_path_buf();
    thread::Builder::new().spawn(move || sender.send(open_now(&path)))?;
    opened.recv_timeout(OPENING).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn open_now(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // Another program may have written there without ending the line, by hand or by force.
    if !is_whole(path).unwrap_or(true) {
        file.write_all(b"\n").ok(); // A full disk is another matter.
    }
    Ok(file)
}

/// Whether a file ends where a line does.
fn is_whole(path: &Path) -> io::Result<bool> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() == 0 {
        return Ok(true); // What is no file may have no end.
    }
    let mut last = [0];
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Whether a hang-up (SIGHUP) is meant for the log. It is not where it says that
/// the terminal is gone, unless that is nothing to a program that `outlives` it, nor
/// where nothing else can be meant, as on Windows.
fn is_rotated(outlives: bool) -> impl Fn() -> bool + Send + 'static {
    // Even where standard input is another file, that is the terminal which hangs up.
    let has_terminal = || File::open("/dev/tty").is_ok();
    let had_terminal = has_terminal();
    move || cfg!(unix) && (outlives || !had_terminal || has_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn full_disk_is_told_once_until_it_has_room_again() {
        let log = LogFile::open(Path::new("/dev/full")).unwrap();
        assert!(log.append(b"one\n").is_err());
        assert!(log.append(b"two\n").is_ok(), "it is known");
        for (well, is_news) in [(RELAPSE / 2, false), (RELAPSE, true), (RELAPSE / 2, false)] {
            log.state().well = Instant::now().checked_sub(well);
            assert_eq!(log.append(b"three\n").is_err(), is_news, "after {well:?}");
            assert!(log.append(b"four\n").is_ok());
        }
    }

    #[test]
    fn a_hang_up_that_ends_nothing_is_always_meant_for_the_log() {
        assert_eq!(is_rotated(true)(), cfg!(unix));
    }
}
