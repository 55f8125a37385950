//! Times of archives as those of the system.

use std::time::{Duration, SystemTime};

use super::FileTime;

#[test]
fn a_time_of_an_archive_is_one_of_the_system() {
    let (epoch, long) = (SystemTime::UNIX_EPOCH, Duration::from_secs(i64::MAX as u64));
    for (seconds, nanoseconds, time) in [
        (0, 0, epoch),
        (1_234_567_890, 5, epoch + Duration::new(1_234_567_890, 5)),
        (-1, 999_999_999, epoch - Duration::from_nanos(1)),
        (-5, 0, epoch - Duration::from_secs(5)),
        (0, 1_500_000_000, epoch + Duration::from_millis(1500)),
        (i64::MAX, 7, epoch + long + Duration::from_nanos(7)),
        // No clock shows this.
        (i64::MAX, u32::MAX, epoch + long),
        (i64::MIN, 0, epoch - long - Duration::from_secs(1)),
    ] {
        let told = FileTime { seconds, nanoseconds };
        assert_eq!(SystemTime::from(told), time, "{told:?}");
    }
}
