use std::collections::BTreeSet;

use super::*;

/// The strings between quotes in a source.
fn literals(source: &str) -> Vec<String> {
    let (mut literals, mut rest) = (Vec::new(), source);
    while let Some(start) = rest.find('"') {
        let (mut literal, mut chars) = (String::new(), rest[start + 1..].char_indices());
        let end = loop {
            let (at, c) = chars.next().expect("a literal ends");
            match c {
                '"' => break at,
                '\\' => match chars.next().expect("something is escaped").1 {
                    'n' => literal.push('\n'),
                    // The rest of the literal stands in the next line.
                    '\n' => {
                        let blanks = chars.as_str().chars().take_while(|&c| c == ' ').count();
                        (0..blanks).for_each(|_| _ = chars.next());
                    }
                    c => literal.push(c),
                },
                c => literal.push(c),
            }
        };
        literals.push(literal);
        rest = &rest[start + 1 + end + 1..];
    }
    literals
}

#[test]
fn no_word_of_a_text_is_cut_at_the_usual_widths() {
    for source in [include_str!("english.rs"), include_str!("portuguese.rs")] {
        let literals = literals(source);
        assert!(literals.len() > 200 && literals.iter().any(|text| text.contains("Ctrl-C")));
        for text in literals {
            for columns in [80, 60, 40, 20] {
                let rows = wrap::wrap(&text, columns).into_owned();
                let words = |text: &str| -> Vec<String> {
                    text.split_whitespace().map(String::from).collect()
                };
                let room = columns - 4;
                if words(&text).iter().all(|word| word.chars().count() <= room) {
                    assert_eq!(words(&rows), words(&text), "at {columns}");
                } else {
                    assert!(columns < 40, "{text:?} has a long word");
                }
            }
        }
    }
}

#[test]
fn locale_chooses_portuguese_or_english() {
    for locale in ["pt", "pt_BR.UTF-8", "pt-PT", "pt_BR@euro", "PT_br"] {
        assert!(std::ptr::eq(of(locale), &PORTUGUESE), "{locale}");
    }
    for locale in ["", "C", "C.UTF-8", "POSIX", "en_US.UTF-8", "ptolemaic", "de_DE"] {
        assert!(std::ptr::eq(of(locale), &ENGLISH), "{locale}");
    }
}

/// The texts that count something, each for a number of it.
fn counted(texts: &Texts, count: usize) -> Vec<(&'static str, String)> {
    let (client, server) = (&texts.client, &texts.server);
    let (days, bytes) = (count as u32, count as u64);
    vec![
        ("behind", (server.behind)(bytes)),
        ("here", (client.here)("ana", count)),
        ("history", (client.history)(count)),
        ("in_pieces", (client.in_pieces)(count)),
        ("in_the_clear", (client.in_the_clear)("ana", count)),
        ("joined", (client.joined)("ana", count)),
        ("left", (client.left)("ana", count)),
        ("left_out", (server.left_out)("FILE", count)),
        ("lines", (texts.terminal.lines)(count)),
        ("lost", (server.lost)(bytes)),
        ("more", (client.more)(count)),
        ("more_cut", (server.more_cut)(count)),
        ("no_choice", (client.no_choice)("x", count)),
        ("others", (client.others)(count, false)),
        ("past", (client.past)(count, "14:02")),
        ("past_cut", (client.past_cut)(count, "900")),
        ("people", (client.people)(count as u32)),
        ("recorded", (client.recorded)(Some(days))),
        ("one_room", (server.one_room)(count, count)),
        ("recording", (server.recording)("DIR", days)),
        ("remembered", (client.remembered)(count, "14:02")),
        ("elsewhere", (texts.operator.elsewhere)(count)),
        ("said", (texts.operator.said)(count)),
        ("several", (server.several)("+", "ana", count)),
        ("stalled", (server.stalled)(bytes)),
        ("stopped", (server.stopped)(count)),
        ("unheard_more", (client.unheard_more)(count)),
        ("users", (client.users)(count, "ana")),
    ]
}

/// The numbers in these are no counts that may be 1: ports, versions, dates, limits, times.
const NO_COUNTS: [&str; 18] = [
    "engine_version",
    "other_version",
    "date",
    "incompatible",
    "long_motd",
    "name_cut",
    "no_number",
    "no_page",
    "no_port",
    "no_time",
    "not_found",
    "not_scanned",
    "number",
    "page_moved",
    "password_long",
    "password_short",
    "silent",
    "unanswered",
];

/// These say the same of one as of several: "and 1 more", "here (1): ana".
const SAME_FOR_ONE: [&str; 7] =
    ["elsewhere", "here", "history", "in_pieces", "more", "several", "users"];

#[test]
fn texts_that_count_have_a_form_for_one() {
    let sources = [include_str!("../texts.rs"), include_str!("encryption.rs")];
    let has_number = |line: &&str| {
        ["usize", "u16", "u32", "u64", "f64"].map(|ty| line.contains(ty)).contains(&true)
    };
    let fields = sources.iter().flat_map(|source| source.lines());
    let fields = fields.filter(|line| line.contains(": fn(")).filter(has_number);
    let names = fields.filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
    let names: BTreeSet<&str> = names.map(|(name, _)| name).collect();
    for texts in [&ENGLISH, &PORTUGUESE] {
        let (one, seven) = (counted(texts, 1), counted(texts, 7));
        let known = one.iter().map(|(name, _)| *name).chain(NO_COUNTS);
        assert_eq!(known.collect::<BTreeSet<_>>(), names, "each text with a number is in a list");
        for ((name, one), (_, seven)) in one.into_iter().zip(seven) {
            let (plural, is_same) = (seven.replace('7', "1"), SAME_FOR_ONE.contains(&name));
            // English verbs in the past have one form.
            let is_same = is_same
                || texts.client.language == Language::English && ["joined", "left"].contains(&name)
                || texts.client.language == Language::Portuguese && name == "in_the_clear";
            assert_eq!(one == plural, is_same, "{one}");
        }
    }
}
