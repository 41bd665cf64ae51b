//! The walls of the house: which module may import which, how long a file may be, and how
//! comments are worded. That something is absent only a test can state.

use std::fs;
use std::path::Path;

/// The modules of each floor, from the ground.
const FLOORS: [&[&str]; 6] = [
    &["wire", "texts", "suggest", "records", "takeover", "interrupt", "stdio"],
    &[
        "room",
        "secure",
        "web",
        "discovery",
        "config",
        "error",
        "log_file",
        "store",
        "screen",
        "target",
    ],
    &["server", "terminal", "invitation", "trust"],
    &["hosting"],
    &["host", "client", "discover", "cli"],
    &["main"],
];

/// The modules that one other module alone may import.
const PRIVATE: [(&str, &str); 1] = [("room", "server")];

/// The modules that the server may import. It knows no signals, standard streams, texts or
/// configuration.
const FOR_SERVER: [&str; 5] = ["room", "secure", "takeover", "web", "wire"];
/// Words that the server must not mention: the standard streams and the environment.
const NOT_FOR_SERVER: [&str; 6] =
    ["io::std", "std::env", "println", "process", "colored", "chrono"];

/// Modules that never wait: what they must not mention.
const PURE: &[&str] = &[
    "wire",
    "texts",
    "suggest",
    "records",
    "takeover/heirs",
    "takeover/lineage",
    "takeover/memory",
    "takeover/rivals",
    "takeover/seeker",
    "takeover/standby",
    "room",
    "secure",
    "web",
    "client/dialogue",
    "client/notices",
    "client/format",
    "client/record",
    "client/members",
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
const WORLD: [&str; 10] = [
    "smol::{",
    " smol::",
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
            let allowed = module != "server" || FOR_SERVER.contains(&import);
            assert!(allowed, "{path} must not know {import}");
            let owner = PRIVATE.iter().find(|(private, _)| *private == import);
            assert!(owner.is_none_or(|(_, owner)| *owner == module), "{import} is not for {path}");
        }
    }
    assert!(seen > 30, "imports are found");
}

#[test]
fn server_knows_no_streams_and_no_environment() {
    for (path, text) in sources() {
        if path.starts_with("server") && !path.ends_with("/tests.rs") {
            for line in code(&text) {
                for word in NOT_FOR_SERVER {
                    assert!(!line.contains(word), "{path} says {word}: {line}");
                }
            }
        }
    }
}

#[test]
fn one_function_alone_appends_to_the_transcript() {
    let mut calls = Vec::new();
    for (path, text) in sources() {
        if !path.starts_with("room/transcript") {
            calls.extend(
                code(&text)
                    .filter(|line| line.contains("transcript.append("))
                    .map(|_| path.clone()),
            );
        }
    }
    assert_eq!(calls, ["room.rs"]);
}

/// A module and the ones below it belong together. Between others, imports lead one way.
#[test]
fn imports_make_no_circle() {
    let texts: Vec<(String, String)> = sources()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("tests.rs"))
        .map(|(path, text)| (path.trim_end_matches(".rs").replace('/', "::"), text))
        .collect();
    let names: Vec<&str> = texts.iter().map(|(name, _)| name.as_str()).collect();
    let below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with("::"));
    let mut left: Vec<(&str, Vec<&str>)> = texts
        .iter()
        .map(|(name, text)| {
            let all = code(text).flat_map(|line| line.split("crate::").skip(1));
            // The longest name that a path begins with is the module.
            let module = |path: &str| {
                let begins = |other: &&&str| path == **other || below(path, other);
                names.iter().filter(begins).max_by_key(|other| other.len()).copied()
            };
            let path = |path: &str| {
                let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
                path[..end.unwrap_or(path.len())].trim_end_matches(':').to_string()
            };
            let others = all.filter_map(|text| module(&path(text)));
            let others = others
                .filter(|other| **other != *name && !below(name, other) && !below(other, name));
            (name.as_str(), others.collect())
        })
        .collect();
    // Modules that import none of those that are left are not part of a circle.
    loop {
        let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
        let before = left.len();
        left.retain(|(_, others)| others.iter().any(|other| names.contains(other)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "a circle is among {left:?}");
}

/// The lines of code that one file may have, without tests, comments and blank lines.
const MAX_CODE: usize = 500;
/// The lines of unit tests that a file of code may end with. More go to a file of their own.
const MAX_TESTS: usize = 200;
/// Files that may be longer: the tables of texts.
const LONG: &[&str] = &["texts/english.rs", "texts/portuguese.rs"];

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources() {
        if LONG.iter().any(|long| path.starts_with(long)) || path.ends_with("/tests.rs") {
            continue;
        }
        let lines = code(&text).filter(|line| !line.trim().is_empty()).count();
        assert!(lines <= MAX_CODE, "{path} has {lines} lines of code");
        let tests = text.split_once("#[cfg(test)]\nmod tests {").map_or("", |(_, tests)| tests);
        let lines = tests.lines().count();
        assert!(lines <= MAX_TESTS, "{path} has {lines} lines of tests");
    }
}

