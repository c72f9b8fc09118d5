//! Messages within the process: over the embedded bus and a mailbox, against raw ractor casts.
//!
//! Both sides make a new message each time: an answer is one.

use std::sync::Arc;

use clap::Args;
use garde::Validate;
use nunect_benches::Failure;
use nunect_benches::work::{PAYLOAD_BYTES, Side, Tally, Threads};
use nunect_core::{
    Actor, Birth, Body, Catalog, ConfigError, Contract, Effects, Fault, Input, Message, Now, Pattern, Subject,
    Subscription,
};
use nunect_runtime::bus::local::LocalClient;
use nunect_runtime::{Bus, Clock, LocalBus, Node};
use ractor::{ActorProcessingErr, ActorRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::hosting;

/// Messages in a burst.
const BURST: u64 = 64;
/// Where the receiver of bursts reads, and where it asks for the next one.
const BURSTS: &str = "bench.burst";
const AGAIN: &str = "bench.again";

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Who carries the messages.
    side: Side,
    /// How many messages.
    count: u64,
    #[command(flatten)]
    threads: Threads,
}

pub(crate) fn burst(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { side, count, threads } = arguments;
    threads.runtime()?.block_on(async {
        match side {
            Side::Node => burst_through_a_node(count).await,
            Side::Bare => burst_of_casts(count).await,
        }
    })
}

pub(crate) fn ping_pong(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { side, count, threads } = arguments;
    threads.runtime()?.block_on(async {
        match side {
            Side::Node => ping_pong_on_a_node(count).await,
            Side::Bare => ping_pong_of_casts(count).await,
        }
    })
}

fn subject(text: &'static str) -> Subject {
    Subject::parse(text).expect("a legal subject")
}

fn reads(text: String) -> Subscription {
    Pattern::parse(text).expect("a legal pattern").into()
}

/// A message as every sender here makes it.
fn message(to: &'static str) -> Message {
    Message::new(subject(to)).body(&[b'x'; PAYLOAD_BYTES] as &'static [u8])
}

fn payload(message: &Message) -> &[u8] {
    match &message.body {
        Body::Bytes(payload) => payload,
        Body::Heartbeat(_) | Body::Rtt(_) | Body::Time(_) => &[],
    }
}

// --- bursts --------------------------------------------------------------------------------------------------

/// Sends one burst for each cast, the way it was given.
struct Source<S>(S);

struct Again;

impl ractor::Message for Again {}

impl<S: Fn(Message) + Send + Sync + 'static> ractor::Actor for Source<S> {
    type Msg = Again;
    type State = Message;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Again>, (): ()) -> Result<Message, ActorProcessingErr> {
        Ok(message(BURSTS))
    }

    async fn handle(&self, _: ActorRef<Again>, Again: Again, template: &mut Message) -> Result<(), ActorProcessingErr> {
        for _ in 0..BURST {
            (self.0)(template.clone());
        }
        Ok(())
    }
}

/// What a bare actor is sent: boxed, since ractor moves what it is given.
struct Parcel(Box<Message>);

impl ractor::Message for Parcel {}

/// Takes bursts, and asks for the next.
struct Taker;

struct Taking {
    tally: Tally,
    seen: u64,
    source: Option<ActorRef<Again>>,
}

enum Given {
    Source(ActorRef<Again>),
    Parcel(Parcel),
}

impl ractor::Message for Given {}

impl ractor::Actor for Taker {
    type Msg = Given;
    type State = Taking;
    type Arguments = u64;

    async fn pre_start(&self, _: ActorRef<Given>, until: u64) -> Result<Taking, ActorProcessingErr> {
        Ok(Taking { tally: Tally::new(until, false), seen: 0, source: None })
    }

    async fn handle(&self, _: ActorRef<Given>, given: Given, state: &mut Taking) -> Result<(), ActorProcessingErr> {
        match given {
            Given::Source(source) => state.source = Some(source),
            Given::Parcel(Parcel(message)) => {
                state.tally.one(payload(&message));
                state.seen += 1;
                if state.seen.is_multiple_of(BURST)
                    && let Some(source) = &state.source
                {
                    source.cast(Again)?;
                }
            }
        }
        Ok(())
    }
}

async fn burst_of_casts(count: u64) -> Result<(), Failure> {
    let (taker, ended) = ractor::Actor::spawn(None, Taker, count).await?;
    let to = taker.clone();
    let send = move |message| to.cast(Given::Parcel(Parcel(Box::new(message)))).expect("the taker lives");
    let (source, _) = ractor::Actor::spawn(None, Source(send), ()).await?;
    taker.cast(Given::Source(source.clone()))?;
    source.cast(Again)?;
    ended.await?;
    Err("the taker ended before all messages came".into())
}

