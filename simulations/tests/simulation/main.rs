//! The simulator from outside: what it hosts, how its world behaves, and what its scenarios find.

mod groups;
mod faults;
mod host;
mod mesh;
mod scenarios;
mod support;
