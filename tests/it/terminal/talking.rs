//! The effects of the typed words.

use super::{
    SIZES, hears, holds, let_in, ready, sit_down, sit_down_at, start, times_told, told, unwrapped,
    wait_for_draft,
};
use crate::harness::{Server, StandIn};

#[test]
fn line_that_only_looks_like_a_command_is_said() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    for (typed, said) in [
        ("WHO is coming?", "WHO is coming?"),
        ("who", "who"),
        ("QUIT smoking", "QUIT smoking"),
        ("NICK is late today", "NICK is late today"),
        ("/usr/bin is text", "/usr/bin is text"),
        ("/usr/bin/x", "/usr/bin/x"),
        ("//help", "/help"),
        ("MSG WHO", "WHO"),
        ("MSG  oi", " oi"),
        ("eu@casa", "eu@casa"),
    ] {
        tty.enters(typed);
        joao.reads(format!("FROM ana [all]: {said}"));
    }
    tty.enters("");
    tty.enters("   ");
    joao.reads_nothing_more();
    wait_for_draft(&tty, "");
}

#[test]
fn a_lone_word_of_farewell_is_asked_about() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    for word in ["quit", "exit", "sair"] {
        tty.enters(word);
        tty.wait("the hint", |screen| screen.contains("/quit") && holds(screen, ""));
        joao.reads_nothing_more();
        tty.enters("/clear");
        tty.wait("a clear screen", |screen| !screen.contains("/quit") && holds(screen, ""));
    }
    tty.enters(" exit");
    assert_eq!(joao.line().replace(":  ", ": "), "FROM ana [all]: exit");
}

#[test]
fn a_private_line_reaches_its_one_however_the_nick_was_written() {
    let server = Server::start(&[]);
    let [mut bia, mut joao] = server.members(["bia", "joao"]);
    let tty = sit_down(server.address);
    for peer in [&mut bia, &mut joao] {
        peer.reads("User ana joined.");
    }
    for typed in ["@Bia oi", "@bia oi", " @BIA oi", "/msg Bia oi", "MSG @bia oi"] {
        tty.enters(typed);
        bia.reads("FROM ana [dm]: oi");
    }
    tty.wait("the own lines", |screen| screen.matches("you → bia  oi").count() == 5);
    joao.reads_nothing_more();

    bia.says("MSG @ana e você?");
    hears(&tty, "bia → you  e você?");
    joao.says("MSG @ana psst");
    hears(&tty, "joao → you  psst");
    tty.enters("/r aqui");
    joao.reads("FROM ana [dm]: aqui");
    bia.reads_nothing_more();
}

#[test]
fn private_line_to_an_unknown_nick_is_not_said() {
    let server = Server::start(&[]);
    let [mut bia, mut joao] = server.members(["bia", "joao"]);
    let tty = sit_down(server.address);
    for peer in [&mut bia, &mut joao] {
        peer.reads("User ana joined.");
    }
    tty.enters("@nobody oi");
    tty.wait("the notice", |screen| screen.contains("nobody is not here") && holds(screen, ""));
    tty.enters("@joaoo oi");
    tty.wait("the advice", |screen| {
        screen.contains("joaoo is not here")
            && screen.to_lowercase().contains("did you mean joao")
            && holds(screen, "")
    });
    tty.enters("@bia");
    tty.enters("/r oi");
    tty.enters("fim");
    for peer in [bia, joao].iter_mut() {
        peer.reads("FROM ana [all]: fim");
    }
}

#[test]
fn private_line_to_a_leaving_member_is_named() {
    let door = StandIn::open();
    let tty = start(door.address, SIZES[0], &["--nick", "ana"], &[]);
    let mut server = door.caller();
    let_in(&mut server, "ana, bia");
    ready(&tty);
    tty.enters("@bia oi");
    server.reads("MSG @bia oi");
    server.says("ERR user_not_found");
    tty.wait("the notice", |screen| screen.contains("bia is not here"));
}

