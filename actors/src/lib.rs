//! The actors of a nunect node: one file each, and the catalog that lists them.
//!
//! Every file has the same shape: what may be configured, what the actor keeps, and its
//! [`Actor`](nunect_core::Actor) implementation, whose `contract` says what it reads, publishes and
//! senses, and whose `handle` is a pure function of (state, time, input). To add one, copy
//! [`echo`], the shortest, and name it in [`catalog`].
//!
//! ```
//! # use nunect_actors::Echo;
//! # use nunect_core::{Message, protocol::echo, subject::Subject, testing::{Harness, UNIT}};
//! let mut echo = Harness::new::<Echo>(serde_json::json!({}));
//! let mut request = Message::new(echo::subject(&UNIT.parse()?)).body("are you there?");
//! request.reply = Some(Subject::parse("_INBOX.1")?);
//! echo.send(request);
//! assert_eq!(echo.expect_publish("_INBOX.1").payload(), "are you there?");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod cluster;
pub mod commands;
pub mod echo;
pub mod heartbeater;
pub mod logs;
pub mod monitor;
pub mod nats;
pub mod prober;
mod round_trips;
pub mod time_guardian;

use nunect_core::Catalog;
use serde_json::{Value, json};

pub use cluster::Cluster;
pub use commands::Commands;
pub use echo::Echo;
pub use heartbeater::Heartbeater;
pub use logs::Logs;
pub use monitor::Monitor;
pub use nats::Nats;
pub use prober::Prober;
pub use time_guardian::TimeGuardian;

/// Every kind of actor in this crate.
#[must_use]
pub fn catalog() -> Catalog {
    Catalog::new()
        .with::<Heartbeater>()
        .with::<Monitor>()
        .with::<Echo>()
        .with::<Prober>()
        .with::<TimeGuardian>()
        .with::<Commands>()
        .with::<Cluster>()
        .with::<Logs>()
        .with::<Nats>()
}

/// The actors of a node whose configuration names none: each with its own defaults, in the order
/// they start.
#[must_use]
pub fn default_actors() -> Value {
    catalog().kinds().map(|kind| (kind.to_owned(), json!({}))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nunect_core::ActorSpec;

    #[test]
    fn every_kind_in_the_catalog_runs_without_options() {
        for kind in catalog().kinds() {
            let spec = ActorSpec::parse(kind, &json!({})).expect("legal").expect("enabled");
            assert_eq!(catalog().check(&spec), Ok(()));
        }
    }

    #[test]
    fn the_default_actors_are_in_the_catalog_in_the_same_order() {
        let defaults = default_actors();
        let names: Vec<_> = defaults.as_object().expect("a map of actors").keys().cloned().collect();
        let kinds: Vec<_> = catalog().kinds().map(str::to_owned).filter(|kind| names.contains(kind)).collect();
        assert_eq!(names, kinds);
        for (name, options) in defaults.as_object().expect("a map of actors") {
            let spec = ActorSpec::parse(name, options).expect("legal").expect("enabled");
            assert_eq!(catalog().check(&spec), Ok(()));
        }
    }

    #[test]
    fn an_option_that_does_not_exist_is_an_error_that_names_it() {
        for kind in catalog().kinds() {
            let spec = ActorSpec::parse(kind, &json!({ "intervall": 1 })).expect("legal").expect("enabled");
            let error = catalog().check(&spec).expect_err("no such option").to_string();
            assert!(error.starts_with(kind) && error.contains("`intervall`"), "{error}");
        }
    }
}
