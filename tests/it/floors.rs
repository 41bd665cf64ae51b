//! Who may import whom. The house has four floors, and each knows only the ones
//! below it; that nobody looks up is an absence, so a test has to state it.

use std::fs;
use std::path::Path;

/// The modules of each floor, from the ground.
const FLOORS: [&[&str]; 4] = [
    &["wire", "texts", "guess", "interrupt", "stdio"],
    &["room", "discovery", "config", "error", "logfile", "screen", "target", "terminal"],
    &["server", "client", "discover", "cli"],
    &["main"],
];

/// Within these, who may be known by whom is narrower: the room is the server's.
const PRIVATE: [(&str, &str); 1] = [("room", "server")];

/// Modules that never wait: what they must not mention.
const PURE: [&str; 18] = [
    "wire",
    "texts",
    "guess",
    "room",
    "client/dialogue",
    "client/doorway",
    "client/entry",
    "client/paint",
    "client/people",
    "terminal/burst",
    "terminal/calls",
    "terminal/completion",
    "terminal/draft",
    "terminal/history",
    "terminal/keys",
    "terminal/layout",
    "terminal/line",
    "terminal/painting",
];
const WORLD: [&str; 9] = [
    "smol",
    "async_channel",
    "std::net",
    "std::io::std",
    "std::fs",
    "Instant",
    "SystemTime",
    "println",
    "thread",
];

#[test]
fn every_floor_knows_only_the_ones_below() {
    let mut seen = 0;
    for (path, text) in sources() {
        let module = path.split(['/', '.']).next().expect("a file has a name");
        if module == "lib" {
            continue; // The map names everyone.
        }
        let here = floor(module).unwrap_or_else(|| panic!("{module} is on no floor"));
        for import in imports(&text) {
            seen += 1;
            if import == module {
                continue;
            }
            let there =
                floor(import).unwrap_or_else(|| panic!("{path} imports {import}, on no floor"));
            assert!(there < here, "{path} must not know {import}");
            let owner = PRIVATE.iter().find(|(private, _)| *private == import);
            assert!(owner.is_none_or(|(_, owner)| *owner == module), "{import} is not for {path}");
        }
    }
    assert!(seen > 30, "imports are found");
}

#[test]
fn what_is_pure_knows_nothing_of_the_world() {
    for (path, text) in sources() {
        if PURE.iter().any(|pure| path.starts_with(pure)) {
            let code = text.split("#[cfg(test)]").next().expect("a text has a beginning");
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                for word in WORLD {
                    assert!(!line.contains(word), "{path} is pure, but says {word}: {line}");
                }
            }
        }
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

/// The modules that a text names after `crate::` or `minichat::`.
fn imports(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let paths =
        code.flat_map(|line| line.split("crate::").skip(1).chain(line.split("minichat::").skip(1)));
    paths
        .map(|path| path.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default())
        .filter(|name| !name.is_empty())
}

/// Every source file: its path below `src`, with slashes, and its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("the sources can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(&root)
                    .expect("it is below")
                    .to_string_lossy()
                    .replace('\\', "/");
                sources.push((name, fs::read_to_string(&path).expect("the sources can be read")));
            }
        }
    }
    sources
}
