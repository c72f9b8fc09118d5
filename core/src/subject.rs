//! Subjects and patterns by NATS's rules: dot-separated tokens, `*` for one token, `>` for the rest.

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use serde::{Deserialize, Serialize};

/// The longest subject or pattern that is accepted, in bytes.
pub const SUBJECT_MAX_BYTES: usize = 256;

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nothing between two dots.
    #[error("a token must not be empty")]
    Empty,
    /// Outside `[A-Za-z0-9_-]`.
    #[error("character {0:?} is not allowed; use letters, digits, `-` and `_`")]
    Character(char),
}

/// Checks one token of our own protocol: `[A-Za-z0-9_-]+`.
///
/// # Errors
/// When it is empty or holds another character.
pub fn check_token(token: &str) -> Result<(), TokenError> {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !token.is_empty() && token.bytes().all(|byte| legal(&char::from(byte))) {
        return Ok(());
    }
    match token.chars().find(|c| !legal(c)) {
        Some(c) => Err(TokenError::Character(c)),
        None if token.is_empty() => Err(TokenError::Empty),
        None => Ok(()),
    }
}

/// Why a text is no subject or pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {problem} at token {position}")]
pub struct SubjectError {
    /// The text, shortened when it is long.
    pub text: String,
    /// What is wrong.
    pub problem: SubjectProblem,
    /// The token at fault, counted from 1.
    pub position: usize,
}

/// What may be wrong with a subject or pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectProblem {
    /// Nothing between two dots, or nothing at all.
    #[error("empty token")]
    EmptyToken,
    /// White space or a control character.
    #[error("white space or control character")]
    Blank,
    /// `*` or `>` where only a subject may stand.
    #[error("wildcard in a subject that is published to")]
    Wildcard,
    /// `>` before the last token.
    #[error("`>` before the end")]
    RestNotLast,
    /// Longer than [`SUBJECT_MAX_BYTES`].
    #[error("more than {SUBJECT_MAX_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
}

fn check(text: &str, wildcards: bool) -> Result<(), SubjectError> {
    let fail = |problem, position| {
        Err(SubjectError { text: text.chars().take(SUBJECT_MAX_BYTES).collect(), problem, position })
    };
    if text.len() > SUBJECT_MAX_BYTES {
        return fail(SubjectProblem::TooLong, 1);
    }
    let mut tokens = text.split('.').enumerate().peekable();
    while let Some((index, token)) = tokens.next() {
        let position = index + 1;
        if token.is_empty() {
            return fail(SubjectProblem::EmptyToken, position);
        }
        if token.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return fail(SubjectProblem::Blank, position);
        }
        if matches!(token, "*" | ">") {
            if !wildcards {
                return fail(SubjectProblem::Wildcard, position);
            }
            if token == ">" && tokens.peek().is_some() {
                return fail(SubjectProblem::RestNotLast, position);
            }
        }
    }
    Ok(())
}

/// A subject that a message is published to: no wildcards.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject(ByteString);

impl Subject {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it is empty, too long, or holds an empty token, white space or a wildcard.
    pub fn parse(text: impl Into<ByteString>) -> Result<Self, SubjectError> {
        let text = text.into();
        check(&text, false)?;
        Ok(Self(text))
    }

    /// A subject as a server delivered it: only UTF-8 is checked, since the family's parser looks at
    /// every token it uses, and this stands on the hot path.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn from_wire(bytes: Bytes) -> Result<Self, SubjectError> {
        ByteString::try_from(bytes).map(Self).map_err(|_| SubjectError {
            text: String::new(),
            problem: SubjectProblem::NotUtf8,
            position: 1,
        })
    }

    /// As [`from_wire`](Self::from_wire), for text that a client library has checked.
    #[must_use]
    pub fn delivered(text: String) -> Self {
        Self(ByteString::from(text))
    }

    /// Joins tokens that are known to be legal.
    pub(crate) fn join(tokens: &[&str]) -> Self {
        Self(ByteString::from(tokens.join(".")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The subject that is this part of its text.
    pub(crate) fn part(&self, part: &str) -> Self {
        Self(self.0.slice_ref(part))
    }

    /// The text as shared bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &Bytes {
        self.0.as_bytes()
    }

    /// The tokens in order.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

/// What is subscribed to: a subject that may hold `*`, and `>` at its end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(ByteString);

impl Pattern {
    /// Checks `text`.
    ///
    /// # Errors
    /// When it is empty, too long, holds an empty token or white space, or a `>` before its end.
    pub fn parse(text: impl Into<ByteString>) -> Result<Self, SubjectError> {
        let text = text.into();
        check(&text, true)?;
        Ok(Self(text))
    }

    /// Joins tokens that are known to be legal.
    pub(crate) fn join(tokens: &[&str]) -> Self {
        Self(ByteString::from(tokens.join(".")))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tokens in order.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }

    /// Whether a message on `subject` is delivered to a subscription on this pattern.
    #[must_use]
    pub fn matches(&self, subject: &Subject) -> bool {
        let mut subject = subject.tokens();
        for token in self.tokens() {
            match (token, subject.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (literal, Some(token)) if literal == token => {}
                (_, _) => return false,
            }
        }
        subject.next().is_none()
    }
}

/// It is found in tables by its text.
impl std::borrow::Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&Subject> for Pattern {
    fn from(subject: &Subject) -> Self {
        Self(subject.0.clone())
    }
}

macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = SubjectError;
            fn try_from(text: String) -> Result<Self, SubjectError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }
    };
}

text!(Subject);
text!(Pattern);

#[cfg(test)]
mod tests;
