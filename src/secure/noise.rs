//! The library for Noise, with what it needs from us: a cipher that keeps its key ready,
//! and a check of the shared secrets.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error};

/// The length of the seal of a record, in bytes.
pub const TAG: usize = 16;

/// Only the server has a key that outlives the connection.
const PATTERN: &str = "Noise_NX_25519_AESGCM_SHA256";
/// Both sides must agree on this before the first message.
const PROLOGUE: &[u8] = b"minichat secure 1";

/// Begins a handshake.
pub fn builder<'a>() -> Builder<'a> {
    let pattern = PATTERN.parse().expect("the pattern is one");
    let builder = Builder::with_resolver(pattern, Box::new(Resolver));
    builder.prologue(PROLOGUE).expect("it is set once")
}

/// Makes a private key of random numbers.
pub fn private_key() -> [u8; 32] {
    let pair = builder().generate_keypair().expect("the system has random numbers");
    pair.private.try_into().expect("a private key has 32 bytes")
}

/// Random bytes for a secret.
pub fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    let mut random = DefaultResolver.resolve_rng().expect("the system has random numbers");
    random.try_fill_bytes(&mut bytes).expect("the system has random numbers");
    bytes
}

/// The public key of a private one.
pub fn public_key(private: &[u8; 32]) -> [u8; 32] {
    let mut dh = curve(DHChoice::Curve25519).expect("the curve is built in");
    dh.set(private);
    dh.pubkey().try_into().expect("a public key has 32 bytes")
}

/// The SHA-256 of all parts, one behind the other.
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let hash = DefaultResolver.resolve_hash(&HashChoice::SHA256);
    let mut hash = hash.expect("the hash is built in");
    parts.iter().for_each(|part| hash.input(part));
    let mut result = [0; 32];
    hash.result(&mut result);
    result
}

/// The HMAC-SHA256 of a message under a key of at most 64 bytes.
pub fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let hash = DefaultResolver.resolve_hash(&HashChoice::SHA256);
    let mut result = [0; 32];
    hash.expect("the hash is built in").hmac(key, message, &mut result);
    result
}

fn curve(choice: DHChoice) -> Option<Contributory> {
    DefaultResolver.resolve_dh(&choice).map(Contributory)
}

/// The algorithms: those of the library, but for the cipher and the check.
struct Resolver;

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        DefaultResolver.resolve_rng()
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(curve(*choice)?))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        match choice {
            CipherChoice::AESGCM => Some(Box::new(Gcm(None))),
            _ => None,
        }
    }
}

/// A curve that refuses shared secrets of zeros, which everybody knows (RFC 7748,
/// section 6.1). The library accepts them.
struct Contributory(Box<dyn Dh>);

impl Dh for Contributory {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn pub_len(&self) -> usize {
        self.0.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.0.priv_len()
    }

    fn set(&mut self, private: &[u8]) {
        self.0.set(private);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        self.0.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        self.0.pubkey()
    }

    fn privkey(&self) -> &[u8] {
        self.0.privkey()
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        self.0.dh(public, out)?;
        // All bytes are looked at, so the time tells nothing about them.
        let seen = out[..self.pub_len()].iter().fold(0, |seen, byte| seen | byte);
        if seen == 0 { Err(Error::Dh) } else { Ok(()) }
    }
}

/// AES-256-GCM whose key is expanded once. The library's own does that for each record.
struct Gcm(Option<Aes256Gcm>);

impl Gcm {
    fn key(&self) -> &Aes256Gcm {
        self.0.as_ref().expect("Noise sets the key before its use")
    }

    /// Four bytes of zeros and the number of the record (Noise, section 12.4).
    fn nonce(number: u64) -> Nonce<aes_gcm::aead::consts::U12> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        nonce.into()
    }
}

impl Cipher for Gcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(Aes256Gcm::new(&(*key).into()));
    }

    fn encrypt(&self, number: u64, ad: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let (text, rest) = out.split_at_mut(plain.len());
        text.copy_from_slice(plain);
        let tag = self.key().encrypt_inout_detached(&Self::nonce(number), ad, text.into());
        rest[..TAG].copy_from_slice(&tag.expect("a record is far shorter than 64 GiB"));
        plain.len() + TAG
    }

    fn decrypt(
        &self,
        number: u64,
        ad: &[u8],
        sealed: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Error> {
        let (text, tag) = sealed.split_last_chunk::<TAG>().ok_or(Error::Decrypt)?;
        let out = &mut out[..text.len()];
        out.copy_from_slice(text);
        let opened =
            self.key().decrypt_inout_detached(&Self::nonce(number), ad, out.into(), &(*tag).into());
        opened.map(|()| text.len()).map_err(|_| Error::Decrypt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure::to_hex;

    #[test]
    fn cipher_is_the_one_of_the_standard() {
        // GCM's own test 14: a key, a nonce and a block of zeros.
        let mut cipher = Gcm(None);
        cipher.set(&[0; 32]);
        let mut out = [0; 32];
        assert_eq!(cipher.encrypt(0, &[], &[0; 16], &mut out), 32);
        assert_eq!(
            to_hex(&out),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
        );
        let mut plain = [1; 16];
        assert_eq!(cipher.decrypt(0, &[], &out, &mut plain).unwrap(), 16);
        assert_eq!(plain, [0; 16]);
        assert!(cipher.decrypt(1, &[], &out, &mut plain).is_err());
        assert!(cipher.decrypt(0, &[1], &out, &mut plain).is_err());
        assert!(cipher.decrypt(0, &[], &out[..15], &mut plain).is_err());
    }

    #[test]
    fn number_of_a_record_is_big_endian_in_its_nonce() {
        assert_eq!(to_hex(&Gcm::nonce(1 << 32 | 7)), "000000000000000100000007");
    }

    #[test]
    fn curve_refuses_points_of_small_order() {
        let mut dh = curve(DHChoice::Curve25519).unwrap();
        dh.set(&[7; 32]);
        let mut one = [0; 32];
        one[0] = 1;
        for point in [[0; 32], one] {
            assert!(dh.dh(&point, &mut [0; 32]).is_err(), "{point:?}");
        }
        assert!(dh.dh(&public_key(&[9; 32]), &mut [0; 32]).is_ok());
    }
}
