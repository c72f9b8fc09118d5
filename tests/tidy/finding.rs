//! What a rule found, and how it is told.

use std::fmt;

/// One rule: what it says, and what to do instead of breaking it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) says: &'static str,
    pub(crate) instead: &'static str,
}

impl Rule {
    /// `found` breaks this rule in line `line` of `file`.
    pub(crate) fn at(&self, file: &str, line: usize, found: impl fmt::Display) -> Finding {
        Finding { place: format!("{file}:{line}"), found: found.to_string(), rule: *self }
    }

    /// `found` breaks this rule in something that has no lines: a package, a missing file.
    pub(crate) fn of(&self, place: impl fmt::Display, found: impl fmt::Display) -> Finding {
        Finding { place: place.to_string(), found: found.to_string(), rule: *self }
    }
}

/// A place where a rule is broken.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) found: String,
    rule: Rule,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    rule: {}\n    instead: {}", self.place, self.found, self.rule.says, self.rule.instead)
    }
}

/// Fails the test, with all of them, when there are any.
#[track_caller]
pub(crate) fn assert_none(findings: &[Finding]) {
    let list: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert!(list.is_empty(), "findings: {}\n\n{}\n", list.len(), list.join("\n\n"));
}

/// For the rules' own tests: the places and what was found there, one finding a line.
#[cfg(test)]
pub(crate) fn told(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.place, finding.found)).collect()
}
