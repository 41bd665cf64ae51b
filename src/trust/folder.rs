//! Where programs of one user keep what is to survive them.

use std::env;
use std::path::PathBuf;

/// The folder for minichat's keys; none if the system names no such place.
pub fn folder() -> Option<PathBuf> {
    find(|name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute()))
}

/// The same with these variables, of which only absolute paths count.
fn find(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    // systemd makes this one for a service. A user's own programs do not have it.
    if let Some(folder) = variable("STATE_DIRECTORY") {
        return Some(folder);
    }
    let home = || variable("HOME");
    let folder = if cfg!(windows) {
        // Not the roaming folder, which would take the key to other machines.
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library").join("Application Support"))
    } else {
        let state = || Some(home()?.join(".local").join("state"));
        variable("XDG_STATE_HOME").or_else(state)
    };
    folder.map(|folder| folder.join("minichat"))
}

#[cfg(all(test, unix, not(target_os = "macos")))]
mod tests {
    use super::*;

    #[test]
    fn folder_is_where_the_system_keeps_state() {
        for (environment, expected) in [
            ("HOME=/home/ana", Some("/home/ana/.local/state/minichat")),
            ("HOME=/home/ana XDG_STATE_HOME=/x", Some("/x/minichat")),
            ("HOME=/ STATE_DIRECTORY=/var/lib/minichat", Some("/var/lib/minichat")),
            ("", None),
        ] {
            let variable = |name: &str| {
                let mut pairs = environment.split(' ').filter_map(|pair| pair.split_once('='));
                pairs.find(|(known, _)| *known == name).map(|(_, value)| value.into())
            };
            assert_eq!(find(variable), expected.map(PathBuf::from), "{environment}");
        }
    }
}
