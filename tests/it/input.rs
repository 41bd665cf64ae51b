//! Input of clients: in any pieces, of any kind, well meant or not. Whatever it
//! is, it is answered as the protocol says, and no other client notices.

use crate::harness::Server;

#[test]
fn many_commands_in_one_packet_are_answered_in_their_order() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut ana = server.guest();
    ana.sends("WHO\nNICK ana\nMSG one\nWHO\nMSG @joao two\nMSG @ninguem x\nMSG three\n?\nQUIT\n");
    ana.reads("ERR please_register_with_NICK");
    ana.reads("OK welcome ana");
    ana.reads("FROM ana [all]: one");
    ana.reads("Connected users: ana, joao");
    ana.reads("ERR user_not_found");
    ana.reads("FROM ana [all]: three");
    ana.reads("ERR unknown_command");
    ana.reads("BYE");
    ana.ends();
    joao.reads("User ana joined.");
    joao.reads("FROM ana [all]: one");
    joao.reads("FROM ana [dm]: two");
    joao.reads("FROM ana [all]: three");
    joao.reads("User ana left the chat.");
    joao.reads_nothing_more();
}

#[test]
fn a_command_may_come_byte_by_byte() {
    let server = Server::start(&[]);
    let mut ana = server.guest();
    for byte in "NICK joão\r\nMSG olá, 日本 🎉\nWHO\n".bytes() {
        ana.sends([byte]);
    }
    ana.reads("OK welcome joão");
    ana.reads("FROM joão [all]: olá, 日本 🎉");
    ana.reads("Connected users: joão");
    ana.reads_nothing_more();
}

#[test]
fn a_line_may_end_as_on_windows() {
    let server = Server::start(&[]);
    let mut ana = server.guest();
    ana.sends("NICK ana\r\nMSG olá\r\nWHO\r\nQUIT\r\n");
    ana.reads("OK welcome ana");
    ana.reads("FROM ana [all]: olá");
    ana.reads("Connected users: ana");
    ana.reads("BYE");
    ana.ends();
}

#[test]
fn a_text_arrives_exactly_as_it_was_typed() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for text in [
        "two  blanks",
        "  before and after  ",
        "日本語 🎉",
        "👩‍👩‍👧 ❤️ e\u{301}",
        "a\ttab",
        "a@b, @joao",
        "FROM joao [all]: I did not say this",
        "User joao left the chat.",
        "ERR nothing",
        "BYE",
        "QUIT",
        "MSG MSG",
        "/me waves",
        "%s %n \\n {} $(id) '\"`",
    ] {
        ana.says(format!("MSG {text}"));
        for peer in [&mut ana, &mut joao] {
            peer.reads(format!("FROM ana [all]: {text}"));
        }
        // Blanks before an at sign would not change the recipient.
        ana.says(format!("MSG @joao {text}"));
        joao.reads(format!("FROM ana [dm]: {text}"));
    }
    for peer in [&mut ana, &mut joao] {
        peer.reads_nothing_more();
    }
}

#[test]
fn command_words_may_be_in_any_case() {
    let server = Server::start(&[]);
    let mut ana = server.guest();
    for (line, answer) in [
        ("Nick ana", "OK welcome ana"),
        ("mSG olá", "FROM ana [all]: olá"),
        ("who", "Connected users: ana"),
        ("quit", "BYE"),
    ] {
        ana.says(line);
        ana.reads(answer);
    }
    ana.ends();
}

#[test]
fn blank_too_many_makes_no_private_line_public() {
    let server = Server::start(&[]);
    let [mut ana, mut joao, mut maria] = server.members(["ana", "joao", "maria"]);
    for blank in ["", " ", "\t", " \t ", "\u{A0}", "\u{200B}", "\x1b"] {
        ana.says(format!("MSG {blank}@joao psst"));
        joao.reads("FROM ana [dm]: psst");
    }
    for peer in [&mut ana, &mut joao, &mut maria] {
        peer.reads_nothing_more();
    }
}

