//! The kernel's own state of the clock: the last resort.
