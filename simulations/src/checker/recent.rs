//! What was seen last, of the many things that are seen: a small table without growth.

/// A number for a thing that has several names. 64 bits are enough for what is looked up by chance to
/// be something else hardly once in the lifetime of the universe.
pub(crate) fn fingerprint(seed: u64, names: &[&str]) -> u64 {
    let mut hash = seed ^ FIRST;
    for name in names {
        let (chunks, rest) = name.as_bytes().as_chunks::<8>();
        for chunk in chunks {
            hash = fold(hash ^ u64::from_le_bytes(*chunk));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length tells "a", "bc" from "ab", "c".
        hash = fold(hash ^ u64::from_le_bytes(last)) ^ name.len() as u64;
    }
    fold(hash)
}

const FIRST: u64 = 0x2d35_8dcc_aa6c_78a5;
const FACTOR: u64 = 0x8bb8_4b93_962e_acc9;

/// Both halves of a product (Wang Yi's wyhash): each bit of the input reaches most of the output.
#[expect(clippy::cast_possible_truncation, reason = "both halves are meant")]
const fn fold(input: u64) -> u64 {
    let product = input as u128 * FACTOR as u128;
    (product as u64 ^ (product >> 64) as u64).wrapping_add(FIRST)
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
