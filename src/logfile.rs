//! A file that lines are appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A log that is open. What it cannot write is lost, and that is said once.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// The last attempt to write has failed.
    failing: bool,
}

impl LogFile {
    /// Opens the file for appending, or makes one that only its owner can read.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn open(path: &Path) -> io::Result<LogFile> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(LogFile { path: path.into(), file: options.open(path)?, failing: false })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines at once.
    ///
    /// # Errors
    /// The first time that it cannot; then not before it could again.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let result = self.file.write_all(lines);
        let failed = std::mem::replace(&mut self.failing, result.is_err());
        if failed { Ok(()) } else { result }
    }
}
