//! Keys on this machine: the server's own, and those of the servers that the user knows.

mod folder;
mod known;
mod own;

pub use folder::folder;
#[doc(hidden)] // For the fuzzer.
pub use known::parse as parse_known_server;
pub use known::{Known, KnownServers, Pin};
pub use own::{Kept, OwnKey};

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The longest file that is read, in bytes. A longer one is none of ours.
const MAX_FILE: u64 = 1 << 20;

/// Reads a file of a sane length.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Writes a file that its owner alone can read, beside the place where it belongs.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_extension(format!("{}-{number}.new", process::id()));
    fs::remove_file(&beside).ok(); // A process with this number may have left one.
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(beside),
        Err(err) => {
            fs::remove_file(&beside).ok();
            Err(err)
        }
    }
}

/// Replaces a file, as a whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = write_beside(path, bytes)?;
    fs::rename(&beside, path).inspect_err(|_| _ = fs::remove_file(&beside))
}

/// Makes a folder that its owner alone can enter.
fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
