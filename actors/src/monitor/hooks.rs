//! Command lines that run when a unit changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use garde::Validate;
use nunect_core::{Effects, Health, PortName, UnitId};

/// The task that runs them. It is given JSON, `{"command":["…"],"env":{…}}`, and says
/// `{"failed":"why"}` when a command could not be run or ended with an error.
pub const PORT: PortName = "hook";
/// The words of a command line at most.
pub const WORDS_MAX: usize = 64;
/// Their length at most, in bytes.
pub const WORD_MAX_BYTES: usize = 4_096;

/// Programs to run, each with its arguments. They find the unit in `NUNECT_UNIT`, the state that it
/// came to in `NUNECT_STATE`, the one before in `NUNECT_FROM`, and why in `NUNECT_REASON`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// When a unit is OFFLINE.
    #[garde(custom(command_line))]
    pub offline: Option<Vec<String>>,
    /// When a unit is DEGRADED or CRITICAL.
    #[garde(custom(command_line))]
    pub degraded: Option<Vec<String>>,
    /// When a unit comes online, or is OK again.
    #[garde(custom(command_line))]
    pub online: Option<Vec<String>>,
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "this is how garde calls it")]
fn command_line(words: &Option<Vec<String>>, (): &()) -> garde::Result {
    let Some(words) = words else { return Ok(()) };
    let program = words.first().is_some_and(|program| !program.is_empty());
    if program && words.len() <= WORDS_MAX && words.iter().all(|word| word.len() <= WORD_MAX_BYTES) {
        return Ok(());
    }
    Err(garde::Error::new(format!(
        "a program and its arguments are wanted, such as [/usr/bin/page, operators]: up to {WORDS_MAX} words of \
         {WORD_MAX_BYTES} bytes"
    )))
}

impl Hooks {
    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.offline.is_none() && self.degraded.is_none() && self.online.is_none()
    }

    /// Has the command for this change run, if there is one.
    pub(super) fn run(&self, unit: &UnitId, from: Health, to: Health, reason: &str, out: &mut Effects) {
        let command = match to {
            Health::Ok => &self.online,
            Health::Degraded | Health::Critical => &self.degraded,
            Health::Offline => &self.offline,
        };
        if let Some(command) = command {
            let env = json!({
                "NUNECT_UNIT": unit,
                "NUNECT_STATE": to,
                "NUNECT_FROM": from,
                "NUNECT_REASON": reason,
            });
            out.port(PORT, json!({ "command": command, "env": env }).to_string());
        }
    }
}
