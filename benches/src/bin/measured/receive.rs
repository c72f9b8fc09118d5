//! From a NATS server into `handle`, against an async-nats subscriber.

use std::hint::black_box;
use std::sync::Arc;

use clap::Args;
use futures_util::StreamExt;
use garde::Validate;
use nunect_benches::Failure;
use nunect_benches::work::{HEADERS, SUBJECT, Side, Tally, Threads};
use nunect_core::{Actor, Birth, Body, Catalog, ConfigError, Contract, Effects, Fault, Input, Now, Pattern};
use nunect_runtime::{Bus, Clock, Node};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::hosting;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Who receives.
    side: Side,
    /// From which server.
    url: String,
    /// How many messages.
    count: u64,
    /// Read all eight headers of each.
    #[arg(long)]
    headers: bool,
    #[command(flatten)]
    threads: Threads,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { side, url, count, headers, threads } = arguments;
    threads.runtime()?.block_on(async {
        match side {
            Side::Node => {
                let options = json!({ "kind": Receiver::KIND, "until": count, "headers": headers });
                let spec = hosting::spec(&[("receiver", options)])?;
                let clock = Clock::new();
                let bus: Arc<dyn Bus> = Arc::new(hosting::nats(&spec, &url, clock).await?);
                let catalog = Catalog::new().with::<Receiver>();
                let node = Node::start(spec, &catalog, bus, clock, Box::new(|_| {})).await?;
                node.ended().await;
            }
            Side::Bare => {
                let client = async_nats::connect(&url).await?;
                let mut subscriber = client.subscribe(SUBJECT).await?;
                let mut tally = Tally::new(count, true);
                tokio::spawn(async move {
                    while let Some(message) = subscriber.next().await {
                        if headers && let Some(headers) = &message.headers {
                            for (name, _) in HEADERS {
                                black_box(headers.get(name));
                            }
                        }
                        tally.one(&message.payload);
                    }
                })
                .await?;
            }
        }
        Err("the connection ended before all messages came".into())
    })
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct ReceiverConfig {
    /// Messages to count.
    #[garde(skip)]
    until: u64,
    /// Whether to read their headers.
    #[garde(skip)]
    headers: bool,
}

/// Counts messages.
struct Receiver {
    tally: Tally,
    headers: bool,
}

impl Actor for Receiver {
    const KIND: &'static str = "receiver";
    type Config = ReceiverConfig;

    fn new(config: ReceiverConfig, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { tally: Tally::new(config.until, true), headers: config.headers })
    }

    fn contract(&self) -> Contract {
        Contract { reads: vec![Pattern::parse(SUBJECT).expect("a legal subject").into()], ..Contract::default() }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, _: &mut Effects) -> Result<(), Fault> {
        if let Input::Message(message) = input {
            if self.headers {
                for (name, _) in HEADERS {
                    black_box(message.headers.get(name));
                }
            }
            if let Body::Bytes(payload) = &message.body {
                self.tally.one(payload);
            }
        }
        Ok(())
    }
}
