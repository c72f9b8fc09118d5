//! A request answered by the echo actor, against a bare responder that sets the same headers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use clap::Args;
use futures_util::StreamExt;
use nunect_benches::Failure;
use nunect_benches::work::{Side, Threads, UNIT, echo_subject};
use nunect_core::protocol::header;
use nunect_runtime::{Bus, Clock, Node};
use serde_json::json;

use crate::hosting;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Who answers.
    side: Side,
    /// At which server.
    url: String,
    #[command(flatten)]
    threads: Threads,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { side, url, threads } = arguments;
    threads.runtime()?.block_on(async {
        match side {
            Side::Node => {
                let spec = hosting::spec(&[("echo", json!({}))])?;
                let clock = Clock::new();
                let bus: Arc<dyn Bus> = Arc::new(hosting::nats(&spec, &url, clock).await?);
                let node = Node::start(spec, &nunect_actors::catalog(), bus, clock, Box::new(|_| {})).await?;
                node.ended().await;
            }
            Side::Bare => tokio::spawn(answer(url)).await??,
        }
        Err("the connection ended".into())
    })
}

async fn answer(url: String) -> Result<(), Failure> {
    let client = async_nats::connect(&url).await?;
    let mut requests = client.subscribe(echo_subject()).await?;
    while let Some(request) = requests.next().await {
        let received = unix_nanos()?;
        let Some(reply) = request.reply else { continue };
        let mut headers = HeaderMap::new();
        headers.insert(header::UNIT_ID.name(), UNIT);
        headers.insert(header::SESSION_ID.name(), "9f86d081884c7d65");
        headers.insert(header::TX_TIMESTAMP.name(), unix_nanos()?.to_string());
        headers.insert(header::CLOCK_SOURCE.name(), "unsynced");
        headers.insert(header::CLOCK_QUALITY.name(), "freerun");
        headers.insert(header::SERVER_RX_TIMESTAMP.name(), received.to_string());
        headers.insert(header::SERVER_TX_TIMESTAMP.name(), unix_nanos()?.to_string());
        headers.insert(header::SERVER_CLOCK_SOURCE.name(), "unsynced");
        headers.insert(header::SERVER_CLOCK_QUALITY.name(), "freerun");
        client.publish_with_headers(reply, headers, request.payload).await?;
    }
    Ok(())
}

fn unix_nanos() -> Result<u128, Failure> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())
}
