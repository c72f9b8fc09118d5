//! Who speaks: units, roles, sessions, actors and their incarnations.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject::{TokenError, check_token};

/// Unit IDs that name fixed subjects of the protocol and no unit (protocol, section 1).
pub const RESERVED_UNIT_IDS: [&str; 3] = ["units", "recommendation", "status"];

/// The longest unit ID, actor name or session ID that is accepted, in bytes.
pub const IDENTITY_MAX_BYTES: usize = 64;

/// Why a text is no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A character outside `[A-Za-z0-9_-]`, or nothing at all.
    #[error("{what} `{text}`: {error}")]
    Token {
        /// What the text was to be.
        what: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        error: TokenError,
    },
    /// Longer than [`IDENTITY_MAX_BYTES`].
    #[error("{what} is {length} bytes long; at most {IDENTITY_MAX_BYTES} are allowed")]
    TooLong {
        /// What the text was to be.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// One of [`RESERVED_UNIT_IDS`].
    #[error("unit ID `{0}` is reserved by the protocol; choose another")]
    Reserved(String),
}

fn check(what: &'static str, text: &str) -> Result<(), IdentityError> {
    if text.len() > IDENTITY_MAX_BYTES {
        return Err(IdentityError::TooLong { what, length: text.len() });
    }
    check_token(text).map_err(|error| IdentityError::Token { what, text: text.to_owned(), error })
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $extra:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text`.
            ///
            /// # Errors
            /// When it is empty, too long, reserved, or holds a character outside `[A-Za-z0-9_-]`.
            pub fn new(text: &str) -> Result<Self, IdentityError> {
                check($what, text)?;
                let extra: fn(&str) -> Result<(), IdentityError> = $extra;
                extra(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdentityError;
            fn from_str(text: &str) -> Result<Self, IdentityError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentityError;
            fn try_from(text: String) -> Result<Self, IdentityError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": "^[A-Za-z0-9_-]+$",
                    "minLength": 1,
                    "maxLength": IDENTITY_MAX_BYTES,
                })
            }
        }
    };
}

name!(
    /// The name of a node on the bus: one subject token.
    UnitId,
    "unit ID",
    |text| if RESERVED_UNIT_IDS.contains(&text) {
        Err(IdentityError::Reserved(text.to_owned()))
    } else {
        Ok(())
    }
);

name!(
    /// The name of an actor within its unit, as the configuration gives it: one subject token.
    ActorName,
    "actor name",
    |_| Ok(())
);

name!(
    /// Drawn at random at every start of a unit; a new one tells readers that sequences restart.
    SessionId,
    "session ID",
    |_| Ok(())
);

impl UnitId {
    /// The nearest legal unit ID to `text`: illegal characters become `-` (protocol, section 6).
    ///
    /// # Errors
    /// When nothing legal is left: an empty or a reserved text.
    pub fn from_host_name(text: &str) -> Result<Self, IdentityError> {
        let legal = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        Self::new(&text.chars().take(IDENTITY_MAX_BYTES).map(legal).collect::<String>())
    }
}

impl SessionId {
    /// The session ID of a random number: 16 hexadecimal digits.
    #[must_use]
    pub fn from_random(random: u64) -> Self {
        Self(Arc::from(format!("{random:016x}")))
    }
}

/// What a unit is for (protocol, section 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Brings a foreign network in.
    Gateway,
    /// Speaks for a person or a device.
    Client,
    /// Passes on what others say.
    Repeater,
    /// None of the others.
    #[default]
    Node,
}

impl Role {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Client => "client",
            Self::Repeater => "repeater",
            Self::Node => "node",
        }
    }

    /// The role of a word on the wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Gateway, Self::Client, Self::Repeater, Self::Node].into_iter().find(|role| role.as_str() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Counts the lives of one actor within one run of its unit, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u32);

impl Incarnation {
    /// The life after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
