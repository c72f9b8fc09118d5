//! What lies between the nodes.

pub(crate) mod flat;
