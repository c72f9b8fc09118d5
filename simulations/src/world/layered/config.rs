//! A layered world as a scenario writes it down.
//!
//! ```yaml
//! world:
//!   layered:
//!     mesh: { link: { delay: 3ms, loss: 2% } }
//!     transport: { tcp: {} }
//!     servers: { hubs: [n00, n06], nodes: leaf, ping: { interval: 5s, max: 2 } }
//! ```

use nunect_core::config::Size;
use nunect_core::time::nanos;
use nunect_core::{Period, UnitId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::datagram::DatagramConfig;
use super::net::config::{Find, Report};
use super::net::{NetConfig, NetPlan};
use super::tcp::TcpConfig;
use crate::draw::key;
use crate::scenario::file::Names;

/// The most hubs: each holds a connection to each other and knows what all want.
const HUBS_MAX: usize = 256;
/// The longest of all times that servers and clients are set to.
const WAIT_MAX: Period = Period::from_secs(3_600);

/// Units, their NATS servers, the connections between these, and the mesh that carries them.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Layered")]
pub(crate) struct LayeredConfig {
    /// The radio mesh between the nodes.
    pub(crate) mesh: NetConfig,
    /// What carries connections over the mesh.
    pub(crate) transport: Transport,
    /// The NATS servers.
    pub(crate) servers: ServersConfig,
}

/// What carries connections over the mesh.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// As real servers do: what is lost comes late, and so does everything behind it.
    Tcp(TcpConfig),
    /// What is lost stays lost, as far as messages go; what servers say to each other is repeated.
    Datagram(DatagramConfig),
}

impl Default for Transport {
    fn default() -> Self {
        Self::Tcp(TcpConfig::default())
    }
}

/// Who runs a NATS server, and how these are set.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Servers")]
pub(crate) struct ServersConfig {
    /// The nodes that run a hub, in the order in which others try them: the first node, if not given;
    /// `"*"` for every node. Several are a cluster: each has a route to each.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "names")]
    pub(crate) hubs: Option<Names>,
    /// What the other nodes run.
    pub(crate) nodes: NodesConfig,
    /// From a process to the server on its own machine.
    pub(crate) loopback: Period,
    /// How servers find that one of them is gone.
    pub(crate) ping: PingConfig,
    /// A server closes a connection on which it could not write for so long.
    pub(crate) write_deadline: Period,
    /// From the end of a leaf's connection to the next try; from a try that failed to the next up to twice as long.
    pub(crate) reconnect: Period,
    /// The same between hubs, but for up to 100ms more after the end of a connection, and no more after a failed try.
    pub(crate) route_reconnect: Period,
    /// How long a server waits for a connection, and then for the other's first words.
    pub(crate) connect_timeout: Period,
    /// A server closes a connection for which more waits.
    pub(crate) max_pending: Size,
    /// How the processes' clients are set.
    pub(crate) client: ClientConfig,
}

/// What the nodes run that run no hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Nodes")]
pub(crate) enum NodesConfig {
    /// A leaf: a server of their own, connected to one hub at a time.
    #[default]
    Leaf,
    /// None: their processes connect to the hubs.
    Client,
}

/// Pings, as `ping_interval` and `ping_max` of a NATS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Ping")]
pub(crate) struct PingConfig {
    /// From one to the next; routes ping at least every 30s.
    pub(crate) interval: Period,
    /// So many may be unanswered: when the next is due, the connection is closed instead.
    pub(crate) max: u32,
}

/// How the client of a process is set. What is not given is as nunect's own client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Client")]
pub(crate) struct ClientConfig {
    /// How it finds that a hub is gone.
    pub(crate) ping: PingConfig,
    /// From the second to the third try to connect; doubles from there, with up to a quarter more.
    pub(crate) reconnect_floor: Period,
    /// The longest time between two tries, but for that quarter.
    pub(crate) reconnect_cap: Period,
    /// How long it waits for a connection to a hub.
    pub(crate) connect_timeout: Period,
}

impl Default for ServersConfig {
    fn default() -> Self {
        Self {
            hubs: None,
            nodes: NodesConfig::default(),
            loopback: Period(std::time::Duration::from_micros(30)),
            ping: PingConfig { interval: Period::from_secs(5), max: 2 },
            write_deadline: Period::from_secs(5),
            reconnect: Period::from_secs(1),
            route_reconnect: Period::from_secs(1),
            connect_timeout: Period::from_secs(1),
            max_pending: Size(64 << 20),
            client: ClientConfig::default(),
        }
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            ping: PingConfig { interval: Period::from_secs(2), max: 2 },
            reconnect_floor: Period::from_millis(250),
            reconnect_cap: Period::from_secs(1),
            connect_timeout: Period::from_secs(2),
        }
    }
}

