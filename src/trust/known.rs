//! The servers that the user knows: which key belongs to which name.
//!
//! ```text
//! Sala 3<TAB>e2fe…<TAB>1795876000
//! ```
//! The last column is when the key was first seen, in seconds since 1970.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{read, replace};
use crate::secure::PublicKey;
use crate::wire::sanitize::visible;

/// The name of the file.
const FILE: &str = "known_servers";
/// The most servers that are remembered. The oldest lines go.
const MAX_SERVERS: usize = 1000;

/// The file of known servers.
#[derive(Debug)]
pub struct KnownServers {
    /// None where the system has no place for it.
    path: Option<PathBuf>,
}

/// A key that belongs to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The key.
    pub key: PublicKey,
    /// When it was first seen, in seconds since 1970.
    pub since: i64,
}

/// The meaning of a key for a user who knows some servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The name has no key yet.
    New,
    /// The name has this key, since then.
    Same(i64),
    /// The name has another key, since then.
    Changed(i64),
}

impl KnownServers {
    /// The known servers in a folder.
    pub fn open(folder: Option<&Path>) -> KnownServers {
        KnownServers { path: folder.map(|folder| folder.join(FILE)) }
    }

    /// Where the file is, if the system has a place for it.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The key that belongs to a name.
    pub fn pin(&self, name: &str) -> Option<Pin> {
        let name = column(name);
        self.lines().iter().rev().filter_map(|line| parse(line)).find(|(n, _)| *n == name)?.1.into()
    }

    /// The meaning of a key under this name.
    pub fn look_up(&self, name: &str, key: &PublicKey) -> Known {
        match self.pin(name) {
            None => Known::New,
            Some(pin) if pin.key == *key => Known::Same(pin.since),
            Some(pin) => Known::Changed(pin.since),
        }
    }

    /// Remembers the key of a name, in the place of any other.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn remember(&self, name: &str, key: &PublicKey) -> io::Result<()> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let name = column(name);
        let line = format!("{name}\t{}\t{since}", key.to_text());
        self.change(|lines| {
            lines.retain(|line| parse(line).is_none_or(|(other, _)| other != name));
            lines.push(line.into_bytes());
            true
        })
    }

    /// Forgets the key of a name. Returns whether there was one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn forget(&self, name: &str) -> io::Result<bool> {
        let name = column(name);
        let mut known = false;
        self.change(|lines| {
            let before = lines.len();
            lines.retain(|line| parse(line).is_none_or(|(other, _)| other != name));
            known = lines.len() < before;
            known
        })?;
        Ok(known)
    }

    /// Changes the lines. Those that make no sense stay: another version may have written
    /// them. The file is written if the change says so.
    fn change(&self, change: impl FnOnce(&mut Vec<Vec<u8>>) -> bool) -> io::Result<()> {
        let Some(path) = &self.path else { return Err(io::ErrorKind::NotFound.into()) };
        let mut lines = match read(path) {
            Ok(bytes) => split(&bytes),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Vec::new(),
            // Not to lose what cannot be read now.
            Err(err) => return Err(err),
        };
        if !change(&mut lines) {
            return Ok(());
        }
        lines.drain(..lines.len().saturating_sub(MAX_SERVERS));
        let mut bytes = lines.join(&b'\n');
        if !bytes.is_empty() {
            bytes.push(b'\n');
        }
        replace(path, &bytes)
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let bytes = self.path.as_deref().and_then(|path| read(path).ok());
        split(&bytes.unwrap_or_default())
    }
}

fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines =
        bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// Reads one line of the file.
pub fn parse(line: &[u8]) -> Option<(&str, Pin)> {
    let mut columns = str::from_utf8(line).ok()?.split('\t');
    let (name, key, since) = (columns.next()?, columns.next()?, columns.next()?);
    let key = PublicKey::parse(key)?;
    let since = since.parse().ok()?;
    (!name.is_empty()).then_some((name, Pin { key, since }))
}

