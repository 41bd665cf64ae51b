//! The line behind a list of nicks that the server has cut: how many others there are.

use std::fmt;

/// Says how many members a list leaves out: `and 93,000 others`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Others {
    /// How many they are.
    pub count: usize,
    /// The list was of members in the clear.
    pub in_the_clear: bool,
}

impl Others {
    /// Reads what the server says.
    pub fn parse(text: &str) -> Option<Others> {
        let rest = text.strip_prefix("and ")?;
        let (rest, in_the_clear) = match rest.strip_suffix(" in the clear") {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let count = rest.strip_suffix(" others").or_else(|| rest.strip_suffix(" other"))?;
        let others = Others { count: count.replace(',', "").parse().ok()?, in_the_clear };
        (others.to_string() == text).then_some(others)
    }
}

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.count.to_string();
        f.write_str("and ")?;
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        f.write_str(if self.count == 1 { " other" } else { " others" })?;
        f.write_str(if self.in_the_clear { " in the clear" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_read_as_they_are_written() {
        for (count, in_the_clear, text) in [
            (1, false, "and 1 other"),
            (999, false, "and 999 others"),
            (93_000, false, "and 93,000 others"),
            (1_234_567, true, "and 1,234,567 others in the clear"),
            (1, true, "and 1 other in the clear"),
        ] {
            let others = Others { count, in_the_clear };
            assert_eq!((others.to_string().as_str(), Others::parse(text)), (text, Some(others)));
        }
        for text in
            ["and 1 others", "and 93000 others", "and others", "and x other", "2 others", ""]
        {
            assert_eq!(Others::parse(text), None, "{text:?}");
        }
    }
}
