use std::collections::BTreeSet;

use super::*;
use crate::texts::{ENGLISH, PORTUGUESE};

fn parse(line: &str) -> Asked {
    parse_in(&ENGLISH, line)
}

fn parse_in(texts: &Texts, line: &str) -> Asked {
    super::parse(line.split_whitespace().map(OsString::from), texts)
}

#[track_caller]
fn check_wrong(line: &str, expected: &str) {
    assert_eq!(parse(line), Asked::Wrong(expected.into()), "{line}");
}

#[track_caller]
fn check_target(line: &str, host: &str, port: u16) {
    let Asked::Connect(config) = parse(line) else { panic!("{:?}", parse(line)) };
    assert_eq!(config.target, Target::Host(host.into(), port), "{line}");
}

#[test]
fn a_server_is_named_in_every_usual_way() {
    check_target("connect 192.168.1.100", "192.168.1.100", 9000);
    check_target("connect 192.168.1.100:9001", "192.168.1.100", 9001);
    check_target("connect 127.0.0.1 9001", "127.0.0.1", 9001);
    check_target("connect sala3.local 9000", "sala3.local", 9000);
    check_target("connect ::1", "::1", 9000);
    check_target("connect [::1]", "::1", 9000);
    check_target("connect [::1]:9001", "::1", 9001);
    check_target("connect ::1 9001", "::1", 9001);
    check_target("connect fe80::1%eth0 9001", "fe80::1%eth0", 9001);
    check_target("connect [fe80::1%eth0]:9001", "fe80::1%eth0", 9001);
}

#[test]
fn name_that_is_no_address_is_looked_up() {
    for (line, target) in [
        ("", Target::Any),
        ("connect", Target::Any),
        ("connect --auto", Target::Any),
        ("connect sala3", Target::Named("sala3".into())),
        ("connect Redes:turma-B", Target::Named("Redes:turma-B".into())),
        ("connect sala3.local:9000", Target::Named("sala3.local:9000".into())),
        ("connect Turma:1", Target::Named("Turma:1".into())),
        ("connect a:70000", Target::Named("a:70000".into())),
        ("connect [a]:1", Target::Named("[a]:1".into())),
        ("connect 101", Target::Named("101".into())),
    ] {
        let Asked::Connect(config) = parse(line) else { panic!("{:?}", parse(line)) };
        assert_eq!(config.target, target, "{line}");
    }
}

#[test]
fn mistake_is_named_with_its_value_and_a_way_out() {
    let help = "\nTry `minichat connect --help`";
    for (line, what) in [
        ("connect --auto a", "--auto finds a server by itself; leave the address out"),
        ("connect :9000", "which server? Its name is empty"),
        ("connect a 0", "`0` is not a port: a number from 1 to 65535"),
        ("connect 10.0.0.1:70000", "`70000` is not a port: a number from 1 to 65535"),
        ("connect a b", "a name with blanks stands in quotes: minichat connect \"a b\""),
        ("connect a:1 2", "a name with blanks stands in quotes: minichat connect \"a:1 2\""),
        ("connect a 1 2", "a name with blanks stands in quotes: minichat connect \"a 1 2\""),
        ("connect 10.0.0.1:1 2", "a port is given twice: `10.0.0.1:1` and `2`"),
        ("connect 10.0.0.1 1 2", "unexpected `2` after the port"),
        ("connect [::1:9000", "`[::1:9000` is not an address"),
        ("connect --raw -n ana a", "--raw sends nothing but what is typed; leave --nick out"),
        ("connect --raw --json a", "--raw and --json exclude each other"),
        (
            "connect -t 0 a",
            "invalid argument to option `-t`: `0` is not a number of seconds up to 86400",
        ),
        ("connect --nick= a", "invalid argument to option `--nick`: it is empty"),
    ] {
        check_wrong(line, &format!("{what}{help}"));
    }
    let port = "`=80` is not a port: a number from 0 to 65535";
    check_wrong(
        "server -p=80",
        &format!("invalid argument to option `-p`: {port}\nTry `minichat server --help`"),
    );
    for (line, guess) in [
        ("server x", "minichat server --name x"),
        ("server 9001", "minichat server --port 9001"),
        ("server ::1", "minichat server --bind ::1"),
        ("discover x", "minichat connect x"),
    ] {
        let word = line.split(' ').next_back().unwrap_or_default();
        let expected = format!("`{word}` is one word too many\nDid you mean `{guess}`?");
        check_wrong(line, &expected);
    }
    let dash = "invalid argument to option `--log`: `-` names no file; a file of that name is ./-";
    check_wrong("server --log -", &format!("{dash}\nTry `minichat server --help`"));
    check_wrong("connect --log -", &format!("{dash}\nTry `minichat connect --help`"));
    let help = "\nTry `minichat server --help`";
    let alone = format!("--keep does nothing without --store{help}");
    check_wrong("server --keep 7", &alone);
    check_wrong("server --keep=30 --history 5", &alone);
    assert!(matches!(parse("server --keep 7 --store x"), Asked::Server(_)));
    assert!(matches!(parse("server --store x --keep 7"), Asked::Server(_)));
    let help = "\nTry `minichat discover --help`";
    check_wrong("discover -1w", &format!("--first and --watch exclude each other{help}"));
}

