//! The section `capabilities:`: what the node may publish and subscribe to.

use std::str::FromStr;

use garde::Validate;
use nunect_core::ConfigError;
use nunect_core::capability::{Allow, Capability};
use nunect_core::subject::{Pattern, check_token};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// How many there may be.
pub(super) const CAPABILITIES_MAX: usize = 1_024;

/// The tokens of every subject in `com.` and `nav.` (protocol, section 1).
const TRAFFIC_TOKENS: usize = 6;

/// One line of the section, as it is written.
#[derive(Debug, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The subjects: `*` is any token, a final `>` any rest.
    #[garde(skip)]
    subject: Written,
    /// What may be done with them.
    #[garde(length(min = 1, max = 2))]
    allow: Vec<Allow>,
}

impl Entry {
    /// What it says; and what stands in its place where its own spelling is none of NATS's.
    pub(super) fn read(self) -> (Capability, Option<(String, Pattern)>) {
        let Written { text, pattern } = self.subject;
        let other = (text != pattern.as_str()).then(|| (text, pattern.clone()));
        (Capability { subject: pattern, allow: self.allow }, other)
    }
}

/// A pattern, and how it was written.
#[derive(Debug)]
struct Written {
    text: String,
    pattern: Pattern,
}

impl FromStr for Written {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::new("", reason);
        let expanded = expand(text).map_err(wrong)?;
        let pattern = Pattern::parse(expanded).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { text: text.to_owned(), pattern })
    }
}

/// A pattern of `com.` or `nav.` with as many `*`s for a `>` in its middle as make six tokens; what
/// else there is stays as it is.
fn expand(text: &str) -> Result<String, String> {
    let tokens: Vec<&str> = text.split('.').collect();
    if !matches!(tokens.first(), Some(&("com" | "nav"))) {
        return Ok(text.to_owned());
    }
    let at = |index: usize, what: &str| format!("`{text}`: {what} at token {}", index + 1);
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| !matches!(**token, "*" | ">")) {
        check_token(token).map_err(|error| format!("`{text}`, token {}: {error}", index + 1))?;
    }
    let mut rests = tokens.iter().enumerate().filter(|(_, token)| **token == ">").map(|(index, _)| index);
    let (first, second) = (rests.next(), rests.next());
    if let Some(second) = second {
        return Err(at(second, "a second `>`"));
    }
    let missing = TRAFFIC_TOKENS.checked_sub(tokens.len());
    match first {
        None if missing == Some(0) => Ok(text.to_owned()),
        None => Err(format!("`{text}`: {} tokens where subjects of `com.` and `nav.` have six", tokens.len())),
        Some(index) => {
            let Some(missing) = missing else {
                return Err(at(index, "nothing is left for `>` of six tokens"));
            };
            if index + 1 == tokens.len() {
                return Ok(text.to_owned());
            }
            let stars = std::iter::repeat_n("*", missing + 1);
            let (before, after) = (tokens.iter().take(index), tokens.iter().skip(index + 1));
            Ok(before.copied().chain(stars).chain(after.copied()).collect::<Vec<_>>().join("."))
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: ConfigError| serde::de::Error::custom(error.reason))
    }
}

impl JsonSchema for Written {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Subjects".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a subject or a pattern, such as com.bridge.vhf.*.*.voice",
            "pattern": r"^[^\s.]+(\.[^\s.]+)*$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_in_the_middle_becomes_what_makes_six_tokens() {
        let expanded = |text| expand(text).expect("legal");
        assert_eq!(expanded("com.bridge.vhf.>.voice"), "com.bridge.vhf.*.*.voice");
        assert_eq!(expanded("com.bridge.>.voice"), "com.bridge.*.*.*.voice");
        assert_eq!(expanded("nav.>.ais"), "nav.*.*.*.*.ais");
        assert_eq!(expanded("nav.a.b.c.>.ais"), "nav.a.b.c.*.ais");
        for text in ["com.>", "com.bridge.vhf.>", "com.a.b.c.d.>", "nav.*.gps.x.all.data", "ops.log.>", "ops.>.x", ">"]
        {
            assert_eq!(expanded(text), text);
        }
    }

    #[test]
    fn what_no_subject_of_users_can_match_is_an_error_with_its_token() {
        let refused = |text| expand(text).expect_err("illegal");
        assert_eq!(refused("com.a.b.c.d.e.>"), "`com.a.b.c.d.e.>`: nothing is left for `>` of six tokens at token 7");
        assert_eq!(refused("com.a.>.d.e.f.g"), "`com.a.>.d.e.f.g`: nothing is left for `>` of six tokens at token 3");
        assert_eq!(refused("com.>.b.>"), "`com.>.b.>`: a second `>` at token 4");
        assert_eq!(refused("com.a.b"), "`com.a.b`: 3 tokens where subjects of `com.` and `nav.` have six");
        assert!(refused("com.a.v*.c.d.e").starts_with("`com.a.v*.c.d.e`, token 3: character '*' is not allowed"));
    }
}
