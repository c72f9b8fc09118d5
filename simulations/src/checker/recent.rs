//! What was seen last, of the many things that are seen: a small table without growth.

/// A number for a thing that has several names. 64 bits are enough for two things to have the same
/// hardly ever in the lifetime of the universe.
#[inline]
pub(crate) fn fingerprint(seed: u64, names: &[&str]) -> u64 {
    names.iter().fold(seed ^ FACTOR, |hash, name| absorb(hash, name.as_bytes()))
}

const FACTOR: u64 = 0x8bb8_4b93_962e_acc9;

/// 16 bytes with each multiplication, of which the last ones may be seen twice (as Wang Yi's wyhash does).
#[inline]
fn absorb(mut hash: u64, name: &[u8]) -> u64 {
    let mut rest = name;
    while let Some((chunk, more)) = rest.split_first_chunk::<16>()
        && !more.is_empty()
    {
        hash = fold(word(chunk, 0) ^ FACTOR, word(chunk, 8) ^ hash);
        rest = more;
    }
    let last = match name.last_chunk::<16>() {
        Some(last) => *last,
        None => {
            let mut last = [0; 16];
            last[..name.len()].copy_from_slice(name);
            last
        }
    };
    // The length tells "a", "bc" from "ab", "c".
    fold(word(&last, 0) ^ FACTOR ^ name.len() as u64, word(&last, 8) ^ hash)
}

#[inline]
fn word(bytes: &[u8; 16], at: usize) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    u64::from_le_bytes(words[at / 8])
}

/// Both halves of a product: each bit of the input reaches most of the output.
#[expect(clippy::cast_possible_truncation, reason = "both halves are meant")]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

/// The last number of each of the things that were seen most recently. Two that fall on the same place
/// push each other out; then the next number of either is believed. What goes wrong between messages
/// that follow one another, as nearly everything does, is seen all the same.
#[derive(Clone, Debug)]
pub(crate) struct Recent<const PLACES: usize> {
    places: [(u64, u64); PLACES],
}

impl<const PLACES: usize> Default for Recent<PLACES> {
    fn default() -> Self {
        Self { places: [(0, 0); PLACES] }
    }
}

impl<const PLACES: usize> Recent<PLACES> {
    /// Notes `number` for the thing `key`. Returns the one before, when it is known.
    #[inline]
    pub(crate) fn replace(&mut self, key: u64, number: u64) -> Option<u64> {
        let place = &mut self.places[Self::place(key)];
        let (other, before) = std::mem::replace(place, (key, number));
        (other == key).then_some(before)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
    const fn place(key: u64) -> usize {
        key as usize % PLACES
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_told_apart_by_where_they_end() {
        let all = [
            fingerprint(0, &["a", "bc"]),
            fingerprint(0, &["ab", "c"]),
            fingerprint(0, &["abc", ""]),
            fingerprint(0, &["abc"]),
            fingerprint(1, &["abc"]),
            fingerprint(0, &["abc\0"]),
        ];
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), all.len());
        let many: BTreeSet<_> = (0..100_000).map(|n| fingerprint(0, &[&format!("ops.heartbeat.n{n}")])).collect();
        assert_eq!(many.len(), 100_000);
    }

    #[test]
    fn fingerprints_fall_on_all_places_alike() {
        let mut counts = [0; 64];
        (0..64_000).for_each(|n| counts[Recent::<64>::place(fingerprint(0, &[&n.to_string()]))] += 1);
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_last_number_is_known_until_another_takes_the_place() {
        let mut recent = Recent::<4>::default();
        assert_eq!(recent.replace(1, 10), None);
        assert_eq!(recent.replace(1, 11), Some(10));
        assert_eq!(recent.replace(5, 1), None);
        assert_eq!(recent.replace(1, 12), None);
        assert_eq!(recent.replace(2, 1), None);
        assert_eq!(recent.replace(1, 13), Some(12));
    }
}
