//! Answers echo requests, so that peers can measure the round trip to this node's actors.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use nunect_core::protocol::echo;
use nunect_core::{
    Actor, Birth, ConfigError, Contract, Effects, Fault, Input, MailboxLimits, Now, Overflow, Subscription, UnitId,
};

/// An echo responder has no options.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct EchoConfig {}

/// Sends every request on `ops.echo.{unit}` back, with the time it spent here.
#[derive(Debug)]
pub struct Echo {
    unit: UnitId,
}

#[derive(Debug, thiserror::Error)]
#[error("an echo request without a reply subject")]
struct NoReply;

impl Actor for Echo {
    const KIND: &'static str = "echo";
    type Config = EchoConfig;

    fn new(_: EchoConfig, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { unit: birth.unit.clone() })
    }

    fn contract(&self) -> Contract {
        Contract {
            reads: vec![Subscription::from(echo::pattern(&self.unit))],
            // A prober that is told at once to come back later measures better than one that waits.
            mailbox: MailboxLimits { overflow: Overflow::DropNewest, ..MailboxLimits::default() },
            ..Contract::default()
        }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Message(request) => match &request.reply {
                Some(reply) => out.respond(echo::answer(request, reply.clone())),
                None => out.malformed(&request.subject, &NoReply),
            },
            Input::Started
            | Input::Reply { .. }
            | Input::Timeout(_)
            | Input::Host(_)
            | Input::Bus(_)
            | Input::Node(_)
            | Input::Link(_)
            | Input::Clock(_)
            | Input::Log(_)
            | Input::Port(..)
            | Input::Stopping(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nunect_core::protocol::header;
    use nunect_core::testing::{Harness, UNIT, birth};
    use nunect_core::{Event, Message, Subject};
    use serde_json::json;

    use super::*;

    fn request(payload: &'static str) -> Message {
        Message::new(echo::subject(&UNIT.parse().expect("legal"))).body(payload)
    }

    fn asked(payload: &'static str) -> Message {
        Message { reply: Some(Subject::parse("_INBOX.prober.1").expect("legal")), ..request(payload) }
    }

    #[test]
    fn it_reads_the_echo_subject_of_its_own_unit_and_refuses_what_it_cannot_take() {
        let echo = Echo::new(EchoConfig {}, &birth("echo", Now::default())).expect("no options to get wrong");
        let contract = Actor::contract(&echo);
        assert_eq!(contract.reads, [Subscription::from(echo::pattern(&UNIT.parse().expect("legal")))]);
        assert_eq!(contract.mailbox.overflow, Overflow::DropNewest);
    }

    #[test]
    fn the_answer_is_the_request_itself() {
        let mut echo = Harness::new::<Echo>(json!({}));
        for payload in ["probe 1", ""] {
            echo.send(asked(payload));
            assert_eq!(echo.expect_publish("_INBOX.prober.1").payload(), payload);
        }
        echo.expect_silence();
    }

    #[test]
    fn the_answer_carries_no_sequence_and_says_how_good_the_clock_here_is() {
        let mut echo = Harness::new::<Echo>(json!({}));
        echo.send(asked("probe"));
        let answer = echo.expect_publish("_INBOX.prober.1");
        assert_eq!(header::SEQUENCE.read(&answer.headers), Ok(None));
        assert_eq!(header::SERVER_CLOCK_SOURCE.read(&answer.headers), Ok(Some(header::ClockSource::Unsynced)));
        assert_eq!(header::SERVER_CLOCK_QUALITY.read(&answer.headers), Ok(Some(header::ClockQuality::Freerun)));
    }

    #[test]
    fn the_time_a_request_waited_here_is_no_part_of_the_round_trip() {
        let mut echo = Harness::new::<Echo>(json!({}));
        let arrived = echo.now();
        let request = Message { received: arrived, ..asked("probe") };
        echo.advance(Duration::from_millis(7));
        echo.input(Input::Message(&request));
        let times = echo::ServerTimes::parse(&echo.expect_publish("_INBOX.prober.1")).expect("legal").expect("given");
        assert_eq!(times.received, arrived.wall);
        assert_eq!(times.sent, arrived.wall + Duration::from_millis(7));
    }

    #[test]
    fn a_request_that_names_no_reply_is_counted_and_not_answered() {
        let mut echo = Harness::new::<Echo>(json!({}));
        echo.send(request("probe"));
        let Event::Malformed { reason, .. } = echo.expect_event() else { panic!("another event") };
        assert_eq!(reason, "an echo request without a reply subject");
        echo.expect_silence();
    }
}
