//! Reads a store from its last line to its first.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::records::lines_backwards;
use crate::store::segments;

/// How much is read at a time, in bytes.
const CHUNK: u64 = 256 << 10;
/// The longest line that is read, in bytes. No line of a history is so long.
const MAX_LINE: usize = 64 << 10;

/// Gives the lines of a store to `take`, the last first, until it returns false. Only
/// segments that begin before this number are read. One that is deleted meanwhile has no lines.
///
/// # Errors
/// If the system does not allow it.
pub fn read_backwards(
    dir: &Path,
    before: u64,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    for (_, path) in segments(dir)?.iter().rev().filter(|(number, _)| *number < before) {
        match read_file(path, &mut take) {
            Ok(true) => (),
            Ok(false) => break,
            Err(err) if err.kind() == io::ErrorKind::NotFound => (),
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// The same for one file. Returns false if `take` did.
pub(super) fn read_file(path: &Path, take: &mut impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut rest: Vec<u8> = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        let mut chunk = Vec::with_capacity((end - start) as usize + rest.len());
        (&file).take(end - start).read_to_end(&mut chunk)?;
        chunk.extend_from_slice(&rest);
        // The first line may begin before the chunk.
        let begin = match start {
            0 => 0,
            _ => memchr::memchr(b'\n', &chunk).map_or(chunk.len(), |at| at + 1),
        };
        for line in lines_backwards(&chunk[begin..]) {
            if !take(line) {
                return Ok(false);
            }
        }
        rest = chunk;
        rest.truncate(begin);
        if rest.len() > MAX_LINE {
            rest.clear();
        }
        end = start;
    }
    Ok(true)
}
