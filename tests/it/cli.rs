//! The command line: help, version, and the answers to mistakes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::Stdio;

use crate::harness::{Output, Running, broken_pipe, minichat, run};

/// The program's own, and its commands.
pub const COMMANDS: [&str; 5] = ["", "server", "discover", "connect", "completions"];

/// The binary's answer to these words; blanks stand between them.
#[track_caller]
fn asked(line: &str) -> Output {
    run(minichat().args(line.split_whitespace()), "")
}

/// The help of a command.
#[track_caller]
fn help(command: &str) -> String {
    let output = asked(&format!("{command} --help"));
    assert_eq!((output.status, &*output.stderr), (Some(0), ""), "{command}");
    output.stdout
}

/// The options that a help text tells of, with the word for their value, if they
/// have one: `-p PORT`, `--port PORT`, `--quiet`.
pub fn documented(help: &str) -> Vec<(&str, Option<&str>)> {
    let mut options = Vec::new();
    for line in help.lines().filter(|line| line.starts_with("  -")) {
        let (flags, _) = line.trim_start().split_once("  ").expect("each option has its text");
        let (names, value) = match flags.rsplit_once(' ') {
            Some((names, value)) if !value.starts_with('-') => (names, Some(value)),
            _ => (flags, None),
        };
        options.extend(names.split(", ").map(|name| (name, value)));
    }
    options
}

