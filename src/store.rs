//! The history on disk: files of lines that are appended to.
//!
//! A folder holds segments, named by the number of their first message. A line is a
//! [`Record`]. Whole segments are deleted when they are too old, or too many.

mod backwards;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::path::{Path, PathBuf};

pub use backwards::read_backwards;

use crate::records::Record;

/// The length from which on a new segment begins, in bytes.
pub const SEGMENT: u64 = 4 << 20;
/// The length of all segments together, in bytes. The oldest are deleted beyond that.
pub const MAX_STORE: u64 = 64 << 20;
/// How much is read at the start, in bytes: as much as a room tells from memory.
const TAIL: u64 = 512 << 10;
/// How much of a segment shows in which format it is, in bytes.
const HEAD: u64 = 64 << 10;
/// A day, in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;
/// No number of a message is so high. Those that follow can still be read.
const HIGHEST: u64 = 1 << 49;
/// The end of a segment's name.
const ENDING: &str = ".chat";

/// A history that is open for appending. No other program can open it meanwhile.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    /// For how many days messages are kept; 0 is for ever.
    keep: u32,
    /// The name of the room, and the term of its numbers.
    room: String,
    /// The lock is held for as long as this is open.
    lock: Option<File>,
    /// Where messages go; none before the first one, and after a failure.
    segment: Option<Segment>,
    /// The rest of a line stands at the end of the segment.
    torn: bool,
    /// Segments that are full, and may be in the system's memory alone.
    full: Vec<Segment>,
    /// The folder has a segment that it may not have on the disk.
    grown: bool,
}

/// A part of a store that may be in the system's memory alone. Another thread can write it
/// to the disk, so that appending does not wait for that.
#[derive(Debug)]
pub struct Unsynced {
    files: Vec<File>,
    folder: Option<PathBuf>,
    /// The segment that was written to last.
    path: PathBuf,
}

/// The result of writing to the disk: the segment that was written to last.
#[derive(Debug)]
pub struct Synced(PathBuf, io::Result<()>);

impl Unsynced {
    /// Writes to the disk what the system has taken.
    pub fn sync(self) -> Synced {
        let files = self.files.iter().try_for_each(File::sync_data);
        let folder = || self.folder.as_deref().map_or(Ok(()), sync_folder);
        // Files of a folder that has vanished can be written, and are lost.
        let is_there = || fs::metadata(&self.path).map(drop);
        let synced = files.and_then(|()| folder()).and_then(|()| is_there());
        Synced(self.path, synced)
    }
}

/// The segment that is written to.
#[derive(Debug)]
struct Segment {
    file: File,
    path: PathBuf,
    length: u64,
}

/// The contents of a store when it is opened.
#[derive(Debug, Default)]
pub struct Contents {
    /// The last messages, as whole lines.
    pub tail: Vec<u8>,
    /// The number of the first message that is kept.
    pub first: Option<u64>,
    /// The number of the next message.
    pub next: u64,
    /// The files in which lines were left out, and how many.
    pub left_out: Vec<(PathBuf, usize)>,
}

/// Why a store does not open.
#[derive(Debug)]
pub enum OpenError {
    /// Another server uses it.
    InUse,
    /// It belongs to another user.
    NotOurs,
    /// This file is no history, or one of a newer minichat.
    Unknown(PathBuf),
    /// The system does not allow it.
    Io(io::Error),
}

impl From<io::Error> for OpenError {
    fn from(err: io::Error) -> OpenError {
        OpenError::Io(err)
    }
}

