//! One report's questions and answers, without a clock or a socket.

use std::collections::VecDeque;

use nunect_core::clock::{NtpSource, NtpStatus, NtpVia, Obstacle, ReaderCounters, Unread};

use super::SOURCES_MAX;
use super::tools::server;
use super::wire::{
    Address, Answer, Encoded, Malformed, Question, Refusal, Reply, Source, SourcePeer, SourceState, Tracking,
    reference_name,
};

/// How many questions wait for an answer at the same time. A UNIX socket holds 11 datagrams
/// (net.unix.max_dgram_qlen is 10), and what chronyd cannot deliver at once it drops.
const IN_FLIGHT_MAX: usize = 8;

/// A report that is being asked for.
#[derive(Debug)]
pub(super) struct Round {
    /// The number of the next question.
    sequence: u32,
    to_ask: VecDeque<Question>,
    waiting: Vec<(u32, Question)>,
    tracking: Option<Result<Tracking, Refusal>>,
    count: Option<u32>,
    /// By their index; none where there is no such source any more.
    sources: Vec<(u32, Option<Source>)>,
    /// Sources up to this index have been asked for.
    asked_for: u32,
    malformed: Option<Malformed>,
    counters: ReaderCounters,
}

impl Round {
    /// Asks for everything at once, presuming that there are as many sources as last time.
    pub(super) fn new(sequence: u32, presumed_sources: u32) -> Self {
        let mut round = Self {
            sequence,
            to_ask: [Question::Tracking, Question::SourceCount].into(),
            waiting: Vec::with_capacity(IN_FLIGHT_MAX),
            tracking: None,
            count: None,
            sources: Vec::new(),
            asked_for: 0,
            malformed: None,
            counters: ReaderCounters::default(),
        };
        round.ask_for_sources(presumed_sources);
        round
    }

    /// Whatever a datagram says: never for more than [`SOURCES_MAX`].
    fn ask_for_sources(&mut self, count: u32) {
        let count = count.min(u32::try_from(SOURCES_MAX).unwrap_or(u32::MAX));
        self.to_ask.extend((self.asked_for..count).map(Question::Source));
        self.asked_for = self.asked_for.max(count);
    }

    /// The next question to send now.
    pub(super) fn question(&mut self) -> Option<Encoded> {
        if self.waiting.len() == IN_FLIGHT_MAX {
            return None;
        }
        let question = self.to_ask.pop_front()?;
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        self.waiting.push((sequence, question));
        self.counters.asked += 1;
        Some(question.encode(sequence))
    }

