//! In which domain a silent ptp4l answers.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::super::datagrams::Datagrams;
use super::exchange::NAME;
use super::wire::{DATAGRAM_MAX_BYTES, DataSet, PortIdentity, Question, Response};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_millis(500);
/// The domains that a profile may use, from 0 (IEEE 1588-2019, table 2; the rest is reserved).
const DOMAINS: u8 = 128;
/// The values of transportSpecific that profiles use: 0, and 1 for IEEE 802.1AS.
const USUAL: u8 = 2;
/// The values that there are.
const ALL: u8 = 16;

/// The first domain and transportSpecific other than `but` in which the ptp4l at `path` answers; None if it does in
/// none of them, or is gone.
///
/// A ptp4l has but one of each and drops questions in others unread: of all these only one is answered.
pub(super) async fn answers(path: &Path, but: (u8, u8)) -> Option<(u8, u8)> {
    let deadline = Instant::now() + PATIENCE;
    let datagrams = Datagrams::unix(path, NAME).ok()?;
    for (domain, transport_specific) in candidates(but) {
        let question = Question {
            domain,
            transport_specific,
            source: PortIdentity::default(),
            target: PortIdentity::ALL,
            hops: 0,
            // What is answered names itself.
            sequence: u16::from_be_bytes([transport_specific, domain]),
            data_set: DataSet::TimeProperties,
        };
        datagrams.send(&question.encode(), deadline).await.ok()?;
    }
    let mut buffer = [0; DATAGRAM_MAX_BYTES];
    while Instant::now() < deadline {
        let length = datagrams.receive(&mut buffer, deadline).await.ok()?;
        let Ok(response) = Response::decode(&buffer[..length]) else { continue };
        let answered = (response.header.domain, response.header.transport_specific);
        if response.header.sequence == u16::from_be_bytes([answered.1, answered.0]) && answered != but {
            return Some(answered);
        }
    }
    None
}

/// What is tried: all domains with each usual value, and the likeliest domains with all values.
fn candidates(but: (u8, u8)) -> impl Iterator<Item = (u8, u8)> {
    let usual = (0..USUAL).flat_map(|specific| (0..DOMAINS).map(move |domain| (domain, specific)));
    let zero = (but.0 != 0).then_some(0);
    let unusual = (USUAL..ALL)
        .flat_map(move |specific| [Some(but.0), zero].into_iter().flatten().map(move |domain| (domain, specific)));
    usual.chain(unusual).filter(move |candidate| *candidate != but)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_domain_is_tried_once_and_never_the_one_that_is_silent() {
        for (but, count) in [((0, 0), 255 + 14), ((24, 0), 255 + 28), ((24, 3), 256 + 27)] {
            let mut tried: Vec<_> = candidates(but).collect();
            assert_eq!((tried.len(), tried.contains(&but)), (count, false), "{but:?}");
            tried.sort_unstable();
            tried.dedup();
            assert_eq!(tried.len(), count, "{but:?}");
        }
    }
}
