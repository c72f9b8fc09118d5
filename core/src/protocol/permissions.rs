//! `$SYS.REQ.USER.INFO`: what the server lets the user do who asks. Servers from 2.10 on answer it to
//! everybody, so that permissions can be told without trying them.

use serde::Deserialize;

use super::ProtocolError;
use crate::message::Message;
use crate::subject::{Pattern, Subject};

const SUBJECT: &str = "$SYS.REQ.USER.INFO";

/// The question, to be sent as a request.
#[must_use]
pub fn question() -> Message {
    Message::new(Subject::join(&[SUBJECT]))
}

/// What a user may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// What they may publish.
    pub publish: Rules,
    /// What they may subscribe to.
    pub subscribe: Rules,
}

/// Patterns that are allowed and denied. A rule that is no pattern of ours, such as one for a queue
/// group, is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Nothing beyond these; `None`: everything.
    pub allow: Option<Vec<Pattern>>,
    /// None of these, whatever is allowed.
    pub deny: Vec<Pattern>,
}

impl Permissions {
    /// Reads the answer.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(answer: &Message) -> Result<Self, ProtocolError> {
        #[derive(Deserialize)]
        struct Json {
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            #[serde(default)]
            permissions: Both,
        }
        #[derive(Default, Deserialize)]
        struct Both {
            #[serde(default)]
            publish: Lists,
            #[serde(default)]
            subscribe: Lists,
        }
        #[derive(Default, Deserialize)]
        struct Lists {
            allow: Option<Vec<String>>,
            deny: Option<Vec<String>>,
        }
        let patterns = |texts: Vec<String>| texts.into_iter().filter_map(|text| Pattern::parse(text).ok()).collect();
        let rules = |lists: Lists| Rules {
            allow: lists.allow.map(patterns),
            deny: lists.deny.map(patterns).unwrap_or_default(),
        };
        let json: Json = serde_json::from_slice(&answer.payload()).map_err(|_| ProtocolError::Payload {
            subject: answer.subject.clone(),
            expected: "what a server says of a user",
        })?;
        let Both { publish, subscribe } = json.data.permissions;
        Ok(Self { publish: rules(publish), subscribe: rules(subscribe) })
    }
}

impl Rules {
    /// Whether everything that `pattern` stands for is allowed.
    #[must_use]
    pub fn permit(&self, pattern: &Pattern) -> bool {
        let allowed = self.allow.as_ref().is_none_or(|allow| allow.iter().any(|rule| covers(rule, pattern)));
        allowed && !self.deny.iter().any(|rule| overlap(rule, pattern))
    }
}

/// Whether every subject of `inner` is one of `outer`.
fn covers(outer: &Pattern, inner: &Pattern) -> bool {
    let mut inner = inner.tokens();
    for token in outer.tokens() {
        match (token, inner.next()) {
            (">", Some(_)) => return true,
            ("*", Some(one)) if one != ">" => {}
            (literal, Some(one)) if literal == one => {}
            (_, _) => return false,
        }
    }
    inner.next().is_none()
}

/// Whether some subject is one of both.
fn overlap(a: &Pattern, b: &Pattern) -> bool {
    let (mut a, mut b) = (a.tokens(), b.tokens());
    loop {
        match (a.next(), b.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(a), Some(b)) if a == b => {}
            (_, _) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arbitrary::subject_of;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text.to_owned()).expect("legal")
    }

    fn parse(payload: &'static str) -> Result<Permissions, ProtocolError> {
        Permissions::parse(&Message::new(subject_of("_INBOX.a.b.1")).body(payload))
    }

    #[test]
    fn what_a_server_says_of_a_user_is_read() {
        let said = r#"{"server":{"ver":"2.15.1"},"data":{"user":"me","account":"$G","permissions":{
            "publish":{"allow":["ops.\u003e"],"deny":["ops.log.\u003e"]},
            "subscribe":{"allow":["_INBOX.\u003e","ops.echo.a workers"]}}}}"#;
        let permissions = parse(said).expect("an answer");
        assert!(permissions.publish.permit(&pattern("ops.heartbeat.a")));
        assert!(!permissions.publish.permit(&pattern("ops.log.*.a")), "denied");
        assert!(!permissions.publish.permit(&pattern("com.a.b.c.d.voice")), "not allowed");
        assert_eq!(permissions.subscribe.allow, Some(vec![pattern("_INBOX.>")]));
    }

    #[test]
    fn a_user_without_permissions_may_do_everything() {
        let permissions = parse(r#"{"data":{"user":"me","account":"$G"}}"#).expect("an answer");
        assert_eq!(permissions, Permissions::default());
        assert!(permissions.publish.permit(&pattern(">")));
        assert!(parse("").is_err());
    }

    #[test]
    fn a_pattern_is_permitted_when_all_of_it_is_allowed_and_none_of_it_denied() {
        for (outer, inner, expected) in [
            ("a.>", "a.b", true),
            ("a.>", "a.*.c", true),
            ("a.>", "a.>", true),
            ("a.>", "a", false),
            ("a.*", "a.b", true),
            ("a.*", "a.*", true),
            ("a.*", "a.>", false),
            ("a.b", "a.*", false),
            ("a.b", "a.b.c", false),
        ] {
            assert_eq!(covers(&pattern(outer), &pattern(inner)), expected, "{outer} covers {inner}");
        }
        for (a, b, expected) in [
            ("a.>", "a.b", true),
            ("a.*", "*.b", true),
            ("a.*.c", "a.b", false),
            ("a.b", "a.c", false),
            ("a.b.c", "a.>", true),
            ("a", "a.>", false),
        ] {
            assert_eq!(overlap(&pattern(a), &pattern(b)), expected, "{a} and {b}");
            assert_eq!(overlap(&pattern(b), &pattern(a)), expected, "{b} and {a}");
        }
    }
}
