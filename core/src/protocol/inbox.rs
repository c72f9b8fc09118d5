//! `_INBOX.{unit}.{session}.{number}`: where answers to a node's own requests arrive.
//!
//! The unit's ID in second place lets a server isolate the inboxes of units from each other
//! (`custom_inbox_prefix` in the terms of NATS clients); the session keeps answers to an earlier
//! run of the unit apart.

use crate::identity::{SessionId, UnitId};
use crate::subject::{Pattern, Subject};

const PREFIX: &str = "_INBOX";

/// The answers to all requests of one run of `unit`.
#[must_use]
pub fn pattern(unit: &UnitId, session: &SessionId) -> Pattern {
    Pattern::join(&[PREFIX, unit.as_str(), session.as_str(), "*"])
}

/// The answer to request `number`.
#[must_use]
pub fn subject(unit: &UnitId, session: &SessionId, number: u64) -> Subject {
    numbered(&start(unit, session), number)
}

/// What stands before the number in the subjects of all answers to one run of `unit`.
pub(crate) fn start(unit: &UnitId, session: &SessionId) -> Box<str> {
    format!("{PREFIX}.{unit}.{session}.").into()
}

/// The answer to request `number` of the run whose answers begin with `start`.
pub(crate) fn numbered(start: &str, number: u64) -> Subject {
    let mut digits = [0; 20];
    let (mut first, mut rest) = (digits.len(), number);
    while rest > 0 || first == digits.len() {
        first -= 1;
        digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    // As long as it will be: shared without another copy.
    let mut text = String::with_capacity(start.len() + digits.len() - first);
    text.push_str(start);
    text.extend(digits[first..].iter().copied().map(char::from));
    Subject::delivered(text)
}

/// The number that follows `start` in `subject`, if that is how it begins.
pub(crate) fn number_after(start: &str, subject: &Subject) -> Option<u64> {
    plain(subject.as_str().strip_prefix(start)?)
}

/// What the inboxes of all runs of `unit` begin with, for a client library that makes its own.
#[must_use]
pub fn prefix(unit: &UnitId) -> String {
    format!("{PREFIX}.{unit}")
}

/// Where a node sends what only it listens to itself, below this subject: when that comes back, the server has
/// read everything that was sent before.
#[must_use]
pub fn mirror(unit: &UnitId, session: &SessionId) -> Subject {
    Subject::join(&[PREFIX, unit.as_str(), session.as_str(), "mirror"])
}

/// The number of the request that `subject` answers; `None` when it is no inbox of a request.
#[must_use]
pub fn number(subject: &Subject) -> Option<u64> {
    let mut tokens = subject.tokens();
    let [PREFIX, _, _, number] = [tokens.next()?, tokens.next()?, tokens.next()?, tokens.next()?] else { return None };
    if tokens.next().is_none() { plain(number) } else { None }
}

/// The number of the request of this run of `unit` that `subject` answers; `None` for all others.
#[must_use]
pub fn own_number(subject: &Subject, unit: &UnitId, session: &SessionId) -> Option<u64> {
    let mut rest = subject.as_str();
    for token in [PREFIX, unit.as_str(), session.as_str()] {
        rest = rest.strip_prefix(token)?.strip_prefix('.')?;
    }
    plain(rest)
}

/// A number has one spelling: `+7` and `07` are no answers to request 7.
fn plain(number: &str) -> Option<u64> {
    let plain = number == "0" || (!number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { number.parse().ok() } else { None }
}

/// Whether `subject` is an inbox of anybody: used once, and not worth remembering.
#[must_use]
pub fn is_inbox(subject: &Subject) -> bool {
    is_inboxes(subject.as_str())
}

/// Whether subjects that begin so are.
pub(crate) fn is_inboxes(start: &str) -> bool {
    start.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests;
