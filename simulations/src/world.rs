//! What lies between the nodes.

pub(crate) mod flat;
pub(crate) mod layered;
