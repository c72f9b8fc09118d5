//! `ntpq`, the tool of ntpd and ntpsec: the variables of the system, then the table of its peers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use nunect_core::Wall;
use nunect_core::clock::{Leap, NtpSource, NtpStatus, NtpVia};

use super::{QUOTE_MAX_CHARS, SOURCES_MAX, ToolError, name_of, octal, quoted, real, server};
use crate::timesync::chrony::wire::{power_of_two_s, reference_name};

/// The columns after the name of a peer and its reference ID: stratum, type, when, poll, reach, delay, offset
/// and jitter.
const COLUMNS: usize = 8;
/// The seconds from 1900, where NTP's time starts, to 1970 (RFC 5905, figure 4).
const NTP_TO_UNIX_S: u64 = 2_208_988_800;

/// Reads what `ntpq -n -w -c rv -c peers` writes. At most [`SOURCES_MAX`] peers are read.
///
/// ntpd writes offsets, delays and dispersions in milliseconds, and has no bound on the error of its frequency
/// but how much that wanders (`clk_wander`), which stands for the skew. Its own clock (`LOCL`) is
/// [`NtpStatus::LOCAL_REFERENCE`], as chrony writes it, and its reference ID before it follows anybody, which
/// is a word such as `INIT`, is 0.
///
/// # Errors
/// If a variable is missing or cannot be read, as when ntpd does not run. A table that cannot be read leaves
/// the sources unknown.
pub fn ntpq(text: &str) -> Result<NtpStatus, ToolError> {
    let is_header = |line: &str| line.trim_start().starts_with("remote ");
    let table = text.lines().position(is_header);
    let variables = Variables::of(text.lines().take(table.unwrap_or(usize::MAX)));
    if variables.0.is_empty() {
        return Err(what_it_says(text));
    }
    let sources = table.and_then(|header| peers(text.lines().skip(header + 1)).ok());
    let stratum = variables.number("stratum")?;
    // A host that follows nobody is of stratum 16, or 0 (RFC 5905, figure 11).
    let follows = !matches!(stratum, 0 | 16);
    let reference_id = if follows { reference_id(variables.text("refid")?)? } else { 0 };
    let selected = sources.iter().flatten().find(|source: &&NtpSource| source.selected).map(|s| s.name.clone());
    let correction_s = variables.real("offset")? / 1e3;
    Ok(NtpStatus {
        server: server(selected.or_else(|| reference_name(reference_id).map(Box::from)), reference_id),
        reference_id,
        stratum,
        leap: match variables.text("leap")? {
            "00" | "0" => Leap::Normal,
            "01" | "1" => Leap::Insert,
            "10" | "2" => Leap::Delete,
            "11" | "3" => Leap::Unsynchronised,
            other => return Err(ToolError::field("leap indicator", other)),
        },
        reference_time: reference_time(variables.text("reftime")?)?,
        correction_s,
        last_offset_s: correction_s,
        rms_offset_s: variables.real("sys_jitter")? / 1e3,
        frequency_ppm: -variables.real("frequency")?,
        skew_ppm: variables.real("clk_wander")?,
        root_delay_s: variables.real("rootdelay")? / 1e3,
        root_dispersion_s: variables.real("rootdisp")? / 1e3,
        update_interval_s: power_of_two_s(variables.number("tc")?).as_secs_f64(),
        sources,
        via: NtpVia::Ntpq,
    })
}

/// What a tool that has no variables to show says instead.
fn what_it_says(text: &str) -> ToolError {
    let Some(said) = text.lines().find(|line| !line.trim().is_empty()) else { return ToolError::Missing("answer") };
    let no_daemon = ["refused", "timed out", "Timeout", "No such host"];
    if no_daemon.iter().any(|words| text.contains(words)) {
        ToolError::NoDaemon(quoted(said))
    } else {
        ToolError::Said(quoted(said))
    }
}

/// `name=value, name=value`, over several lines. Values may hold commas of their own, as dates do.
struct Variables<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Variables<'a> {
    /// How many are read: ntpd has some thirty.
    const MAX: usize = 256;

    fn of(lines: impl Iterator<Item = &'a str>) -> Self {
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let pairs = lines.flat_map(|line| line.split(',')).filter_map(|pair| pair.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.trim(), value.trim()));
        Self(pairs.filter(|(name, _)| is_name(name)).take(Self::MAX).collect())
    }

    fn text(&self, name: &'static str) -> Result<&'a str, ToolError> {
        self.0.get(name).copied().ok_or(ToolError::Missing(name))
    }

    fn real(&self, name: &'static str) -> Result<f64, ToolError> {
        real(name, self.text(name)?)
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, ToolError> {
        let text = self.text(name)?;
        text.parse().map_err(|_| ToolError::field(name, text))
    }
}

/// An address of IPv4, or up to four letters; ntpd puts dots around those in some places.
fn reference_id(text: &str) -> Result<u32, ToolError> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(address.into());
    }
    let name = text.trim_matches('.');
    if name == "LOCL" {
        return Ok(NtpStatus::LOCAL_REFERENCE);
    }
    let mut bytes = [0; 4];
    match bytes.get_mut(..name.len()) {
        Some(letters) if !name.is_empty() && name.is_ascii() => letters.copy_from_slice(name.as_bytes()),
        Some(_) | None => return Err(ToolError::field("reference ID", text)),
    }
    Ok(u32::from_be_bytes(bytes))
}

