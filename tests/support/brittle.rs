//! An actor that does what it is told: counts, faults, panics, hangs, now or a moment later.

use std::collections::BTreeMap;
use std::time::Duration;

use nunect::{
    Actor, Birth, ConfigError, Contract, Deadline, Effects, Event, Fault, Input, Message, Mono, Now, Pattern, Subject,
};

/// It crashes this long after it was told to do so later: no message is to blame then.
const LATER: Duration = Duration::from_millis(1);

/// See the module.
pub(crate) struct Brittle {
    reads: Pattern,
    counted: u64,
    crash_at: Option<Mono>,
}

/// No options.
#[derive(Default, serde::Deserialize, schemars::JsonSchema, garde::Validate)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {}

/// Where the actor of `unit` listens.
pub(crate) fn subject(unit: &str) -> Subject {
    Subject::parse(format!("test.brittle.{unit}")).expect("a unit ID is a token")
}

/// Tells the actor of `unit` something.
pub(crate) fn tell(unit: &str, what: &str) -> Message {
    Message::new(subject(unit)).body(what.to_owned())
}

impl Actor for Brittle {
    const KIND: &'static str = "brittle";
    type Config = Options;

    fn new(_: Options, birth: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { reads: Pattern::from(&subject(birth.unit.as_str())), counted: 0, crash_at: None })
    }

    fn contract(&self) -> Contract {
        Contract { reads: vec![self.reads.clone().into()], ..Contract::default() }
    }

    fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        match input {
            Input::Message(message) => {
                let payload = message.payload();
                match payload.as_ref() {
                    b"panic" => panic!("told to panic"),
                    b"fault" => return Err(Fault::new("told to fault")),
                    b"crash later" => self.crash_at = Some(now.mono + LATER),
                    b"stop" => out.stop("told to stop"),
                    // For real nodes only: the simulator would hang with it.
                    b"hang" => std::thread::sleep(Duration::from_secs(3_600)),
                    other => {
                        self.counted += 1;
                        let what = String::from_utf8_lossy(other).into_owned();
                        let fields =
                            BTreeMap::from([("what".to_owned(), what), ("count".to_owned(), self.counted.to_string())]);
                        out.emit(Event::Custom { kind: "counted".into(), fields });
                    }
                }
            }
            Input::Timeout(_) => return Err(Fault::new("told to crash later")),
            Input::Started
            | Input::Reply { .. }
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

    fn deadline(&self) -> Option<Deadline> {
        self.crash_at.map(|at| Deadline::new(at, "crash due"))
    }
}
