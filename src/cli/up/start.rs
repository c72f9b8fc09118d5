//! From a profile to a node that runs, with what stands beside it.

use std::sync::Arc;
use std::time::Duration;

use nunect_core::protocol::{echo, header};
use nunect_core::random::Entropy;
use nunect_core::{Catalog, SessionId, UnitId};
use nunect_runtime::bus::ask::{Inbox, ask};
use nunect_runtime::config::{BusUrl, ConnectionSection, HostPort, Profile};
use nunect_runtime::metrics::MetricsServer;
use nunect_runtime::telemetry::{self, Tap};
use nunect_runtime::{
    Bus, Clock, ControlError, ControlServer, End, HangLimits, LocalBus, NatsBus, NatsOptions, NatsServer,
    NatsServerOptions, Node, NodeSpec, Ports,
};

use super::super::console::Console;
use super::super::{exit, problem};
use super::{Arguments, service};

/// How long another node of this name may take to say that it is there.
const TWIN_PATIENCE: Duration = Duration::from_millis(500);

/// Where the server beside a node listens when nothing else is said.
const SERVER_PORT: u16 = 4222;

/// What a node is started from.
pub(super) struct Start<'a> {
    pub(super) arguments: &'a Arguments,
    pub(super) catalog: &'a Catalog,
    pub(super) ports: &'a Ports,
    pub(super) console: &'a Console,
    pub(super) clock: Clock,
    pub(super) tap: Tap,
}

/// A node that runs.
pub(super) struct Started {
    pub(super) node: Node,
    /// Open as long as this is here.
    control: Option<ControlServer>,
    /// Served as long as this is here.
    metrics: Option<MetricsServer>,
    server: Option<NatsServer>,
}

/// Why a node did not start.
pub(super) struct Failed {
    pub(super) code: u8,
    pub(super) words: String,
}

impl From<Box<dyn std::error::Error>> for Failed {
    fn from(error: Box<dyn std::error::Error>) -> Self {
        Self { code: exit::CONFIGURATION, words: problem::chain(error.as_ref()) }
    }
}

impl Started {
    /// Stops the node, and then what stands beside it.
    pub(super) async fn stop(self) -> End {
        drop(self.control);
        drop(self.metrics);
        let end = self.node.stop().await;
        // Only now: the node's last words go through it.
        if let Some(server) = self.server {
            server.stop().await;
        }
        end
    }
}

