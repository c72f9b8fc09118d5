//! The one hash table of the pure crates.

use indexmap::IndexMap;

/// A hash table that is walked in the order of insertion and hashes alike in every run: what is
/// computed from it never depends on where memory happened to lie.
pub type Table<K, V> = IndexMap<K, V, foldhash::fast::FixedState>;