    /// Whether all has been asked and answered.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.to_ask.is_empty()
    }

    /// Takes a datagram of the daemon's.
    pub(super) fn receive(&mut self, datagram: &[u8]) {
        let reply = match Reply::decode(datagram) {
            Ok(reply) => reply,
            Err(malformed) => return self.count_malformed(malformed),
        };
        let asked =
            |&(sequence, question): &(u32, Question)| sequence == reply.sequence && question.command() == reply.command;
        let Some(at) = self.waiting.iter().position(asked) else {
            self.counters.strays += 1;
            return;
        };
        let (_, question) = self.waiting.swap_remove(at);
        match reply.answer(question) {
            Ok(answer) => self.take(question, answer),
            Err(malformed) => self.count_malformed(malformed),
        }
    }

    fn count_malformed(&mut self, malformed: Malformed) {
        self.counters.malformed += 1;
        self.malformed = Some(malformed);
    }

    fn take(&mut self, question: Question, answer: Result<Answer, Refusal>) {
        match (question, answer) {
            (_, Ok(Answer::Tracking(tracking))) => self.tracking = Some(Ok(tracking)),
            (_, Ok(Answer::SourceCount(count))) => {
                self.count = Some(count);
                self.ask_for_sources(count);
            }
            (Question::Source(index), Ok(Answer::Source(source))) => self.sources.push((index, Some(source))),
            (Question::Tracking, Err(refusal)) => self.tracking = Some(Err(refusal)),
            // There were more a moment ago.
            (Question::Source(index), Err(Refusal::NoSuchSource)) => self.sources.push((index, None)),
            // The sources stay unknown.
            (
                Question::SourceCount | Question::Source(_) | Question::SourceStatistics(_),
                Err(_) | Ok(Answer::Source(_) | Answer::SourceStatistics(_)),
            )
            | (Question::Tracking, Ok(Answer::Source(_) | Answer::SourceStatistics(_))) => {}
        }
    }

    /// The number from which the next round is to count, and how many sources it is to presume.
    pub(super) fn next(&self) -> (u32, u32) {
        (self.sequence, self.count.unwrap_or(self.asked_for))
    }

    /// How it went; what is still waiting for an answer has waited in vain.
    pub(super) fn counters(&self) -> ReaderCounters {
        ReaderCounters { timeouts: u64::try_from(self.waiting.len()).unwrap_or(u64::MAX), ..self.counters }
    }

    /// What has come of it.
    ///
    /// # Errors
    /// [`Obstacle::Refused`] if the daemon refuses to tell, [`Obstacle::Malformed`] if it cannot be read, and
    /// [`Obstacle::Silent`] if it did not answer.
    pub(super) fn finish(mut self) -> Result<NtpStatus, Unread> {
        let refused = |refusal| Unread::new(Obstacle::Refused, format!("chronyd does not answer: {refusal}"));
        let tracking = match (self.tracking.take(), self.malformed) {
            (Some(tracking), _) => tracking.map_err(refused)?,
            (None, Some(malformed)) => {
                return Err(Unread::new(Obstacle::Malformed, format!("chronyd cannot be understood: {malformed}")));
            }
            (None, None) => return Err(Unread::new(Obstacle::Silent, "chronyd does not answer in time")),
        };
        let sources = self.sources();
        let address = match tracking.address {
            Address::Ip(ip) => Some(ip.to_string()),
            Address::None | Address::Unresolved(_) => reference_name(tracking.reference_id),
        };
        Ok(NtpStatus {
            server: server(address.map(Box::from), tracking.reference_id),
            reference_id: tracking.reference_id,
            stratum: tracking.stratum,
            leap: tracking.leap,
            reference_time: tracking.reference_time,
            correction_s: tracking.correction_s,
            last_offset_s: tracking.last_offset_s,
            rms_offset_s: tracking.rms_offset_s,
            frequency_ppm: tracking.frequency_ppm,
            skew_ppm: tracking.skew_ppm,
            root_delay_s: tracking.root_delay_s,
            root_dispersion_s: tracking.root_dispersion_s,
            update_interval_s: tracking.update_interval_s,
            sources,
            via: NtpVia::Cmdmon,
        })
    }

    /// The sources in chronyd's order, if each was heard of: from a part of them nobody could tell whether one
    /// is followed.
    fn sources(&mut self) -> Option<Vec<NtpSource>> {
        let wanted = usize::try_from(self.count?).unwrap_or(usize::MAX).min(SOURCES_MAX);
        self.sources.sort_unstable_by_key(|&(index, _)| index);
        let heard_of = self.sources.iter().map(|&(index, _)| usize::try_from(index));
        if !heard_of.take(wanted).eq((0..wanted).map(Ok)) {
            return None;
        }
        Some(self.sources.drain(..).filter_map(|(_, source)| shown(source?)).collect())
    }
}

/// A source as it is reported. One whose name has no address yet is not, as in `chronyc sources`.
fn shown(source: Source) -> Option<NtpSource> {
    let name = match source.peer {
        SourcePeer::Host(Address::Ip(ip)) => ip.to_string(),
        SourcePeer::Host(Address::None | Address::Unresolved(_)) => return None,
        SourcePeer::Clock(id) => reference_name(id).unwrap_or_else(|| format!("{id:08X}")),
    };
    Some(NtpSource {
        name: name.into(),
        selected: matches!(source.state, SourceState::Selected),
        stratum: source.stratum,
        poll: source.poll,
        reach: source.reach,
        since: source.since,
    })
}

#[cfg(test)]
mod tests;
