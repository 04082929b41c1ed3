//! Figures of several runs: the one in the middle, and how far they lie apart.

use serde_json::{Value, json};

/// At least one figure, from the least to the most.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spread(Vec<f64>);

impl Spread {
    /// `None` where there is no figure, or one that is no number.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        (!figures.is_empty() && figures.iter().all(|figure| figure.is_finite())).then_some(Spread(figures))
    }

    /// The one in the middle, or between the two that are.
    pub(super) fn median(&self) -> f64 {
        let middle = |at: usize| self.0.get(at).copied().unwrap_or(f64::NAN);
        (middle((self.0.len() - 1) / 2) + middle(self.0.len() / 2)) / 2.0
    }

    fn least_and_most(&self) -> (f64, f64) {
        let end = |figure: Option<&f64>| figure.copied().unwrap_or(f64::NAN);
        (end(self.0.first()), end(self.0.last()))
    }

    /// A row of the form that `bench` knows.
    pub(super) fn row(&self, name: &str, unit: &str, wanted: Option<f64>) -> Value {
        let mut row = json!({ "name": name, "value": self.median(), "unit": unit });
        let (least, most) = self.least_and_most();
        if least < most {
            row["least"] = least.into();
            row["most"] = most.into();
        }
        if let Some(wanted) = wanted {
            row["wanted"] = wanted.into();
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_both_ends() {
        let check = |figures: &[f64], expected: Option<(f64, f64, f64)>| {
            let spread = Spread::of(figures.iter().copied());
            let got = spread.map(|spread| {
                let (least, most) = spread.least_and_most();
                (least, spread.median(), most)
            });
            assert_eq!(got, expected, "{figures:?}");
        };
        check(&[], None);
        check(&[2.0], Some((2.0, 2.0, 2.0)));
        check(&[3.0, 1.0], Some((1.0, 2.0, 3.0)));
        check(&[5.0, 1.0, 4.0], Some((1.0, 4.0, 5.0)));
        check(&[1.0, f64::NAN], None);
        check(&[1.0, f64::INFINITY], None);
    }

    #[test]
    fn a_row_says_how_far_runs_lie_apart_where_they_do() {
        let check = |figures: &[f64], wanted, expected: Value| {
            let row = Spread::of(figures.iter().copied()).map(|spread| spread.row("decode", "x", wanted));
            assert_eq!(row, Some(expected), "{figures:?}");
        };
        let row = json!({ "name": "decode", "value": 2.0, "unit": "x" });
        check(&[2.0, 2.0], None, row);
        let row =
            json!({ "name": "decode", "value": 2.0, "unit": "x", "least": 1.0, "most": 4.0, "wanted": 1.5 });
        check(&[4.0, 1.0, 2.0], Some(1.5), row);
    }
}
