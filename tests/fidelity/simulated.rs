//! The simulated side: the same links, servers and clients as on the real side, by the simulator's public interface.

mod actors;
mod cluster;
mod leaf;
mod link;
mod offline;
mod run;

pub(crate) use cluster::cluster_cut;
pub(crate) use leaf::leaf_failover;
pub(crate) use link::lossy_link;
pub(crate) use offline::offline_decisions;