impl Store {
    /// Opens a store, or makes one that only its owner can read. What is older than `keep`
    /// days is deleted; with 0, nothing is too old. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// If another server or user has it, or something else is in it.
    pub fn open(dir: &Path, keep: u32, now: u64) -> Result<(Store, Contents), OpenError> {
        make_folder(dir)?;
        if !is_ours(&fs::metadata(dir)?) {
            return Err(OpenError::NotOurs);
        }
        let lock = private().write(true).create(true).truncate(false).open(dir.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse),
            Err(TryLockError::Error(err)) => return Err(err.into()),
        }
        let segments = segments(dir)?;
        for (_, path) in &segments {
            check_format(path)?;
        }
        let room = open_room(dir)?;
        let lock = Some(lock);
        let dir = dir.to_path_buf();
        let (full, grown) = (Vec::new(), false);
        let mut store = Store { dir, keep, room, lock, segment: None, torn: false, full, grown };
        if let Some((_, path)) = segments.last() {
            cut_last_line(path)?;
            store.segment = Some(Segment::append_to(path)?);
        }
        let first = store.delete_old(now)?;
        let contents = read_tail(&store.dir, first)?;
        Ok((store, contents))
    }

    /// The term in which the messages are numbered.
    pub fn term(&self) -> &str {
        self.room.split_once(' ').map_or(&self.room, |(_, term)| term)
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends whole lines. Returns whether older messages were deleted.
    ///
    /// # Errors
    /// If they cannot be written. Of a line for which there is no room, nothing is left.
    pub fn append(&mut self, lines: &[u8], now: u64) -> io::Result<bool> {
        let first = lines.split(|&byte| byte == b'\n').next().and_then(Record::parse);
        let Some(Record { number, .. }) = first else { return Ok(false) };
        let is_full = self.segment.as_ref().is_none_or(|segment| segment.length >= SEGMENT);
        let segment = match &mut self.segment {
            Some(segment) if !is_full => segment,
            last => {
                self.full.extend(last.take());
                self.restore_folder()?;
                self.grown = true;
                self.torn = false;
                let path = self.dir.join(format!("{number:020}{ENDING}"));
                self.segment.insert(Segment::append_to(&path)?)
            }
        };
        // Half a line that could not be taken back ends here.
        if self.torn {
            segment.write(b"\n")?;
            self.torn = false;
        }
        if let Err(err) = segment.write(lines) {
            self.torn = segment.file.set_len(segment.length).is_err();
            return Err(err);
        }
        if is_full {
            self.delete_old(now)?;
        }
        Ok(is_full)
    }

    /// Writes to the disk what the system has taken.
    ///
    /// # Errors
    /// If it cannot, or if the segment is not there any more. Then the next message begins
    /// another one.
    pub fn sync(&mut self) -> io::Result<()> {
        match self.unsynced()? {
            Some(unsynced) => self.synced(unsynced.sync()),
            None => Ok(()),
        }
    }

    /// The part that may be in the system's memory alone, if there is one. The caller syncs
    /// it, and says [how that went](Store::synced).
    ///
    /// # Errors
    /// If the system has no descriptor left.
    pub fn unsynced(&mut self) -> io::Result<Option<Unsynced>> {
        let Some(segment) = &self.segment else { return Ok(None) };
        let current = segment.file.try_clone()?;
        let path = segment.path.clone();
        let full = mem::take(&mut self.full).into_iter().map(|segment| segment.file);
        let files = full.chain([current]).collect();
        let folder = mem::take(&mut self.grown).then(|| self.dir.clone());
        Ok(Some(Unsynced { files, folder, path }))
    }

    /// Takes note of how it went to write a part to the disk.
    ///
    /// # Errors
    /// If it failed.
    pub fn synced(&mut self, Synced(path, synced): Synced) -> io::Result<()> {
        let vanished = synced.as_ref().is_err_and(|err| err.kind() == io::ErrorKind::NotFound);
        if vanished && self.segment.as_ref().is_some_and(|segment| segment.path == path) {
            self.segment = None;
        }
        synced
    }

    /// The number of the first message that is kept.
    pub fn first(&self) -> Option<u64> {
        segments(&self.dir).ok()?.first().map(|(number, _)| *number)
    }

    /// Makes the folder again if it has vanished.
    fn restore_folder(&mut self) -> io::Result<()> {
        if self.dir.join("room").exists() {
            return Ok(());
        }
        make_folder(&self.dir)?;
        let lock =
            private().write(true).create(true).truncate(false).open(self.dir.join("lock"))?;
        lock.try_lock().map_err(|_| io::ErrorKind::ResourceBusy)?;
        self.lock = Some(lock);
        write_room(&self.dir, &self.room)
    }

    /// Deletes the segments that are too old or too many, but never the last one. Returns
    /// the number of the first message that is kept.
    fn delete_old(&mut self, now: u64) -> io::Result<Option<u64>> {
        let segments = segments(&self.dir)?;
        let lengths: Vec<u64> = segments
            .iter()
            .map(|(_, path)| fs::metadata(path).map_or(0, |metadata| metadata.len()))
            .collect();
        let mut all: u64 = lengths.iter().sum();
        let oldest = now.saturating_sub(u64::from(self.keep) * DAY);
        let last = segments.len().saturating_sub(1);
        for ((at, (number, path)), length) in segments.iter().enumerate().zip(lengths) {
            let is_old = self.keep > 0 && last_time(path).is_some_and(|time| time < oldest);
            if at == last || all <= MAX_STORE && !is_old {
                return Ok(Some(*number));
            }
            // Windows deletes no file that is open.
            self.full.retain(|segment| segment.path != *path);
            fs::remove_file(path)?;
            all -= length;
        }
        Ok(None)
    }
}

