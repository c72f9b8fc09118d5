//! What nunect costs, measured against the same work without it.
