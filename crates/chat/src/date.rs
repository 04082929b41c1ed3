//! `strftime` for templates that print today's date: the fields that chat templates use, in English, as in Python.

/// `seconds` are local time since 1970. Fields that are not known stay as they are written.
pub(crate) fn strftime(seconds: i64, format: &str) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let weekday = (days + 4).rem_euclid(7) as usize;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let name = |names: &'static [&'static str], at: usize| names.get(at).copied().unwrap_or_default();
    let month_name = name(&MONTHS, month as usize - 1);
    let weekday_name = name(&WEEKDAYS, weekday);
    let (mut text, mut letters) = (String::new(), format.chars());
    while let Some(letter) = letters.next() {
        if letter != '%' {
            text.push(letter);
            continue;
        }
        let mut field = letters.next();
        // glibc's way to ask for a number without its leading zero.
        let bare = field == Some('-');
        if bare {
            field = letters.next();
        }
        let number = |n: i64| if bare { n.to_string() } else { format!("{n:02}") };
        text.push_str(&match field {
            Some('d') => number(day),
            Some('m') => number(month),
            Some('y') => number(year.rem_euclid(100)),
            Some('H') => number(hour),
            Some('I') => number((hour + 11) % 12 + 1),
            Some('M') => number(minute),
            Some('S') => number(second % 60),
            Some('Y') => year.to_string(),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name.chars().take(3).collect(),
            Some('A') => weekday_name.to_owned(),
            Some('a') => weekday_name.chars().take(3).collect(),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            Some('%') => "%".to_owned(),
            other => ['%'].into_iter().chain(bare.then_some('-')).chain(other).collect(),
        });
    }
    text
}

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
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

/// Year, month and day of a day since 1970. Years begin in March here, so that leap days come last.
fn civil(days: i64) -> (i64, i64, i64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let since = days + 719_468; // Days since 1 March of the year 0.
    let (era, day) = (since.div_euclid(DAYS_IN_400_YEARS), since.rem_euclid(DAYS_IN_400_YEARS));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = (from_march + 2) % 12 + 1;
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected as `datetime.fromtimestamp(seconds, timezone.utc).strftime(format)` gives it.
    #[test]
    fn prints_what_python_prints() {
        for (seconds, format, expected) in [
            (0, "%d %b %Y", "01 Jan 1970"),
            (1_721_952_000, "%d %b %Y", "26 Jul 2024"),
            (1_709_164_799, "%A, %B %-d, %Y %I:%M:%S %p", "Wednesday, February 28, 2024 11:59:59 PM"),
            (1_709_164_800, "%a %Y-%m-%d %H:%M", "Thu 2024-02-29 00:00"),
            (951_868_799, "%d/%m/%y", "29/02/00"),
            (4_107_542_400, "%d %B %Y", "01 March 2100"),
            (-1, "%d %b %Y %H", "31 Dec 1969 23"),
            (1_709_208_000, "%I %p %-m", "12 PM 2"),
            (0, "100%% %q %-q %", "100% %q %-q %"),
            (0, "", ""),
        ] {
            assert_eq!(strftime(seconds, format), expected, "{seconds} {format:?}");
        }
    }
}
