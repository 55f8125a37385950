//! The same for programs.

use serde_json::{Value, json};

use super::{Measured, Promise, Row, Summary, ratio};

/// One row on one engine: times in seconds.
#[must_use]
pub fn json(row: &Row, measured: &Measured) -> Value {
    let side = |samples: &[std::time::Duration]| {
        Summary::of(samples).map(|seen| {
            json!({
                "median": seen.median.as_secs_f64(),
                "min": seen.min.as_secs_f64(),
                "max": seen.max.as_secs_f64(),
                "samples": samples.iter().map(std::time::Duration::as_secs_f64).collect::<Vec<_>>(),
            })
        })
    };
    let promise = row.promise.map(|promise| {
        let broken = promise.broken(&measured.ours, &measured.floor);
        match promise {
            Promise::Under(limit) => json!({ "under": limit.as_secs_f64(), "broken": broken }),
            Promise::Faster(times) => json!({ "faster": times, "broken": broken }),
        }
    });
    json!({
        "row": row.name,
        "ours": side(&measured.ours),
        "floor": side(&measured.floor),
        "ratio": ratio(&measured.ours, &measured.floor),
        "beside": side(&measured.beside),
        "ratio_beside": ratio(&measured.ours, &measured.beside),
        "left_out": measured.left_out,
        "bytes": measured.bytes,
        "promise": promise,
    })
}

#[cfg(test)]
mod tests {
    use super::json;
    use crate::bench::{Measured, Promise, ROWS, Row};
    use std::time::Duration;

    fn measured(floor: Vec<Duration>) -> Measured {
        Measured {
            ours: vec![
                Duration::from_millis(500),
                Duration::from_secs(2),
                Duration::from_secs(1),
            ],
            floor,
            beside: Vec::new(),
            left_out: None,
            bytes: None,
        }
    }

    fn promising(is_wanted: fn(&Promise) -> bool) -> &'static Row {
        let promises = |row: &&Row| row.promise.as_ref().is_some_and(is_wanted);
        ROWS.iter().find(promises).unwrap()
    }

    #[test]
    fn says_everything_and_null_for_what_is_not_there() {
        let row = promising(|promise| matches!(promise, Promise::Under(_)));
        let expected = serde_json::json!({
            "row": row.name, "ratio": null, "bytes": null, "floor": null,
            "beside": null, "ratio_beside": null, "left_out": null,
            "ours": { "median": 1.0, "min": 0.5, "max": 2.0, "samples": [0.5, 2.0, 1.0] },
            "promise": { "under": 1.0, "broken": 2 },
        });
        assert_eq!(json(row, &measured(Vec::new())), expected);
    }

    #[test]
    fn says_how_many_were_not_as_many_times_faster() {
        let row = promising(|promise| matches!(promise, Promise::Faster(20)));
        let told = json(row, &measured(vec![Duration::from_secs(20); 3]));
        let expected = serde_json::json!({ "faster": 20, "broken": 1 });
        assert_eq!(
            (&told["promise"], &told["ratio"]),
            (&expected, &serde_json::json!(0.05))
        );
    }
}
