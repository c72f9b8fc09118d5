//! `com.{tenant}.{tech}.{source}.{group}.{voice|data}`: what people say and devices measure (protocol,
//! section 1). These subjects always have six tokens.

use crate::subject::{Pattern, Subject, TokenError, check_token};

const PREFIX: &str = "com";
const VOICE: &str = "voice";
const DATA: &str = "data";

/// A group of talkers or devices of a tenant, on one technology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    tenant: String,
    tech: String,
    group: String,
}

impl Group {
    /// The group `group` of `tenant` on `tech`.
    ///
    /// # Errors
    /// When one of them is no token.
    pub fn new(tenant: &str, tech: &str, group: &str) -> Result<Self, TokenError> {
        [tenant, tech, group].into_iter().try_for_each(check_token)?;
        Ok(Self { tenant: tenant.to_owned(), tech: tech.to_owned(), group: group.to_owned() })
    }

    /// Where `source` speaks to the group.
    ///
    /// # Errors
    /// When `source` is no token.
    pub fn voice_of(&self, source: &str) -> Result<Subject, TokenError> {
        self.subject(source, VOICE)
    }

    /// Where `source` sends data to the group.
    ///
    /// # Errors
    /// When `source` is no token.
    pub fn data_of(&self, source: &str) -> Result<Subject, TokenError> {
        self.subject(source, DATA)
    }

    /// What anybody says to the group.
    #[must_use]
    pub fn voice(&self) -> Pattern {
        self.pattern(VOICE)
    }

    /// What anybody sends to the group.
    #[must_use]
    pub fn data(&self) -> Pattern {
        self.pattern(DATA)
    }

    fn subject(&self, source: &str, kind: &str) -> Result<Subject, TokenError> {
        check_token(source)?;
        Ok(Subject::join(&[PREFIX, &self.tenant, &self.tech, source, &self.group, kind]))
    }

    fn pattern(&self, kind: &str) -> Pattern {
        Pattern::join(&[PREFIX, &self.tenant, &self.tech, "*", &self.group, kind])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_hears_every_source_of_its_own_kind_and_no_other() {
        let group = Group::new("fire", "sim", "alpha").expect("tokens");
        let voice = group.voice_of("n01").expect("a token");
        assert_eq!(voice.as_str(), "com.fire.sim.n01.alpha.voice");
        assert!(group.voice().matches(&voice) && !group.data().matches(&voice));
        assert!(group.data().matches(&group.data_of("n01").expect("a token")));
        let other = Group::new("fire", "sim", "beta").expect("tokens");
        assert!(!other.voice().matches(&voice));
    }

    #[test]
    fn a_wildcard_is_no_token() {
        assert!(Group::new("*", "sim", "alpha").is_err());
        assert!(Group::new("fire", "sim", "alpha").expect("tokens").voice_of("a.b").is_err());
    }
}
