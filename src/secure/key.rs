//! The key of a server, and what people and programs compare instead of it.

use std::fmt;

use super::noise;
use super::{from_hex, to_hex};

/// The public part of a server's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// The key of a server.
#[derive(Clone)]
pub struct Key {
    private: [u8; 32],
    /// The part of it that others may know.
    pub public: PublicKey,
}

impl Key {
    /// Makes a new key.
    ///
    /// # Panics
    /// If the system has no random numbers: no key is better than a known one.
    pub fn generate() -> Key {
        Key::of(noise::private_key())
    }

    /// Reads a key as [`to_text`](Key::to_text) writes it.
    pub fn parse(text: &str) -> Option<Key> {
        from_hex(text)?.try_into().ok().map(Key::of)
    }

    /// Writes the key for a file: 64 hexadecimal digits.
    pub fn to_text(&self) -> String {
        to_hex(&self.private)
    }

    /// The secret part, for the handshake.
    pub(super) fn private(&self) -> &[u8; 32] {
        &self.private
    }

    fn of(private: [u8; 32]) -> Key {
        Key { private, public: PublicKey(noise::public_key(&private)) }
    }
}

/// A private key is never printed, not even by mistake.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.public).finish()
    }
}

impl PublicKey {
    /// Identifies the key: the first 16 bytes of a hash.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = noise::hash(&[b"minichat key 1", &self.0]);
        Fingerprint(*hash.first_chunk().expect("16 bytes of 32"))
    }

    /// Writes the key for a file: 64 hexadecimal digits.
    pub fn to_text(&self) -> String {
        to_hex(&self.0)
    }

    /// Reads a key as [`to_text`](PublicKey::to_text) writes it.
    pub fn parse(text: &str) -> Option<PublicKey> {
        from_hex(text)?.try_into().ok().map(PublicKey)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// The bytes that identify a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// Reads 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        from_hex(text)?.try_into().ok().map(Fingerprint)
    }

    /// Writes it as 32 hexadecimal digits, for programs.
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }
}

/// Five groups of five digits, for people to compare: 83 bits.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = u128::from_be_bytes(self.0);
        for group in 0..5 {
            let blank = if group > 0 { " " } else { "" };
            write!(f, "{blank}{:05}", number % 100_000)?;
            number /= 100_000;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_survives_its_file() {
        let key = Key::generate();
        let again = Key::parse(&key.to_text()).unwrap();
        assert_eq!((again.public, again.to_text()), (key.public, key.to_text()));
        assert_eq!(PublicKey::parse(&key.public.to_text()), Some(key.public));
        assert!(Key::parse(&key.to_text()[1..]).is_none());
        assert!(Key::parse(&key.to_text().to_uppercase()).is_none());
        assert!(!format!("{key:?}").contains(&key.to_text()));
    }

    #[test]
    fn fingerprint_is_the_same_in_every_version() {
        // X25519 with this private key gives the public key of RFC 7748, section 6.1.
        let private = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        let key = Key::parse(private).unwrap();
        let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        assert_eq!(key.public.to_text(), public);
        let print = key.public.fingerprint();
        assert_eq!(Fingerprint::parse(&print.to_hex()), Some(print));
        let groups = print.to_string();
        assert_eq!(groups.len(), 29);
        assert!(groups.split(' ').all(|group| group.len() == 5 && group.parse::<u32>().is_ok()));
    }

    #[test]
    fn small_fingerprint_has_all_its_digits() {
        let mut bytes = [0; 16];
        bytes[15] = 7;
        assert_eq!(Fingerprint(bytes).to_string(), "00007 00000 00000 00000 00000");
    }
}
