//! Comparisons as they are written: `"< 100"`, `">= 99%"`, `"< 150ms"`, or a number alone.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use std::time::Duration;

use nunect_core::Period;
use nunect_core::time::nanos;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// What can be compared with a bound.
pub(crate) trait Quantity: Copy + Ord + fmt::Display + FromStr<Err = String> {
    /// The least there can be.
    const LEAST: Self;
    /// The most there can be, where there is such a thing.
    const MOST: Option<Self>;
    /// How it is written, for errors and the schema.
    const EXAMPLE: &'static str;
}

/// A number of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Count(pub(crate) u64);

/// A part of a whole, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(pub(crate) u64);

/// A length of time, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) u64);

const WHOLE: u64 = 1_000_000;
const PERCENT: u64 = WHOLE / 100;

impl Share {
    /// `part` of `whole`, rounded down: almost all is not all.
    pub(crate) fn of(part: u64, whole: u64) -> Self {
        let share = u128::from(part) * u128::from(WHOLE) / u128::from(whole.max(1));
        Self(u64::try_from(share).unwrap_or(u64::MAX))
    }
}

impl Quantity for Count {
    const LEAST: Self = Self(0);
    const MOST: Option<Self> = None;
    const EXAMPLE: &'static str = "< 100";
}

impl Quantity for Share {
    const LEAST: Self = Self(0);
    const MOST: Option<Self> = Some(Self(WHOLE));
    const EXAMPLE: &'static str = ">= 99%";
}

impl Quantity for Span {
    const LEAST: Self = Self(0);
    const MOST: Option<Self> = None;
    const EXAMPLE: &'static str = "< 150ms";
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / PERCENT, self.0 % PERCENT);
        if rest == 0 {
            return write!(f, "{percent}%");
        }
        let digits = format!("{rest:04}");
        write!(f, "{percent}.{}%", digits.trim_end_matches('0'))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Period(Duration::from_nanos(self.0)).fmt(f)
    }
}

impl FromStr for Count {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("`{text}` is no number"))
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no share; write 99% or 99.5%");
        let number = text.strip_suffix('%').ok_or_else(wrong)?.trim_end();
        let (percent, digits) = number.split_once('.').unwrap_or((number, "0"));
        let plain = |digits: &str| (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(percent) || !plain(digits) {
            return Err(wrong());
        }
        let parse = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
        Ok(Self(parse(percent)? * PERCENT + parse(&format!("{digits:0<4}"))?))
    }
}

impl FromStr for Span {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<Period>().map(|period| Self(nanos(period.0))).map_err(|error| error.reason)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Equal,
    AtLeast,
    Above,
}

/// Longer signs first, so that `<=` is not read as `<`.
const SIGNS: [(&str, Relation); 5] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("<", Relation::Below),
    (">", Relation::Above),
    ("=", Relation::Equal),
];

/// A bound, and on which side of it a quantity must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Compare<Q> {
    relation: Relation,
    bound: Q,
}

impl<Q: Quantity> Compare<Q> {
    pub(crate) fn holds(&self, quantity: Q) -> bool {
        match self.relation {
            Relation::Below => quantity < self.bound,
            Relation::AtMost => quantity <= self.bound,
            Relation::Equal => quantity == self.bound,
            Relation::AtLeast => quantity >= self.bound,
            Relation::Above => quantity > self.bound,
        }
    }

    /// Whether it holds, when that is so of every quantity there is: then it says nothing.
    pub(crate) fn foregone(&self) -> Option<bool> {
        let above = |bound: Q| Q::MOST.is_some_and(|most| bound > most);
        let least = self.bound == Q::LEAST;
        let most = Q::MOST == Some(self.bound);
        match self.relation {
            Relation::Below if least => Some(false),
            Relation::AtLeast if least => Some(true),
            Relation::Above if most => Some(false),
            Relation::AtMost if most => Some(true),
            Relation::Below | Relation::AtMost if above(self.bound) => Some(true),
            Relation::Equal | Relation::AtLeast | Relation::Above if above(self.bound) => Some(false),
            Relation::Below | Relation::AtMost | Relation::Equal | Relation::AtLeast | Relation::Above => None,
        }
    }
}

