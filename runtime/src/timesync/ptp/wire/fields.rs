//! The fields of a datagram, one after the other.

use nunect_core::clock::ClockIdentity;

use super::{PortIdentity, WireError};

/// What of a datagram is not read yet. Whatever is taken from it lies within the datagram.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next `count` bytes; `before` names the field that is not there when they are not.
    pub(super) fn bytes(&mut self, count: usize, before: &'static str) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(WireError::Ends(before))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(WireError::Ends(field))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn skip(&mut self, count: usize, before: &'static str) -> Result<(), WireError> {
        self.bytes(count, before).map(drop)
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, WireError> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(super) fn i8(&mut self, field: &'static str) -> Result<i8, WireError> {
        self.array(field).map(i8::from_be_bytes)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, WireError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self, field: &'static str) -> Result<i16, WireError> {
        self.array(field).map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self, field: &'static str) -> Result<i32, WireError> {
        self.array(field).map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self, field: &'static str) -> Result<i64, WireError> {
        self.array(field).map(i64::from_be_bytes)
    }

    pub(super) fn clock_identity(&mut self, field: &'static str) -> Result<ClockIdentity, WireError> {
        self.array(field).map(ClockIdentity)
    }

    pub(super) fn port_identity(&mut self, field: &'static str) -> Result<PortIdentity, WireError> {
        Ok(PortIdentity { clock: self.clock_identity(field)?, port: self.u16(field)? })
    }

    /// A PTPText: its length in a byte, and UTF-8 (IEEE 1588-2019, section 5.3.9).
    pub(super) fn text(&mut self, field: &'static str) -> Result<&'a str, WireError> {
        let length = self.u8(field)?;
        let bytes = self.bytes(usize::from(length), field)?;
        std::str::from_utf8(bytes).map_err(|_| WireError::Text(field))
    }
}