impl Segment {
    /// Opens a segment for appending, or makes one.
    fn append_to(path: &Path) -> io::Result<Segment> {
        let mut options = private();
        options.append(true).create(true);
        #[cfg(windows)] // Others may read meanwhile.
        std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 1);
        let file = options.open(path)?;
        let length = file.metadata()?.len();
        Ok(Segment { file, path: path.into(), length })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// Options for a file that only its owner can read.
fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder that only its owner can read, unless it is there.
fn make_folder(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Whether a folder belongs to the user of this program.
#[cfg(unix)]
fn is_ours(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_ours(_: &fs::Metadata) -> bool {
    true
}

/// A power cut could forget a file that is not in its folder on the disk.
fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(dir)?.sync_all() }
}

/// The room's name and term, or new ones.
fn open_room(dir: &Path) -> io::Result<String> {
    let is_word = |word: &str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let text = match fs::read(dir.join("room")) {
        Ok(text) => String::from_utf8_lossy(&text).trim_end().to_string(),
        Err(err) if err.kind() == io::ErrorKind::NotFound => String::new(),
        Err(err) => return Err(err),
    };
    if text.split_once(' ').is_some_and(|(id, term)| is_word(id) && is_word(term)) {
        return Ok(text);
    }
    let room = format!("{:08x} {:08x}", fastrand::u32(..), fastrand::u32(..));
    write_room(dir, &room)?;
    Ok(room)
}

fn write_room(dir: &Path, room: &str) -> io::Result<()> {
    let new = dir.join("room.new");
    let mut file = private().write(true).create(true).truncate(true).open(&new)?;
    file.write_all(format!("{room}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, dir.join("room"))?;
    sync_folder(dir)
}

/// The segments with the numbers in their names, in order.
fn segments(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(ENDING));
        let number = number.filter(|digits| digits.len() == 20);
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            segments.push((number, entry.path()));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Whether this may be a line of a history in which some bytes are wrong.
fn resembles_record(line: &[u8]) -> bool {
    let has = |part: &[u8]| line.windows(part.len()).any(|window| window == part);
    line.is_empty()
        || has(b" FROM ")
        || has(b" [all]: ")
        || line.starts_with(b"FROM ")
        || line.iter().take_while(|byte| byte.is_ascii_digit()).count() > 0
}

/// Refuses a file whose beginning shows that it is something else.
fn check_format(path: &Path) -> Result<(), OpenError> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    let first = head.split(|&byte| byte == b'\n').next().unwrap_or_default();
    if resembles_record(first) { Ok(()) } else { Err(OpenError::Unknown(path.into())) }
}

/// Cuts off what follows the last line feed: a line that was not written to its end.
fn cut_last_line(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut end = file.metadata()?.len();
    let length = end;
    let mut chunk = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(HEAD);
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        (&file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(at) = memchr::memrchr(b'\n', &chunk) {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < length { file.set_len(end) } else { Ok(()) }
}

/// When the last message of a segment was said.
fn last_time(path: &Path) -> Option<u64> {
    let mut time = None;
    let mut search = |line: &[u8]| {
        time = Record::parse(line).map(|record| record.millis);
        time.is_none()
    };
    backwards::read_file(path, &mut search).ok()?;
    time
}

/// The last messages of a store, without lines that are none.
fn read_tail(dir: &Path, first: Option<u64>) -> io::Result<Contents> {
    let segments = segments(dir)?;
    let (mut left, mut from) = (TAIL, segments.len());
    while from > 0 && left > 0 {
        from -= 1;
        left = left.saturating_sub(fs::metadata(&segments[from].1)?.len());
    }
    let mut contents = Contents { first, ..Contents::default() };
    let mut lines: Vec<(u64, Vec<u8>, usize)> = Vec::new();
    let mut bad = vec![0; segments.len()];
    for (at, (named, path)) in segments.iter().enumerate().skip(from) {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // The segment before the last ones is read in part.
        let skipped = if at == from { length.saturating_sub(TAIL) } else { 0 };
        file.seek(SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let begin = match skipped {
            0 => 0,
            _ => memchr::memchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1),
        };
        for line in bytes[begin..].split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let range = *named..HIGHEST;
            match Record::parse(line).filter(|record| range.contains(&record.number)) {
                Some(record) => lines.push((record.number, line.to_vec(), at)),
                None => bad[at] += 1,
            }
        }
    }
    // A number that is wrong does not cost those behind it.
    let numbers: Vec<u64> = lines.iter().map(|(number, ..)| *number).collect();
    let mut kept = rising(&numbers).into_iter().peekable();
    for (index, (_, line, at)) in lines.iter().enumerate() {
        if kept.next_if_eq(&index).is_some() {
            contents.tail.extend_from_slice(line);
            contents.tail.push(b'\n');
            contents.next = numbers[index] + 1;
        } else {
            bad[*at] += 1;
        }
    }
    let named = segments.last().map_or(1, |(number, _)| *number);
    contents.next = contents.next.max(named);
    let paths = segments.into_iter().map(|(_, path)| path);
    contents.left_out = paths.zip(bad).filter(|(_, count)| *count > 0).collect();
    Ok(contents)
}

/// The indexes of the longest run of numbers that rise from one to the next.
fn rising(numbers: &[u64]) -> Vec<usize> {
    // The last index of the best run of each length, and what comes before each index.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; numbers.len()];
    for (index, number) in numbers.iter().enumerate() {
        let length = ends.partition_point(|&end| numbers[end] < *number);
        before[index] = length.checked_sub(1).map(|last| ends[last]);
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut run = Vec::with_capacity(ends.len());
    let mut at = ends.last().copied();
    while let Some(index) = at {
        run.push(index);
        at = before[index];
    }
    run.reverse();
    run
}

#[cfg(test)]
mod tests;
