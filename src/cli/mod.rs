//! The command line: one subcommand a file.

mod client;
mod completions;
mod config;
mod console;
mod doctor;
mod greeting;
mod logging;
mod new;
mod operate;
mod output;
mod probe;
mod problem;
mod reach;
mod sim;
mod time;
mod units;
mod up;
mod watching;
mod wire;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use nunect_core::Catalog;
use nunect_runtime::Ports;

use console::Console;

/// What the process tells its caller (protocol, section 6).
mod exit {
    pub(super) const FINE: u8 = 0;
    pub(super) const NOT_MET: u8 = 1;
    pub(super) const CONFIGURATION: u8 = 2;
    pub(super) const DUPLICATE: u8 = 3;
    pub(super) const ESCALATED: u8 = 70;
    pub(super) const HUNG: u8 = 71;
}

/// Supervised actors on NATS, live and simulated.
#[derive(Debug, Parser)]
#[command(name = "nunect", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 fine, 1 an expectation was not met, 2 configuration or usage, \
                        3 another node of this name runs, 70 a node gave up after too many crashes, \
                        71 an actor hung.")]
struct Arguments {
    /// Print data as JSON, one object a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node until it is told to stop.
    Up(up::Arguments),
    /// Run nodes in the simulator.
    #[command(subcommand)]
    Sim(sim::Command),
    /// Show who is there, since when, and how healthy.
    Units(units::Arguments),
    /// Show how a unit does and how long it takes to answer.
    Probe(probe::Arguments),
    /// Show what units know of their clocks, or how far this machine's is from one of them.
    Time(time::Arguments),
    /// Show a node's supervision tree.
    Tree(operate::Tree),
    /// Do harm to an actor of a node whose configuration allows it, to see it recover.
    Chaos(operate::Chaos),
    /// Change what a node writes down, until it ends.
    LogLevel(operate::LogLevel),
    /// Print what arrives on subjects, until it is told to stop.
    Sub(wire::Sub),
    /// Publish a message.
    Pub(wire::Pub),
    /// Ask, and print the answer.
    Req(wire::Req),
    /// Look at a configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Look for what would keep a node from doing well here.
    Doctor(doctor::Arguments),
    /// Begin something of your own.
    #[command(subcommand)]
    New(new::Command),
    /// Print what a shell needs to complete commands.
    Completions(completions::Completions),
    /// Print the manual, or write a page for each command.
    Man(completions::Manual),
}

/// Does what the command line says.
pub(crate) fn main(catalog: &Catalog, ports: &Ports) -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::new(arguments.json);
    let code = match arguments.command {
        Command::Up(arguments) => up::run(&arguments, catalog, ports, console),
        Command::Sim(command) => sim::run(&command, catalog, &console),
        Command::Units(arguments) => units::run(&arguments, &console),
        Command::Probe(arguments) => probe::run(&arguments, &console),
        Command::Time(arguments) => time::run(&arguments, &console),
        Command::Tree(arguments) => operate::tree(&arguments, &console),
        Command::Chaos(arguments) => operate::chaos(&arguments, &console),
        Command::LogLevel(arguments) => operate::log_level(&arguments, &console),
        Command::Sub(arguments) => wire::sub(&arguments, &console),
        Command::Pub(arguments) => wire::publish(&arguments, &console),
        Command::Req(arguments) => wire::request(&arguments, &console),
        Command::Config(command) => config::run(&command, catalog, &console),
        Command::Doctor(arguments) => doctor::run(&arguments, catalog, &console),
        Command::New(command) => new::run(&command, catalog, &console),
        Command::Completions(arguments) => completions::complete(&arguments),
        Command::Man(arguments) => completions::manual(&arguments, &console),
    };
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn no_two_flags_of_a_command_contradict_each_other() {
        super::Arguments::command().debug_assert();
    }
}
