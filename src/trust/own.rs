//! The key of this machine's servers: a file of one line.
//!
//! ```text
//! minichat-key 1 <64 hexadecimal digits> <machine>
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{read, replace, write_beside};
use crate::secure::{self, Key};

/// The name of the file.
const FILE: &str = "server.key";
/// How its line begins.
const OPENING: &str = "minichat-key 1 ";
/// Stands in the place of the machine where a system has no name for that.
const NO_MACHINE: &str = "-";

/// The key of a server, and how long it lasts.
#[derive(Debug)]
pub struct OwnKey {
    /// The key.
    pub key: Key,
    /// The state of its file.
    pub kept: Kept,
}

/// The state of the file of a key.
#[derive(Debug)]
pub enum Kept {
    /// The file has the key. It may be new.
    Here,
    /// The file came from another machine, so the key is new. The path.
    Copied(PathBuf),
    /// The file cannot be written, so the key ends with the program; why, if it was tried.
    Temporary(Option<(PathBuf, io::Error)>),
}

impl OwnKey {
    /// Reads the key in a folder, or makes one. With `anew`, makes one in any case.
    ///
    /// # Errors
    /// If there is a file that cannot be read, or that makes no sense; with its path. A
    /// silent new key would look like another server.
    pub fn open(folder: Option<&Path>, anew: bool) -> Result<OwnKey, (PathBuf, io::Error)> {
        OwnKey::open_on(folder, anew, &machine())
    }

    /// The same on a machine of this name.
    fn open_on(
        folder: Option<&Path>,
        anew: bool,
        machine: &str,
    ) -> Result<OwnKey, (PathBuf, io::Error)> {
        let Some(folder) = folder else {
            return Ok(OwnKey { key: Key::generate(), kept: Kept::Temporary(None) });
        };
        let path = folder.join(FILE);
        if anew {
            let key = Key::generate();
            replace(&path, line(&key, machine).as_bytes()).map_err(|err| (path, err))?;
            return Ok(OwnKey { key, kept: Kept::Here });
        }
        match find(&path, machine) {
            Ok(Found::Key(key)) => Ok(OwnKey { key, kept: Kept::Here }),
            Ok(Found::OfAnother) => {
                let key = Key::generate();
                let kept = match replace(&path, line(&key, machine).as_bytes()) {
                    Ok(()) => Kept::Copied(path),
                    Err(err) => Kept::Temporary(Some((path, err))),
                };
                Ok(OwnKey { key, kept })
            }
            Ok(Found::Nothing) => OwnKey::make(path, machine),
            Err(err) => Err((path, err)),
        }
    }

    /// Makes a key and its file. Of two servers that start at once, one makes the file, and
    /// the other reads it.
    fn make(path: PathBuf, machine: &str) -> Result<OwnKey, (PathBuf, io::Error)> {
        let key = Key::generate();
        let line = line(&key, machine);
        let beside = match write_beside(&path, line.as_bytes()) {
            Ok(beside) => beside,
            Err(err) => return Ok(OwnKey { key, kept: Kept::Temporary(Some((path, err))) }),
        };
        // Unlike a renaming, a link never replaces a file. Some file systems know none.
        match fs::hard_link(&beside, &path) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => {
                let renamed = fs::rename(&beside, &path);
                let kept = match renamed.inspect_err(|_| _ = fs::remove_file(&beside)) {
                    Ok(()) => Kept::Here,
                    Err(err) => Kept::Temporary(Some((path, err))),
                };
                Ok(OwnKey { key, kept })
            }
            linked => {
                fs::remove_file(&beside).ok(); // It is only a second name.
                if linked.is_ok() {
                    return Ok(OwnKey { key, kept: Kept::Here });
                }
                match find(&path, machine) {
                    Ok(Found::Key(key)) => Ok(OwnKey { key, kept: Kept::Here }),
                    Ok(_) => Err((path, io::ErrorKind::InvalidData.into())),
                    Err(err) => Err((path, err)),
                }
            }
        }
    }

    /// Whether the key ends with the program.
    pub fn is_temporary(&self) -> bool {
        matches!(self.kept, Kept::Temporary(_))
    }
}

