//! Figures as a person reads them: sizes, speeds, times, counts.
//!
//! Sizes are decimal, as browsers and hosts give them (1 MB = 1,000,000 bytes).

/// `bytes(98_362_432)` is `98.4 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        // 999.5 would round to 1000 in the smaller unit.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{} {unit}", three_digits(value))
}

/// `speed(12_300_000.0)` is `12.3 MB/s`; nothing while the speed is unknown.
pub(crate) fn speed(bytes_per_second: f64) -> Option<String> {
    (bytes_per_second.is_finite() && bytes_per_second >= 1.0)
        .then(|| format!("{}/s", bytes(bytes_per_second as u64)))
}

/// A remaining time, no more exact than such a guess deserves: `45 s`, `3 min`, `1 h 5 min`.
pub(crate) fn time_left(seconds: f64) -> Option<String> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    let whole = seconds.ceil() as u64;
    let minutes = whole.div_ceil(60);
    Some(match whole {
        0..60 => format!("{} s", whole.max(1)),
        60..3600 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    })
}

/// A measured time: `0.82 s`, `12.3 s`, `125 s`.
pub(crate) fn seconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.2} s") } else { format!("{} s", three_digits(value)) }
}

/// A rate such as tokens a second: `0.42`, `12.3`, `812`; nothing while it is unknown.
pub(crate) fn rate(value: f64) -> Option<String> {
    (value.is_finite() && value > 0.0)
        .then(|| if value < 1.0 { format!("{value:.2}") } else { three_digits(value) })
}

/// A part of a whole: `share(0.634)` is `63 %`, `share(0.0213)` is `2.1 %`; nothing where it is unknown.
pub(crate) fn share(part: f64) -> Option<String> {
    let percent = 100.0 * part;
    (percent.is_finite() && percent >= 0.0)
        .then(|| if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") })
}

/// `count(131072)` is `131,072`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of weights as people name models by it: `135M`, `8.03B`.
pub(crate) fn parameters(value: u64) -> String {
    let millions = value as f64 / 1e6;
    if millions < 999.5 {
        format!("{}M", three_digits(millions))
    } else {
        format!("{}B", three_digits(millions / 1000.0))
    }
}

/// Whole percent; 100 only when all is done, nothing while the total is unknown.
pub(crate) fn percent(done: u64, total: u64) -> Option<u64> {
    (total > 0).then(|| (u128::from(done.min(total)) * 100 / u128::from(total)) as u64)
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (count, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (98_362_432, "98.4 MB"),
            (4_920_739_232, "4.92 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(count), expected, "{count}");
        }
    }

    #[test]
    fn speeds() {
        for (value, expected) in
            [(0.0, None), (-1.0, None), (f64::NAN, None), (f64::INFINITY, None), (12.3e6, Some("12.3 MB/s"))]
        {
            assert_eq!(speed(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn times_left() {
        for (value, expected) in [
            (0.0, Some("1 s")),
            (44.2, Some("45 s")),
            (59.5, Some("1 min")),
            (61.0, Some("2 min")),
            (3599.0, Some("60 min")),
            (3900.0, Some("1 h 5 min")),
            (f64::INFINITY, None),
            (f64::NAN, None),
            (-3.0, None),
        ] {
            assert_eq!(time_left(value).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn rates_and_seconds() {
        for (value, expected) in [
            (0.0, None),
            (0.423, Some("0.42")),
            (12.34, Some("12.3")),
            (812.4, Some("812")),
            (f64::NAN, None),
        ] {
            assert_eq!(rate(value).as_deref(), expected, "{value}");
        }
        for (value, expected) in [(0.818, "0.82 s"), (12.34, "12.3 s"), (125.0, "125 s")] {
            assert_eq!(seconds(value), expected, "{value}");
        }
    }

    #[test]
    fn shares() {
        for (part, expected) in [
            (0.0, Some("0.0 %")),
            (0.0213, Some("2.1 %")),
            (0.0997, Some("10 %")),
            (0.634, Some("63 %")),
            (1.2, Some("120 %")),
            (f64::INFINITY, None),
            (f64::NAN, None),
        ] {
            assert_eq!(share(part).as_deref(), expected, "{part}");
        }
    }

    #[test]
    fn counts() {
        for (value, expected) in [(7, "7"), (999, "999"), (2048, "2,048"), (131_072, "131,072")] {
            assert_eq!(count(value), expected);
        }
        for (value, expected) in
            [(134_515_008, "135M"), (8_030_261_248, "8.03B"), (999_900_000, "1.00B"), (15_000, "0.01M")]
        {
            assert_eq!(parameters(value), expected);
        }
    }

    #[test]
    fn percentages() {
        for (done, total, expected) in [
            (0, 0, None),
            (5, 0, None),
            (0, 8, Some(0)),
            (999, 1000, Some(99)),
            (8, 8, Some(100)),
            (9, 8, Some(100)),
            (u64::MAX, u64::MAX, Some(100)),
        ] {
            assert_eq!(percent(done, total), expected, "{done} of {total}");
        }
    }
}