impl<Q: Quantity> fmt::Display for Compare<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = SIGNS.iter().find(|(_, relation)| *relation == self.relation).map_or("=", |(sign, _)| sign);
        write!(f, "{sign} {}", self.bound)
    }
}

impl<Q: Quantity> FromStr for Compare<Q> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let signed = SIGNS.iter().find_map(|(sign, relation)| Some((*relation, text.strip_prefix(sign)?.trim_start())));
        let (relation, bound) = signed.unwrap_or((Relation::Equal, text));
        let bound = bound.parse().map_err(|reason: String| format!("{reason}; write \"{}\"", Q::EXAMPLE))?;
        Ok(Self { relation, bound })
    }
}

impl<Q: Quantity> Serialize for Compare<Q> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, Q: Quantity> Deserialize<'de> for Compare<Q> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CompareVisitor<Q>(PhantomData<Q>);
        impl<Q: Quantity> Visitor<'_> for CompareVisitor<Q> {
            type Value = Compare<Q>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a comparison such as \"{}\"", Q::EXAMPLE)
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Compare<Q>, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Compare<Q>, E> {
                number.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(CompareVisitor(PhantomData))
    }
}

impl<Q: Quantity> JsonSchema for Compare<Q> {
    fn schema_name() -> Cow<'static, str> {
        "Compare".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": format!("a comparison such as \"{}\"; a number alone must be met exactly", Q::EXAMPLE),
            "type": ["string", "integer"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<Q: Quantity>(text: &str) -> Compare<Q> {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_comparison_is_a_sign_and_a_bound() {
        for (text, held) in [("< 5", [4, 0]), ("<= 5", [5, 0]), ("5", [5, 5]), ("= 5", [5, 5]), (">= 5", [5, 9])] {
            let compare = read::<Count>(text);
            assert!(held.iter().all(|&count| compare.holds(Count(count))), "{text}");
        }
        for (text, not) in [("< 5", 5), ("<= 5", 6), ("5", 4), (">= 5", 4), ("> 5", 5)] {
            assert!(!read::<Count>(text).holds(Count(not)), "{text}");
        }
        assert!(read::<Share>(">=99.5 %").holds(Share::of(995, 1_000)));
        assert!(!read::<Share>(">= 100%").holds(Share::of(999_999_999, 1_000_000_000)));
        assert!(read::<Span>("< 150ms").holds(Span(149_999_999)));
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for text in ["< 5", "<= 5", "= 5", ">= 5", "> 5"] {
            assert_eq!(read::<Count>(text).to_string(), text);
        }
        assert_eq!(read::<Share>(">=99.50%").to_string(), ">= 99.5%");
        assert_eq!(read::<Share>("< 0.0001%").to_string(), "< 0.0001%");
        assert_eq!(read::<Span>("<1500ms").to_string(), "< 1s 500ms");
    }

    #[test]
    fn what_is_no_comparison_says_how_one_is_written() {
        for text in ["< x", "==5", "", "< -1"] {
            assert!(text.parse::<Compare<Count>>().expect_err("wrong").contains("< 100"), "{text}");
        }
        for text in [">= 99", ">= %", ">= 1.%", ">= 0.00001%", ">= +9%"] {
            assert!(text.parse::<Compare<Share>>().expect_err("wrong").contains(">= 99%"), "{text}");
        }
        assert!("< 5".parse::<Compare<Span>>().expect_err("wrong").contains("150ms"));
    }

    #[test]
    fn what_every_quantity_or_none_fulfils_is_foregone() {
        for text in ["< 0", ">= 0"] {
            assert_eq!(read::<Count>(text).foregone(), Some(text == ">= 0"));
        }
        assert_eq!(read::<Count>("0").foregone(), None);
        let shares =
            [("> 100%", Some(false)), ("<= 100%", Some(true)), (">= 101%", Some(false)), ("< 200%", Some(true))];
        for (text, foregone) in shares {
            assert_eq!(read::<Share>(text).foregone(), foregone, "{text}");
        }
        assert_eq!(read::<Share>(">= 100%").foregone(), None);
    }
}