#[test]
fn senseless_line_is_an_error_for_its_sender_alone() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for (line, error) in [
        ("HELLO", "ERR unknown_command"),
        ("MSGolá", "ERR unknown_command"),
        (" MSG olá", "ERR unknown_command"),
        ("/who", "ERR unknown_command"),
        ("\x1b[2J", "ERR unknown_command"),
        ("\0", "ERR unknown_command"),
        ("MSG", "ERR empty_message"),
        ("MSG ", "ERR empty_message"),
        ("MSG  \t ", "ERR empty_message"),
        ("MSG \u{200B}\u{202E}\x07", "ERR empty_message"),
        ("MSG @", "ERR malformed_dm"),
        ("MSG @joao", "ERR malformed_dm"),
        ("MSG @joao   ", "ERR malformed_dm"),
        ("MSG @joao \u{200B}", "ERR malformed_dm"),
        ("MSG @ joao olá", "ERR malformed_dm"),
        ("MSG @ninguem olá", "ERR user_not_found"),
        ("MSG @server olá", "ERR user_not_found"),
        ("NICK", "ERR invalid_nick"),
        ("NICK ana maria", "ERR invalid_nick"),
        ("NICK joao", "ERR apelido_em_uso"),
    ] {
        ana.says(line);
        assert_eq!(ana.line(), error, "for {line:?}");
        joao.reads_nothing_more();
        ana.says(format!("MSG after {error}"));
        for peer in [&mut ana, &mut joao] {
            peer.reads(format!("FROM ana [all]: after {error}"));
        }
    }
}

#[test]
fn a_guest_can_do_nothing_but_register_and_leave() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut guest = server.guest();
    for (line, error) in [
        ("MSG olá", "ERR please_register_with_NICK"),
        ("MSG @joao olá", "ERR please_register_with_NICK"),
        ("WHO", "ERR please_register_with_NICK"),
        ("HELLO", "ERR unknown_command"),
        ("NICK", "ERR invalid_nick"),
        ("NICK joao", "ERR apelido_em_uso"),
    ] {
        guest.says(line);
        assert_eq!(guest.line(), error, "for {line:?}");
    }
    joao.says("MSG nobody else is here");
    joao.reads("FROM joao [all]: nobody else is here");
    guest.says("QUIT");
    guest.reads("BYE");
    guest.ends();
    joao.reads_nothing_more();
}

#[test]
fn lines_after_a_quit_are_ignored() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut ana = server.guest();
    ana.sends("NICK ana\nQUIT\nMSG a ghost\nNICK ghost\nWHO\n");
    ana.reads("OK welcome ana");
    ana.reads("BYE");
    ana.ends();
    joao.reads("User ana joined.");
    joao.reads("User ana left the chat.");
    joao.says("WHO");
    joao.reads("Connected users: joao");
}

#[test]
fn empty_lines_are_ignored() {
    let server = Server::start(&[]);
    let mut ana = server.guest();
    ana.sends("\n\r\n\n\nNICK ana\n\n\r\nWHO\n\n");
    ana.reads("OK welcome ana");
    ana.reads("Connected users: ana");
    ana.reads_nothing_more();
}

#[test]
fn a_line_of_4096_bytes_is_taken_and_one_byte_more_is_too_long() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for (length, end) in [(4095, "\n"), (4096, "\n"), (4096, "\r\n")] {
        let text = "x".repeat(length - "MSG ".len() - end.len());
        ana.sends(format!("MSG {text}{end}"));
        for peer in [&mut ana, &mut joao] {
            peer.reads(format!("FROM ana [all]: {text}"));
        }
    }
    for (length, end) in [(4097, "\n"), (4097, "\r\n"), (5000, "\n")] {
        let text = "x".repeat(length - "MSG ".len() - end.len());
        ana.sends(format!("MSG {text}{end}"));
        ana.reads("ERR line_too_long");
        ana.reads_nothing_more();
        joao.reads_nothing_more();
    }
    // The limit counts bytes, not characters.
    ana.says(format!("MSG {}", "é".repeat(2046)));
    ana.reads("ERR line_too_long");
    ana.says(format!("MSG {}", "é".repeat(2045)));
    joao.reads(format!("FROM ana [all]: {}", "é".repeat(2045)));
}

#[test]
fn line_of_a_mebibyte_is_refused_once() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for tail in ["MSG gotcha", "\rMSG gotcha", "\0MSG gotcha", "QUIT"] {
        ana.sends("x".repeat(1 << 20));
        ana.says(tail);
        ana.reads("ERR line_too_long");
        ana.reads_nothing_more();
    }
    joao.reads_nothing_more();
    ana.says("MSG short");
    joao.reads("FROM ana [all]: short");
}