#[test]
fn mistake_is_named_in_the_language_of_the_user() {
    for (line, what, look_at) in [
        ("--no-such", "opção desconhecida `--no-such`", "minichat --help"),
        ("server -p", "falta o valor da opção `-p`", "minichat server --help"),
        ("server --quiet=1", "a opção `--quiet` não aceita valor", "minichat server --help"),
        (
            "server --port http",
            "valor inválido para a opção `--port`: `http` não é uma porta: um número de 0 a 65535",
            "minichat server --help",
        ),
        (
            "server -b port",
            "valor inválido para a opção `-b`: `port` não é um endereço IP",
            "minichat server --help",
        ),
        (
            "server --rate 1.5",
            "valor inválido para a opção `--rate`: `1.5` não é um número de 0 a 4294967295",
            "minichat server --help",
        ),
        (
            "discover -t 0",
            "valor inválido para a opção `-t`: `0` não é um número de segundos até 86400",
            "minichat discover --help",
        ),
        (
            "connect --nick= a",
            "valor inválido para a opção `--nick`: está vazio",
            "minichat connect --help",
        ),
        ("connect -rj a", "use --raw ou --json, não os dois", "minichat connect --help"),
        ("server --keep 7", "--keep não faz nada sem --store", "minichat server --help"),
        ("connect a 0", "`0` não é uma porta: um número de 1 a 65535", "minichat connect --help"),
    ] {
        let expected = Asked::Wrong(format!("{what}\nVeja `{look_at}`"));
        assert_eq!(parse_in(&PORTUGUESE, line), expected, "{line}");
    }
    let guess = "comando desconhecido `sever`\nVocê quis dizer `minichat server`?";
    assert_eq!(parse_in(&PORTUGUESE, "sever"), Asked::Wrong(guess.into()));
}

#[test]
fn a_slip_in_a_command_is_guessed() {
    check_wrong("conect a", "unrecognized command `conect`\nDid you mean `minichat connect`?");
    check_wrong("sever", "unrecognized command `sever`\nDid you mean `minichat server`?");
    check_wrong("SERVER", "unrecognized command `SERVER`\nDid you mean `minichat server`?");
}

#[test]
fn a_word_that_is_no_command_is_a_place() {
    for line in ["10.0.0.1", "10.0.0.1:9001", "dance", "sala3.local 9001", "dance --nick ana"] {
        assert_eq!(parse(line), parse(&format!("connect {line}")), "{line}");
    }
    let sala = super::parse([OsString::from("Sala 3")], &ENGLISH);
    let Asked::Connect(config) = sala else { panic!("{sala:?}") };
    assert_eq!(config.target, Target::Named("Sala 3".into()));
    check_wrong(
        "10.0.0.1 http",
        "`http` is not a port: a number from 1 to 65535\nTry `minichat connect --help`",
    );
}

