//! Moments as the file of keys spells them: `2030-01-31T12:00:00Z` (RFC 3339, section 5.6, in UTC and whole seconds).

use crate::vocabulary::Timestamp;

const DAY: u64 = 86_400;

/// The years that can be spelled.
const YEARS: std::ops::RangeInclusive<u64> = 1970..=9999;

/// The moment that `written` spells; `None` where it is none, or has a second spelling.
pub fn parse(written: &str) -> Option<Timestamp> {
    let mut parts = [0_u64; 6];
    let mut rest = written;
    for (part, (length, end)) in parts.iter_mut().zip([(4, '-'), (2, '-'), (2, 'T'), (2, ':'), (2, ':'), (2, 'Z')]) {
        let (digits, behind) = rest.split_at_checked(length)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *part = digits.parse().ok()?;
        rest = behind.strip_prefix(end)?;
    }
    let [year, month, day, hour, minute, second] = parts;
    let lengths = months(year);
    let length = *lengths.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !rest.is_empty() || !YEARS.contains(&year) || !(1..=length).contains(&day) || !is_time {
        return None;
    }
    let before: u64 = lengths.iter().zip(1..month).map(|(length, _)| length).sum();
    let days = days_before(year) + before + day - 1;
    Some(Timestamp(days * DAY + hour * 3600 + minute * 60 + second))
}

/// The spelling of `moment`; what lies behind the year 9999 is its end.
pub fn print(moment: Timestamp) -> String {
    let seconds = moment.0.min(days_before(YEARS.end() + 1) * DAY - 1);
    let days = seconds / DAY;
    // A year of 366 days is never too short, so the guess is never too late.
    let mut year = YEARS.start() + days / 366;
    while days >= days_before(year + 1) {
        year += 1;
    }
    let mut rest = days - days_before(year);
    let mut month = 1;
    for length in months(year) {
        if rest < length {
            break;
        }
        rest -= length;
        month += 1;
    }
    let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", rest + 1)
}

/// The lengths of the months of `year`.
fn months(year: u64) -> [u64; 12] {
    let leap = leap_days(year) > leap_days(year.saturating_sub(1));
    [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
}

/// Days from 1970-01-01 to the first of January of `year`, which is not before.
fn days_before(year: u64) -> u64 {
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

/// Leap days in the years 1 to `year` of the Gregorian calendar.
fn leap_days(year: u64) -> u64 {
    year / 4 - year / 100 + year / 400
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_one_spelling_and_prints_back_as_it() {
        let table = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-22T15:06:40Z", 1_795_360_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ];
        for (written, seconds) in table {
            assert_eq!(parse(written), Some(Timestamp(seconds)), "{written}");
            assert_eq!(print(Timestamp(seconds)), written);
        }
        for day in (0..80_000).map(|day| Timestamp(day * 86_400 + day % 86_400)) {
            assert_eq!(parse(&print(day)), Some(day));
        }
        assert_eq!(print(Timestamp(u64::MAX)), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for written in [
            "",
            "2030-01-31",
            "2030-01-31T12:00:00",
            "2030-01-31 12:00:00Z",
            "2030-01-31T12:00:00+00:00",
            "2030-01-31T12:00:00.0Z",
            "2030-1-31T12:00:00Z",
            "2030-02-29T12:00:00Z",
            "2030-00-10T12:00:00Z",
            "2030-13-10T12:00:00Z",
            "2030-01-00T12:00:00Z",
            "2030-01-31T24:00:00Z",
            "2030-01-31T12:60:00Z",
            "2030-01-31T12:00:60Z",
            "0000-01-31T12:00:00Z",
            "1969-12-31T23:59:59Z",
            "+030-01-31T12:00:00Z",
            "2030-01-31T12:00:00Zx",
            "２030-01-31T12:00:00Z",
        ] {
            assert_eq!(parse(written), None, "{written}");
        }
    }
}
