use super::{Operator, Texts};

/// English.
pub static ENGLISH: Texts = Texts {
    operator: Operator {
        unknown: |word| format!("no command {word}: see /help; to say it to all: /say {word}"),
    },
};
