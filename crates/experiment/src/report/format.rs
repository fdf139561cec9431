//! Numbers as they are printed: rates in percent with two decimals, other metrics with about four digits.

use serde_json::{Map, Value};

/// How the values of a metric are printed. All values of a column have the same decimals, so that they line up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Format {
    pub(super) scale: f64,
    pub(super) decimals: usize,
    is_rate: bool,
}

/// Metrics that are fractions in [0, 1] and are printed in percent.
const RATES: [&str; 6] = [
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "micro_f1",
    "auroc",
    "ece",
];

impl Format {
    /// The format of a metric whose values are `values`.
    pub(super) fn of(metric: &str, values: impl Iterator<Item = f64>) -> Self {
        if RATES.contains(&metric) {
            return Self {
                scale: 100.0,
                decimals: 2,
                is_rate: true,
            };
        }
        let largest = values
            .filter(|value| value.is_finite())
            .map(f64::abs)
            .fold(0.0, f64::max);
        let digits_before = if largest > 0.0 {
            largest.log10().floor() as i32
        } else {
            0
        };
        Self {
            scale: 1.0,
            decimals: (3 - digits_before).clamp(0, 6) as usize,
            is_rate: false,
        }
    }

    pub(super) fn with_decimals(self, decimals: usize) -> Self {
        Self { decimals, ..self }
    }

    pub(super) fn value(self, value: f64) -> String {
        let text = format!("{:.*}", self.decimals, value * self.scale);
        // A hyphen is shorter than the digits are wide, and −0 is no number to read.
        if text.starts_with('-') && text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.')) {
            return text[1..].to_owned();
        }
        text.replace('-', "−")
    }

    pub(super) fn signed(self, value: f64) -> String {
        let text = self.value(value);
        let is_zero = text.bytes().all(|b| matches!(b, b'0' | b'.'));
        if text.starts_with('−') || is_zero {
            text
        } else {
            format!("+{text}")
        }
    }

    /// `[low, high]`, or nothing.
    pub(super) fn interval(
        self,
        low: Option<f64>,
        high: Option<f64>,
        signed: bool,
    ) -> Option<String> {
        let print = |value| {
            if signed {
                self.signed(value)
            } else {
                self.value(value)
            }
        };
        Some(format!("[{}, {}]", print(low?), print(high?)))
    }

    /// The metric with its unit, for heads of columns and axes.
    pub(super) fn label(self, metric: &str) -> String {
        let name = title(metric);
        if self.is_rate {
            format!("{name} (%)")
        } else {
            name
        }
    }

    /// What a gain in the metric is, for heads of columns and axes.
    pub(super) fn gain_unit(self, metric: &str) -> String {
        if self.is_rate {
            "percentage points".to_owned()
        } else {
            format!("decrease of {}", title(metric))
        }
    }
}

/// What stands where there is no number.
pub(super) fn none() -> String {
    "–".to_owned()
}

/// A gain of a share in points: `+4.3`, `−0.4`, `0.0`.
pub(super) fn points(gain: f64) -> String {
    if !gain.is_finite() {
        return none();
    }
    let points = Format {
        scale: 100.0,
        decimals: 1,
        is_rate: true,
    };
    points.signed(gain)
}

/// `0.023`, `< 0.001`
pub(super) fn p_value(p_value: f64) -> String {
    if p_value < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p_value:.3}")
    }
}

/// A metric's name in running text.
pub(super) fn title(metric: &str) -> String {
    let known = match metric {
        "accuracy" => "Accuracy",
        "balanced_accuracy" => "Balanced accuracy",
        "macro_f1" => "Macro F1",
        "micro_f1" => "Micro F1",
        "auroc" => "AUROC",
        "log_loss" => "Log loss",
        "brier" => "Brier score",
        "ece" => "ECE",
        "rmse" => "RMSE",
        "mae" => "MAE",
        "r2" => "R²",
        "explained_variance" => "Explained variance",
        other => other,
    };
    known.to_owned()
}

/// Whether a method that was chosen with the labels that score it does not say so in its name.
pub(super) fn needs_tag(method: &str, oracle: bool) -> bool {
    oracle && !method.to_lowercase().contains("oracle")
}

