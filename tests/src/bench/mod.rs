//! `cargo lab bench`: what pocket-dock takes for a thing, beside what the engine itself takes for it.
//!
//! A [`Row`] is one such thing. It is done our way and the bare way, in turn, in one process: this machine is fast at one
//! minute and slow at the next, and only what was measured side by side can be compared. The bare way, the *floor*, is the
//! same calls of the engine on raw sockets with nothing of ours between (`bare`).
//!
//! What has nothing to do with an engine is measured on none, beside the least that could be done instead.
//!
//! A new row is one more [`Pair`] in a module of its topic, and one more line in [`ROWS`].

mod bare;
mod buffers;
mod commands;
mod containers;
mod engines;
mod files;
mod pools;
mod report;
mod site;
mod stats;
mod streams;
mod table;
mod transfers;
mod turns;
mod wish;

use std::time::Duration;

pub use engines::bring_up;
pub use report::json;
pub use site::Site;
pub use stats::{Summary, ratio};
pub use table::{head, legend, line};
pub use wish::Wish;

/// Why a row could not be measured.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How thorough a measurement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// For figures to be told.
    Full,
    /// Fewer samples, and an eighth of the output.
    Quick,
    /// Each row once, with little data: shows that it works, and nothing else.
    Smoke,
}

/// One thing that is measured.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is measured of ours.
    pub ours: &'static str,
    /// What it is compared with, if there is anything.
    pub floor: Option<&'static str>,
    /// What is measured beside both, if there is anything: what people would use otherwise.
    pub beside: Option<&'static str>,
    /// What an issue promises of ours.
    pub promise: Option<Promise>,
    /// How many samples of each, in full and quickly.
    pub samples: [usize; 2],
    /// Makes ready what the samples need.
    pub make: Make,
}

/// Makes ready what the samples of a row need.
#[derive(Debug, Clone, Copy)]
pub enum Make {
    /// On an engine.
    OnEngine(for<'a> fn(&'a Site) -> Result<Box<dyn Pair + 'a>, Failure>),
    /// Without one.
    Here(fn(Scale) -> Box<dyn Pair>),
}

impl Make {
    /// Whether it needs an engine.
    #[must_use]
    pub const fn is_on_engine(self) -> bool {
        matches!(self, Self::OnEngine(_))
    }
}

/// What every sample of ours must hold to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// It takes less than this.
    Under(Duration),
    /// The median of the floor takes at least so many times as long.
    Faster(u32),
}

/// Ours and the floor of one row. What a sample needs before and after is done in the call and not counted.
pub trait Pair {
    /// How long it took our way.
    ///
    /// # Errors
    /// If it failed, or gave something else than it should.
    fn ours(&mut self) -> Result<Duration, Failure>;

    /// How long it took the bare way.
    ///
    /// # Errors
    /// As [`ours`](Self::ours); and always, for a row without a floor.
    fn floor(&mut self) -> Result<Duration, Failure> {
        Err("this row has no floor".into())
    }

    /// How long it took by other means.
    ///
    /// # Errors
    /// As [`ours`](Self::ours); and always, for a row with nothing beside it.
    fn beside(&mut self) -> Result<Beside, Failure> {
        Err("this row has nothing beside it".into())
    }

    /// How many bytes a sample moves, where speed is what matters.
    fn bytes(&self) -> Option<u64> {
        None
    }
}

/// What comes of other means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// It took so long.
    Took(Duration),
    /// They are not there, or not for this engine.
    LeftOut(String),
}

/// Every row.
pub const ROWS: &[Row] = &[
    containers::CREATE,
    pools::TAKE,
    commands::RUN,
    containers::SHUTDOWN,
    containers::SHUTDOWN_FORCE,
    streams::OUTPUT,
    streams::STREAM,
    streams::INPUT,
    turns::TURN,
    files::READ,
    files::WRITE,
    transfers::PUSH,
    transfers::PULL,
    transfers::PUSH_TREE,
    commands::KILL,
    buffers::RING_WRITE,
    buffers::RING_BOTH,
];

/// What was measured of one row on one engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Our samples, in the order in which they were taken.
    pub ours: Vec<Duration>,
    /// Those of the floor; empty if there is none.
    pub floor: Vec<Duration>,
    /// Those of other means; empty if there are none.
    pub beside: Vec<Duration>,
    /// Why there are none although the row has some.
    pub left_out: Option<String>,
    /// How many bytes each of them moved.
    pub bytes: Option<u64>,
}

/// Time for what the last sample left behind before the next one begins: engines tidy up after they have answered, and
/// a run of ours ends before its exec does.
const REST: Duration = Duration::from_millis(150);

/// Measures one row on an engine. Whatever becomes of it, nothing is left there.
///
/// # Errors
/// If a sample failed, or something of it could not be removed, or the row is of those that need no engine.
pub fn measure(row: &Row, site: &Site) -> Result<Measured, Failure> {
    let Make::OnEngine(make) = row.make else {
        return Err("this row is measured without an engine".into());
    };
    let measured = make(site).and_then(|pair| sample(row, pair, site.scale(), REST));
    let swept = site.sweep();
    let measured = measured?;
    swept?;
    Ok(measured)
}

/// Measures one row that needs no engine.
///
/// # Errors
/// If a sample failed, or the row needs an engine.
pub fn measure_here(row: &Row, scale: Scale) -> Result<Measured, Failure> {
    let Make::Here(make) = row.make else {
        return Err("this row needs an engine".into());
    };
    sample(row, make(scale), scale, Duration::ZERO)
}

enum Side {
    Ours,
    Floor,
    Beside,
}

fn sample<'a>(row: &Row, mut pair: Box<dyn Pair + 'a>, scale: Scale, rest: Duration) -> Result<Measured, Failure> {
    let rounds = match scale {
        Scale::Full => row.samples[0],
        Scale::Quick => row.samples[1],
        Scale::Smoke => 1,
    };
    // The first of ours also looks for orphans, and the first of either may find nothing in a cache.
    let unheeded = usize::from(scale != Scale::Smoke && pair.bytes().is_none());
    let mut measured = Measured {
        ours: Vec::new(),
        floor: Vec::new(),
        beside: Vec::new(),
        left_out: None,
        bytes: pair.bytes(),
    };
    for round in 0..unheeded + rounds {
        // None has the better place: whoever was first is last the next time.
        let mut sides = vec![Side::Ours];
        sides.extend(row.floor.map(|_| Side::Floor));
        sides.extend(row.beside.map(|_| Side::Beside).filter(|_| measured.left_out.is_none()));
        let first = round % sides.len();
        sides.rotate_left(first);
        for side in sides {
            let (took, samples) = match side {
                Side::Ours => (pair.ours()?, &mut measured.ours),
                Side::Floor => (pair.floor()?, &mut measured.floor),
                Side::Beside => match pair.beside()? {
                    Beside::Took(took) => (took, &mut measured.beside),
                    Beside::LeftOut(why) => {
                        measured.left_out = Some(why);
                        continue;
                    }
                },
            };
            if round >= unheeded {
                samples.push(took);
            }
            std::thread::sleep(rest);
        }
    }
    Ok(measured)
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(what().into()) }
}

#[cfg(test)]
mod tests {
    use super::ROWS;

    #[test]
    fn names_are_unique_and_there_is_something_to_sample() {
        for (at, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..at].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(row.samples.iter().all(|count| *count > 0), "{}", row.name);
        }
    }
}
