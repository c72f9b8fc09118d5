//! What `chronyc` and `ntpq` write, read as the status of an NTP daemon.
//!
//! Signs: chrony's correction is positive when the local clock is slow ("slow of NTP time" in its own words);
//! ntpd's offset is the server's time minus the local one, so that it is positive when the local clock is slow,
//! too. ntpd's frequency is what is added to the clock's, chrony's is what the clock has too much.

use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use nunect_core::Wall;
use nunect_core::clock::{Leap, NtpSource, NtpStatus, NtpVia};

use super::SOURCES_MAX;
use super::wire::power_of_two_s;

mod ntpq;

pub use ntpq::{fuzz_ntpq, ntpq};

/// The longest name of a source that is kept, bytes: that of a host (RFC 1035, section 2.3.4).
const NAME_MAX_BYTES: usize = 255;
/// How much of what a tool wrote is repeated in an error, characters.
const QUOTE_MAX_CHARS: usize = 80;

/// Why what a tool wrote tells nothing about the clock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// The tool cannot reach its daemon.
    #[error("{0}")]
    NoDaemon(String),
    /// The tool, or its daemon, says so instead of an answer.
    #[error("{0}")]
    Said(String),
    /// Something is not there.
    #[error("no {0}")]
    Missing(&'static str),
    /// Something is not what it should be.
    #[error("`{text}` is no {field}")]
    Field {
        /// What should be there.
        field: &'static str,
        /// What is.
        text: String,
    },
}

impl ToolError {
    fn field(field: &'static str, text: &str) -> Self {
        Self::Field { field, text: quoted(text) }
    }
}

/// The beginning of what a tool wrote.
fn quoted(text: &str) -> String {
    text.trim().chars().take(QUOTE_MAX_CHARS).filter(|c| !c.is_control()).collect()
}

/// Reads what `chronyc -c -m tracking sources` writes: one line of tracking, then one of each source. At most
/// [`SOURCES_MAX`] sources are read.
///
/// # Errors
/// If it holds an error, which `chronyc` writes where its answers go, or no tracking that can be read. Sources
/// that cannot be had are none of the status.
pub fn chronyc(text: &str) -> Result<NtpStatus, ToolError> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().ok_or(ToolError::Missing("answer"))?;
    if let Some(error) = chronyc_error(first) {
        return Err(error);
    }
    let mut status = tracking(first)?;
    let mut sources = Vec::new();
    for line in lines.take(SOURCES_MAX) {
        if chronyc_error(line).is_some() {
            return Ok(status);
        }
        sources.push(source(line)?);
    }
    status.sources = Some(sources);
    Ok(status)
}

/// The error that a line is: three digits and a text (`506 Cannot talk to daemon`), or bare words.
fn chronyc_error(line: &str) -> Option<ToolError> {
    let line = line.trim();
    if line.contains(',') {
        return None;
    }
    Some(if line.starts_with("506 ") { ToolError::NoDaemon(quoted(line)) } else { ToolError::Said(quoted(line)) })
}

/// `7F000001,127.0.0.1,2,1795428859.834506297,…,Normal`: chronyc(1), "tracking".
fn tracking(line: &str) -> Result<NtpStatus, ToolError> {
    let mut values = Values(line.split(','));
    let text = values.next("reference ID")?;
    let reference_id = u32::from_str_radix(text, 16).map_err(|_| ToolError::field("reference ID", text))?;
    let name = values.next("source's name")?;
    let stratum = values.number("stratum")?;
    let text = values.next("reference time")?;
    let reference_time = seconds(text).ok_or_else(|| ToolError::field("reference time", text))?;
    let correction_s = values.real("correction")?;
    let last_offset_s = values.real("last offset")?;
    let rms_offset_s = values.real("average offset")?;
    let frequency_ppm = values.real("frequency")?;
    values.real("residual frequency")?;
    let skew_ppm = values.real("skew")?;
    let root_delay_s = values.real("root delay")?;
    let root_dispersion_s = values.real("root dispersion")?;
    let update_interval_s = values.real("update interval")?;
    let leap = match values.next("leap status")?.trim() {
        "Normal" => Leap::Normal,
        "Insert second" => Leap::Insert,
        "Delete second" => Leap::Delete,
        "Not synchronised" => Leap::Unsynchronised,
        other => return Err(ToolError::field("leap status", other)),
    };
    Ok(NtpStatus {
        server: server(name_of(name)?, reference_id),
        reference_id,
        stratum,
        leap,
        reference_time,
        correction_s,
        last_offset_s,
        rms_offset_s,
        frequency_ppm,
        skew_ppm,
        root_delay_s,
        root_dispersion_s,
        update_interval_s,
        sources: None,
        via: NtpVia::Chronyc,
    })
}

