//! A server that is not one's friend. Whatever it says and wherever it says it,
//! the terminal is sent none of it raw.

use super::{SIZES, holds, let_in, ready, start, unwrapped, wait_for_draft};
use crate::harness::{GREETING, Peer, StandIn};
use crate::tty::Tty;

/// Where a server can put an attack.
const PLACES: [&str; 15] = [
    "FROM bia [all]: hi{}",
    "FROM bia [dm]: hi{}",
    "FROM ev{}il [all]: oi",
    "FROM ev{}il [dm]: oi",
    "User ev{}il joined.",
    "User ev{}il left the chat.",
    "User evil joined. hi{}",
    "Connected users: ana, bia, ev{}il",
    "OK bia, ev{}il",
    "OK hi{}",
    "ERR hi{}",
    "ERR user_not_found {}",
    "History: {}",
    "{}",
    "hi{}FROM bia [all]: hi",
];

/// The client, at a terminal that gets no colours and no bells from it.
#[track_caller]
fn victim(door: &StandIn) -> (Tty, Peer) {
    let options = ["--nick", "ana", "--bell", "never"];
    let tty = start(door.address, SIZES[0], &options, &[("NO_COLOR", "1")]);
    (tty, door.caller())
}

/// Says this everywhere; nothing of it may reach the terminal as it is, and the
/// terminal must show this instead.
#[track_caller]
fn attack(attack: &str, shown: &str) {
    let door = StandIn::open();
    let (tty, mut server) = victim(&door);
    let_in(&mut server, "ana, bia");
    ready(&tty);
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    for place in PLACES {
        server.says(place.replace("{}", attack));
    }
    // Folded lines and answers to what was said come, too.
    server.says("FROM bia [all]: depois");
    tty.wait("what is said afterwards", |screen| {
        screen.contains("bia  depois") && holds(screen, "rascunho")
    });
    harmless(&tty.raw(), attack);
    // Not the emulator is asked: it shows no replacement characters.
    let raw = tty.raw();
    assert!(raw.contains(&format!("bia  hi{shown}")), "{attack:?} is shown as {raw:?}");

    // Nicks are completed, and what is completed is shown. Where there is nothing
    // to complete, the key itself may ring the bell.
    tty.send("\x15ev\tx");
    tty.wait("a key", |screen| screen.trim_end().ends_with('x'));
    tty.send("\x15@ev\ty");
    tty.wait("a key", |screen| screen.trim_end().ends_with('y'));
    harmless(&tty.raw()[raw.len()..].replace('\x07', ""), attack);
}

/// The terminal has been sent text, line ends, and what the client itself needs
/// to draw its last rows.
#[track_caller]
fn harmless(raw: &str, attack: &str) {
    if attack.chars().any(|c| c != '\r' && !c.is_ascii_graphic() && c != ' ') {
        assert!(!raw.contains(attack), "{attack:?} got through");
    }
    let returns = raw.split("hi\r").skip(1).any(|rest| !rest.starts_with('\n'));
    assert!(!returns, "{attack:?} got through");
    let mut rest = raw;
    while let Some(at) = rest.find('\x1b') {
        let sequence = &rest[at + 1..];
        let length = own_sequence(sequence)
            .unwrap_or_else(|| panic!("{:?} got through", sequence.get(..12).unwrap_or(sequence)));
        rest = &sequence[length..];
    }
    let stranger = raw.chars().find(|&c| match c {
        '\r' | '\n' | '\x1b' => false,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => true,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{ad}' | '\u{200b}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}' => true,
        '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{115f}' | '\u{ffa0}' => true,
        _ => false,
    });
    assert_eq!(stranger, None, "after {attack:?}");
}