#[test]
fn a_slip_in_an_option_is_guessed() {
    for (line, guess) in [
        ("connect --nik ana", "--nick"),
        ("connect --jsno", "--json"),
        ("connect --colour=never", "--color"),
        ("connect --timeot 3 a", "--timeout"),
        ("--atuo", "--auto"),
        ("dance --sty", "--stay"),
        ("server --prot 9001", "--port"),
        ("server --hisotry 5", "--history"),
        ("server --no-mdn", "--no-mdns"),
        ("discover --wach", "--watch"),
        ("discover --Scan", "--scan"),
    ] {
        let Asked::Wrong(what) = parse(line) else { panic!("{line}: {:?}", parse(line)) };
        let guessed = what.lines().nth(1);
        let expected = format!("Did you mean `{guess}`?");
        assert_eq!(guessed, Some(&*expected), "{line}: {what}");
    }
}

#[test]
#[cfg(unix)] // The same for the arguments of Windows is tested with the program.
fn an_argument_that_is_not_text_is_no_reason_to_panic() {
    use std::os::unix::ffi::OsStringExt;
    let asked = super::parse([OsString::from("connect"), OsString::from_vec(vec![0xFF])], &ENGLISH);
    assert_eq!(asked, Asked::Wrong("`\u{FFFD}` is not UTF-8\nTry `minichat --help`".into()));
}

#[test]
fn help_fits_a_terminal() {
    for line in ["-h", "--help", "server --help", "discover --help", "connect -h", "completions -h"]
    {
        let Asked::Help(text) = parse(line) else { panic!("{line}") };
        assert!(text.starts_with("Usage: minichat"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let Asked::Help(text) = parse_in(&PORTUGUESE, line) else { panic!("{line}") };
        assert!(text.starts_with("Uso: minichat"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    assert_eq!(parse("-V"), Asked::Print(format!("minichat {}\n", env!("CARGO_PKG_VERSION"))));
    assert_eq!(parse("--version"), parse("-V"));
}

#[test]
fn a_shell_is_taught_by_a_script_of_its_own() {
    let scripts: BTreeSet<&str> = SCRIPTS.into_iter().collect();
    assert_eq!(scripts.len(), SCRIPTS.len());
    for (shell, script) in flags::SHELLS.into_iter().zip(SCRIPTS) {
        assert_eq!(parse(&format!("completions {shell}")), Asked::Print(script.into()));
        assert!(script.ends_with('\n') && !script.contains('\r'), "{shell}");
    }
    let help = "\nTry `minichat completions --help`";
    let shells = "bash, zsh, fish, powershell";
    check_wrong("completions csh", &format!("`csh` is none of {shells}{help}"));
    check_wrong("completions", &format!("which shell? One of {shells}{help}"));
}

#[test]
fn missing_option_has_its_default() {
    assert_eq!(parse("server"), Asked::Server(config::Server::default()));
    let all = "server -p 0 --bind ::1 -b 127.0.0.1 --max-users 0 --rate 0 --history 5 -q --motd hi --log x";
    let Asked::Server(config) = parse(all) else { panic!("{:?}", parse(all)) };
    assert_eq!(config.bind, ["::1".parse::<IpAddr>().unwrap(), "127.0.0.1".parse().unwrap()]);
    assert_eq!((config.port, config.max_users, config.rate), (0, 0, 0));
    assert_eq!(config.history, Some(5));
    assert!(config.quiet && config.motd.is_some() && config.log.is_some());
}

#[test]
fn without_a_command_the_options_are_those_of_connect() {
    for line in ["", "--nick ana", "-an ana", "--nick ana 10.0.0.1", "--raw"] {
        assert_eq!(parse(line), parse(&format!("connect {line}")), "{line:?}");
    }
    let red = "invalid argument to option `--color`: `red` is none of auto, always, never";
    check_wrong("--color red", &format!("{red}\nTry `minichat connect --help`"));
}
