use super::*;

fn key(key: Key) -> Input {
    Input::Key(key)
}

fn typed(text: &str) -> Vec<Input> {
    text.chars().map(|c| key(Key::plain(Code::Char(c)))).collect()
}

/// Checks what some bytes are, however they are cut.
#[track_caller]
fn check(bytes: &[u8], expected: &[Input]) {
    assert_eq!(Decoder::default().decode(bytes), expected, "{:?}", bytes.escape_ascii());
    let mut decoder = Decoder::default();
    let cut: Vec<Input> = bytes.iter().flat_map(|&byte| decoder.decode(&[byte])).collect();
    assert_eq!(cut, expected, "{:?}, byte by byte", bytes.escape_ascii());
    assert_eq!(decoder.waits(), None, "{:?} is whole", bytes.escape_ascii());
}

#[test]
fn text_is_characters() {
    check("olá 日👍🏽".as_bytes(), &typed("olá 日👍🏽"));
}

#[test]
fn controls_are_keys() {
    for (byte, code) in
        [(b'\r', Code::Enter), (b'\t', Code::Tab), (0x7f, Code::Backspace), (8, Code::Backspace)]
    {
        check(&[byte], &[key(Key::plain(code))]);
    }
    for (byte, letter) in [(1, 'a'), (3, 'c'), (0x1a, 'z'), (0x1c, '\\'), (0x1f, '_')] {
        check(&[byte], &[key(Key::ctrl(letter))]);
    }
}

#[test]
fn sequences_of_all_terminals_are_keys() {
    for (bytes, code) in [
        (&b"\x1b[A"[..], Code::Up),
        (b"\x1bOB", Code::Down),
        (b"\x1b[C", Code::Right),
        (b"\x1bOD", Code::Left),
        (b"\x1b[H", Code::Home),
        (b"\x1b[1~", Code::Home),
        (b"\x1b[7~", Code::Home),
        (b"\x1bOF", Code::End),
        (b"\x1b[8~", Code::End),
        (b"\x1b[3~", Code::Delete),
        (b"\x1b[27u", Code::Escape),
        (b"\x1b[13u", Code::Enter),
        (b"\x1bOM", Code::Enter),
        (b"\x1b[5~", Code::PageUp),
        (b"\x1b[6~", Code::PageDown),
    ] {
        check(bytes, &[key(Key::plain(code))]);
    }
    check(b"\x1b[Z", &[key(Key { shift: true, ..Key::plain(Code::Tab) })]);
    check(b"\x1b[1;5C", &[key(Key { ctrl: true, ..Key::plain(Code::Right) })]);
    check(b"\x1b[1;3D", &[key(Key { alt: true, ..Key::plain(Code::Left) })]);
    // Num Lock counts for nothing.
    check(b"\x1b[1;133C", &[key(Key { ctrl: true, ..Key::plain(Code::Right) })]);
}

#[test]
fn alt_makes_a_key_of_every_character() {
    let alt = |code| key(Key { alt: true, ..Key::plain(code) });
    check(b"\x1bb", &[alt(Code::Char('b'))]);
    check("\x1bé".as_bytes(), &[alt(Code::Char('é'))]);
    check(b"\x1b\x7f", &[alt(Code::Backspace)]);
    check(b"\x1b\r", &[alt(Code::Enter)]);
    check(b"\x1b\x1b[A", &[key(Key::plain(Code::Up))]);
}

#[test]
fn numbered_keys_are_the_same_keys() {
    for bytes in [&b"\x1b[99;5u"[..], b"\x1b[27;5;99~", b"\x1b[1089::99;5u", b"\x1b[99;5:1u"] {
        check(bytes, &[key(Key::ctrl('c'))]);
    }
    check(b"\x1b[100;5u", &[key(Key::ctrl('d'))]);
    check(b"\x1b[98;3u", &[key(Key { alt: true, ..Key::plain(Code::Char('b')) })]);
    check(b"\x1b[105;5u", &[key(Key::ctrl('i'))]);
    // A key that is released, or pressed with a modifier that makes another key of it.
    for bytes in [
        &b"\x1b[99;5:3u"[..],
        b"\x1b[27;1:3u",
        b"\x1b[27;2;13~",
        b"\x1b[13;2u",
        b"\x1b[57441;2u",
        b"\x1b[1;1:3A",
        b"\x1b[97;9u",
    ] {
        check(bytes, &[]);
    }
}

