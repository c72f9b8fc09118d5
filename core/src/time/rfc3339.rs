//! Wall time as RFC 3339 writes it, by integers and without a time zone database.

use super::Wall;

const DAY_S: u64 = 86_400;
/// Days from 1 March of the year 0 to 1 January 1970 in the proleptic Gregorian calendar.
const EPOCH_DAYS: u64 = 719_468;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;

impl Wall {
    /// The instant in UTC with microseconds, rounded down: `2024-02-12T21:20:00.123456Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let seconds = self.0 / 1_000_000_000;
        let (year, month, day) = civil(seconds / DAY_S);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let fields = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, seconds / 3_600 % 24),
            (14..16, seconds / 60 % 60),
            (17..19, seconds % 60),
            (20..26, self.0 / 1_000 % 1_000_000),
        ];
        for (place, mut value) in fields {
            for digit in text[place].iter_mut().rev() {
                *digit = b'0' + u8::try_from(value % 10).expect("a digit");
                value /= 10;
            }
        }
        std::str::from_utf8(&text).expect("digits are ASCII").to_owned()
    }

    /// Reads an instant with any offset from UTC and any number of decimals, of which nine count.
    /// A leap second reads as the second after it. `None` before 1970, after 2554, and for
    /// whatever is not RFC 3339.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let (year, rest_of_date) = date.split_at_checked(4)?;
        let year = plain(year)?;
        let month = plain(rest_of_date.get(1..3)?).filter(|month| (1..=12).contains(month))?;
        let day = plain(rest_of_date.get(4..6)?).filter(|day| (1..=days_of(year, month)).contains(day))?;
        let time = rest.strip_prefix(['T', 't', ' '])?;
        let separators = [rest_of_date.get(..1)?, rest_of_date.get(3..4)?, time.get(2..3)?, time.get(5..6)?];
        if separators != ["-", "-", ":", ":"] {
            return None;
        }
        let hour = plain(time.get(..2)?).filter(|hour| *hour < 24)?;
        let minute = plain(time.get(3..5)?).filter(|minute| *minute < 60)?;
        let second = plain(time.get(6..8)?).filter(|second| *second <= 60)?;
        let (nanos, zone) = decimals(time.get(8..)?)?;
        let seconds = (days_since_march_0(year, month, day).checked_sub(EPOCH_DAYS)?)
            .checked_mul(DAY_S)?
            .checked_add(hour * 3_600 + minute * 60 + second)?
            .checked_add_signed(-offset_s(zone)?)?;
        seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Self)
    }
}

/// Year, month and day, `days` days after 1 January 1970. Years count from March here, so that the
/// leap day is their last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH_DAYS;
    let day_of_era = days % ERA_DAYS;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = year_of_era + days / ERA_DAYS * 400;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// The inverse of [`civil`], counted from 1 March of the year 0; 0 before that.
const fn days_since_march_0(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year.saturating_sub(1), month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A number of digits only.
fn plain(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The nanoseconds at the head of `text`, if it goes on with decimals, and what follows them.
fn decimals(text: &str) -> Option<(u64, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = text.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (digits, zone) = text.split_at(end);
    let count = digits.len().min(9);
    let scale = 10_u64.pow(u32::try_from(9 - count).ok()?);
    Some((plain(digits.get(..count)?)? * scale, zone))
}

/// How far local time is ahead of UTC, in seconds.
fn offset_s(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, zone) = if let Some(zone) = zone.strip_prefix('+') { (1, zone) } else { (-1, zone.strip_prefix('-')?) };
    let (hours, minutes) = zone.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let hours = plain(hours).filter(|hours| *hours < 24)?;
    let minutes = plain(minutes).filter(|minutes| *minutes < 60)?;
    i64::try_from(hours * 3_600 + minutes * 60).ok().map(|seconds| sign * seconds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Days known from `date -u -d @{seconds}`.
    const KNOWN: [(u64, &str); 10] = [
        (0, "1970-01-01T00:00:00"),
        (68_169_599, "1972-02-28T23:59:59"),
        (68_169_600, "1972-02-29T00:00:00"),
        (68_256_000, "1972-03-01T00:00:00"),
        (951_782_400, "2000-02-29T00:00:00"),
        (1_707_772_800, "2024-02-12T21:20:00"),
        (1_709_251_199, "2024-02-29T23:59:59"),
        (4_107_542_399, "2100-02-28T23:59:59"),
        (4_107_542_400, "2100-03-01T00:00:00"),
        (18_446_744_073, "2554-07-21T23:34:33"),
    ];

    #[test]
    fn known_instants_are_written_and_read_as_the_calendar_has_them() {
        for (seconds, text) in KNOWN {
            let wall = Wall::from_unix_nanos(seconds * 1_000_000_000 + 7_000);
            assert_eq!(wall.rfc3339(), format!("{text}.000007Z"));
            assert_eq!(Wall::from_rfc3339(&format!("{text}.000007Z")), Some(wall));
        }
    }

    #[test]
    fn decimals_beyond_the_microsecond_are_cut_and_not_rounded() {
        assert_eq!(Wall::from_unix_nanos(1_999_999_999).rfc3339(), "1970-01-01T00:00:01.999999Z");
    }

    #[test]
    fn every_form_that_the_rfc_allows_is_read() {
        let nine = Some(Wall::from_unix_nanos(1_707_772_800_500_000_000));
        for text in [
            "2024-02-12T21:20:00.5Z",
            "2024-02-12t21:20:00.500z",
            "2024-02-12 21:20:00.500000000999Z",
            "2024-02-12T22:20:00.5+01:00",
            "2024-02-12T15:50:00.5-05:30",
        ] {
            assert_eq!(Wall::from_rfc3339(text), nine, "{text}");
        }
        let midnight = Some(Wall::from_unix_nanos(1_483_228_800_000_000_000));
        assert_eq!(Wall::from_rfc3339("2016-12-31T23:59:60Z"), midnight, "a leap second");
    }

    #[test]
    fn what_is_no_instant_is_not_read() {
        for text in [
            "",
            "2024-02-12",
            "2024-02-12T21:20:00",
            "2024-02-12T21:20Z",
            "2024-02-30T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-02-12T24:00:00Z",
            "2024-02-12T21:20:00.Z",
            "2024-02-12T21:20:00.5",
            "2024-02-12T21:20:00+1:00",
            "2024/02/12T21:20:00Z",
            "+024-02-12T21:20:00Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:59:59+01:00",
            "2555-01-01T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "20é4-02-12T21:20:00Z",
        ] {
            assert_eq!(Wall::from_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_reads_back_to_the_microsecond(nanos in any::<u64>()) {
            let text = Wall::from_unix_nanos(nanos).rfc3339();
            prop_assert_eq!(Wall::from_rfc3339(&text), Some(Wall::from_unix_nanos(nanos / 1_000 * 1_000)));
        }

        #[test]
        fn later_instants_have_later_texts(one in any::<u64>(), other in any::<u64>()) {
            let [one, other] = [one, other].map(|nanos| nanos / 1_000 * 1_000);
            let texts = [one, other].map(|nanos| Wall::from_unix_nanos(nanos).rfc3339());
            prop_assert_eq!(texts[0].cmp(&texts[1]), one.cmp(&other));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>(), like in "[0-9é]{4}-[0-9]{2}-[0-9]{2}T\\PC{0,20}") {
            let _ = (Wall::from_rfc3339(&text), Wall::from_rfc3339(&like));
        }
    }
}
