//! Messages as async-nats has them.

use std::str::FromStr;

use async_nats::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use bytes::Bytes;
use nunect_core::{Body, Headers, Message, Now, Subject};

use crate::bus::{BusError, Inbound};

pub(super) fn outgoing(subject: &Subject) -> Result<async_nats::Subject, BusError> {
    async_nats::Subject::from_utf8(subject.as_bytes().clone()).map_err(|error| BusError::Refused(error.to_string()))
}

pub(super) fn outgoing_headers(headers: &Headers) -> Option<HeaderMap> {
    if headers.is_empty() {
        return None;
    }
    let mut map = HeaderMap::new();
    headers.for_each(|name, value| {
        // `&str` inserts panic on characters a header may not hold; such a one is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::from_str(name), HeaderValue::from_str(value)) {
            map.append(name, value);
        }
    });
    Some(map)
}

/// What a server delivered, as the rest of the node knows it. Inlined: the message would be copied into
/// it, and every message from a server comes this way.
#[inline(always)]
pub(super) fn incoming(now: Now, message: async_nats::Message) -> Inbound {
    let subject = Subject::delivered(message.subject.into_string());
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Inbound::NoResponders(subject);
    }
    Inbound::Message(Box::new(Message {
        subject,
        headers: message.headers.map(|headers| Headers::from_raw(raw(&headers))).unwrap_or_default(),
        body: Body::Bytes(message.payload),
        reply: message.reply.map(|reply| Subject::delivered(reply.into_string())),
        received: now,
    }))
}

fn raw(headers: &HeaderMap) -> Bytes {
    let mut block = Vec::with_capacity(64 * headers.len());
    for (name, values) in headers.iter() {
        for value in values {
            block.extend_from_slice(AsRef::<[u8]>::as_ref(name));
            block.extend_from_slice(b": ");
            block.extend_from_slice(value.as_str().as_bytes());
            block.extend_from_slice(b"\r\n");
        }
    }
    Bytes::from(block)
}
