//! Randomness as an input: one stream per purpose, so that a new draw here never moves another there.

pub use rand_chacha::ChaCha8Rng;
pub use rand_chacha::rand_core::{Rng, SeedableRng};

/// The root of a node's randomness: operating system entropy in production, the seed in the simulator.
///
/// It is never printed: keys and nonces grow from it.
#[derive(Clone)]
pub struct Entropy([u8; 32]);

impl Entropy {
    /// Entropy from 32 secret bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The stream for `purpose` and `index`: equal arguments give equal streams, others independent ones.
    #[must_use]
    pub fn stream(&self, purpose: &str, index: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.0);
        rng.set_stream(fnv1a(purpose.bytes().chain(index.to_le_bytes())));
        rng
    }
}

/// FNV-1a over 64 bits: the same on every platform, which hashers made for tables do not promise.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl From<u64> for Entropy {
    fn from(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(bytes)
    }
}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy(secret)")
    }
}

#[cfg(test)]
mod tests;