/// The length of a sequence of the client's own behind its ESC: the cursor to
/// another place nearby, the rest of a row or of the screen away, the cursor shown
/// or not, pastes bracketed or not, a change shown at once.
fn own_sequence(text: &str) -> Option<usize> {
    let own = [
        "[K", "[0K", "[J", "[0J", "[?2004h", "[?2004l", "[?25h", "[?25l", "[?2026h", "[?2026l",
        // Wrapping is off while the rows are painted, focus reports are on.
        "[?7h", "[?7l", "[?1004h", "[?1004l",
        // Modes that a dead program left on: mouse reports, and the keys of kitty.
        "[?1000l", "[?1002l", "[?1003l", "[?1006l", "[?1015l", "[>u", "[<u",
    ];
    if let Some(known) = own.iter().find(|known| text.starts_with(**known)) {
        return Some(known.len());
    }
    let number = text.strip_prefix('[')?;
    let end = number.find(|c: char| !c.is_ascii_digit())?;
    (end <= 2 && number[end..].starts_with(['A', 'B', 'C', 'D', 'G'])).then_some(1 + end + 1)
}

#[test]
fn clears_no_screen() {
    attack("\x1b[2J", "␛[2J");
    attack("\x1b[1A\x1b[2K", "␛[1A␛[2K");
    attack("\x1bc", "␛c");
    attack("\u{9b}2J", "\u{fffd}2J");
    attack("\x0c", "␌");
}

#[test]
fn forges_no_line_with_carriage_return() {
    attack("\rFROM bia [all]: no", "␍FROM bia [all]: no");
    attack("\u{2028}21:04 bia  no", "\u{fffd}21:04 bia  no");
    attack("\u{85}21:04 bia  no", "\u{fffd}21:04 bia  no");
    attack("\x0b21:04 bia  no", "␋21:04 bia  no");
}

#[test]
fn forges_no_line_that_looks_like_the_draft() {
    attack("\r\x1b[Kana> forjado", "␍␛[Kana> forjado");
    attack("\x1b[201~\rforjado", "␛[201~␍forjado");
}

#[test]
fn rings_no_bell() {
    attack("\x07", "␇");
    attack("\x07\x07\x07", "␇␇␇");
}

#[test]
fn turns_no_text_around() {
    attack("\u{202e}txet", "\u{fffd}txet");
    attack("\u{2067}txet\u{2069}", "\u{fffd}txet\u{fffd}");
    attack("\u{200f}", "\u{fffd}");
    attack("\u{61c}", "\u{fffd}");
}

#[test]
fn sets_no_window_title() {
    attack("\x1b]0;title\x07", "␛]0;title␇");
    attack("\x1b]2;title\x1b\\", "␛]2;title␛\\");
    attack("\u{9d}0;title\u{9c}", "\u{fffd}0;title\u{fffd}");
}

#[test]
fn writes_no_clipboard_and_makes_no_link() {
    attack("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇");
    attack("\x1b]8;;http://evil\x07", "␛]8;;http://evil␇");
}

#[test]
fn asks_the_terminal_nothing_that_it_would_answer_as_keys() {
    attack("\x1b[6n", "␛[6n");
    attack("\x1b[c", "␛[c");
    attack("\x05", "␅");
    attack("\x1bP$qm\x1b\\", "␛P$qm␛\\");
}

#[test]
fn paints_nothing() {
    attack("\x1b[31m", "␛[31m");
    attack("\x1b[8m", "␛[8m");
    attack("\u{9b}7m", "\u{fffd}7m");
}

#[test]
fn changes_no_alphabet() {
    attack("\x0e", "␎");
    attack("\x1b(0", "␛(0");
    attack("\x08\x08\x7f", "␈␈␡");
}

#[test]
fn hides_nothing_between_letters() {
    attack("a\u{200b}b", "ab");
    attack("a\u{2060}\u{feff}\u{ad}b", "ab");
    attack("a\u{e0041}\u{e007f}b", "ab");
    attack("a\u{3164}\u{115f}\u{ffa0}b", "ab");
}

