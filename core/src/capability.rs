//! What a node may publish (`capabilities` of its profile), as its outbox enforces it.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::UnitId;
use crate::protocol::units;
use crate::subject::{Pattern, Subject};

/// One line of a profile's `capabilities`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Which subjects.
    pub subject: Pattern,
    /// What may be done with them.
    pub allow: Vec<Allow>,
}

/// What may be done with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Allow {
    /// Publishing.
    Pub,
    /// Subscribing.
    Sub,
}

impl FromStr for Allow {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "pub" => Ok(Self::Pub),
            "sub" => Ok(Self::Sub),
            _ => Err(()),
        }
    }
}

/// What a node with `capabilities` may publish.
///
/// Said explicitly: the patterns of the profile that allow `pub`. Granted besides: whatever the
/// contract of an enabled actor publishes outside `com.` and `nav.`, every subject of `ops.` and
/// `qos.` that carries the unit's own ID, and the question who is there. Answers to reply subjects
/// are never asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    unit: UnitId,
    patterns: Vec<Pattern>,
}

impl Grants {
    /// The grants of `unit` by its profile and the contracts of its actors.
    #[must_use]
    pub fn new(unit: UnitId, capabilities: &[Capability], contracts: impl IntoIterator<Item = Pattern>) -> Self {
        let said = capabilities.iter().filter(|capability| capability.allow.contains(&Allow::Pub));
        let mut patterns: Vec<Pattern> = said.map(|capability| capability.subject.clone()).collect();
        patterns.extend(contracts.into_iter().filter(|pattern| !is_traffic(pattern.tokens().next())));
        patterns.push(Pattern::from(&units::subject()));
        Self { unit, patterns }
    }

    /// Grants `patterns` besides: an actor that came later.
    pub fn extend(&mut self, contract: impl IntoIterator<Item = Pattern>) {
        let own = contract.into_iter().filter(|pattern| !is_traffic(pattern.tokens().next()));
        for pattern in own {
            if !self.patterns.contains(&pattern) {
                self.patterns.push(pattern);
            }
        }
    }

    /// Whether the node may publish to `subject`.
    #[must_use]
    pub fn permit(&self, subject: &Subject) -> bool {
        let mut tokens = subject.tokens();
        let own = matches!(tokens.next(), Some("ops" | "qos")) && tokens.any(|token| token == self.unit.as_str());
        own || self.patterns.iter().any(|pattern| pattern.matches(subject))
    }
}

/// Whether a subject that begins so carries what users have to say, and not what keeps the mesh going.
fn is_traffic(domain: Option<&str>) -> bool {
    matches!(domain, Some("com" | "nav"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary::{subject_of, unit_named};

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text.to_owned()).expect("legal")
    }

    fn grants() -> Grants {
        let capability = |subject, allow: &[Allow]| Capability { subject: pattern(subject), allow: allow.to_vec() };
        Grants::new(
            unit_named("alpha"),
            &[
                capability("com.bridge.vhf.*.*.voice", &[Allow::Pub, Allow::Sub]),
                capability("com.bridge.web.>", &[Allow::Sub]),
            ],
            [pattern("ops.echo.*"), pattern("com.engine.>"), pattern("probe.*")],
        )
    }

    #[test]
    fn what_the_profile_allows_to_publish_may_be_published_and_nothing_else_of_users() {
        let grants = grants();
        assert!(grants.permit(&subject_of("com.bridge.vhf.sdr01.ch16.voice")));
        assert!(!grants.permit(&subject_of("com.bridge.vhf.sdr01.ch16.data")));
        assert!(!grants.permit(&subject_of("com.bridge.web.sdr01.ch16.data")), "reading is not writing");
        assert!(!grants.permit(&subject_of("nav.bridge.gps.alpha.all.data")), "one's own name opens no door here");
    }

    #[test]
    fn a_contract_grants_what_keeps_the_mesh_going_and_no_traffic() {
        let grants = grants();
        assert!(grants.permit(&subject_of("ops.echo.bravo")));
        assert!(grants.permit(&subject_of("probe.bravo")));
        assert!(!grants.permit(&subject_of("com.engine.opus.x.all.voice")));
        assert!(!grants.permit(&subject_of("ops.cmd.node.bravo")));
    }

    #[test]
    fn what_carries_the_units_own_name_needs_no_grant() {
        let grants = grants();
        assert!(grants.permit(&subject_of("ops.log.WARN.alpha")));
        assert!(grants.permit(&subject_of("qos.client.status.alpha")));
        assert!(!grants.permit(&subject_of("ops.log.WARN.alphabet")));
        assert!(grants.permit(&subject_of("ops.status.units")));
    }

    #[test]
    fn a_later_actor_extends_them() {
        let mut grants = grants();
        grants.extend([pattern("ops.mesh.neighbor.*"), pattern("nav.>")]);
        assert!(grants.permit(&subject_of("ops.mesh.neighbor.bravo")));
        assert!(!grants.permit(&subject_of("nav.a.b.c.d.data")));
    }
}