#[test]
fn numbered_keys_with_shift_are_characters() {
    for (bytes, text) in [
        (&b"\x1b[97u"[..], "a"),
        (b"\x1b[97;2u", "A"),
        (b"\x1b[97:65;2u", "A"),
        (b"\x1b[49:33;2u", "!"),
        (b"\x1b[49;2;33u", "!"),
        (b"\x1b[27;2;32~", " "),
        // The text is that of the keyboard, not of a Latin one.
        (b"\x1b[1089::99u", "\u{441}"),
        (b"\x1b[65313u", "\u{ff21}"),
        // Shift and a key of an unknown keyboard, or a number that is too large.
        (b"\x1b[49;2u", ""),
        (b"\x1b[128077u", ""),
        (b"\x1b[97;6u", ""),
    ] {
        check(bytes, &typed(text));
    }
    check(b"\x1b[9;2u", &[key(Key { shift: true, ..Key::plain(Code::Tab) })]);
    check(b"\x1b[127;2u", &[key(Key::plain(Code::Backspace))]);
    check(b"\x1b[127;5u", &[key(Key { ctrl: true, ..Key::plain(Code::Backspace) })]);
}

#[test]
fn keypad_types_in_each_of_its_modes() {
    check(b"\x1bOp\x1bOy\x1bOn\x1bOj\x1bOo\x1bOX\x1bOk\x1bOm", &typed("09.*/=+-"));
}

#[test]
fn reports_are_dropped_as_a_whole() {
    for report in [
        &b"\x1b[<35;41;20M"[..],
        b"\x1b[<0;1;1m",
        b"\x1b[M !!",
        b"\x1b[M\xff\xff\xff",
        b"\x1b[32;10;10M",
        b"\x1b[?62;4;22c",
        b"\x1b[>41;388;0c",
        b"\x1b[?2026;2$y",
        b"\x1b[?997;1n",
        b"\x1b[12;40R",
        b"\x1b[48;24;80;0;0t",
        b"\x1b[[A",
        b"\x1b[15~",
        b"\x1bOP",
        b"\x1bO5P",
        b"\x1b]11;rgb:0000/0000/0000\x07",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1bP>|xterm(388)\x1b\\",
        b"\x1bP1$r0m\x1b\\",
        b"\x1b_Gi=1;OK\x1b\\",
        b"\x1b[1:2;3?x",
    ] {
        let bytes = [report, b"Z"].concat();
        check(&bytes, &typed("Z"));
    }
}

#[test]
fn focus_is_reported() {
    check(b"\x1b[O", &[Input::Focus(false)]);
    check(b"\x1b[I", &[Input::Focus(true)]);
}

#[test]
fn paste_is_a_text_with_plain_line_ends() {
    let paste = |text: &str| [Input::Paste(text.into())];
    check(b"\x1b[200~a\tb\rc\r\nd\ne\x1b[201~", &paste("a\tb\nc\nd\ne"));
    check(
        "\x1b[200~a\x0bb\x0cc\u{85}d\u{2028}e\u{2029}f\x1b[201~".as_bytes(),
        &paste("a\nb\nc\nd\ne\nf"),
    );
    check(b"\x1b[200~\x1b[31mred\x1b[0m\x07\x1b[201\x1b[201~", &paste("[31mred[0m[201"));
    check(b"\x1b[200~\x1b[200~a\x1b[201~", &paste("[200~a"));
    check(b"\x1b[200~\x1b[201~", &paste(""));
}