#[test]
fn a_command_that_does_not_exist_is_not_said_but_corrected() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.enters("/hlep");
    tty.wait("the advice", |screen| {
        let screen = screen.to_lowercase();
        screen.contains("/hlep") && screen.contains("did you mean /help")
    });
    tty.enters("/xyzzy");
    tty.wait("the advice", |screen| screen.contains("//xyzzy"));
    joao.reads_nothing_more();
}

#[test]
fn the_help_names_every_command() {
    let server = Server::start(&[]);
    let tty = sit_down_at(server.address, (80, 40), &[], &[]);
    tty.enters("/help");
    let commands = [
        "/help", "/who", "/msg", "/r ", "/me", "/nick", "/ignore", "/quiet", "/bell", "/clear",
        "/quit",
    ];
    tty.wait("every command", |screen| commands.iter().all(|command| screen.contains(command)));
}

#[test]
fn members_are_listed_when_asked() {
    let server = Server::start(&[]);
    let _others = server.members(["bia", "joao"]);
    let tty = sit_down(server.address);
    for (count, line) in [(1, "/who"), (2, "WHO"), (3, "/w")] {
        tty.enters(line);
        tty.wait("the list", |screen| {
            screen.matches("here (3): ana, bia, joao").count() == count && holds(screen, "")
        });
    }
}

#[test]
fn a_deed_is_told_as_one() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.reads("User ana joined.");
    tty.enters("/me acena");
    joao.reads("FROM ana [all]: /me acena");
    hears(&tty, "* ana acena");
    joao.says("MSG /me também");
    hears(&tty, "* joao também");
}

#[test]
fn ignored_member_is_hidden_until_heeded_again() {
    let server = Server::start(&[]);
    let [mut bia, mut joao] = server.members(["bia", "joao"]);
    let tty = sit_down(server.address);
    for (round, expected) in [(0, 1), (1, 0), (2, 1)] {
        if round > 0 {
            tty.enters("/ignore joao");
            // The answer to this comes behind the other.
            tty.enters("/who");
            tty.wait("the list", |screen| screen.matches("here (3)").count() == round);
        }
        joao.says(format!("MSG ouça {round}"));
        joao.says(format!("MSG @ana ouça {round}"));
        joao.says("WHO");
        joao.skips_to("Connected users: ana, bia, joao");
        bia.says(format!("MSG fim {round}"));
        hears(&tty, &format!("bia  fim {round}"));
        let lines = tty.lines();
        assert_eq!(times_told(&lines, &format!("joao  ouça {round}")), expected, "{round}");
        assert_eq!(times_told(&lines, &format!("joao → you  ouça {round}")), expected, "{round}");
    }
}

#[test]
fn arrivals_are_shown_until_quiet() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    let mut bia = server.member("bia");
    hears(&tty, "+ bia joined");
    bia.says("QUIT");
    hears(&tty, "- bia left");
    tty.enters("/quiet");
    tty.enters("/who");
    tty.wait("the list", |screen| screen.contains("here (2): ana, joao"));
    let mut maria = server.member("maria");
    maria.says("QUIT");
    joao.skips_to("User maria left the chat.");
    joao.says("MSG fim");
    hears(&tty, "joao  fim");
    assert!(!tty.lines().iter().any(|line| line.contains("maria")), "{:?}", tty.lines());
}

#[test]
fn a_crowd_that_comes_at_once_takes_few_lines() {
    let door = StandIn::open();
    let tty = start(door.address, SIZES[0], &["--nick", "ana"], &[]);
    let mut server = door.caller();
    let_in(&mut server, "ana");
    ready(&tty);
    for way in ["joined.", "left the chat."] {
        for n in 0..20 {
            server.says(format!("User gente{n} {way}"));
        }
        let word = way.split(['.', ' ']).next().expect("a word");
        let is_about = |line: &str| told(line).is_some_and(|line| line.contains(word));
        let all_named = |lines: &[String]| {
            let text: String = lines.concat();
            (0..20).all(|n| text.matches(&format!("gente{n}")).count() >= 1)
        };
        let about = |rows: Vec<String>| -> Vec<String> {
            unwrapped(&rows).into_iter().filter(|line| is_about(line)).collect()
        };
        tty.wait("the last of them", |screen| {
            let lines = about(screen.lines().map(String::from).collect());
            lines.iter().any(|line| line.contains("gente19"))
        });
        let lines = about(tty.rows());
        assert!(all_named(&lines), "{lines:?}");
        assert!(lines.len() <= 6, "{lines:?}");
    }
}

