//! Whether the servers are there.

use nunect_runtime::config::BusUrl;

use super::super::greeting::greet;
use super::{Context, Finding};

/// The version from which on a server has all that a node relies on.
const VERSION_MIN: (u32, u32) = (2, 10);
/// What a message of a node may take at most: a page of the unit directory.
const PAYLOAD_MIN: u64 = 1 << 20;

/// Each server by its first words.
pub(super) fn greetings(context: &Context<'_>) -> Vec<Finding> {
    let Some(profile) = context.profile() else { return Vec::new() };
    let urls = &profile.connection.urls;
    if urls.is_empty() {
        let what = "none: the bus within the process, which other nodes do not reach";
        return vec![Finding::info("server", what)];
    }
    urls.iter().map(|url| greeting(url, context)).collect()
}

fn greeting(url: &BusUrl, context: &Context<'_>) -> Finding {
    let greeting = match greet(url, context.timeout) {
        Ok(greeting) => greeting,
        Err(silence) => return Finding::problem("server", format!("{url}: {}", silence.reason), silence.help),
    };
    let (major, minor) = VERSION_MIN;
    let shown = format!(
        "{url}: nats-server {} at {}, messages of up to {} bytes",
        greeting.version, greeting.address, greeting.max_payload
    );
    if !greeting.is_at_least(major, minor) {
        return Finding::problem("server", shown, format!("update it to {major}.{minor} or later"));
    }
    if greeting.max_payload < PAYLOAD_MIN {
        let help = format!("set its max_payload to {PAYLOAD_MIN}: longer messages are refused");
        return Finding::warning("server", shown, help);
    }
    Finding::ok("server", shown)
}