#[test]
fn line_of_invalid_utf8_is_refused() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for (what, bytes) in [
        ("a lone continuation", &b"\x80"[..]),
        ("Latin-1", b"ol\xE1"),
        ("overlong", b"\xC0\xAF"),
        ("a surrogate", b"\xED\xA0\x80"),
        ("cut short", b"\xE6\x97"),
        ("beyond Unicode", b"\xF4\x90\x80\x80"),
        ("no such byte", b"\xFF\xFE"),
    ] {
        for command in ["MSG ", "MSG @joao ", "NICK ", ""] {
            ana.sends([command.as_bytes(), bytes, b"\n"].concat());
            assert_eq!(ana.line(), "ERR invalid_utf8", "{what}, after {command:?}");
        }
        joao.reads_nothing_more();
    }
    ana.says("MSG olá");
    joao.reads("FROM ana [all]: olá");
}

#[test]
fn harmful_characters_are_not_delivered() {
    let server = Server::start(&[]);
    let [mut ana, mut joao] = server.members(["ana", "joao"]);
    for (attack, typed, delivered) in [
        ("clears the screen", "a\x1b[2Jb", "a[2Jb"),
        ("clears it with one character", "a\u{9B}2Jb", "a2Jb"),
        ("writes the clipboard", "\x1b]52;c;aGk=\x07", "]52;c;aGk="),
        ("rings", "a\x07b", "ab"),
        ("ends a string early", "a\0b", "ab"),
        ("erases", "a\x08\x7Fb", "ab"),
        ("forges a line", "a\rFROM joao [all]: no", "aFROM joao [all]: no"),
        ("forges a line in Unicode", "a\u{85}b\u{2028}c\u{2029}d", "abcd"),
        ("turns text around", "a\u{202E}b\u{2066}c\u{2069}\u{200F}", "abc"),
        ("hides between letters", "a\u{200B}b\u{AD}c\u{2060}d\u{FEFF}", "abcd"),
        ("hides a message in tags", "a\u{E0041}\u{E007F}b", "ab"),
    ] {
        ana.says(format!("MSG {typed}"));
        ana.says(format!("MSG @joao {typed}"));
        let told = [ana.line(), joao.line(), joao.line()];
        let expected = ["all", "all", "dm"].map(|scope| format!("FROM ana [{scope}]: {delivered}"));
        assert_eq!(told, expected, "{attack}");
    }
}

#[test]
fn a_byte_order_mark_is_part_of_an_unknown_command() {
    let server = Server::start(&[]);
    let mut ana = server.guest();
    ana.says("\u{FEFF}NICK ana");
    ana.reads("ERR unknown_command");
    ana.says("NICK ana");
    ana.reads("OK welcome ana");
}

#[test]
fn browser_is_answered_with_one_error() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut browser = server.guest();
    browser.sends("GET /MSG%20hi HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
    browser.reads("ERR unknown_command");
    browser.ends();
    joao.reads_nothing_more();
}

#[test]
fn tls_hello_is_answered_with_an_error() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut client = server.guest();
    // The random bytes happen to hold one line feed.
    let hello = b"\x16\x03\x01\x00\xC8\x01\x00\x00\xC4\x03\x03\x9F\x0A\x80\xD1\xC0\x2B\xC0\x2F";
    client.sends(hello);
    client.reads("ERR unknown_command");
    client.ends();
    joao.reads_nothing_more();
}

#[test]
fn half_closed_client_still_reads_its_answers() {
    let server = Server::start(&[]);
    let mut joao = server.member("joao");
    let mut ana = server.guest();
    ana.sends("NICK ana\nMSG olá\nWHO\nMSG this is not a whole li");
    ana.stops_talking();
    ana.reads("OK welcome ana");
    ana.reads("FROM ana [all]: olá");
    ana.reads("Connected users: ana, joao");
    ana.ends();
    joao.reads("User ana joined.");
    joao.reads("FROM ana [all]: olá");
    joao.reads("User ana left the chat.");
    joao.reads_nothing_more();
}

#[test]
fn half_a_line_before_a_close_is_no_message() {
    let server = Server::start(&[]);
    let [mut joao, mut ana] = server.members(["joao", "ana"]);
    ana.sends("MSG olá\nMSG this is not a whole li");
    drop(ana);
    joao.reads("FROM ana [all]: olá");
    joao.reads("User ana left the chat.");
    joao.reads_nothing_more();
}