/// A name as it stands in its column, without a character that could end it.
fn column(name: &str) -> String {
    visible(name).replace('\t', " ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Home(PathBuf);

    impl Home {
        fn new(name: &str) -> (Home, KnownServers) {
            let folder =
                std::env::temp_dir().join(format!("minichat-known-{name}-{}", std::process::id()));
            fs::remove_dir_all(&folder).ok();
            let known = KnownServers::open(Some(&folder));
            (Home(folder), known)
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn key(byte: u8) -> PublicKey {
        PublicKey([byte; 32])
    }

    #[test]
    fn name_keeps_its_key_until_it_is_forgotten() {
        let (_home, known) = Home::new("keeps");
        assert_eq!(known.look_up("Sala 3", &key(1)), Known::New);
        known.remember("Sala 3", &key(1)).unwrap();
        known.remember("outra", &key(2)).unwrap();
        assert!(matches!(known.look_up("Sala 3", &key(1)), Known::Same(1..)));
        assert!(matches!(known.look_up("Sala 3", &key(2)), Known::Changed(1..)));
        known.remember("Sala 3", &key(3)).unwrap();
        assert!(matches!(known.look_up("Sala 3", &key(3)), Known::Same(_)));
        assert!(known.forget("Sala 3").unwrap());
        assert!(!known.forget("Sala 3").unwrap());
        assert_eq!(known.pin("Sala 3"), None);
        assert_eq!(known.pin("outra").unwrap().key, key(2));
    }

    #[test]
    fn name_cannot_forge_a_line_or_a_column() {
        let (home, known) = Home::new("forge");
        for name in ["a\tb", "a\nb", "a\r\nb\tc", "\x1b[2J", ""] {
            known.remember(name, &key(1)).ok();
            let text = fs::read_to_string(home.0.join(FILE)).unwrap();
            assert!(text.lines().all(|line| line.split('\t').count() == 3), "{text:?}");
            assert!(!text.contains('\x1b'));
        }
        assert_eq!(known.pin("a\tb").unwrap().key, key(1));
    }

    #[test]
    fn lines_that_make_no_sense_are_kept() {
        let (home, known) = Home::new("nonsense");
        fs::create_dir_all(&home.0).unwrap();
        let odd = b"# a remark\nx\ty\tz\n\xFF\xFE\n\nSala 3\tzz\t7\nz\t00\t1\textra\r\n";
        fs::write(home.0.join(FILE), odd).unwrap();
        assert_eq!(known.pin("Sala 3"), None);
        known.remember("Sala 3", &key(1)).unwrap();
        let text = fs::read(home.0.join(FILE)).unwrap();
        assert!(text.starts_with(b"# a remark\nx\ty\tz\n\xFF\xFE\nSala 3\tzz\t7\n"));
        assert_eq!(known.pin("Sala 3").unwrap().key, key(1));
    }

    #[test]
    fn oldest_servers_are_forgotten_beyond_a_thousand() {
        let (home, known) = Home::new("many");
        fs::create_dir_all(&home.0).unwrap();
        let line = |n| format!("s{n}\t{}\t{n}\n", key(1).to_text());
        fs::write(home.0.join(FILE), (0..1000).map(line).collect::<String>()).unwrap();
        known.remember("new", &key(2)).unwrap();
        assert_eq!((known.pin("s0"), known.pin("s1").is_some()), (None, true));
        assert_eq!(known.pin("new").unwrap().key, key(2));
    }

    #[test]
    fn without_a_folder_nothing_is_known() {
        let known = KnownServers::open(None);
        assert_eq!(known.look_up("x", &key(1)), Known::New);
        assert!(known.remember("x", &key(1)).is_err());
        // A file that is too long is left alone.
        let (home, known) = Home::new("long");
        fs::create_dir_all(&home.0).unwrap();
        fs::write(home.0.join(FILE), vec![b'\n'; 2 << 20]).unwrap();
        assert!(known.remember("x", &key(1)).is_err() && known.pin("x").is_none());
    }
}