#[test]
fn mentioned_user_hears_the_bell_and_sees_a_mark() {
    // A line, and whether the bell is for it when it rings for me alone.
    let lines = [
        ("[all]: ana, olha isto", true),
        ("[all]: olha isto, ana!", true),
        ("[all]: uma analise", false),
        ("[all]: banana", false),
        ("[dm]: psst", true),
        ("[all]: nada", false),
    ];
    for (options, command) in [
        (&[][..], ""),
        (&["--bell", "never"], ""),
        (&["--bell", "all"], ""),
        (&[], "/bell never"),
        (&["--bell", "never"], "/bell all"),
        (&["--bell", "never"], "/bell me"),
    ] {
        let door = StandIn::open();
        let all = [&["--nick", "ana", "--color", "never"], options].concat();
        let tty = start(door.address, SIZES[0], &all, &[]);
        let mut server = door.caller();
        let_in(&mut server, "ana, joao");
        ready(&tty);
        if !command.is_empty() {
            tty.enters(command);
            tty.enters("/clear");
            tty.wait("a clear screen", |screen| screen.trim() == super::PROMPT);
        }
        let when = command.split(' ').nth(1).or(options.get(1).copied()).unwrap_or("me");
        for (n, (line, for_me)) in lines.into_iter().enumerate() {
            let before = tty.raw().len();
            server.says(format!("FROM joao {line} {n}"));
            tty.wait("the line", |screen| screen.contains(&format!(" {n}\n")) && holds(screen, ""));
            let rings = when == "all" || when == "me" && for_me;
            let bells = tty.raw()[before..].matches('\x07').count();
            assert_eq!(bells, usize::from(rings), "{line}, with {options:?} and {command:?}");
            let shown = tty.lines().into_iter().rfind(|shown| shown.contains("joao"));
            let marked = shown
                .as_ref()
                .is_some_and(|shown| shown.matches('!').count() > line.matches('!').count());
            let is_mention = for_me && line.starts_with("[all]");
            assert_eq!(marked, is_mention, "{shown:?}");
        }
    }
}

#[test]
fn the_screen_is_cleared_when_asked_and_the_chat_goes_on() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let tty = sit_down(server.address);
    joao.says("MSG oi");
    hears(&tty, "joao  oi");
    tty.enters("/clear");
    tty.wait("a clear screen", |screen| screen.trim() == super::PROMPT);
    joao.says("MSG ainda aqui");
    hears(&tty, "joao  ainda aqui");
    wait_for_draft(&tty, "");
}

#[test]
fn quit_leaves_politely() {
    for line in ["/quit", "QUIT"] {
        let server = Server::start(&[]);
        let mut joao = server.member("joao");
        let mut tty = sit_down(server.address);
        joao.reads("User ana joined.");
        tty.send(format!("tchau\r{line}\r"));
        joao.reads("FROM ana [all]: tchau");
        joao.reads("User ana left the chat.");
        assert_eq!(tty.wait_exit(), Some(0));
        let lines = tty.lines();
        assert_eq!(times_told(&lines, "ana  tchau"), 1);
        assert_eq!(lines.last().map(String::as_str), Some("Bye."));
    }
}

