//! A number of bytes as people write it: `16MiB`, `500kB`, or a plain number.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

const EXPECTED: &str = "a number of bytes, or one with its unit, such as 16MiB or 500kB";

const UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fail = || format!("`{text}` is not {EXPECTED}");
        let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let (number, unit) = text.split_at(text.len() - digits.len());
        let unit = unit.trim();
        let unit = if unit.is_empty() { "B" } else { unit };
        let named = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, factor) = named.ok_or_else(fail)?;
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(*factor)).map(Self).ok_or_else(fail)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS.iter().filter(|(_, factor)| self.0 > 0 && self.0.is_multiple_of(*factor));
        let (unit, factor) = fits.max_by_key(|(_, factor)| *factor).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }
            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<Size, E> {
                u64::try_from(bytes).map(Size).map_err(|_| E::custom(format!("`{bytes}` is not {EXPECTED}")))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"],
            "description": EXPECTED,
            "pattern": r"^\d+\s*([kKmMgG][iI]?)?[bB]?$",
            "minimum": 0,
        })
    }
}

/// A `garde` rule: a [`Size`] from `min` to `max` bytes.
pub fn size_within(min: u64, max: u64) -> impl FnOnce(&Size, &()) -> garde::Result {
    move |size, ()| {
        if (min..=max).contains(&size.0) {
            Ok(())
        } else {
            Err(garde::Error::new(format!("{size} is outside {} to {}", Size(min), Size(max))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_with_or_without_its_unit_and_written_in_the_largest_that_fits() {
        for (text, bytes, written) in [
            ("16MiB", 16 << 20, "16MiB"),
            ("16 mib", 16 << 20, "16MiB"),
            ("500kB", 500_000, "500kB"),
            ("1024", 1_024, "1KiB"),
            ("1025 B", 1_025, "1025B"),
            ("0", 0, "0B"),
            ("2GB", 2_000_000_000, "2GB"),
        ] {
            let size: Size = text.parse().expect(text);
            assert_eq!(size.0, bytes, "{text}");
            assert_eq!(size.to_string(), written);
            assert_eq!(size.to_string().parse::<Size>(), Ok(size));
        }
    }

    #[test]
    fn what_is_no_size_is_an_error_that_shows_one() {
        for text in ["", "MiB", "-1", "1.5MiB", "16 mb/s", "99999999999999999999", "18446744073709551615GiB"] {
            assert_eq!(text.parse::<Size>(), Err(format!("`{text}` is not {EXPECTED}")));
        }
        assert!(serde_json::from_str::<Size>("-1").is_err() && serde_json::from_str::<Size>("true").is_err());
        assert_eq!(serde_json::from_str::<Size>("7").ok(), Some(Size(7)));
    }
}