#[test]
fn paste_without_an_end_is_ended_by_ctrl_c_or_by_silence() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.decode(b"\x1b[200~abc"), []);
    assert_eq!(decoder.waits(), Some(SILENCE));
    assert_eq!(decoder.decode(b"\x03"), [Input::Paste("abc".into()), key(Key::ctrl('c'))]);
    assert_eq!(decoder.decode(b"x"), typed("x"));

    assert_eq!(decoder.decode(b"\x1b[200~abc\x1b[20"), []);
    assert_eq!(decoder.time_passed(), [Input::Paste("abc[20".into())]);
    assert_eq!(decoder.decode(b"x"), typed("x"));
    assert_eq!(
        decoder.decode(b"\x1b[200~abc\x03x"),
        [Input::Paste("abc".into()), key(Key::ctrl('c')), typed("x").remove(0)]
    );
    // In front of the mark, it is a character as any other.
    assert_eq!(decoder.decode(b"\x1b[200~a\x03b\x1b[201~"), [Input::Paste("ab".into())]);
}

#[test]
fn sequence_that_does_not_go_on_is_a_key_or_nothing() {
    let alt = |c| key(Key { alt: true, ..Key::plain(Code::Char(c)) });
    for (bytes, expected) in [
        (&b"\x1b"[..], vec![key(Key::plain(Code::Escape))]),
        (b"\x1b[", vec![alt('[')]),
        (b"\x1bO", vec![alt('O')]),
        (b"\x1b]", vec![alt(']')]),
        (b"\x1bP", vec![alt('P')]),
        (b"\x1b[1;", vec![]),
        (b"\x1b]0;title", vec![]),
        (b"\x1bPq#0", vec![]),
        (b"\x1b[M !", vec![]),
    ] {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(bytes), []);
        assert!(decoder.waits().is_some(), "{:?}", bytes.escape_ascii());
        assert_eq!(decoder.time_passed(), expected, "{:?}", bytes.escape_ascii());
        assert_eq!(decoder.decode(b"x"), typed("x"));
        assert_eq!(decoder.waits(), None);
    }
}

#[test]
fn bytes_that_are_no_text_are_named_so() {
    for bytes in [&b"\xff"[..], b"\x85", b"a\xc3b", b"\x1b[200~\xff\x1b[201~"] {
        let inputs = Decoder::default().decode(bytes);
        assert!(inputs.contains(&Input::Garbled), "{:?}: {inputs:?}", bytes.escape_ascii());
    }
    check("\u{fffd}".as_bytes(), &typed("\u{fffd}"));
}

#[test]
fn reports_and_pastes_without_end_need_little_memory() {
    let mut decoder = Decoder::default();
    decoder.decode(b"\x1b]");
    let inputs = decoder.decode(&[b'x'; 2 * MAX_REPORT]);
    assert!(inputs.len() <= MAX_REPORT);
    decoder.decode(b"\x1b[200~");
    for _ in 0..2 * (MAX_PASTE >> 20) {
        decoder.decode(&[b'x'; 1 << 20]);
    }
    let end = decoder.decode(b"\x1b[201~");
    assert!(
        matches!(&end[..], [Input::Paste(text)] if text.len() <= MAX_PASTE && text.len() > 1 << 20)
    );
}

#[test]
fn nothing_makes_the_decoder_panic() {
    let mut dice = fastrand::Rng::with_seed(5);
    let alphabet = b"\x1b\x1b[[]OPM?<;:0123459~uAZ\x07\\\r\n\t\x03\x7f\xc3\xa9\xf0\x9f x";
    for _ in 0..5000 {
        let (mut decoder, mut sent) = (Decoder::default(), Vec::new());
        for _ in 0..4 {
            let bytes: Vec<u8> =
                (0..dice.usize(0..20)).map(|_| alphabet[dice.usize(..alphabet.len())]).collect();
            decoder.decode(&bytes);
            sent.push(bytes);
            if dice.bool() && decoder.waits().is_some() {
                decoder.time_passed();
            }
        }
        while decoder.waits().is_some() {
            decoder.time_passed();
        }
        // A character that was cut garbles the next one, and nothing else.
        let inputs = decoder.decode(b"x");
        assert!(inputs.ends_with(&typed("x")), "{inputs:?} {sent:?}");
    }
}
