//! nunect with one more actor, which crashes when it is told to: what the tests break nodes with.
//!
//! ```sh
//! cargo run --example brittle -- up --unit alpha --nats nats://127.0.0.1:4222 -c examples/brittle.yaml
//! cargo run -- pub test.brittle.alpha panic --nats nats://127.0.0.1:4222
//! ```

#[path = "../tests/support/brittle.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use the rest")]
mod brittle;

fn main() -> std::process::ExitCode {
    nunect::Program::new().with::<brittle::Brittle>().main()
}
