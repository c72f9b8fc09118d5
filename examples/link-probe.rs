//! An actor of one's own, in one file: it tells how good the link to another unit is.
//!
//! ```sh
//! cargo run --example link-probe -- up --nats nats://127.0.0.1:4222 -c examples/link-probe.yaml
//! cargo run --example link-probe -- sim run examples/link-probe-mesh.yaml
//! cargo test --example link-probe
//! ```
//!
//! `docs/custom-actors.md` walks through it.

#![allow(clippy::wildcard_enum_match_arm, reason = "an actor of one's own may leave aside what it did not ask for")]

use std::collections::VecDeque;
use std::time::Duration;

use nunect::protocol::echo;
use nunect::{
    Actor, Birth, BusEvent, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, Message, Mono, Now, Pattern,
    Period, Program, RequestError, Sensor, Subject, UnitId,
};

/// What may be configured of a link probe.
#[derive(Clone, Debug, serde::Deserialize, schemars::JsonSchema, garde::Validate)]
#[serde(deny_unknown_fields)]
pub struct LinkProbeConfig {
    /// The unit at the other end.
    #[garde(skip)]
    pub peer: UnitId,
    /// The time between two probes.
    #[serde(default = "one_second")]
    #[garde(skip)]
    pub every: Period,
    /// Probes that are looked at together.
    #[serde(default = "ten")]
    #[garde(range(min = 1, max = 1_000))]
    pub window: usize,
    /// Lost probes among them, in percent, from which on the link is poor.
    #[serde(default = "twenty")]
    #[garde(range(min = 1, max = 100))]
    pub poor_from_percent: u8,
}

fn one_second() -> Period {
    Period::from_secs(1)
}

const fn ten() -> usize {
    10
}

const fn twenty() -> u8 {
    20
}

/// Asks the peer's echo responder so often, and publishes on `link.{unit}.{peer}` what share of the
/// last probes was lost and how long the others took.
pub struct LinkProbe {
    config: LinkProbeConfig,
    subject: Subject,
    /// The last probes, the oldest first: how long each took, or that it was lost.
    probes: VecDeque<Option<Duration>>,
    next: Option<Mono>,
    poor: bool,
}

impl Actor for LinkProbe {
    const KIND: &'static str = "link-probe";
    type Config = LinkProbeConfig;

    fn new(config: LinkProbeConfig, birth: &Birth) -> Result<Self, ConfigError> {
        if config.peer == birth.unit {
            return Err(ConfigError::new("peer", "a link needs another unit at its other end"));
        }
        let subject = Subject::parse(format!("link.{}.{}", birth.unit, config.peer))
            .map_err(|error| ConfigError::new("peer", error.to_string()))?;
        Ok(Self { config, subject, probes: VecDeque::new(), next: None, poor: false })
    }

    fn contract(&self) -> Contract {
        Contract {
            publishes: vec![Pattern::from(&self.subject), Pattern::from(&echo::subject(&self.config.peer))],
            sensors: vec![Sensor::Bus],
            ..Contract::default()
        }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            // Without a bus there is nothing to be said about the link.
            Input::Bus(BusEvent::Disconnected) => self.next = None,
            Input::Bus(BusEvent::Connected) => self.next = Some(now.mono),
            Input::Timeout(_) => {
                out.request(Message::new(echo::subject(&self.config.peer)), echo::TIMEOUT);
                self.next = Some(now.mono + self.config.every.0);
            }
            Input::Reply { sent, result, .. } => match result {
                Ok(answer) => self.note(Some(answer.received.mono.since(sent.mono)), out),
                Err(RequestError::Timeout | RequestError::NoResponders) => self.note(None, out),
                // It did not go out, so it says nothing about the link.
                Err(RequestError::BusAway | RequestError::Refused) => {}
            },
            // Nothing else was asked for by the contract.
            _ => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        self.next.map(|at| Deadline::new(at, "link probe due"))
    }
}

impl LinkProbe {
    /// Takes the outcome of a probe, and tells what the link is like now.
    fn note(&mut self, took: Option<Duration>, out: &mut Effects) {
        if self.probes.len() == self.config.window {
            self.probes.pop_front();
        }
        self.probes.push_back(took);
        let mut times: Vec<Duration> = self.probes.iter().flatten().copied().collect();
        times.sort_unstable();
        let median_us =
            times.get(times.len() / 2).map_or_else(|| "null".to_owned(), |time| time.as_micros().to_string());
        let lost = (self.probes.len() - times.len()) * 100 / self.probes.len();
        let words = format!(r#"{{"lost_percent":{lost},"median_us":{median_us}}}"#);
        out.publish(Message::new(self.subject.clone()).body(words));
        // A few probes say little: one lost at the start would be all of them.
        let enough = self.probes.len() == self.config.window;
        let poor = enough && lost >= usize::from(self.config.poor_from_percent);
        if poor != std::mem::replace(&mut self.poor, poor) {
            let kind = if poor { "link_poor" } else { "link_good" };
            let fields =
                [("peer".to_owned(), self.config.peer.to_string()), ("lost_percent".to_owned(), lost.to_string())];
            out.emit(Event::Custom { kind: kind.into(), fields: fields.into() });
        }
    }
}

fn main() -> std::process::ExitCode {
    Program::new().with::<LinkProbe>().main()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunect::testing::Harness;

    fn probe() -> Harness {
        Harness::new::<LinkProbe>(serde_json::json!({ "peer": "bravo", "window": 2, "poor_from_percent": 50 }))
    }

    #[test]
    fn a_link_whose_probes_are_lost_becomes_poor_and_good_again() {
        let mut probe = probe();
        probe.advance(Duration::ZERO);
        let (first, _) = probe.expect_request();
        let sent = probe.now();
        probe.advance(Duration::from_millis(30));
        probe.answer(first, sent, Ok(Message::new(sent_to("_INBOX.1"))));
        assert_eq!(probe.expect_publish("link.*.bravo").payload(), r#"{"lost_percent":0,"median_us":30000}"#);
        probe.advance(Duration::from_secs(1));
        let (second, _) = probe.expect_request();
        probe.answer(second, sent, Err(RequestError::Timeout));
        assert_eq!(probe.expect_publish("link.*.bravo").payload(), r#"{"lost_percent":50,"median_us":30000}"#);
        assert_eq!(probe.expect_event().name(), "link_poor");
    }

    #[test]
    fn while_the_bus_is_away_nothing_is_asked_and_nothing_said() {
        let mut probe = probe();
        probe.input(Input::Bus(&BusEvent::Disconnected));
        probe.advance(Duration::from_secs(60));
        probe.expect_silence();
    }

    fn sent_to(subject: &str) -> Subject {
        Subject::parse(subject.to_owned()).expect("legal")
    }
}
