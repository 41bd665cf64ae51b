use super::*;
use crate::terminal::completion::{Argument, Command};
use crate::terminal::keys::Decoder;
use crate::texts::ENGLISH;

fn line() -> Line {
    let commands = vec![Command { word: "/who", arguments: "", first: Argument::Text }];
    let mut words = Words::new(commands, true);
    words.nicks = vec!["bia".into(), "caio".into()];
    let mut line = Line::new(words, true, &ENGLISH.terminal);
    line.set_prompt(prompt("ana> "));
    line
}

fn prompt(text: &str) -> Prompt {
    Prompt { text: text.into(), ..Prompt::default() }
}

/// Types in one read.
fn types(line: &mut Line, bytes: &str) -> Vec<Deed> {
    let inputs = Decoder::default().decode(bytes.as_bytes());
    line.take(&inputs, Burst::default()).0
}

fn entered(text: &str, pasted: bool) -> Deed {
    Deed::Enter { text: text.into(), pasted }
}

/// The rows that are seen, joined.
fn seen(line: &mut Line) -> String {
    let view = line.view(Size { columns: 200, rows: 24 });
    let rows: Vec<String> =
        view.rows.iter().map(|row| row.iter().map(|piece| piece.text.as_str()).collect()).collect();
    rows.join("/")
}

#[track_caller]
fn check(line: &mut Line, bytes: &str, expected: &str) {
    types(line, bytes);
    assert_eq!(seen(line), expected, "{:?}", bytes);
}

#[test]
fn keys_of_emacs_edit_the_draft() {
    let mut line = line();
    check(&mut line, "oi mundo\x17novo", "ana> oi novo");
    check(&mut line, "\x01\x1bf\x0b", "ana> oi");
    check(&mut line, "\x19!", "ana> oi novo!");
    check(&mut line, "\x1f\x1f", "ana> oi");
    check(&mut line, "\x15", "ana> ");
    check(&mut line, "ab\x02\x02c\x06d\x05e", "ana> cadbe");
    check(&mut line, "\x1b[D\x14", "ana> cadeb");
    check(&mut line, "\x1b\x7f", "ana> ");
    check(&mut line, "oi mundo\x1bt", "ana> mundo oi");
    check(&mut line, "\x18\x15", "ana> oi mundo");
    check(&mut line, "\x18\x7f", "ana> ");
    check(&mut line, "a\x16\t!", "ana> a   !");
    check(&mut line, "\x15\x18x\x16y", "ana> xy");
}

#[test]
fn ends_of_the_history_are_one_key_away() {
    let mut line = line();
    types(&mut line, "one\rtwo\rthree\r");
    check(&mut line, "draft\x1b<", "ana> one");
    check(&mut line, "\x1b>", "ana> draft");
    check(&mut line, "\x1b[5~", "ana> one");
    check(&mut line, "\x1b[6~", "ana> draft");
}

#[test]
fn number_repeats_a_key_and_holds_up_nothing() {
    let mut line = line();
    check(&mut line, "\x1b1\x1b2", "(arg: 12) ");
    check(&mut line, "x", &format!("ana> {}", "x".repeat(12)));
    check(&mut line, "\x1b9\x7f", "ana> xxx");
}

#[test]
fn enter_hands_over_typed_and_pasted_text() {
    let mut line = line();
    assert_eq!(types(&mut line, "oi\r"), [entered("oi", false)]);
    assert_eq!(types(&mut line, "  \r\r"), []);
    assert_eq!(types(&mut line, "\x1b[200~// a\x1b[201~\r"), [entered("// a", true)]);
    assert_eq!(types(&mut line, "/me \x1b[200~a\nb\x1b[201~\r"), [entered("/me a\nb", false)]);
    // A line that was pasted is one when it is recalled, too.
    assert_eq!(types(&mut line, "\x1b[A\x1b[A\x1b[A\r"), [entered("// a", true)]);
}