/// A layered world with every name resolved and every time in nanoseconds.
#[derive(Clone, Debug)]
pub(crate) struct LayeredPlan {
    /// From the name of each node.
    pub(super) stations: Vec<u64>,
    pub(super) net: NetPlan,
    pub(super) transport: Transport,
    /// In order of preference.
    pub(super) hubs: Vec<u32>,
    pub(super) nodes: NodesConfig,
    pub(super) loopback: u64,
    pub(super) ping: PingPlan,
    pub(super) route_ping: PingPlan,
    pub(super) client_ping: PingPlan,
    pub(super) write_deadline: u64,
    pub(super) reconnect: u64,
    pub(super) route_reconnect: u64,
    pub(super) connect_timeout: u64,
    pub(super) client_timeout: u64,
    pub(super) reconnect_floor: u64,
    pub(super) reconnect_cap: u64,
    pub(super) max_pending: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct PingPlan {
    pub(super) interval: u64,
    pub(super) max: u32,
}

/// Routes do not wait longer between pings (`routeMaxPingInterval` of nats-server).
const ROUTE_PING_MAX: u64 = 30_000_000_000;

impl LayeredPlan {
    /// Whether what one node sends to another arrives in order.
    pub(crate) const fn keeps_order(&self) -> bool {
        matches!(self.transport, Transport::Tcp(_))
    }
}

impl LayeredConfig {
    /// Resolves all names and checks everything. What cannot be goes to `report` with its key below
    /// `world.layered`; the plan is then of no use, but one.
    pub(crate) fn plan(&self, units: &[UnitId], find: Find<'_>, report: Report<'_>) -> LayeredPlan {
        let net = self.mesh.plan(units, find, &mut |key, reason, help| {
            report(if key.is_empty() { "mesh".to_owned() } else { format!("mesh.{key}") }, reason, help);
        });
        let servers = &self.servers;
        servers.check_times(report);
        let ping = PingPlan { interval: nanos(servers.ping.interval.0), max: servers.ping.max };
        let client = &servers.client;
        LayeredPlan {
            stations: units.iter().map(|unit| key(unit.as_str())).collect(),
            net,
            transport: self.transport,
            hubs: servers.hubs(find, report),
            nodes: servers.nodes,
            loopback: nanos(servers.loopback.0),
            ping,
            route_ping: PingPlan { interval: ping.interval.min(ROUTE_PING_MAX), ..ping },
            client_ping: PingPlan { interval: nanos(client.ping.interval.0), max: client.ping.max },
            write_deadline: nanos(servers.write_deadline.0),
            reconnect: nanos(servers.reconnect.0),
            route_reconnect: nanos(servers.route_reconnect.0),
            connect_timeout: nanos(servers.connect_timeout.0),
            client_timeout: nanos(client.connect_timeout.0),
            reconnect_floor: nanos(client.reconnect_floor.0),
            reconnect_cap: nanos(client.reconnect_cap.0).max(nanos(client.reconnect_floor.0)),
            max_pending: servers.max_pending.0,
        }
    }
}

impl ServersConfig {
    /// The hubs in the order in which they are named: `Names` alone would sort them.
    fn hubs(&self, find: Find<'_>, report: Report<'_>) -> Vec<u32> {
        let Some(names) = &self.hubs else { return vec![0] };
        let at = |position: usize| match names.0.len() {
            0 | 1 => "servers.hubs".to_owned(),
            _ => format!("servers.hubs[{position}]"),
        };
        let single = |name: &String| Names(vec![name.clone()]);
        let excludes = names.0.iter().any(|name| name.starts_with("not "));
        let parts =
            if excludes || names.0.is_empty() { vec![names.clone()] } else { names.0.iter().map(single).collect() };
        let mut hubs: Vec<u32> = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            match find(part) {
                Ok(found) if found.iter().any(|hub| hubs.contains(hub)) => {
                    report(at(number), format!("`{part}` is a hub already"), "name each hub once".to_owned());
                }
                Ok(found) => hubs.extend(found),
                Err((position, reason, help)) => report(at(number + position), reason, help),
            }
        }
        if hubs.len() > HUBS_MAX {
            let reason = format!("{} hubs; each has a route to each, and {HUBS_MAX} are the most", hubs.len());
            report("servers.hubs".to_owned(), reason, "let the other nodes be leafs".to_owned());
        }
        hubs
    }

    fn check_times(&self, report: Report<'_>) {
        let client = &self.client;
        let above_zero = [
            ("ping.interval", self.ping.interval),
            ("write_deadline", self.write_deadline),
            ("reconnect", self.reconnect),
            ("route_reconnect", self.route_reconnect),
            ("connect_timeout", self.connect_timeout),
            ("client.ping.interval", client.ping.interval),
            ("client.reconnect_floor", client.reconnect_floor),
            ("client.reconnect_cap", client.reconnect_cap),
            ("client.connect_timeout", client.connect_timeout),
        ];
        for (key, period) in above_zero {
            if period.0.is_zero() {
                report(format!("servers.{key}"), "a time that is no time".to_owned(), "write 1s".to_owned());
            }
        }
        for (key, period) in above_zero.into_iter().chain([("loopback", self.loopback)]) {
            if period > WAIT_MAX {
                report(format!("servers.{key}"), format!("longer than {WAIT_MAX}"), String::new());
            }
        }
        if self.max_pending.0 == 0 {
            report("servers.max_pending".to_owned(), "nothing could wait".to_owned(), "write 64MiB".to_owned());
        }
    }
}

fn names<S: Serializer>(names: &Option<Names>, serializer: S) -> Result<S::Ok, S::Error> {
    names.as_ref().map(|names| &names.0).serialize(serializer)
}
