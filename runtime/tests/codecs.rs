//! What time daemons say may be anything: each codec takes a million datagrams that are random, or are those of a
//! real daemon with something wrong in them, and neither panics nor takes more memory than it should.
//!
//! The functions and the seeds are those of `fuzz/`, where cargo-fuzz goes deeper.

use std::panic::{AssertUnwindSafe, catch_unwind};

use nunect_runtime::timesync::{chrony, gpsd, ptp};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const ROUNDS: usize = 1_000_000;
/// The longest datagram, and the longest text.
const DATAGRAM_MAX: usize = 1_500;
const TEXT_MAX: usize = 1_024;
/// What a codec may hold at once, bytes: what it makes of the longest input, with room for errors in words.
const DATAGRAM_MEMORY_MAX: u64 = 16 << 10;
const TEXT_MEMORY_MAX: u64 = 64 << 10;

/// Bytes that are often a bound.
const EDGES: [u8; 8] = [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff, b'\n', b','];

struct Source {
    random: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
    max: usize,
}

impl Source {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.next_u64() % u64::try_from(limit.max(1)).expect("64 bits")).expect("64 bits")
    }

    fn pick(&mut self) -> Vec<u8> {
        let index = self.below(self.seeds.len());
        self.seeds[index].clone()
    }

    /// Every other one is made of a real one.
    fn next(&mut self, round: usize) -> Vec<u8> {
        if round.is_multiple_of(2) {
            let mut data = vec![0; self.below(self.max)];
            self.random.fill_bytes(&mut data);
            return data;
        }
        let mut data = self.pick();
        for _ in 0..=self.below(4) {
            self.mutate(&mut data);
        }
        data.truncate(self.max);
        data
    }

    fn mutate(&mut self, data: &mut Vec<u8>) {
        let at = self.below(data.len());
        let edge = EDGES[self.below(EDGES.len())];
        match self.below(7) {
            0 => data.truncate(at),
            1 => {
                let other = self.pick();
                let from = self.below(other.len());
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            2 => data.insert(at, edge),
            3 if !data.is_empty() => drop(data.remove(at)),
            4 => data.iter_mut().skip(at).take(4).for_each(|byte| *byte = edge),
            5 => data.iter_mut().skip(at).take(1).for_each(|byte| *byte = edge),
            _ => {
                let bit = 1 << self.below(8);
                data.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
            }
        }
    }
}

fn hold_out(name: &str, read: fn(&[u8]), seeds: Vec<Vec<u8>>, max: usize, memory_max: u64) {
    assert!(seeds.len() > 3 && seeds.iter().all(|seed| seed.len() > 10), "the seeds of {name} are not what they were");
    let mut source = Source { random: ChaCha8Rng::seed_from_u64(5), seeds, max };
    for round in 0..ROUNDS {
        let data = source.next(round);
        let mut outcome = Ok(());
        let used = allocation_counter::measure(|| outcome = catch_unwind(AssertUnwindSafe(|| read(&data))));
        assert!(outcome.is_ok(), "{name} panicked on round {round}: {data:02x?}");
        assert!(used.bytes_max <= memory_max, "{name} took {} bytes for {data:02x?}", used.bytes_max);
    }
}

/// One datagram a line, in hexadecimal.
fn datagrams(text: &str) -> Vec<Vec<u8>> {
    let byte = |line: &str, at| u8::from_str_radix(&line[at..at + 2], 16).expect("hexadecimal");
    text.lines().map(|line| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect()).collect()
}

/// The whole, and each of its paragraphs.
fn texts(text: &str) -> Vec<Vec<u8>> {
    let parts = text.split("\n\n").chain([text]).filter(|part| part.len() > 10);
    let lines = text.lines().filter(|line| line.len() > 10);
    parts.chain(lines).map(|part| part.as_bytes().to_vec()).collect()
}

#[test]
fn ptp4l() {
    let seeds = datagrams(include_str!("../../fuzz/seeds/ptp.hex"));
    hold_out("ptp", ptp::wire::fuzz, seeds, DATAGRAM_MAX, DATAGRAM_MEMORY_MAX);
}

#[test]
fn chronyd() {
    let seeds = datagrams(include_str!("../../fuzz/seeds/chrony.hex"));
    hold_out("chrony", chrony::wire::fuzz, seeds, DATAGRAM_MAX, DATAGRAM_MEMORY_MAX);
}

#[test]
fn chronyc() {
    let seeds = texts(include_str!("../../fuzz/seeds/chronyc.txt"));
    hold_out("chronyc", chrony::tools::fuzz_chronyc, seeds, TEXT_MAX, TEXT_MEMORY_MAX);
}

#[test]
fn ntpq() {
    let seeds = texts(include_str!("../../fuzz/seeds/ntpq.txt"));
    hold_out("ntpq", chrony::tools::fuzz_ntpq, seeds, TEXT_MAX, TEXT_MEMORY_MAX);
}

#[test]
fn gpsd_lines() {
    let seeds = texts(include_str!("../../fuzz/seeds/gpsd.txt"));
    hold_out("gpsd", gpsd::wire::fuzz, seeds, TEXT_MAX, TEXT_MEMORY_MAX);
}