#[test]
fn the_conversation_is_kept_in_a_file_when_asked() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let name = format!("minichat-tty-{}.log", std::process::id());
    let path = std::env::temp_dir().join(name);
    let log = path.to_str().expect("a path is text");
    let mut tty = sit_down_at(server.address, SIZES[0], &["--log", log], &[]);
    tty.enters("oi");
    joao.skips_to("FROM ana [all]: oi");
    joao.says("MSG olá");
    hears(&tty, "joao  olá");
    tty.send("\x04");
    assert_eq!(tty.wait_exit(), Some(0));
    let text = std::fs::read_to_string(&path).expect("the log is there");
    let permissions = std::fs::metadata(&path).expect("the log is there").permissions();
    std::fs::remove_file(&path).ok();
    let mode = std::os::unix::fs::PermissionsExt::mode(&permissions);
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(text.matches("oi").count(), 1, "{text}");
    assert_eq!(text.matches("olá").count(), 1, "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn answer_does_not_reach_a_new_owner_of_the_nick() {
    let server = Server::start(&[]);
    let [mut bia, mut eve] = server.members(["bia", "eve"]);
    let tty = sit_down(server.address);
    bia.says("MSG @ana the password is 42, right?");
    hears(&tty, "bia → you  the password is 42, right?");
    bia.says("NICK bia2");
    bia.reads("User ana joined.");
    bia.reads("OK welcome bia2");
    eve.says("NICK bia");
    eve.reads("User ana joined.");
    eve.reads("User bia left the chat.");
    eve.reads("User bia2 joined.");
    eve.reads("OK welcome bia");
    tty.wait("the new owner", |screen| screen.contains("bia2, bia joined"));
    tty.enters("/r yes, 42");
    bia.skips_to("FROM ana [dm]: yes, 42");
    tty.enters("fim");
    eve.reads("FROM ana [all]: fim");
    eve.reads_nothing_more();
    // No answer goes to the next owner of the nick.
    bia.says("QUIT");
    tty.wait("the departure", |screen| screen.contains("bia2 left"));
    eve.says("NICK bia2");
    tty.wait("the next owner", |screen| screen.contains("bia2 joined"));
    tty.enters("/r yes, 42");
    tty.wait("why not", |screen| screen.contains("nothing was sent"));
}

#[test]
fn ignored_person_stays_hidden_under_another_nick() {
    let server = Server::start(&[]);
    let mut bia = server.member("bia");
    let tty = sit_down(server.address);
    bia.reads("User ana joined.");
    tty.enters("/ignore bia");
    tty.wait("the answer", |screen| screen.contains("ignoring bia"));
    for line in ["MSG hidden", "NICK b2", "MSG hidden, too", "MSG @ana hidden in private"] {
        bia.says(line);
    }
    tty.wait("the hint", |screen| screen.contains("ignoring b2, too"));
    let mut other = server.member("bia");
    other.says("MSG another bia");
    hears(&tty, "bia  another bia");
    let lines = tty.lines();
    assert!(!lines.iter().any(|line| line.contains("hidden")), "{lines:?}");
    for told in ["- bia left", "+ bia joined"] {
        assert_eq!(times_told(&lines, told), 1, "{lines:?}");
    }
}

#[test]
fn paste_on_a_plain_terminal_is_text_and_a_typed_line_is_not() {
    let server = Server::start(&[]);
    let [mut joao, mut maria] = server.members(["joao", "maria"]);
    let options = ["--nick", "ana"];
    let tty = start(server.address, SIZES[0], &options, &[("TERM", "dumb")]);
    tty.wait("who is here", |screen| screen.contains("joao, maria"));
    for peer in [&mut joao, &mut maria] {
        peer.reads("User ana joined.");
    }
    tty.send("def f():\n\n\t@joao psst\n// TODO\n/quit\nQUIT\n");
    for text in ["def f():", "\u{2800}", "\u{2800}\t@joao psst", "// TODO", "/quit", "QUIT"] {
        for peer in [&mut joao, &mut maria] {
            peer.reads(format!("FROM ana [all]: {text}"));
        }
    }
    tty.send("@joao psst\n");
    joao.reads("FROM ana [dm]: psst");
    maria.reads_nothing_more();
}