async fn burst_through_a_node(count: u64) -> Result<(), Failure> {
    let bus = LocalBus::new();
    let clock = Clock::new();
    let spec = hosting::spec(&[("burst_taker", json!({ "until": count }))])?;
    let catalog = Catalog::new().with::<BurstTaker>();
    let node = Node::start(spec, &catalog, Arc::new(bus.client()), clock, Box::new(|_| {})).await?;
    let client: Arc<LocalClient> = Arc::new(bus.client());
    let sender = Arc::clone(&client);
    // As a node does for its own messages, the clocks are read for each.
    let send = move |message| sender.publish(clock.now(), message).expect("the embedded bus takes everything");
    let (source, _) = ractor::Actor::spawn(None, Source(send), ()).await?;
    let again = source.clone();
    let sink = Arc::new(move |_| again.cast(Again).expect("the source lives"));
    client.subscribe(&reads(AGAIN.to_owned()), sink).await?.forever();
    source.cast(Again)?;
    node.ended().await;
    Err("the node ended before all messages came".into())
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct BurstConfig {
    /// Messages to count.
    #[garde(skip)]
    until: u64,
}

/// The same taker as an actor of a node.
struct BurstTaker {
    tally: Tally,
    seen: u64,
    again: Message,
}

impl Actor for BurstTaker {
    const KIND: &'static str = "burst_taker";
    type Config = BurstConfig;

    fn new(config: BurstConfig, _: &Birth) -> Result<Self, ConfigError> {
        Ok(Self { tally: Tally::new(config.until, false), seen: 0, again: message(AGAIN) })
    }

    fn contract(&self) -> Contract {
        Contract { reads: vec![reads(BURSTS.to_owned())], ..Contract::default() }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        if let Input::Message(message) = input {
            self.tally.one(payload(message));
            self.seen += 1;
            if self.seen.is_multiple_of(BURST) {
                out.publish(self.again.clone());
            }
        }
        Ok(())
    }
}

// --- ping-pong -----------------------------------------------------------------------------------------------

/// Sends back what it is sent.
struct Player;

struct Playing {
    tally: Option<Tally>,
    peer: Option<ActorRef<Ball>>,
    template: Message,
}

enum Ball {
    Peer(ActorRef<Ball>),
    Parcel(Parcel),
}

impl ractor::Message for Ball {}

impl ractor::Actor for Player {
    type Msg = Ball;
    type State = Playing;
    type Arguments = Option<u64>;

    async fn pre_start(&self, _: ActorRef<Ball>, until: Option<u64>) -> Result<Playing, ActorProcessingErr> {
        let tally = until.map(|until| Tally::new(until, false));
        Ok(Playing { tally, peer: None, template: message("bench.ball") })
    }

    async fn handle(&self, _: ActorRef<Ball>, ball: Ball, state: &mut Playing) -> Result<(), ActorProcessingErr> {
        match ball {
            Ball::Peer(peer) => state.peer = Some(peer),
            Ball::Parcel(Parcel(message)) => {
                if let Some(tally) = &mut state.tally {
                    tally.one(payload(&message));
                }
                if let Some(peer) = &state.peer {
                    peer.cast(Ball::Parcel(Parcel(Box::new(state.template.clone()))))?;
                }
            }
        }
        Ok(())
    }
}

async fn ping_pong_of_casts(count: u64) -> Result<(), Failure> {
    let (ping, ended) = ractor::Actor::spawn(None, Player, Some(count)).await?;
    let (pong, _) = ractor::Actor::spawn(None, Player, None).await?;
    ping.cast(Ball::Peer(pong.clone()))?;
    pong.cast(Ball::Peer(ping.clone()))?;
    ping.cast(Ball::Parcel(Parcel(Box::new(message("bench.ball")))))?;
    ended.await?;
    Err("the players ended before all messages came".into())
}

async fn ping_pong_on_a_node(count: u64) -> Result<(), Failure> {
    let bus = LocalBus::new();
    let clock = Clock::new();
    let spec = hosting::spec(&[
        ("pong", json!({ "kind": NodePlayer::KIND, "peer": "ping" })),
        ("ping", json!({ "kind": NodePlayer::KIND, "peer": "pong", "until": count })),
    ])?;
    let catalog = Catalog::new().with::<NodePlayer>();
    let node = Node::start(spec, &catalog, Arc::new(bus.client()), clock, Box::new(|_| {})).await?;
    node.ended().await;
    Err("the node ended before all messages came".into())
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
struct PlayerConfig {
    /// The other one.
    #[garde(skip)]
    peer: String,
    /// Messages to count, for the one that begins.
    #[garde(skip)]
    until: Option<u64>,
}

/// The same player as an actor of a node.
struct NodePlayer {
    name: String,
    tally: Option<Tally>,
    template: Message,
}

impl Actor for NodePlayer {
    const KIND: &'static str = "player";
    type Config = PlayerConfig;

    fn new(config: PlayerConfig, birth: &Birth) -> Result<Self, ConfigError> {
        let to = Subject::parse(format!("bench.ball.{}", config.peer));
        let to = to.map_err(|error| ConfigError::new("peer", error.to_string()))?;
        let tally = config.until.map(|until| Tally::new(until, false));
        let template = Message { subject: to, ..message("bench.ball") };
        Ok(Self { name: birth.actor.to_string(), tally, template })
    }

    fn contract(&self) -> Contract {
        Contract { reads: vec![reads(format!("bench.ball.{}", self.name))], ..Contract::default() }
    }

    fn handle(&mut self, _: Now, input: Input<'_>, out: &mut Effects) -> Result<(), Fault> {
        if let Input::Message(message) = input {
            if let Some(tally) = &mut self.tally {
                tally.one(payload(message));
            }
            out.publish(self.template.clone());
        } else if let (Input::Started, Some(_)) = (input, &self.tally) {
            out.publish(self.template.clone());
        }
        Ok(())
    }
}
