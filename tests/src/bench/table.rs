//! A table for people.

use std::time::Duration;

use super::{Measured, Promise, Row, Summary, ratio};

/// The heading of one engine's table.
#[must_use]
pub fn head() -> String {
    format!(
        "{:<15} {:>3}  {:<31}  {:<31}  {:>5}  {}",
        "ROW", "N", "OURS: MEDIAN (MIN..MAX)", "FLOOR: MEDIAN (MIN..MAX)", "RATIO", "PROMISE"
    )
}

/// One row of it; what is beside it has a line of its own.
#[must_use]
pub fn line(row: &Row, measured: &Measured) -> String {
    let cell = |samples| Summary::of(samples).map_or_else(|| "-".to_owned(), |seen| cell(seen, measured.bytes));
    let ratio = |other| ratio(&measured.ours, other).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let promise = row.promise.map(|promise| kept(promise, measured));
    let text = format!(
        "{:<15} {:>3}  {:<31}  {:<31}  {:>5}  {}",
        row.name,
        measured.ours.len(),
        cell(&measured.ours),
        cell(&measured.floor),
        ratio(&measured.floor),
        promise.unwrap_or_default()
    );
    let mut text = text.trim_end().to_owned();
    if row.beside.is_some() {
        text += &match &measured.left_out {
            Some(why) => format!("\n  beside        left out: {why}"),
            None => format!(
                "\n{:<15} {:>3}  {:<31}  {:<31}  {:>5}",
                "  beside",
                measured.beside.len(),
                "",
                cell(&measured.beside),
                ratio(&measured.beside),
            ),
        };
    }
    text
}

/// What is compared with what.
#[must_use]
pub fn legend(rows: &[&Row]) -> String {
    let mut text =
        "RATIO is the time of ours by that of the floor, or of what is beside it: over 1 is slower, also where a speed is shown.\n".to_owned();
    for row in rows {
        text += &format!("{:<15} ours:  {}\n", row.name, row.ours);
        text += &format!("{:<15} floor: {}\n", "", row.floor.unwrap_or("none"));
        if let Some(beside) = row.beside {
            text += &format!("{:<15} beside: {beside}\n", "");
        }
    }
    text
}

fn cell(seen: Summary, bytes: Option<u64>) -> String {
    let Some(bytes) = bytes else {
        return format!("{} ({}..{})", time(seen.median), time(seen.min), time(seen.max));
    };
    let speed = |took: Duration| bytes as f64 / f64::from(1 << 20) / took.as_secs_f64();
    // The longest time is the lowest speed.
    format!(
        "{:.0} MiB/s ({:.0}..{:.0})",
        speed(seen.median),
        speed(seen.max),
        speed(seen.min)
    )
}

fn time(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 0.1 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

fn kept(promise: Promise, measured: &Measured) -> String {
    let what = match promise {
        Promise::Under(limit) => format!("under {}", time(limit)),
        Promise::Faster(times) => format!("{times} times faster"),
    };
    let samples = measured.ours.len();
    match promise.broken(&measured.ours, &measured.floor) {
        0 => format!("{what}: held in all {samples}"),
        broken => format!("{what}: BROKEN in {broken} of {samples}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{head, legend, line};
    use crate::bench::{Measured, Promise, ROWS, Row};
    use std::time::Duration;

    const ROW: Row = Row {
        name: "row",
        promise: Some(Promise::Under(Duration::from_secs(1))),
        ..ROWS[0]
    };

    fn measured(ours: &[u64], floor: &[u64], bytes: Option<u64>) -> Measured {
        let all = |samples: &[u64]| samples.iter().copied().map(Duration::from_millis).collect();
        Measured {
            ours: all(ours),
            floor: all(floor),
            beside: Vec::new(),
            left_out: None,
            bytes,
        }
    }

    #[test]
    fn cells_stand_under_their_headings() {
        let text = line(&ROW, &measured(&[30, 150, 2500], &[100], None));
        assert_eq!(
            text,
            "row               3  150 ms (30.0 ms..2.50 s)         100 ms (100 ms..100 ms)           1.50  \
             under 1.00 s: BROKEN in 1 of 3"
        );
        for (heading, cell) in [("OURS", "150 ms"), ("FLOOR", "100 ms"), ("PROMISE", "under")] {
            assert_eq!(head().find(heading), text.find(cell), "{heading}");
        }
        assert!(line(&ROW, &measured(&[999], &[1], None)).ends_with("under 1.00 s: held in all 1"));
        let faster = Row {
            promise: Some(Promise::Faster(20)),
            ..ROW
        };
        let text = line(&faster, &measured(&[1, 6], &[100], None));
        assert!(text.ends_with("20 times faster: BROKEN in 1 of 2"), "{text}");
    }

    #[test]
    fn what_is_beside_has_a_line_of_its_own() {
        let row = Row {
            beside: Some("other means"),
            promise: None,
            ..ROW
        };
        let mut seen = measured(&[30], &[20], None);
        seen.beside = vec![Duration::from_millis(60)];
        let text = line(&row, &seen);
        let (above, below) = text.split_once('\n').unwrap();
        assert_eq!(above.find("20.0 ms"), below.find("60.0 ms"));
        assert!(above.ends_with("1.50") && below.ends_with("0.50"), "{text}");
        seen.left_out = Some("it is not there".to_owned());
        assert!(line(&row, &seen).ends_with("left out: it is not there"));
        assert!(legend(&[&row]).contains("beside: other means\n"));
    }

    #[test]
    fn data_has_a_speed_and_no_floor_is_a_dash() {
        let row = Row { promise: None, ..ROW };
        let text = line(&row, &measured(&[500, 1000, 2000], &[], Some(64 << 20)));
        assert_eq!(
            text,
            "row               3  64 MiB/s (32..128)               -                                    -"
        );
        assert!(legend(&[&row]).contains("row             ours:  Engine::create\n"));
    }
}