/// The content of a file.
enum Found {
    Nothing,
    Key(Key),
    /// The key of another machine: the disk was copied.
    OfAnother,
}

fn find(path: &Path, machine: &str) -> io::Result<Found> {
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(err)
            if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(Found::Nothing);
        }
        Err(err) => return Err(err),
    };
    let (key, other) = parse(&bytes).ok_or(io::ErrorKind::InvalidData)?;
    let same = other == machine || other == NO_MACHINE || machine == NO_MACHINE;
    Ok(if same { Found::Key(key) } else { Found::OfAnother })
}

fn parse(bytes: &[u8]) -> Option<(Key, &str)> {
    let text = str::from_utf8(bytes).ok()?.trim_end();
    let (key, machine) = text.strip_prefix(OPENING)?.split_once(' ')?;
    Some((Key::parse(key)?, machine))
}

fn line(key: &Key, machine: &str) -> String {
    format!("{OPENING}{} {machine}\n", key.to_text())
}

/// A name that tells this machine from others, without telling its identity. A copied disk may keep
/// the key, but the system of a copy gets another number.
fn machine() -> String {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    match id.trim() {
        "" => NO_MACHINE.into(),
        id => secure::machine_name(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that does not exist yet, below one that does.
    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("minichat-own-{name}-{}", std::process::id()));
        fs::remove_dir_all(&folder).ok();
        folder.join("state")
    }

    fn open(folder: &Path, machine: &str) -> OwnKey {
        OwnKey::open_on(Some(folder), false, machine).unwrap()
    }

    #[test]
    fn key_stays_until_a_new_one_is_wanted() {
        let folder = folder("stays");
        let first = open(&folder, "m");
        assert!(matches!(first.kept, Kept::Here));
        assert_eq!(open(&folder, "m").key.public, first.key.public);
        let anew = OwnKey::open_on(Some(&folder), true, "m").unwrap();
        assert_ne!(anew.key.public, first.key.public);
        assert_eq!(open(&folder, "m").key.public, anew.key.public);
        let left: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(left, [folder.join(FILE)]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
        }
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn copied_disk_makes_a_new_key_once() {
        let folder = folder("copied");
        let first = open(&folder, "m");
        let copy = open(&folder, "n");
        assert!(matches!(copy.kept, Kept::Copied(_)) && copy.key.public != first.key.public);
        let again = open(&folder, "n");
        assert!(matches!(again.kept, Kept::Here) && again.key.public == copy.key.public);
        // Where a machine has no name, a file counts as its own.
        assert_eq!(open(&folder, NO_MACHINE).key.public, copy.key.public);
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn file_that_makes_no_sense_is_an_error() {
        let folder = folder("nonsense");
        let key = open(&folder, "m").key.to_text();
        for text in ["", "x", "minichat-key 2 00 m", &format!("{OPENING}{key}"), &key, "\u{e9}"] {
            fs::write(folder.join(FILE), text).unwrap();
            let (path, err) = OwnKey::open_on(Some(&folder), false, "m").unwrap_err();
            assert_eq!((path, err.kind()), (folder.join(FILE), io::ErrorKind::InvalidData));
            assert_eq!(fs::read_to_string(folder.join(FILE)).unwrap(), text, "it is kept");
        }
        fs::write(folder.join(FILE), vec![b'x'; 2 << 20]).unwrap();
        assert!(OwnKey::open_on(Some(&folder), false, "m").is_err());
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn servers_that_start_at_once_have_one_key() {
        let folder = folder("race");
        let keys = std::thread::scope(|scope| {
            let open = || open(&folder, "m").key.public;
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn key_is_temporary_where_nothing_can_be_written() {
        let folder = folder("temporary");
        fs::create_dir_all(folder.parent().unwrap()).unwrap();
        fs::write(&folder, "a file, not a folder").unwrap();
        let (path, err) = match OwnKey::open_on(Some(&folder), false, "m") {
            Ok(OwnKey { kept: Kept::Temporary(Some(why)), .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(path, folder.join(FILE));
        assert!(err.raw_os_error().is_some(), "{err}");
        assert!(OwnKey::open_on(Some(&folder), true, "m").is_err());
        assert!(OwnKey::open_on(None, false, "m").unwrap().is_temporary());
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }
}