/// The beginnings of comments that put the riddle before the subject.
const RIDDLES: [&str; 5] = ["Who", "Whoever", "Whom", "What", "So"];

#[test]
fn comments_begin_with_a_subject_and_stand_alone() {
    let mut found = Vec::new();
    for (path, text) in all_code() {
        let mut before = "";
        for line in text.lines() {
            let comment = comment(line);
            if let Some(comment) = comment {
                let first = comment.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
                let begins = before.is_empty() || before.ends_with(['.', ':', '?']);
                if begins && RIDDLES.contains(&first) || comment.ends_with("...") {
                    found.push(format!("{path}: {comment}"));
                }
            }
            before = comment.unwrap_or_default();
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Words that leave open what they stand for.
const VAGUE: [&str; 5] = ["who", "whoever", "whom", "somebody", "nobody"];
/// The greatest number of them in 1,000 lines of comments.
const MAX_VAGUE: usize = 5;

#[test]
fn comments_name_the_client_the_member_or_the_program() {
    let (mut lines, mut found) = (0, Vec::new());
    for (path, text) in all_code() {
        for comment in text.lines().filter_map(comment) {
            lines += 1;
            // Words of the protocol and of code stand between backticks.
            let words = comment.split('`').step_by(2).flat_map(|part| part.split(' '));
            let plain = words.map(|word| word.trim_matches(|c: char| !c.is_alphabetic()));
            let vague = plain.filter(|word| VAGUE.contains(&word.to_lowercase().as_str()));
            found.extend(vague.map(|_| format!("{path}: {comment}")));
        }
    }
    assert!(lines > 1000, "comments are found");
    assert!(found.len() * 1000 <= MAX_VAGUE * lines, "{}", found.join("\n"));
}

/// The characters that the name of a test may have.
const MAX_NAME: usize = 60;

#[test]
fn test_names_are_short_and_name_the_subject() {
    let mut found = Vec::new();
    for (path, text) in all_code() {
        for (_, rest) in
            text.match_indices("#[test]\n").map(|(at, mark)| text.split_at(at + mark.len()))
        {
            let Some((_, name)) = rest.split_once("fn ") else { continue };
            let name = name.split('(').next().unwrap_or_default();
            let mut words = name.split('_');
            let riddle = ["what", "who"].contains(&words.clone().next().unwrap_or_default());
            let vague = words.any(|word| word != "who" && VAGUE.contains(&word));
            if name.len() >= MAX_NAME || riddle || vague {
                found.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The text of a comment, if a line is one.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start().strip_prefix("//")?;
    Some(line.trim_start_matches(['/', '!']).trim())
}

/// The lines of a file before its tests, without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod tests").next().expect("a text has a beginning");
    code.lines().filter(|line| comment(line).is_none())
}

#[test]
fn pure_modules_know_nothing_of_the_world() {
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

/// `thread::spawn` panics where the system has no more threads, and people get no words.
#[test]
fn threads_start_by_a_builder() {
    for (path, text) in sources() {
        let mut code = code(&text);
        assert!(!code.any(|line| line.contains("thread::spawn(")), "{path}");
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
        .map(|path| {
            path.split(|c: char| !c.is_ascii_lowercase() && c != '_').next().unwrap_or_default()
        })
        .filter(|name| !name.is_empty())
}

/// Every source file: its path below `src`, with slashes, and its text.
fn sources() -> Vec<(String, String)> {
    files("src")
}

/// Every file of code, also of tests, benchmarks and fuzz targets, where there are some.
fn all_code() -> Vec<(String, String)> {
    ["src", "tests", "benches", "fuzz/fuzz_targets"].into_iter().flat_map(files).collect()
}

/// The files below a folder: their paths below it, with slashes, and their texts.
fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = Vec::from_iter(root.is_dir().then(|| root.clone()));
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("the folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path
                    .strip_prefix(&root)
                    .expect("it is below")
                    .to_string_lossy()
                    .replace('\\', "/");
                files.push((name, fs::read_to_string(&path).expect("the file can be read")));
            }
        }
    }
    files
}
