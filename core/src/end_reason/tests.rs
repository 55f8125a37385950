//! What the pieces that are known come to.

use super::*;

fn event(action: &str, exit_code: Option<i64>, signal: Option<i64>) -> Happened {
    Happened {
        action: action.to_owned(),
        exit_code,
        signal,
    }
}

fn inspected(state: &str) -> Details {
    serde_json::from_str(&format!(
        r#"{{"State":{{{state}}},"HostConfig":{{"Memory":16777216}}}}"#
    ))
    .unwrap()
}

struct Case<'a> {
    hides_memory: bool,
    state: Option<&'a str>,
    events: &'a [Happened],
    here: Here,
    removes_itself: bool,
    forgot: bool,
}

const CASE: Case<'_> = Case {
    hides_memory: false,
    state: None,
    events: &[],
    here: Here {
        ended: false,
        signals: 0,
    },
    removes_itself: true,
    forgot: false,
};

fn judge(case: &Case<'_>) -> Option<EndReason> {
    let details = case.state.map(inspected);
    let known = Known {
        hides_memory: case.hides_memory,
        details: details.as_ref(),
        events: Some(case.events),
        here: case.here,
        removes_itself: case.removes_itself,
        forgot: case.forgot,
    };
    known.judge()
}

const KILLED: &str = r#""Status":"exited","ExitCode":137"#;

#[test]
fn what_has_not_ended_has_no_reason() {
    for state in [
        r#""Status":"running","Running":true"#,
        r#""Status":"paused","Running":true,"Paused":true"#,
        r#""Status":"created","ExitCode":0"#,
    ] {
        let state = Some(state);
        assert_eq!(judge(&Case { state, ..CASE }), None);
    }
}

