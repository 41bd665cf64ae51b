//! The secret of a client by which the server knows it again.

use std::fmt;
use std::hint::black_box;

/// How many hexadecimal digits a ticket has.
const DIGITS: usize = 32;

/// 16 random bytes of one run of a client, told to the server alone.
///
/// A comparison takes the same time wherever two tickets differ.
#[derive(Clone, Copy)]
pub struct Ticket(u128);

impl Ticket {
    /// The ticket that holds these bytes. They must be random.
    pub fn new(random: [u8; 16]) -> Ticket {
        Ticket(u128::from_be_bytes(random))
    }

    /// Reads 32 hexadecimal digits in lower case.
    pub fn parse(digits: &str) -> Option<Ticket> {
        let are_digits = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let ticket = u128::from_str_radix(digits, 16).ok().map(Ticket);
        ticket.filter(|_| are_digits && digits.len() == DIGITS)
    }
}

impl PartialEq for Ticket {
    fn eq(&self, other: &Ticket) -> bool {
        black_box(self.0 ^ other.0) == 0
    }
}

impl Eq for Ticket {}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A secret is not for a log.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticket_is_32_digits_and_nothing_else() {
        let digits = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
        let ticket = Ticket::parse(digits).unwrap();
        assert_eq!(ticket.to_string(), digits);
        assert_eq!(
            ticket,
            Ticket::new(0x0F1E_2D3C_4B5A_6978_8796_A5B4_C3D2_E1F0_u128.to_be_bytes())
        );
        assert!(!format!("{ticket:?}").contains("0f1e"));
        for wrong in [
            "",
            &digits[1..],
            &format!("{digits}0"),
            &digits.to_uppercase(),
            &digits.replace('0', "+"),
            &digits.replace('0', "g"),
            &"é".repeat(16),
        ] {
            assert_eq!(Ticket::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tickets_that_differ_in_one_bit_differ() {
        let ticket = Ticket::new([0x5A; 16]);
        assert_eq!(ticket, Ticket::new([0x5A; 16]));
        for bit in 0..128 {
            assert_ne!(ticket, Ticket(ticket.0 ^ 1 << bit), "bit {bit}");
        }
    }
}