#[test]
fn piles_no_marks_over_the_lines_above() {
    let door = StandIn::open();
    let (tty, mut server) = victim(&door);
    let_in(&mut server, "ana, bia");
    ready(&tty);
    server.says(format!("FROM bia [all]: a{}b", "\u{301}".repeat(500)));
    server.says("FROM bia [all]: depois");
    tty.wait("what is said afterwards", |screen| screen.contains("bia  depois"));
    assert!(!tty.raw().contains(&"\u{301}".repeat(5)));
}

#[test]
fn survives_bytes_that_are_no_text() {
    let door = StandIn::open();
    let (tty, mut server) = victim(&door);
    let_in(&mut server, "ana, bia");
    ready(&tty);
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    server.sends(b"FROM bia [all]: a\xffb\xc3\n\x00\x00\n\xf0\x9f\x91\nFROM bia [all]: depois\n");
    tty.wait("what is said afterwards", |screen| {
        screen.contains("bia  depois") && holds(screen, "rascunho")
    });
    assert!(tty.raw().contains("bia  a\u{fffd}b\u{fffd}\r\n"), "{:?}", tty.raw());
    harmless(&tty.raw(), "\0");
}

#[test]
fn attacks_no_terminal_before_registration() {
    for attack in ["\x1b[2J", "\x07", "\u{202e}", "\u{9b}2J", "\x1b]0;title\x07"] {
        for answer in ["{}", "ERR {}", "ERR nick_in_use {}", "User ev{}il joined."] {
            let door = StandIn::open();
            let (mut tty, mut server) = victim(&door);
            server.says(format!("{GREETING}{attack}"));
            server.reads("NICK ana");
            server.says(answer.replace("{}", attack));
            server.says(format!("OK welcome an{attack}a"));
            server.says("FROM bia [all]: depois");
            tty.wait("what is said afterwards", |screen| {
                screen.contains("bia  depois") || screen.contains("Nickname")
            });
            tty.send("\x03\x03");
            tty.wait_exit();
            harmless(&tty.raw(), attack);
        }
    }
}

#[test]
fn has_no_last_word_that_is_obeyed() {
    for word in ["BYE\x1b[2J", "OK goodbye\x07", "FROM server [all]: \x1b]0;title\x07\nBYE"] {
        let door = StandIn::open();
        let (mut tty, mut server) = victim(&door);
        let_in(&mut server, "ana, bia");
        ready(&tty);
        server.says(word);
        server.says("FROM bia [all]: depois");
        drop(server);
        tty.wait("what comes of it", |screen| {
            ["Bye.", "depois", "lost"].iter().any(|text| screen.contains(text))
        });
        tty.send("\x03\x03");
        tty.wait_exit();
        harmless(&tty.raw(), "\x1b[2J");
    }
}

#[test]
fn longest_line_is_shown_and_longer_ones_are_cut() {
    let door = StandIn::open();
    let (tty, mut server) = victim(&door);
    let_in(&mut server, "ana, bia");
    ready(&tty);
    tty.send("rascunho");
    wait_for_draft(&tty, "rascunho");
    let text = "x".repeat(8192 - "FROM bia [all]: \n".len());
    server.says(format!("FROM bia [all]: {text}"));
    tty.wait("the draft", |screen| screen.contains("xxx") && holds(screen, "rascunho"));
    server.says(format!("FROM bia [all]: {}", "y".repeat(200_000)));
    server.says("FROM bia [all]: depois");
    tty.wait("what is said afterwards", |screen| {
        screen.contains("bia  depois") && holds(screen, "rascunho")
    });
    let lines: Vec<String> =
        unwrapped(&tty.rows()).iter().map(|line| line.replace(' ', "")).collect();
    assert!(lines.iter().any(|line| line.ends_with(&format!("bia{text}"))));
    let longest = lines.iter().map(String::len).max();
    assert!(longest < Some(20_000), "{longest:?} bytes in a line");
}
