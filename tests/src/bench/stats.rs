//! What is said of some samples.

use std::time::Duration;

use super::Promise;

/// The middle and the borders of some samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Half of the samples are below, half above.
    pub median: Duration,
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Summary {
    /// `None` where there is no sample.
    #[must_use]
    pub fn of(samples: &[Duration]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let upper = sorted.len() / 2;
        let lower = (sorted.len() - 1) / 2;
        let median = (sorted[lower] + sorted[upper]) / 2;
        Some(Self { median, min, max })
    }
}

/// How many times as long the median of `ours` is; `None` where one of them has none, or the floor takes no time.
#[must_use]
pub fn ratio(ours: &[Duration], floor: &[Duration]) -> Option<f64> {
    let (ours, floor) = (Summary::of(ours)?.median, Summary::of(floor)?.median);
    (!floor.is_zero()).then(|| ours.as_secs_f64() / floor.as_secs_f64())
}

impl Promise {
    /// How many of our samples broke it.
    #[must_use]
    pub fn broken(&self, ours: &[Duration], floor: &[Duration]) -> usize {
        let broken = |sample: &&Duration| match self {
            Self::Under(limit) => *sample >= limit,
            Self::Faster(times) => Summary::of(floor).is_none_or(|floor| **sample * *times > floor.median),
        };
        ours.iter().filter(broken).count()
    }
}

#[cfg(test)]
mod tests {
    use super::{Promise, Summary, ratio};
    use std::time::Duration;

    fn ms(samples: &[u64]) -> Vec<Duration> {
        samples.iter().copied().map(Duration::from_millis).collect()
    }

    fn median(samples: &[u64]) -> Option<Duration> {
        Summary::of(&ms(samples)).map(|summary| summary.median)
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some(Duration::from_millis(7)));
        assert_eq!(median(&[9, 1]), Some(Duration::from_millis(5)));
        assert_eq!(median(&[3, 900, 1]), Some(Duration::from_millis(3)));
        assert_eq!(median(&[4, 3, 900, 1]), Some(Duration::from_micros(3500)));
        let summary = Summary::of(&ms(&[3, 900, 1])).unwrap();
        assert_eq!(
            (summary.min, summary.max),
            (Duration::from_millis(1), Duration::from_millis(900))
        );
    }

    #[test]
    fn the_ratio_is_that_of_the_medians() {
        assert_eq!(ratio(&ms(&[30, 1, 900]), &ms(&[20])), Some(1.5));
        assert_eq!(ratio(&ms(&[30]), &[]), None);
        assert_eq!(ratio(&[], &ms(&[30])), None);
        assert_eq!(ratio(&ms(&[30]), &ms(&[0])), None);
    }

    #[test]
    fn a_promise_is_broken_by_one_sample() {
        let promise = Promise::Under(Duration::from_secs(1));
        assert_eq!(promise.broken(&ms(&[999, 1000, 1001, 1]), &[]), 2);
        assert_eq!(promise.broken(&ms(&[999]), &[]), 0);
        let faster = Promise::Faster(20);
        assert_eq!(faster.broken(&ms(&[1, 10, 11]), &ms(&[200, 1, 300])), 1);
        assert_eq!(faster.broken(&ms(&[1]), &[]), 1);
    }
}
