//! Guesses the meaning of a word that is none of the known ones. Pure.

/// Words that differ in so many letters may be the same with a slip of the keys.
const SLIPS: usize = 2;

/// Why a word is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// None begins like that; perhaps this one was meant.
    Unknown(Option<&'static str>),
    /// Several do.
    Ambiguous(Vec<&'static str>),
}

/// The one command that is this word, or else begins with it.
///
/// # Errors
/// [`Unclear`] if there is none, or more than one.
pub fn command(
    word: &str,
    known: impl IntoIterator<Item = &'static str> + Clone,
) -> Result<&'static str, Unclear> {
    let all = || known.clone().into_iter();
    if let Some(exact) = all().find(|known| *known == word) {
        return Ok(exact);
    }
    let begun: Vec<&str> = all().filter(|known| known.starts_with(word)).collect();
    match begun[..] {
        [only] => Ok(only),
        [] => {
            // The slash is never wrong.
            let bare = word.to_lowercase();
            let bare = bare.strip_prefix('/').unwrap_or(&bare);
            let key =
                |known: &&'static str| -> &'static str { known.strip_prefix('/').unwrap_or(known) };
            Err(Unclear::Unknown(nearest(bare, all(), |known| key(known))))
        }
        _ => Err(Unclear::Ambiguous(begun)),
    }
}

/// Which of these was probably meant by `word`, if any comes close. What is typed
/// may be of any length: what is too long or too short is not compared.
pub fn nearest<T>(
    word: &str,
    of: impl IntoIterator<Item = T>,
    key: impl for<'a> Fn(&'a T) -> &'a str,
) -> Option<T> {
    let length = word.chars().count();
    // Of a short word, little would be left to guess from.
    let most = SLIPS.min(length / 2);
    let slips = |one: T| {
        let near = key(&one).chars().count().abs_diff(length) <= most;
        near.then(|| (strsim::damerau_levenshtein(word, key(&one)), one))
    };
    let (slips, one) = of.into_iter().filter_map(slips).min_by_key(|(slips, _)| *slips)?;
    (slips <= most).then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["/quiet", "/quit", "/who", "/r"];

    #[test]
    fn unique_beginning_of_a_command_is_enough() {
        assert_eq!(command("/w", KNOWN), Ok("/who"));
        assert_eq!(command("/r", KNOWN), Ok("/r"));
        assert_eq!(command("/qui", KNOWN), Err(Unclear::Ambiguous(vec!["/quiet", "/quit"])));
        assert_eq!(command("/hwo", KNOWN), Err(Unclear::Unknown(Some("/who"))));
        assert_eq!(command("/WHO", KNOWN), Err(Unclear::Unknown(Some("/who"))));
        assert_eq!(command("/dance", KNOWN), Err(Unclear::Unknown(None)));
    }

    #[test]
    fn two_slips_are_forgiven_and_short_words_fewer() {
        let nearest = |word: &str| nearest(word, ["joao", "maria", "x"], |known| known);
        assert_eq!(nearest("joaao"), Some("joao"));
        assert_eq!(nearest("mraia"), Some("maria"));
        assert_eq!(nearest("amaryia"), Some("maria"));
        for other in ["", "y", "jo", "ana", &"joao".repeat(1000)] {
            assert_eq!(nearest(other), None, "{other:.10}");
        }
    }
}
