//! The values that a profile is made of, and what is wrong with them.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use nunect_core::ConfigError;
use nunect_core::subject::check_token;
use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::Url;

/// How the address of a NATS server begins.
const SCHEMES: [&str; 2] = ["nats://", "tls://"];

/// Where a port without a host is: nobody outside is let in unless the host is said.
const LOOPBACK: &str = "127.0.0.1";

/// The port of a NATS server whose address says none.
const PORT: u16 = 4222;

/// The address of a NATS server: `nats://` or `tls://`, and perhaps user and password. What is
/// shown of it never includes these.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BusUrl(Url);

impl BusUrl {
    /// The whole address, for the client that connects; not for eyes.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

impl BusUrl {
    /// The host and the port of the server; 4222 unless the address says another.
    #[must_use]
    pub fn host_port(&self) -> HostPort {
        let host = self.0.host_str().unwrap_or(LOOPBACK).trim_start_matches('[').trim_end_matches(']');
        HostPort { host: host.to_owned(), port: self.0.port().unwrap_or(PORT) }
    }
}

impl FromStr for BusUrl {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        // The text may hold a password: no reason repeats it.
        let wrong = |reason: String| ConfigError::new("", reason);
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(wrong("the URL has no scheme; write nats://host:4222".to_owned()));
        };
        if !SCHEMES.iter().any(|known| text.starts_with(known)) {
            return Err(wrong(format!("`{scheme}://` is no scheme of NATS; write nats:// or tls://")));
        }
        let url = Url::parse(text).map_err(|error| wrong(format!("no URL of a server: {error}")))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("the URL names no host; write nats://host:4222".to_owned()));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("the URL goes on after the port; a server has no path".to_owned()));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for BusUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BusUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: ConfigError| serde::de::Error::custom(error.reason))
    }
}

impl JsonSchema for BusUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BusUrl".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "the address of a NATS server, such as nats://127.0.0.1:4222",
            "pattern": "^(nats|tls)://[^/]+/?$",
        })
    }
}

/// Where something listens: `127.0.0.1:9464`, `[::1]:9464`, `name:9464`, or a port alone, which is
/// one of 127.0.0.1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port; 0 is any free one where something is to listen.
    pub port: u16,
}

impl HostPort {
    /// A port of this host itself.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self { host: LOOPBACK.to_owned(), port }
    }
}

impl FromStr for HostPort {
    type Err = ConfigError;
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let wrong = |reason: String| ConfigError::new("", reason);
        let text = text.trim();
        let (host, port) = match text.rsplit_once(':') {
            None if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => (LOOPBACK, text),
            None => return Err(wrong(format!("`{text}` has no port"))),
            Some(("", port)) => return Err(wrong(format!("`:{port}` names no host; 0.0.0.0 is all of them"))),
            Some((host, port)) => (host, port),
        };
        let port = port.parse().map_err(|_| wrong(format!("`{port}` is no port; ports go from 0 to 65535")))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match bare {
            Some(host) if host.parse::<std::net::Ipv6Addr>().is_ok() => Ok(Self { host: host.to_owned(), port }),
            Some(host) => Err(wrong(format!("`{host}` is no IPv6 address"))),
            None if host.contains(':') => Err(wrong(format!("`{text}`: an IPv6 address stands in brackets"))),
            None if host == "*" => Err(wrong("`*` is no host; 0.0.0.0 is all of them".to_owned())),
            None => named(host).map(|()| Self { host: host.to_owned(), port }).map_err(wrong),
        }
    }
}

/// Whether a text can name a host: an address, or the labels of a name.
fn named(host: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    match host.chars().find(|c| !legal(*c)) {
        Some(_) if host.parse::<IpAddr>().is_ok() => Ok(()),
        Some(c) => Err(format!("`{host}` is no host: {c:?} is not allowed in one")),
        None if host.is_empty() || host.len() > 253 => Err("a host has 1 to 253 characters".to_owned()),
        None => Ok(()),
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Serialize for HostPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = HostPort;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("host:port or a port")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<HostPort, E> {
                text.parse().map_err(|error: ConfigError| E::custom(error.reason))
            }
            fn visit_u64<E: de::Error>(self, port: u64) -> Result<HostPort, E> {
                self.visit_str(&port.to_string())
            }
            fn visit_i64<E: de::Error>(self, port: i64) -> Result<HostPort, E> {
                Err(E::custom(format!("`{port}` is no port; ports go from 0 to 65535")))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for HostPort {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostPort".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"],
            "description": "host:port, such as 127.0.0.1:9464, or a port of 127.0.0.1 alone",
            "pattern": r"^\s*(\d+|[^\s:]+:\d+|\[[0-9A-Fa-f:.]+\]:\d+)\s*$",
            "minimum": 0,
            "maximum": 65535,
        })
    }
}

/// What nobody is to see: neither in what is printed nor in what is written down.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// What stands in its place.
    const SHOWN: &str = "(hidden)";

    /// The secret itself, for whom it is meant; not for eyes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::SHOWN)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        // What serde says of a wrong type repeats the value: it must not get the chance.
        const NO_TEXT: &str = "is no text";
        impl Visitor<'_> for Read {
            type Value = Secret;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                if text.trim().is_empty() { Err(E::custom("is empty")) } else { Ok(Secret(text.to_owned())) }
            }
            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
                Err(E::custom(NO_TEXT))
            }
            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
                Err(E::custom(NO_TEXT))
            }
            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(E::custom(NO_TEXT))
            }
            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
                Err(E::custom(NO_TEXT))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "text that nobody is shown, best as \"${NAME}\" from the environment",
            "pattern": r"\S",
        })
    }
}

/// A `garde` rule: one token of a subject.
pub(super) fn token(text: &str, (): &()) -> garde::Result {
    if text.len() > nunect_core::identity::IDENTITY_MAX_BYTES {
        return Err(garde::Error::new("longer than 64 bytes"));
    }
    check_token(text).map_err(|error| garde::Error::new(error.to_string()))
}

/// A `garde` rule: what a header may carry.
pub(super) fn printable(text: &str, (): &()) -> garde::Result {
    if text.chars().any(char::is_control) {
        return Err(garde::Error::new("holds a control character"));
    }
    Ok(())
}

/// A `garde` rule: the name of a host, or its address.
pub(super) fn host(text: &str, (): &()) -> garde::Result {
    named(text).map_err(garde::Error::new)
}

/// A `garde` rule: something that can be connected to.
pub(super) fn reachable(address: &HostPort, (): &()) -> garde::Result {
    if address.port == 0 { Err(garde::Error::new("nothing listens on port 0")) } else { Ok(()) }
}

/// A `garde` rule: a path as the system takes it.
pub(super) fn path(path: &Path, (): &()) -> garde::Result {
    if path.as_os_str().is_empty() {
        return Err(garde::Error::new("is empty"));
    }
    if path.components().any(|part| part.as_os_str() == "~") {
        return Err(garde::Error::new("`~` means nothing here; write the whole path, or ${HOME}/…"));
    }
    Ok(())
}

/// A `garde` rule: a path that a UNIX socket can have.
pub(super) fn socket_path(socket: &Path, (): &()) -> garde::Result {
    path(socket, &())?;
    let length = socket.as_os_str().len();
    if length > SOCKET_PATH_MAX_BYTES {
        let reason = format!("{length} bytes long; the path of a UNIX socket has at most {SOCKET_PATH_MAX_BYTES}");
        return Err(garde::Error::new(reason));
    }
    Ok(())
}

/// `sun_path` of Linux (unix(7)) less its final zero.
const SOCKET_PATH_MAX_BYTES: usize = 107;
