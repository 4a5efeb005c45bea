//! Numbers as people read them: three significant digits and a unit.

use crate::model::Unit;

/// `value` in its unit.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds => nanoseconds(value),
        Unit::BytesPerSecond => scaled(value, &[(1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s")], "B/s"),
        Unit::MessagesPerSecond | Unit::ConnectionsPerSecond | Unit::RequestsPerSecond => {
            scaled(value, &[(1e6, "M/s"), (1e3, "k/s")], "/s")
        }
        Unit::Processors => format!("{:.2} %", value * 100.0),
        Unit::BytesPerConnection => format!("{:.1} KiB", value / 1024.0),
    }
}

pub(crate) fn nanoseconds(value: f64) -> String {
    scaled(value, &[(1e9, "s"), (1e6, "ms"), (1e3, "µs")], "ns")
}

/// A message's size.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} B"),
    }
}

/// How many times better; below 10 with two decimals, where the targets near 1 are.
pub(crate) fn ratio(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2} x") } else { format!("{} x", three_digits(ratio)) }
}

fn scaled(value: f64, units: &[(f64, &str)], small: &str) -> String {
    let found = units.iter().find(|(factor, _)| value >= *factor);
    let (factor, unit) = found.copied().unwrap_or((1.0, small));
    format!("{} {unit}", three_digits(value / factor))
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value >= 99.95 => format!("{value:.0}"),
        _ if value >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        assert_eq!(value(110.4, Unit::Nanoseconds), "110 ns");
        assert_eq!(value(70_123.0, Unit::Nanoseconds), "70.1 µs");
        assert_eq!(
            (value(99_960.0, Unit::Nanoseconds), value(9.999, Unit::Nanoseconds)),
            ("100 µs".into(), "10.0 ns".into())
        );
        assert_eq!(value(3.3e9, Unit::BytesPerSecond), "3.30 GB/s");
        assert_eq!(value(1_234_567.0, Unit::MessagesPerSecond), "1.23 M/s");
        assert_eq!(value(0.004, Unit::Processors), "0.40 %");
        assert_eq!(value(32768.0, Unit::BytesPerConnection), "32.0 KiB");
        assert_eq!((size(1000), size(4096), size(1 << 20)), ("1000 B".into(), "4 KiB".into(), "1 MiB".into()));
        assert_eq!((ratio(0.966), ratio(123.4)), ("0.97 x".into(), "123 x".into()));
    }
}
