//! An encrypted channel between two programs: what is exchanged, without sockets.
//!
//! [`handshake`] has the two lines that begin a channel, [`channel`] the records that
//! follow, [`key`] what identifies a server, and [`password`] how both sides prove in a channel
//! that they know a password.

pub mod channel;
pub mod handshake;
pub mod key;
mod noise;
pub mod password;

pub use channel::{Channel, Received};
pub use handshake::{Hello, Identity, answer};
pub use key::{Fingerprint, Key, PublicKey};
pub use noise::random;
pub use password::Password;

/// Writes bytes as hexadecimal digits, in lower case.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A name for a machine that does not tell its number.
pub fn machine_name(number: &str) -> String {
    to_hex(&noise::hash(&[b"minichat machine 1", number.as_bytes()])[..16])
}

/// Reads hexadecimal digits in lower case, so that each value has one way to be written.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_have_one_way_to_be_written() {
        assert_eq!(to_hex(&[0, 0x0F, 0xA0, 0xFF]), "000fa0ff");
        assert_eq!(from_hex("000fa0ff"), Some(vec![0, 0x0F, 0xA0, 0xFF]));
        assert_eq!(from_hex(""), Some(Vec::new()));
        for wrong in ["0", "0F", "0g", " 0", "+1", "é", "00 0"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