impl Start<'_> {
    /// Starts the node.
    pub(super) async fn node(&self, profile: &Profile) -> Result<Started, Failed> {
        let (server, urls) = self.server(profile).await?;
        let spec = self.spec(profile)?;
        let bus = self.bus(&profile.connection, urls, &spec).await?;
        if !self.arguments.force
            && let Some(session) = twin(bus.as_ref(), &self.clock, &spec).await
        {
            bus.abandon();
            return Err(Failed {
                code: exit::DUPLICATE,
                words: format!(
                    "error: a unit `{}` is there already, in session {session}\n\
                     Give this one another name (metadata.unit_id, --unit), stop the other, or start all the same with --force.",
                    profile.unit
                ),
            });
        }
        let observer = Box::new(telemetry::trace);
        let node = Node::start(spec, self.catalog, bus, self.clock, observer).await.map_err(Box::from)?;
        match self.beside(profile, &node).await {
            Ok((control, metrics)) => Ok(Started { node, control, metrics, server }),
            Err(failed) => {
                node.stop().await;
                Err(failed)
            }
        }
    }

    /// Starts the server beside the node, if one is wanted; and where the node then finds its bus.
    async fn server(&self, profile: &Profile) -> Result<(Option<NatsServer>, Vec<String>), Failed> {
        let urls = &profile.connection.urls;
        let said = || urls.iter().map(|url| url.expose().to_owned()).collect();
        if !self.arguments.with_nats {
            return Ok((None, said()));
        }
        let failed = |words: String| Failed { code: exit::CONFIGURATION, words };
        let places = match urls.as_slice() {
            [] => vec![HostPort::loopback(SERVER_PORT)],
            urls => urls.iter().map(BusUrl::host_port).collect(),
        };
        let mut listen = None;
        for place in &places {
            let resolved = tokio::net::lookup_host((place.host.as_str(), place.port)).await;
            listen = listen.or_else(|| resolved.ok()?.find(|address| address.ip().is_loopback()));
        }
        let listen = listen.ok_or_else(|| {
            failed(
                "error: --with-nats runs a server for this machine, and connection.urls names none of it\n\
                 Add nats://127.0.0.1:4222 to connection.urls, or start the node without --with-nats."
                    .to_owned(),
            )
        })?;
        let section = profile.connection.server.clone().unwrap_or_default();
        let (binary, config) = (section.binary, section.config);
        let options = NatsServerOptions { binary, config, listen, unit: profile.unit.clone() };
        let server = NatsServer::start(options).await.map_err(|error| failed(problem::chain(&error)))?;
        tracing::info!(target: "nunect::nats_server", "nats-server {} listens on {}", server.version(), server.url());
        let urls = if urls.is_empty() { vec![server.url()] } else { said() };
        Ok((Some(server), urls))
    }

    /// What stands beside the node.
    async fn beside(
        &self,
        profile: &Profile,
        node: &Node,
    ) -> Result<(Option<ControlServer>, Option<MetricsServer>), Failed> {
        Ok((self.control(profile, node).await?, self.metrics(profile, node).await?))
    }

    /// Opens the endpoint for Prometheus, if the profile has one.
    async fn metrics(&self, profile: &Profile, node: &Node) -> Result<Option<MetricsServer>, Failed> {
        let Some(section) = &profile.metrics else { return Ok(None) };
        let listen = &section.listen;
        let failed = |words: String| Failed { code: exit::CONFIGURATION, words };
        let mut addresses = tokio::net::lookup_host((listen.host.as_str(), listen.port)).await.map_err(|error| {
            failed(format!("error: metrics.listen: `{}` is no address of this machine: {error}", listen.host))
        })?;
        let address = addresses
            .next()
            .ok_or_else(|| failed(format!("error: metrics.listen: `{}` has no address", listen.host)))?;
        let server = MetricsServer::start(address, node).map_err(|error| failed(problem::chain(&error)))?;
        tracing::info!(target: "nunect::metrics", "http://{}/metrics", server.local_addr());
        Ok(Some(server))
    }

    /// Opens the control socket. A machine that has no place for one costs the tools, and not the node.
    async fn control(&self, profile: &Profile, node: &Node) -> Result<Option<ControlServer>, Failed> {
        let section = &profile.control;
        if !section.enabled {
            return Ok(None);
        }
        let error = match ControlServer::start(node.switchboard(), section.socket.as_deref()).await {
            Ok(control) => return Ok(Some(control)),
            Err(error) => error,
        };
        let whose = if let ControlError::InUse { unit, .. } = &error { Some(unit) } else { None };
        let code = match whose {
            Some(Some(unit)) if *unit == profile.unit => exit::DUPLICATE,
            None if section.socket.is_none() => {
                tracing::warn!(target: "nunect::control", "no command line tool can reach this node: {error}");
                return Ok(None);
            }
            Some(_) | None => exit::CONFIGURATION,
        };
        let mut words = problem::chain(&error);
        if let ControlError::Io { .. } = error {
            words += "\nName a path with --socket whose folder is there and may be written to, or leave it out.";
        }
        Err(Failed { code, words })
    }

    fn spec(&self, profile: &Profile) -> Result<NodeSpec, Box<dyn std::error::Error>> {
        let spec = NodeSpec::new(profile.unit.clone(), profile.metadata.role, profile.actors.clone())?;
        Ok(NodeSpec {
            supervision: profile.supervision.clone(),
            hang: HangLimits { after: profile.supervision.hang_after.0, limit: profile.supervision.hang_limit.0 },
            capabilities: profile.capabilities.clone(),
            chaos: profile.chaos.enabled,
            log_level: profile.logging.min_level,
            include_fields: profile.logging.include_fields.clone(),
            ports: self.ports.clone(),
            tap: Some(self.tap.clone()),
            time: profile.time.clone(),
            pulse: service::pulse(),
            ..spec
        })
    }

    async fn bus(
        &self,
        connection: &ConnectionSection,
        urls: Vec<String>,
        spec: &NodeSpec,
    ) -> Result<Arc<dyn Bus>, Box<dyn std::error::Error>> {
        if urls.is_empty() {
            return Ok(Arc::new(LocalBus::new().client()));
        }
        let options = NatsOptions {
            urls,
            credentials: connection.credentials.clone(),
            unit: spec.unit.clone(),
            session: spec.session.clone(),
            reconnect_wait: connection.reconnect_wait.0,
            max_reconnects: connection.max_reconnects.map(|most| most as usize),
        };
        let random = Entropy::stream(&spec.entropy, "reconnect", 0);
        Ok(Arc::new(NatsBus::connect(options, self.clock, random).await?))
    }
}

/// The session of another unit of this name, if one answers. Who does not answer in time, or whose
/// server is away, is found later, by its heartbeats.
async fn twin(bus: &dyn Bus, clock: &Clock, spec: &NodeSpec) -> Option<SessionId> {
    let inbox = Inbox::new(spec.unit.clone(), spec.session.clone());
    let question = nunect_core::Message::new(echo::subject(&spec.unit));
    let answer = ask(bus, &inbox, clock, question, TWIN_PATIENCE).await.ok()?;
    let unit: Option<UnitId> = header::UNIT_ID.read(&answer.headers).ok()?;
    let session = header::SESSION_ID.read(&answer.headers).ok()??;
    (unit? == spec.unit && session != spec.session).then_some(session)
}
