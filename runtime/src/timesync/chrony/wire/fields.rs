//! The fields that chronyd's datagrams are made of.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nunect_core::Wall;

use super::Malformed;

/// Whom chronyd names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Nobody on a network.
    None,
    /// A host.
    Ip(IpAddr),
    /// A host whose name has not been resolved yet.
    Unresolved(u32),
}

/// As `chronyc` writes it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Ip(ip) => ip.fmt(f),
            Self::Unresolved(id) => write!(f, "ID#{id:010}"),
        }
    }
}

/// The fields of a datagram, by their offset from its start.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn of(datagram: &'a [u8], needed: usize) -> Result<Self, Malformed> {
        let short = Malformed::Short { bytes: datagram.len(), needed };
        datagram.get(..needed).map(Self).ok_or(short)
    }

    pub(super) fn bytes<const N: usize>(&self, at: usize) -> Result<[u8; N], Malformed> {
        let field = self.0.get(at..).and_then(|rest| rest.first_chunk());
        field.copied().ok_or(Malformed::Short { bytes: self.0.len(), needed: at + N })
    }

    pub(super) fn u16(&self, at: usize) -> Result<u16, Malformed> {
        self.bytes(at).map(u16::from_be_bytes)
    }

    pub(super) fn i16(&self, at: usize) -> Result<i16, Malformed> {
        self.bytes(at).map(i16::from_be_bytes)
    }

    pub(super) fn u32(&self, at: usize) -> Result<u32, Malformed> {
        self.bytes(at).map(u32::from_be_bytes)
    }

    /// A number of 16 bits that never needs more than eight.
    pub(super) fn small(&self, field: &'static str, at: usize) -> Result<u8, Malformed> {
        let value = self.u16(at)?;
        u8::try_from(value).map_err(|_| Malformed::Field { field, value: value.into() })
    }

    pub(super) fn float(&self, at: usize) -> Result<f64, Malformed> {
        self.u32(at).map(float_of)
    }

    /// Twenty bytes: sixteen of an address, two that say of which family it is, two of nothing.
    pub(super) fn address(&self, at: usize) -> Result<Address, Malformed> {
        match self.u16(at + 16)? {
            0 => Ok(Address::None),
            1 => Ok(Address::Ip(Ipv4Addr::from(self.bytes::<4>(at)?).into())),
            2 => Ok(Address::Ip(Ipv6Addr::from(self.bytes::<16>(at)?).into())),
            3 => self.u32(at).map(Address::Unresolved),
            other => Err(Malformed::Field { field: "the family of an address", value: other.into() }),
        }
    }

    /// Twelve bytes: the upper and lower half of the seconds since 1970, and nanoseconds.
    pub(super) fn wall(&self, at: usize) -> Result<Wall, Malformed> {
        /// The upper half, where a system has none.
        const NO_UPPER_HALF: u32 = 0x7fff_ffff;
        let upper = match self.u32(at)? {
            NO_UPPER_HALF => 0,
            upper => u64::from(upper),
        };
        let seconds = upper << 32 | u64::from(self.u32(at + 4)?);
        let nanos = self.u32(at + 8)?;
        if nanos >= 1_000_000_000 {
            return Err(Malformed::Field { field: "the nanoseconds of a time", value: nanos.into() });
        }
        let wall = seconds.checked_mul(1_000_000_000).and_then(|whole| whole.checked_add(nanos.into()));
        let beyond = || Malformed::Field { field: "a time", value: i64::try_from(seconds).unwrap_or(i64::MAX) };
        wall.map(Wall::from_unix_nanos).ok_or_else(beyond)
    }
}

/// chrony's float: a signed exponent in the upper 7 bits, a signed coefficient in the lower 25. Every one is a
/// finite number.
#[must_use]
pub fn float_of(bits: u32) -> f64 {
    let exponent = bits.cast_signed() >> 25;
    let coefficient = (bits << 7).cast_signed() >> 7;
    f64::from(coefficient) * 2.0_f64.powi(exponent - 25)
}

/// The name that a reference ID is, if it is one: up to four letters, as for a reference clock.
#[must_use]
pub fn reference_name(reference_id: u32) -> Option<String> {
    let bytes = reference_id.to_be_bytes();
    let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    let (name, rest) = bytes.split_at(length);
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic) && rest.iter().all(|&byte| byte == 0);
    is_name.then(|| name.iter().copied().map(char::from).collect())
}