#[test]
fn paste_without_marks_is_text_and_completes_nothing() {
    let expected = ["def f(b):", "\tif b:", "", "\t\treturn 1", "b\t= 2"];
    for end in ["\r\n", "\r", "\n"] {
        let mut line = line();
        let deeds = types(&mut line, &(expected.join(end) + end));
        assert_eq!(deeds, expected.map(|text| entered(text, true)), "{end:?}");
    }
    let mut line = line();
    assert_eq!(types(&mut line, "@a\r\n/quit\r\n"), [entered("@a", true), entered("/quit", true)]);
    assert_eq!(types(&mut line, "\tb: c\r"), [entered("\tb: c", false)]);
}

#[test]
fn lines_typed_ahead_are_commands() {
    let deeds = types(&mut line(), "oi\r/who\r\x03\x1a");
    let expected = [entered("oi", false), entered("/who", false), Deed::Interrupt, Deed::Suspend];
    assert_eq!(deeds, expected);
}

#[test]
fn tab_completes_and_grey_is_taken_over() {
    let mut line = line();
    check(&mut line, "\t", "ana> bia: ");
    check(&mut line, "\t", "ana> caio: ");
    check(&mut line, "\x1b[Z", "ana> bia: ");
    check(&mut line, "\x15/w", "ana> /who");
    check(&mut line, "\x05!", "ana> /who!");
    check(&mut line, "\x15\x1b[200~/w\x1b[201~", "ana> /w");
}

#[test]
fn ctrl_c_clears_and_leaves_the_waiting_draft_alone() {
    let mut line = line();
    types(&mut line, "one\r");
    check(&mut line, "draft\x1b[A\x03", "ana> ");
    check(&mut line, "\x1b[B", "ana> draft");
    assert_eq!(types(&mut line, "\x03\x03\x04"), [Deed::Interrupt, Deed::End]);
    assert_eq!(types(&mut line, "x\x04"), []);
}

#[test]
fn history_is_searched_backwards_and_forwards() {
    let mut line = line();
    for text in ["one", "two", "three"] {
        types(&mut line, &format!("{text}\r"));
    }
    check(&mut line, "draft\x12", "(search) : ");
    check(&mut line, "o", "(search) o: two");
    check(&mut line, "\x12", "(search) o: one");
    check(&mut line, "\x12", "(search: nothing) o: one");
    check(&mut line, "\x13", "(search) o: two");
    check(&mut line, "\x07", "ana> draft");
    assert_eq!(types(&mut line, "\x12th\r"), [entered("three", false)]);
    check(&mut line, "\x1b[B", "ana> draft");
    check(&mut line, "\x12tw\x05!", "ana> two!");
    check(&mut line, "\x12\x03", "ana> two!");
}

#[test]
fn question_has_an_answer_and_what_was_typed_waits_for_it() {
    let mut line = line();
    types(&mut line, "draft");
    let question =
        Prompt { text: "Nick: ".into(), draft: "ana2".into(), question: true, hidden: false };
    line.set_prompt(question.clone());
    assert_eq!(seen(&mut line), "Nick: ana2");
    check(&mut line, "\t\x1b[A", "Nick: ana2");
    let inputs = Decoder::default().decode(b"!\roi\r");
    let (deeds, taken) = line.take(&inputs, Burst::default());
    assert_eq!(deeds, [Deed::Answer { prompt: question, text: "ana2!".into() }]);
    assert_eq!((taken, line.is_open()), (2, false));
    assert_eq!(line.view(Size { columns: 80, rows: 24 }), View::default());
    line.set_prompt(prompt("ana2> "));
    assert_eq!(seen(&mut line), "ana2> draft");
}

#[test]
fn prompt_changes_at_once_and_the_draft_stays() {
    let mut line = line();
    types(&mut line, "draft");
    line.set_prompt(prompt("bia> "));
    assert_eq!(seen(&mut line), "bia> draft");
}

#[test]
fn arrows_go_through_the_lines_of_a_paste_first() {
    let mut line = line();
    types(&mut line, "old\r");
    check(&mut line, "\x1b[200~a\nb\x1b[201~\x1b[A!", "ana> a!/b");
    check(&mut line, "\x1b[A", "ana> old");
    check(&mut line, "\x1b[B", "ana> a!/b");
}
