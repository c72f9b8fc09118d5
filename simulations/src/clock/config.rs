//! How wrong clocks are, as a scenario says it.

use nunect_core::Period;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::file::Drift;

/// How wrong clocks are; each node draws its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClocksConfig {
    /// The wall clock is ahead or behind by at most this when the run begins.
    pub(crate) offset: Period,
    /// Both clocks are fast or slow by at most this.
    pub(crate) drift: Drift,
    /// How far the drift wanders in a second; in t seconds by a normal deviate of this times √t.
    pub(crate) wander: Drift,
    /// Whether the nodes have GPS receivers with a pulse, which discipline their clocks.
    pub(crate) gps: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_as_they_are_written() {
        let clocks: ClocksConfig =
            serde_saphyr::from_str("{ offset: 5ms, drift: 20ppm, wander: 5ppb, gps: true }").expect("as documented");
        assert_eq!((clocks.offset, clocks.gps), (Period::from_millis(5), true));
        assert_eq!((clocks.drift.ppb, clocks.wander.ppb), (20_000, 5));
        let written = serde_json::to_string(&clocks).expect("no shape that JSON lacks");
        assert_eq!(serde_json::from_str::<ClocksConfig>(&written).expect("as written"), clocks);
        assert!(serde_saphyr::from_str::<ClocksConfig>("{ wonder: 5ppb }").is_err());
        assert_eq!(serde_saphyr::from_str::<ClocksConfig>("{}").expect("all have a default"), ClocksConfig::default());
    }
}
