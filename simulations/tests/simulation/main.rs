//! The simulator from outside: what it hosts, how its world behaves, and what its scenarios find.

mod faults;
mod groups;
mod host;
mod mesh;
mod scenarios;
mod support;