/// Whom a daemon follows: the source of this name; when it has none, the reference ID as an address.
pub(super) fn server(name: Option<Box<str>>, reference_id: u32) -> Option<Box<str>> {
    if reference_id == 0 { None } else { name.or_else(|| Some(Ipv4Addr::from(reference_id).to_string().into())) }
}

/// `^,*,127.0.0.1,1,-2,377,1,…`: chronyc(1), "sources".
fn source(line: &str) -> Result<NtpSource, ToolError> {
    let mut values = Values(line.split(','));
    let mode = values.next("mode of a source")?;
    if !matches!(mode, "^" | "=" | "#") {
        return Err(ToolError::field("mode of a source", mode));
    }
    let state = values.next("state of a source")?;
    let selected = match state {
        "*" => true,
        "+" | "-" | "?" | "x" | "~" => false,
        other => return Err(ToolError::field("state of a source", other)),
    };
    let name = values.next("name of a source")?;
    let name = name_of(name)?.ok_or(ToolError::Missing("name of a source"))?;
    let stratum = values.number("stratum of a source")?;
    let poll = power_of_two_s(values.number("polling interval")?);
    let reach = octal(values.next("reach")?)?;
    let since: u32 = values.number("age of a source")?;
    // Its own mark for "never".
    let since = Some(since).filter(|&since| since != u32::MAX).map(|s| Duration::from_secs(s.into()));
    Ok(NtpSource { name, selected, stratum, poll, reach, since })
}

fn name_of(text: &str) -> Result<Option<Box<str>>, ToolError> {
    let fits = text.len() <= NAME_MAX_BYTES && !text.contains(char::is_control);
    if !fits {
        return Err(ToolError::field("name of a source", text));
    }
    Ok(Some(text.trim()).filter(|name| !name.is_empty()).map(Box::from))
}

fn octal(text: &str) -> Result<u8, ToolError> {
    u8::from_str_radix(text, 8).map_err(|_| ToolError::field("reach", text))
}

fn real(field: &'static str, text: &str) -> Result<f64, ToolError> {
    let value = text.trim().parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| ToolError::field(field, text))
}

/// Seconds since 1970 with up to nine decimals; a float would lose the last of them.
fn seconds(text: &str) -> Option<Wall> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: u64 = format!("{fraction:0<9}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos).map(Wall::from_unix_nanos)
}

/// The values of a line, from left to right.
struct Values<'a>(std::str::Split<'a, char>);

impl<'a> Values<'a> {
    fn next(&mut self, field: &'static str) -> Result<&'a str, ToolError> {
        self.0.next().ok_or(ToolError::Missing(field))
    }

    fn number<T: FromStr>(&mut self, field: &'static str) -> Result<T, ToolError> {
        let text = self.next(field)?;
        text.trim().parse().map_err(|_| ToolError::field(field, text))
    }

    fn real(&mut self, field: &'static str) -> Result<f64, ToolError> {
        real(field, self.next(field)?)
    }
}

/// Reads `text` as what `chronyc` writes. For fuzzing: it must not panic.
pub fn fuzz_chronyc(text: &[u8]) {
    let _ = chronyc(&String::from_utf8_lossy(text));
}

#[cfg(test)]
mod tests;
