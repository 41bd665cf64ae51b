use super::{Operator, Texts};

/// Portuguese, as in Brazil.
pub static PORTUGUESE: Texts = Texts {
    operator: Operator {
        unknown: |word| {
            format!("não há comando {word}: veja /help; para dizê-lo a todos: /say {word}")
        },
    },
};