#[test]
fn help_goes_to_standard_output_and_fits_a_terminal() {
    for command in COMMANDS {
        let help = help(command);
        assert!(help.starts_with(format!("Usage: minichat {command}").trim_end()), "{help}");
        assert!(help.contains("\n  -h, --help "), "{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
        assert_eq!(asked(&format!("{command} -h")).stdout, help);
    }
    let top = help("");
    for command in &COMMANDS[1..] {
        assert!(top.contains(&format!("\n  {command} ")), "{top}");
    }
}

#[test]
fn the_version_goes_to_standard_output() {
    for line in ["--version", "-V"] {
        let output = asked(line);
        assert_eq!((output.status, &*output.stderr), (Some(0), ""));
        assert_eq!(output.stdout, format!("minichat {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn every_option_that_help_tells_of_exists() {
    for command in COMMANDS {
        let help = help(command);
        let options = documented(&help);
        assert!(options.len() >= 2, "{options:?}");
        for (option, value) in options {
            // Help is only given if everything else is right.
            let value = match value {
                Some("ADDR") => "127.0.0.1",
                Some("PORT") => "9080",
                Some("WHEN") => "never",
                Some("URL") => "redis://host/room",
                Some(_) => "1",
                None => "",
            };
            let output = asked(&format!("{command} {option} {value} --help"));
            assert_eq!((output.status, &*output.stderr), (Some(0), ""), "{command} {option}");
            if option != "-V" && option != "--version" {
                assert_eq!(output.stdout, help);
            }
        }
    }
}

#[test]
fn help_tells_of_every_letter_that_is_an_option() {
    for command in COMMANDS {
        let help = help(command);
        let documented: BTreeSet<&str> =
            documented(&help).into_iter().map(|(option, _)| option).collect();
        for letter in ('a'..='z').chain('A'..='Z').chain('0'..='9') {
            let option = format!("-{letter}");
            // The first of the others may be its value, the second is wrong.
            let output = asked(&format!("{command} {option} --no-such --no-such"));
            let unknown = format!("minichat: unrecognized option `{option}`\n");
            assert_eq!(
                !output.stderr.starts_with(&unknown),
                documented.contains(&*option),
                "{command} {option}: {output:?}"
            );
        }
    }
}

#[test]
fn mistake_is_named_with_a_way_out() {
    for (line, named, way_out) in [
        // Options and commands that there are not.
        ("--no-such", "--no-such", "minichat --help"),
        ("-z", "-z", "minichat --help"),
        ("server --no-such", "--no-such", "minichat server --help"),
        ("server -z", "-z", "minichat server --help"),
        ("connect --no-such 127.0.0.1", "--no-such", "minichat connect --help"),
        ("connect 127.0.0.1 9000 -z", "-z", "minichat connect --help"),
        // Commands with a slip in them.
        ("conect 127.0.0.1", "conect", "minichat connect"),
        ("connet 127.0.0.1", "connet", "minichat connect"),
        ("Connect 127.0.0.1", "Connect", "minichat connect"),
        ("sevrer --port 0", "sevrer", "minichat server"),
        ("serve", "serve", "minichat server"),
        // Values that are missing.
        ("server --port", "--port", "minichat server --help"),
        ("server -p", "-p", "minichat server --help"),
        ("connect 127.0.0.1 --nick", "--nick", "minichat connect --help"),
        // Values that make no sense.
        ("server --port 65536", "65536", "minichat server --help"),
        ("server --port -1", "-1", "minichat server --help"),
        ("server -p=80", "=80", "minichat server --help"),
        ("server --port http", "http", "minichat server --help"),
        ("server --bind nowhere", "nowhere", "minichat server --help"),
        ("server --bind 127.0.0.256", "127.0.0.256", "minichat server --help"),
        ("server --history -5", "-5", "minichat server --help"),
        ("server --max-users many", "many", "minichat server --help"),
        ("server --rate 1.5", "1.5", "minichat server --help"),
        ("server --quiet=1", "quiet", "minichat server --help"),
        ("server --name=", "--name", "minichat server --help"),
        ("connect --timeout 0 127.0.0.1", "`0`", "minichat connect --help"),
        ("connect --timeout soon 127.0.0.1", "soon", "minichat connect --help"),
        ("connect --timeout inf 127.0.0.1", "inf", "minichat connect --help"),
        ("connect --timeout NaN 127.0.0.1", "NaN", "minichat connect --help"),
        ("connect --nick= 127.0.0.1", "--nick", "minichat connect --help"),
        // Places that are none.
        ("connect :9000", "server", "minichat connect --help"),
        ("connect 127.0.0.1 0", "`0`", "minichat connect --help"),
        ("connect 127.0.0.1 70000", "70000", "minichat connect --help"),
        ("connect 127.0.0.1:70000", "70000", "minichat connect --help"),
        ("connect 127.0.0.1:", "``", "minichat connect --help"),
        ("connect 127.0.0.1 http", "http", "minichat connect --help"),
        ("connect 127.0.0.1:9000 9001", "9001", "minichat connect --help"),
        ("connect 127.0.0.1 9000 9001", "9001", "minichat connect --help"),
        ("connect [::1:9000", "[::1", "minichat connect --help"),
        // Options that exclude each other.
        ("connect --raw --json 127.0.0.1", "--json", "minichat connect --help"),
        ("connect -rj 127.0.0.1", "--raw", "minichat connect --help"),
        ("connect --raw --nick ana 127.0.0.1", "--raw", "minichat connect --help"),
        ("connect --auto 127.0.0.1", "--auto", "minichat connect --help"),
        ("discover --first --watch", "--watch", "minichat discover --help"),
        ("discover --scan --watch", "--scan", "minichat discover --help"),
        ("discover here", "here", "minichat connect here"),
        ("server here", "here", "minichat server --name here"),
        ("server --log -", "`-`", "minichat server --help"),
        // Shells that there are not.
        ("completions", "shell", "minichat completions --help"),
        ("completions csh", "csh", "minichat completions --help"),
        ("completions bash zsh", "zsh", "minichat completions --help"),
    ] {
        let output = asked(line);
        assert_eq!((output.status, &*output.stdout), (Some(2), ""), "{line}: {output:?}");
        let (cause, hint) = output.complaint();
        assert!(cause.contains(named), "{line}: {cause}");
        assert!(hint.contains(&format!("`{way_out}`")), "{line}: {hint}");
    }
}

#[test]
fn complaint_about_any_argument_has_two_harmless_lines() {
    for argument in ["a\nb", "-\n", "--a\nb", "a\x1b[2Jb", "-\x1b", "--\x1b[2J"] {
        for words in [&[][..], &["server"], &["server", "--port"], &["connect", "a", "1"]] {
            let output = run(minichat().args(words).arg(argument), "");
            assert_eq!((output.status, &*output.stdout), (Some(2), ""), "{words:?} {argument:?}");
            let (cause, hint) = output.complaint();
            assert!(!format!("{cause}{hint}").contains(char::is_control), "{output:?}");
        }
    }
}

#[test]
fn address_of_one_link_is_refused_as_a_place_to_listen() {
    for address in ["fe80::1", "fe80::1%eth0", "FE80::1%1", "febf::1"] {
        let output = run(minichat().args(["server", "--bind", address]), "");
        assert_eq!((output.status, &*output.stdout), (Some(2), ""), "{address}");
        let (cause, _) = output.complaint();
        assert!(cause.contains(address) && cause.contains("one link only"), "{cause}");
    }
    for address in ["::1%lo", "10.0.0.1%eth0", "fe80::x%eth0", "eth0"] {
        let output = run(minichat().args(["server", "--bind", address]), "");
        assert_eq!(output.status, Some(2), "{address}");
        assert!(output.complaint().0.contains("is not an IP address"), "{output:?}");
    }
}

/// Arguments as the system allows them and UTF-8 does not.
#[cfg(unix)]
fn not_text() -> [OsString; 4] {
    use std::os::unix::ffi::OsStringExt;
    [&b"\xFF"[..], b"ol\xE1", b"--\xC3", b"--nick=\xED\xA0\x80"]
        .map(|bytes| OsString::from_vec(bytes.into()))
}

/// These have half of a surrogate pair.
#[cfg(windows)]
fn not_text() -> [OsString; 4] {
    use std::os::windows::ffi::OsStringExt;
    ["", "ol", "--", "--nick="].map(|begin| {
        let units: Vec<u16> = begin.encode_utf16().chain([0xD800]).collect();
        OsString::from_wide(&units)
    })
}

#[test]
fn an_argument_that_is_not_text_is_a_wrong_one_and_no_panic() {
    for words in [&[][..], &["server"], &["server", "--name"], &["connect"], &["connect", "-n"]] {
        for argument in not_text() {
            let output = run(minichat().args(words).arg(&argument), "");
            assert_eq!((output.status, &*output.stdout), (Some(2), ""), "{words:?} {argument:?}");
            let (cause, _) = output.complaint();
            assert!(cause.contains("not UTF-8"), "{cause}");
        }
    }
}

#[test]
fn unread_help_causes_no_panic() {
    for line in ["--help", "--version", "server --help", "connect --help"] {
        let mut command = minichat();
        command.args(line.split(' ')).stdin(Stdio::null());
        let program = Running::start_into(&mut command, broken_pipe(), Stdio::piped());
        let output = program.output();
        assert!(matches!(output.status, Some(0 | 1)), "{line}: {output:?}");
        assert!(!output.stderr.contains("panicked"), "{line}: {output:?}");
    }
}

#[test]
fn unread_complaint_causes_no_panic() {
    for line in ["SERVER", "conect", "server --port x", "connect --raw --json a"] {
        let mut command = minichat();
        command.args(line.split_whitespace()).stdin(Stdio::null());
        let program = Running::start_into(&mut command, Stdio::piped(), broken_pipe());
        assert_eq!(program.output().status, Some(2), "{line}");
    }
}