#[test]
fn one_that_is_there() {
    for (state, events, wanted) in [
        (
            r#""Status":"exited","ExitCode":3"#,
            vec![event("die", Some(3), None)],
            EndReason::Exited(3),
        ),
        (
            r#""Status":"exited","ExitCode":139"#,
            vec![event("die", Some(139), None)],
            EndReason::Signal(11),
        ),
        (
            r#""Status":"exited","ExitCode":137,"OOMKilled":true"#,
            vec![],
            EndReason::OutOfMemory,
        ),
        (
            KILLED,
            vec![event("oom", None, None), event("die", Some(137), None)],
            EndReason::OutOfMemory,
        ),
        (KILLED, vec![event("die", Some(137), None)], EndReason::Signal(9)),
        (
            KILLED,
            vec![event("kill", None, Some(9)), event("die", Some(137), None)],
            EndReason::StoppedByOther,
        ),
        // A command was killed for want of memory, long before someone stopped all of it.
        (
            r#""Status":"exited","ExitCode":137,"OOMKilled":true"#,
            vec![event("kill", None, Some(9)), event("die", Some(137), None)],
            EndReason::StoppedByOther,
        ),
        (
            r#""Status":"exited","ExitCode":0"#,
            vec![
                event("kill", None, Some(15)),
                event("die", Some(0), None),
                event("stop", None, None),
            ],
            EndReason::StoppedByOther,
        ),
        // It was told something that does not end it.
        (
            r#""Status":"exited","ExitCode":3"#,
            vec![event("kill", None, Some(1)), event("die", Some(3), None)],
            EndReason::Exited(3),
        ),
        // What befell it before it was started again does not count.
        (
            r#""Status":"exited","ExitCode":4"#,
            vec![
                event("stop", None, None),
                event("start", None, None),
                event("die", Some(4), None),
            ],
            EndReason::Exited(4),
        ),
        (r#""Status":"exited","ExitCode":-1"#, vec![], EndReason::Unknown),
    ] {
        let (state, events) = (Some(state), &events[..]);
        assert_eq!(
            judge(&Case { state, events, ..CASE }),
            Some(wanted),
            "{state:?} {events:?}"
        );
    }
}

#[test]
fn podman_4_does_not_tell_of_memory() {
    let died = [event("start", None, None), event("die", Some(137), None)];
    let case = Case {
        hides_memory: true,
        state: Some(KILLED),
        events: &died,
        ..CASE
    };
    assert_eq!(judge(&case), Some(EndReason::OutOfMemory));
    // It does not remember either: nobody knows who did it.
    assert_eq!(judge(&Case { events: &[], ..case }), Some(EndReason::Signal(9)));
    // Others do tell, so what they do not tell was not so.
    let tells = Case {
        hides_memory: false,
        ..case
    };
    assert_eq!(judge(&tells), Some(EndReason::Signal(9)));
    // We sent it something that does not end it, and somebody may have sent the rest: it does not say which.
    let kills = [
        event("start", None, None),
        event("kill", None, None),
        event("die", Some(137), None),
    ];
    let here = Here {
        ended: false,
        signals: 1 << 1,
    };
    let hup = Case {
        here,
        events: &kills,
        ..case
    };
    assert_eq!(judge(&hup), Some(EndReason::Signal(9)));
}

#[test]
fn every_exit_code_has_a_reason() {
    for code in 0..=255 {
        let state = format!(r#""Status":"exited","ExitCode":{code}"#);
        let here = Here {
            ended: false,
            signals: 1 << 15,
        };
        let case = Case {
            state: Some(&state),
            here,
            ..CASE
        };
        let wanted = match code {
            143 => EndReason::EndedHere,
            code => EndReason::of_code(code),
        };
        assert_eq!(judge(&case), Some(wanted), "{code}");
    }
}

#[test]
fn a_restart_of_the_engine_is_no_reason_for_what_ended_by_itself() {
    let reason = |state: &str| {
        judge(&Case {
            state: Some(state),
            forgot: true,
            removes_itself: false,
            ..CASE
        })
    };
    assert_eq!(reason(r#""Status":"exited","ExitCode":3"#), Some(EndReason::Exited(3)));
    for code in [0, 137, 143, 255] {
        let state = format!(r#""Status":"exited","ExitCode":{code}"#);
        assert_eq!(reason(&state), Some(EndReason::EngineRestarted), "{code}");
    }
}

#[test]
fn one_that_is_gone() {
    fn case(events: &[Happened]) -> Option<EndReason> {
        judge(&Case { events, ..CASE })
    }
    let died = |code| event("die", Some(code), None);
    let gone = || event("destroy", None, None);
    assert_eq!(
        case(&[event("start", None, None), died(3), gone()]),
        Some(EndReason::Exited(3))
    );
    assert_eq!(
        case(&[event("kill", None, Some(9)), died(137), gone()]),
        Some(EndReason::RemovedByOther)
    );
    assert_eq!(
        case(&[event("oom", None, None), died(137), gone()]),
        Some(EndReason::OutOfMemory)
    );
    assert_eq!(case(&[]), Some(EndReason::Unknown));
    // It does not remove itself, so somebody did; dead or alive.
    let kept = |events: &[Happened]| {
        judge(&Case {
            events,
            removes_itself: false,
            ..CASE
        })
    };
    assert_eq!(kept(&[]), Some(EndReason::RemovedByOther));
    assert_eq!(kept(&[died(137)]), Some(EndReason::RemovedByOther));
    assert_eq!(kept(&[died(3)]), Some(EndReason::Exited(3)));
    assert_eq!(judge(&Case { forgot: true, ..CASE }), Some(EndReason::EngineRestarted));
}

#[test]
fn what_this_program_did() {
    let state = Some(KILLED);
    let ended = Here {
        ended: true,
        signals: 0,
    };
    assert_eq!(
        judge(&Case {
            state,
            here: ended,
            ..CASE
        }),
        Some(EndReason::EndedHere)
    );
    assert_eq!(judge(&Case { here: ended, ..CASE }), Some(EndReason::EndedHere));
    let killed = Here {
        ended: false,
        signals: 1 << 9,
    };
    assert_eq!(
        judge(&Case {
            state,
            here: killed,
            ..CASE
        }),
        Some(EndReason::EndedHere)
    );
    let other = Here {
        ended: false,
        signals: 1 << 1,
    };
    assert_eq!(
        judge(&Case {
            state,
            here: other,
            ..CASE
        }),
        Some(EndReason::Signal(9))
    );
}

#[test]
fn commands_have_reasons_too() {
    assert_eq!(of_command(0, false, Some(false)), EndReason::Exited(0));
    assert_eq!(of_command(137, true, None), EndReason::TimedOut);
    assert_eq!(of_command(137, false, Some(true)), EndReason::OutOfMemory);
    assert_eq!(of_command(137, false, None), EndReason::Signal(9));
    assert_eq!(of_command(1, false, Some(true)), EndReason::Exited(1));
    assert_eq!(EndReason::Signal(9).to_string(), "it was killed by SIGKILL");
    assert_eq!(EndReason::Signal(64).to_string(), "it was killed by signal 64");
    assert_eq!(serde_json::to_string(&EndReason::Exited(3)).unwrap(), r#"{"exited":3}"#);
    assert_eq!(
        serde_json::to_string(&EndReason::OutOfMemory).unwrap(),
        r#""out_of_memory""#
    );
}