/// A method's name, which says so when it was chosen with the labels that score it.
pub(super) fn tagged(method: &str, oracle: bool) -> String {
    let tag = if needs_tag(method, oracle) {
        " (oracle)"
    } else {
        ""
    };
    format!("{method}{tag}")
}

/// `lambda = 1, learner.c = 0.5`
pub(super) fn params(params: &Map<String, Value>) -> String {
    let one = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name} = {text}"),
        other => format!("{name} = {other}"),
    };
    clean(&params.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// `40 µs`, `1.4 ms`, `250 ms`, `1.25 s`, `3 min 5 s`
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.000_995 => format!("{:.0} µs", s * 1e6),
        s if s < 0.0995 => format!("{:.1} ms", s * 1e3),
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.2} s"),
        s => format!(
            "{} min {} s",
            (s.round() as u64) / 60,
            (s.round() as u64) % 60
        ),
    }
}

/// `312 MiB`
pub(super) fn bytes(bytes: f64) -> String {
    let mib = bytes / (1 << 20) as f64;
    if mib < 1024.0 {
        format!("{mib:.0} MiB")
    } else {
        format!("{:.1} GiB", mib / 1024.0)
    }
}

/// A whole number with its thousands apart.
pub(super) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A name without what could move the cursor, end a line or spoil XML.
pub(super) fn clean(text: &str) -> String {
    let visible = |c: char| match c {
        '\n' | '\t' | '\r' => ' ',
        // Control characters, and those that turn the direction of writing.
        c if c.is_control()
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c) =>
        {
            '\u{fffd}'
        }
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c => c,
    };
    text.chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_are_percents_and_others_have_four_digits() {
        let rate = Format::of("accuracy", [0.5].into_iter());
        assert_eq!(
            (rate.value(0.45678), rate.signed(0.02), rate.signed(-0.02)),
            ("45.68".into(), "+2.00".into(), "−2.00".into())
        );
        assert_eq!(
            (rate.signed(0.0), rate.signed(-1e-9), rate.signed(1e-9)),
            ("0.00".into(), "0.00".into(), "0.00".into())
        );
        let format = |largest: f64| Format::of("rmse", [0.0, -largest, f64::NAN].into_iter());
        assert_eq!(format(0.7412).value(0.7412), "0.7412");
        assert_eq!(format(12.345).value(12.345), "12.35");
        assert_eq!(format(98765.4).value(98765.4), "98765");
        assert_eq!(format(0.0).value(0.0), "0.000");
        assert_eq!(
            rate.interval(Some(-0.01), Some(0.03), true).unwrap(),
            "[−1.00, +3.00]"
        );
        assert_eq!(rate.interval(None, Some(0.03), true), None);
    }

    #[test]
    fn gains_are_points_with_one_sign_for_less() {
        let written = [0.0432, -0.0041, -1e-9, 0.0, f64::NAN].map(points);
        assert_eq!(written, ["+4.3", "−0.4", "0.0", "0.0", "–"]);
        let written = [0.0234, 0.001, 0.000_9, 0.0, 1.0].map(p_value);
        assert_eq!(written, ["0.023", "0.001", "< 0.001", "< 0.001", "1.000"]);
    }

    #[test]
    fn units_are_readable() {
        assert_eq!(
            [0.000_04, 0.0014, 0.25, 1.0, 185.2].map(seconds),
            ["40 µs", "1.4 ms", "250 ms", "1.00 s", "3 min 5 s"]
        );
        assert_eq!([3e8, 3e9].map(bytes), ["286 MiB", "2.8 GiB"]);
        assert_eq!(
            [0, 1234, 12345, 1234567].map(count),
            ["0", "1234", "12\u{202f}345", "1\u{202f}234\u{202f}567"]
        );
        let Value::Object(map) = json!({"kernel": "rbf", "c": 0.5}) else {
            unreachable!()
        };
        assert_eq!(params(&map), "kernel = rbf, c = 0.5");
    }

    #[test]
    fn an_oracle_is_called_one_once() {
        assert_eq!(tagged("tca", true), "tca (oracle)");
        assert_eq!(tagged("tca, Oracle", true), "tca, Oracle");
        assert_eq!(tagged("tca", false), "tca");
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(
            clean("a\u{1b}[31mb\nc\u{202e}d"),
            "a\u{fffd}[31mb c\u{fffd}d"
        );
    }
}
