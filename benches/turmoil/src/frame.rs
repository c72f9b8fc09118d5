//! What goes over a connection: a kind, a subject, and bytes.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The sender wants what is published on the subject.
    Subscribe,
    /// The bytes are published on the subject.
    Publish,
}

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) subject: String,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn subscribe(subject: impl Into<String>) -> Self {
        Self { kind: Kind::Subscribe, subject: subject.into(), payload: Vec::new() }
    }

    pub(crate) fn publish(subject: impl Into<String>, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind: Kind::Publish, subject: subject.into(), payload: payload.into() }
    }

    /// Its bytes: one write, and thus one segment in turmoil.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
        let mut bytes = Vec::with_capacity(5 + self.subject.len() + self.payload.len());
        bytes.push(u8::from(self.kind == Kind::Publish));
        bytes.extend(length(self.subject.as_bytes()));
        bytes.extend(length(&self.payload));
        bytes.extend(self.subject.as_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    pub(crate) async fn write(&self, stream: &mut (impl AsyncWriteExt + Unpin)) -> io::Result<()> {
        stream.write_all(&self.bytes()).await
    }

    pub(crate) async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Self> {
        let mut head = [0; 5];
        stream.read_exact(&mut head).await?;
        let [kind, s0, s1, p0, p1] = head;
        let mut subject = vec![0; u16::from_be_bytes([s0, s1]).into()];
        let mut payload = vec![0; u16::from_be_bytes([p0, p1]).into()];
        stream.read_exact(&mut subject).await?;
        stream.read_exact(&mut payload).await?;
        let kind = if kind == 0 { Kind::Subscribe } else { Kind::Publish };
        Ok(Self { kind, subject: String::from_utf8(subject).map_err(io::Error::other)?, payload })
    }
}
