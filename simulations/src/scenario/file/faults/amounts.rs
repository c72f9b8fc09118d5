//! Amounts as they are written down: shares, rates, and what has a sign.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use nunect_core::Period;
use nunect_core::time::nanos;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::{Serialize, Serializer};

/// All of it, in the unit of [`Share`].
pub(crate) const WHOLE: u32 = 1_000_000;

/// A share of something: `5%` or `0.25%`, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share {
    pub(crate) ppm: u32,
}

/// A signed time: `50ms`, `-2s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    pub(crate) ns: i64,
}

/// A signed change of a clock's rate: `40ppm`, `-500ppb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateChange {
    pub(crate) ppb: i32,
}

/// A bit rate: `64kbit`, `1mbit`, `9600bit`, in bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BitRate {
    pub(crate) bits: u64,
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no share; write 5% or 0.25%");
        let number = text.strip_suffix('%').ok_or_else(wrong)?.trim();
        let (whole, parts) = number.split_once('.').unwrap_or((number, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(parts) || parts.len() > 4 {
            let outside = number.strip_prefix('-').is_some_and(|rest| rest.parse::<f64>().is_ok());
            return Err(if outside { format!("`{text}` is not from 0% to 100%") } else { wrong() });
        }
        let ppm = format!("{whole}{parts:0<4}").parse::<u32>().unwrap_or(u32::MAX);
        if ppm > WHOLE { Err(format!("`{text}` is not from 0% to 100%")) } else { Ok(Self { ppm }) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, parts) = (self.ppm / 10_000, format!("{:04}", self.ppm % 10_000));
        match parts.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            parts => write!(f, "{whole}.{parts}%"),
        }
    }
}

impl FromStr for Shift {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (negative, size) = signed(text);
        let size = size.parse::<Period>().map_err(|error| error.reason)?;
        let ns = i64::try_from(nanos(size.0)).map_err(|_| format!("`{text}` is too long"))?;
        Ok(Self { ns: if negative { -ns } else { ns } })
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = Period(std::time::Duration::from_nanos(self.ns.unsigned_abs()));
        write!(f, "{}{size}", if self.ns < 0 { "-" } else { "" })
    }
}

impl FromStr for RateChange {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (negative, size) = signed(text);
        let parse = |number: &str, unit: i32| number.trim().parse::<i32>().ok()?.checked_mul(unit);
        let ppm = size.strip_suffix("ppm").and_then(|number| parse(number, 1_000));
        let ppb = ppm.or_else(|| size.strip_suffix("ppb").and_then(|number| parse(number, 1)));
        let ppb = ppb.filter(|ppb| *ppb >= 0);
        let ppb = ppb.ok_or_else(|| format!("`{text}` is no change of a rate; write 40ppm or -500ppb"))?;
        Ok(Self { ppb: if negative { -ppb } else { ppb } })
    }
}

impl fmt::Display for RateChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ppb % 1_000 == 0 { write!(f, "{}ppm", self.ppb / 1_000) } else { write!(f, "{}ppb", self.ppb) }
    }
}

impl FromStr for BitRate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000), ("bit", 1)];
        let (number, unit) = units
            .into_iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))
            .ok_or_else(|| format!("`{text}` is no bit rate; write 64kbit or 1mbit"))?;
        let bits = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        let bits = bits.filter(|bits| *bits > 0);
        Ok(Self { bits: bits.ok_or_else(|| format!("`{text}` is no bit rate; write 64kbit or 1mbit"))? })
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits.is_multiple_of(1_000) {
            write!(f, "{}kbit", self.bits / 1_000)
        } else {
            write!(f, "{}bit", self.bits)
        }
    }
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Reads and writes an amount as text, and describes it.
macro_rules! text {
    ($type:ident, $description:literal, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description, "pattern": $pattern })
            }
        }
    };
}

text!(Share, "a share such as 5% or 0.25%", r"^\d+(\.\d{1,4})?\s*%$");
text!(Shift, "a time with its unit, such as 50ms, or -50ms for back", r"^[+-]?\s*(\d+(\.\d+)?\s*[a-zµ]+\s*)+$");
text!(RateChange, "parts per million or billion, such as 40ppm, or -40ppm for slower", r"^[+-]?\d+\s*pp[mb]$");
text!(BitRate, "bits a second, such as 64kbit or 1mbit", r"^\d+\s*[kmg]?bit$");

#[cfg(test)]
mod tests {
    use super::*;

    fn again<T: FromStr<Err = String> + fmt::Display>(text: &str) -> String {
        text.parse::<T>().map_or_else(|error| error, |amount| amount.to_string())
    }

    #[test]
    fn an_amount_is_written_as_it_is_read() {
        for share in ["0%", "5%", "0.25%", "99.9999%", "100%"] {
            assert_eq!(again::<Share>(share), share);
        }
        assert_eq!((again::<Shift>("-50ms"), again::<Shift>("+1m 1s")), ("-50ms".to_owned(), "1m 1s".to_owned()));
        assert_eq!(
            (again::<RateChange>("-40ppm"), again::<RateChange>("1500 ppb")),
            ("-40ppm".into(), "1500ppb".into())
        );
        assert_eq!((again::<BitRate>("64kbit"), again::<BitRate>("1 mbit")), ("64kbit".into(), "1000kbit".into()));
        assert_eq!("2.5%".parse(), Ok(Share { ppm: 25_000 }));
    }

    #[test]
    fn what_is_no_amount_is_told_how_to_write_one() {
        assert!(
            again::<Share>("130%").contains("from 0% to 100%") && again::<Share>("-3%").contains("from 0% to 100%")
        );
        assert!(again::<Share>("5").contains("write 5%") && again::<Share>("five%").contains("write 5%"));
        assert!(again::<Shift>("5").contains("write 5s"));
        assert!(again::<RateChange>("--4ppm").contains("40ppm") && again::<RateChange>("4").contains("40ppm"));
        assert!(again::<BitRate>("0bit").contains("64kbit") && again::<BitRate>("64k").contains("64kbit"));
    }
}
