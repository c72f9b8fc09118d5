//! The simulator from outside: what it hosts, how its world behaves, and what its scenarios find.

mod checkers;
mod clocks;
mod faults;
mod groups;
mod guardian;
mod host;
mod library;
mod mesh;
mod mistakes;
mod scenarios;
mod support;
mod trouble;
