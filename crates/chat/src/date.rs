//! Dates as templates write them: the common part of C's `strftime`, in English and in UTC.
//!
//! Hugging Face uses the local clock; a template says what day it is, and Rust knows no time zone in a browser.

use std::fmt::Write;

const SECONDS_A_DAY: u64 = 86_400;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// A moment, in the calendar's terms.
struct Moment {
    year: u64,
    month: u64,
    day: u64,
    /// From 1 January, which is 0.
    day_of_year: u64,
    /// From Monday, which is 0.
    weekday: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

/// `seconds` since 1970 in a format such as `%d %b %Y`. Fails with the first directive that isn't known.
pub(crate) fn strftime(format: &str, seconds: u64) -> Result<String, String> {
    let moment = Moment::at(seconds);
    let mut out = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let directive = characters.next().unwrap_or('%');
        // As in glibc, a dash leaves the leading zero out.
        let written = match directive {
            '-' => {
                let directive = characters.next().unwrap_or('-');
                let padded = moment.directive(directive).ok_or(format!("%-{directive}"))?;
                let bare = padded.trim_start_matches('0');
                (if bare.is_empty() { "0" } else { bare }).to_string()
            }
            _ => moment.directive(directive).ok_or(format!("%{directive}"))?,
        };
        out.push_str(&written);
    }
    Ok(out)
}

impl Moment {
    fn at(seconds: u64) -> Moment {
        let (days, second_of_day) = (seconds / SECONDS_A_DAY, seconds % SECONDS_A_DAY);
        let (mut year, mut day_of_year) = (1970 + days / 146_097 * 400, days % 146_097);
        while day_of_year >= days_in_year(year) {
            day_of_year -= days_in_year(year);
            year += 1;
        }
        let (mut month, mut day) = (0, day_of_year);
        while day >= days_in_month(year, month) {
            day -= days_in_month(year, month);
            month += 1;
        }
        Moment {
            year,
            month,
            day: day + 1,
            day_of_year,
            // 1 January 1970 was a Thursday.
            weekday: (days + 3) % 7,
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
        }
    }

    fn directive(&self, directive: char) -> Option<String> {
        let month = MONTHS.get(self.month as usize)?;
        let weekday = WEEKDAYS.get(self.weekday as usize)?;
        let hour_of_twelve = (self.hour + 11) % 12 + 1;
        let mut out = String::new();
        let written = match directive {
            'Y' => write!(out, "{}", self.year),
            'y' => write!(out, "{:02}", self.year % 100),
            'm' => write!(out, "{:02}", self.month + 1),
            'B' => write!(out, "{month}"),
            'b' | 'h' => write!(out, "{}", month.get(..3)?),
            'd' => write!(out, "{:02}", self.day),
            'j' => write!(out, "{:03}", self.day_of_year + 1),
            'A' => write!(out, "{weekday}"),
            'a' => write!(out, "{}", weekday.get(..3)?),
            'H' => write!(out, "{:02}", self.hour),
            'I' => write!(out, "{hour_of_twelve:02}"),
            'M' => write!(out, "{:02}", self.minute),
            'S' => write!(out, "{:02}", self.second),
            'p' => write!(out, "{}", if self.hour < 12 { "AM" } else { "PM" }),
            'F' => write!(out, "{}-{:02}-{:02}", self.year, self.month + 1, self.day),
            'T' => write!(out, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second),
            'Z' => write!(out, "UTC"),
            'z' => write!(out, "+0000"),
            '%' => write!(out, "%"),
            _ => return None,
        };
        written.ok().map(|()| out)
    }
}

fn is_leap_year(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u64) -> u64 {
    if is_leap_year(year) { 366 } else { 365 }
}

/// Months count from 0.
fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        1 if is_leap_year(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, seconds: u64, expected: &str) {
        assert_eq!(strftime(format, seconds).as_deref(), Ok(expected), "{format} at {seconds}");
    }

    #[test]
    fn dates_are_the_calendar_s() {
        check("%d %b %Y", 1_721_952_000, "26 Jul 2024");
        check("%F %T %A", 0, "1970-01-01 00:00:00 Thursday");
        check("%Y-%m-%d %j %a", 951_782_400, "2000-02-29 060 Tue");
        check("%F %j", 1_735_603_200, "2024-12-31 366");
        check("%F", 1_735_689_600, "2025-01-01");
        check("%F", 4_107_542_400, "2100-03-01");
        check("%F", 13_574_563_200, "2400-02-29");
    }

    #[test]
    fn directives_are_strftime_s() {
        check("%-d %B %y, %I:%M:%S %p %Z%z", 1_709_521_445, "4 March 24, 03:04:05 AM UTC+0000");
        check("%H %I %p", 43_200, "12 12 PM");
        check("%-H %-S", 0, "0 0");
        check("100%% %", 0, "100% %");
        assert_eq!(strftime("%d %Q", 0), Err("%Q".to_string()));
        assert_eq!(strftime("%-Q", 0), Err("%-Q".to_string()));
    }
}