/// `e4a5d5c8.1f7ced2a  Mon, Jul 19 2021 …`: seconds since 1900 and their fraction, hexadecimal. All zeros, or
/// `(no time)`, before the clock was ever corrected, which reads as 1970.
fn reference_time(text: &str) -> Result<Wall, ToolError> {
    let error = || ToolError::field("reference time", text);
    if text.starts_with("(no time") {
        return Ok(Wall::default());
    }
    let stamp = text.split_whitespace().next().ok_or_else(error)?;
    let (seconds, fraction) = stamp.split_once('.').ok_or_else(error)?;
    let hexadecimal = |digits: &str| {
        let eight = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if eight { u32::from_str_radix(digits, 16).map_err(|_| error()) } else { Err(error()) }
    };
    let (seconds, fraction) = (u64::from(hexadecimal(seconds)?), u64::from(hexadecimal(fraction)?));
    if (seconds, fraction) == (0, 0) {
        return Ok(Wall::default());
    }
    // What is before 1970 in the era that began in 1900 is of the next one, from 2036 on.
    let era = if seconds < NTP_TO_UNIX_S { 1 << 32 } else { 0 };
    let nanos = (fraction * 1_000_000_000) >> 32;
    Ok(Wall::from_unix_nanos((seconds + era - NTP_TO_UNIX_S) * 1_000_000_000 + nanos))
}

/// The rows below the table's header. A name that is too long for its column has a line of its own.
fn peers<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<NtpSource>, ToolError> {
    let mut sources = Vec::new();
    let mut long_name = None;
    for line in lines.filter(|line| !line.starts_with('=') && !line.trim().is_empty()) {
        if sources.len() == SOURCES_MAX {
            break;
        }
        let name_alone = line.split_whitespace().count() == 1 && line.chars().count() <= QUOTE_MAX_CHARS;
        match long_name.take() {
            None if name_alone => long_name = Some(line),
            None => sources.push(peer(line)?),
            Some(name) => sources.push(peer(&format!("{name} {line}"))?),
        }
    }
    Ok(sources)
}

/// `*192.168.1.1     .GPS.            1 u   23   64  377    0.467    0.033   0.012`
fn peer(line: &str) -> Result<NtpSource, ToolError> {
    let mut characters = line.chars();
    let selected = match characters.next() {
        // The second mark is for a pulse per second.
        Some('*' | 'o') => true,
        Some(' ' | 'x' | '.' | '-' | '+' | '#') => false,
        Some(_) | None => return Err(ToolError::field("row of a peer", line)),
    };
    let words: Vec<&str> = characters.as_str().split_whitespace().collect();
    let names = words.len().checked_sub(COLUMNS).filter(|names| matches!(names, 1 | 2));
    let Some((names, [stratum, _, when, poll, reach, ..])) = names.map(|names| words.split_at(names)) else {
        return Err(ToolError::field("row of a peer", line));
    };
    let clock = names.get(1).map(|refid| refid.trim_matches('.')).filter(|refid| !refid.is_empty());
    let remote = names.first().copied().unwrap_or_default();
    // ntpd gives its reference clocks addresses of 127.127.0.0/16.
    let name = clock.filter(|_| remote.starts_with("127.127.")).unwrap_or(remote);
    Ok(NtpSource {
        name: name_of(name)?.ok_or(ToolError::Missing("name of a source"))?,
        selected,
        stratum: stratum.parse().map_err(|_| ToolError::field("stratum of a source", stratum))?,
        poll: interval(poll)?.unwrap_or_default(),
        reach: octal(reach)?,
        since: interval(when)?,
    })
}

/// Seconds, or `5m`, `3h`, `2d`; `-` is none.
fn interval(text: &str) -> Result<Option<Duration>, ToolError> {
    if text == "-" {
        return Ok(None);
    }
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("y", 31_536_000)];
    let unit = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = unit.unwrap_or((text, 1));
    let number: u32 = number.parse().map_err(|_| ToolError::field("time between two questions", text))?;
    Ok(Some(Duration::from_secs(u64::from(number) * seconds)))
}

/// Reads `text` as what `ntpq` writes. For fuzzing: it must not panic.
pub fn fuzz_ntpq(text: &[u8]) {
    let _ = ntpq(&String::from_utf8_lossy(text));
}
