//! How much goes on at which time of the day.

use super::float;

/// The seconds of a day.
pub(super) const DAY: u64 = 86_400;

/// Hours and levels, with straight lines between. The first is hour 0 and the last hour 24.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve(pub(super) &'static [(f64, f64)]);

impl Curve {
    /// The level at a second of the day.
    pub(super) fn at(self, second_of_day: u64) -> f64 {
        let hour = float(second_of_day) / 3600.0;
        self.lines()
            .find(|((_, _), (to, _))| hour < *to)
            .map_or(0.0, |((from, start), (to, end))| start + (end - start) * (hour - from) / (to - from))
    }

    /// The sum of the levels of all seconds from a midnight on, over any number of days.
    pub(super) fn integral(self, second: f64) -> f64 {
        let day = float(DAY);
        let days = (second / day).floor();
        3600.0 * (days * self.within_day(24.0) + self.within_day((second - days * day) / 3600.0))
    }

    fn within_day(self, hour: f64) -> f64 {
        self.lines()
            .map(|((from, start), (to, end))| {
                let passed = (hour.min(to) - from).max(0.0);
                passed * (start + (end - start) * passed / (2.0 * (to - from)))
            })
            .sum()
    }

    fn lines(self) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
        self.0.iter().copied().zip(self.0.iter().skip(1).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::super::whole;
    use super::*;

    const RISE_AND_FALL: Curve = Curve(&[(0.0, 0.0), (12.0, 1.0), (24.0, 0.0)]);

    #[test]
    fn a_level_lies_on_the_line_between_its_neighbours() {
        let percent = [0, 6, 12, 18].map(|hour| whole(100.0 * RISE_AND_FALL.at(hour * 3600)));
        assert_eq!(percent, [0, 50, 100, 50]);
    }

    #[test]
    fn an_integral_goes_on_over_midnight() {
        let hours = [0.0, 12.0, 24.0, 36.0].map(|hour| whole(RISE_AND_FALL.integral(hour * 3600.0) / 3600.0));
        assert_eq!(hours, [0, 6, 12, 18]);
    }
}
