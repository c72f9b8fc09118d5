//! The real side: nats-servers, clients and units as processes in network namespaces, whose links a relay delays, loses
//! and cuts. Everything talks inside those namespaces alone, and ends with the test that started it.

mod cluster;
mod flow;
mod leaf;
mod link;
mod mesh;
mod offline;
mod process;
mod server;

use serde::Serialize;
use serde_json::Value;

pub(crate) use cluster::cluster_cut;
pub(crate) use leaf::leaf_failover;
pub(crate) use link::lossy_link;
pub(crate) use mesh::Stats;
pub(crate) use offline::{FAR, NEAR, VICTIM, WATCHER, offline_decisions};

/// Under what conditions something was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Conditions {
    /// What the relay did, and how late.
    pub(crate) relay: Stats,
    /// The kernel's settings that decide how TCP behaves.
    pub(crate) kernel: Value,
    /// The version of nats-server.
    pub(crate) nats_server: String,
}

impl Conditions {
    fn of(mesh: &mut mesh::Mesh) -> Self {
        Self { relay: mesh.stats(), kernel: mesh.kernel().clone(), nats_server: server::version() }
    }
}
