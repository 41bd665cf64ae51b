/// Cuts a text into pieces of at most `most` bytes, between words unless that
/// would waste half of it. No word is lost; blanks are, at the cuts.
pub fn pieces(text: &str, most: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > most {
        let end = rest.floor_char_boundary(most);
        let blank = rest[..end].rfind(' ').map(|blank| blank + 1);
        let cut = blank.filter(|&cut| cut > most / 2).unwrap_or(end);
        pieces.push(rest[..cut].trim_end().to_string());
        rest = &rest[cut..];
    }
    pieces.push(rest.to_string());
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_words_unless_a_word_is_endless() {
        for (text, expected) in [
            ("", &[][..]),
            ("olá", &["olá"]),
            ("one two three", &["one two", "three"]),
            ("one       two", &["one", "two"]),
            ("endlesslylong", &["endlesslyl", "ong"]),
            ("a endlesslylong", &["a endlessl", "ylong"]),
            ("ééééééé", &["ééééé", "éé"]),
        ] {
            assert_eq!(pieces(text, 10), expected, "{text:?}");
        }
    }
}
