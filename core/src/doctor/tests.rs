//! What is found, and what is to be done about it.

use super::*;

fn worst(check: impl FnOnce(&mut Report)) -> (Severity, Option<String>) {
    let mut report = Report::default();
    check(&mut report);
    let finding = report.findings.iter().max_by_key(|finding| finding.severity).unwrap();
    (finding.severity, finding.remedy.clone())
}

fn about(text: &str) -> Result<About, Error> {
    Ok(serde_json::from_str(text).unwrap())
}

#[test]
fn versions_are_known_or_not() {
    let of = |kind, version: &str| worst(|report| report.version(kind, version)).0;
    for good in ["20.10.24", "20.10.24+dfsg1", "26.1.5", "28.5.2", "24.0.7", "27.0"] {
        assert_eq!(of(EngineKind::Docker, good), Severity::Good, "{good}");
    }
    for good in ["4.3.1", "5.4.2", "5.8.6", "4.9.3", "5.8.0-rc1"] {
        assert_eq!(of(EngineKind::Podman, good), Severity::Good, "{good}");
    }
    assert_eq!(of(EngineKind::Docker, "19.3.1"), Severity::Warning);
    assert_eq!(of(EngineKind::Podman, "6.0.0"), Severity::Note);
    assert_eq!(of(EngineKind::Docker, "dev"), Severity::Note);
}

#[test]
fn every_bad_finding_has_a_remedy() {
    for (text, severity) in [
        (
            r#"{"Driver":"overlay2","CgroupVersion":"2","MemoryLimit":true,"CpuCfsQuota":true,"PidsLimit":true,
            "SwapLimit":true,"SecurityOptions":["name=seccomp,profile=default","name=rootless"]}"#,
            Severity::Good,
        ),
        (
            r#"{"Driver":"overlay2","CgroupVersion":"1","SwapLimit":false}"#,
            Severity::Note,
        ),
        (r#"{"Driver":"vfs","Rootless":true}"#, Severity::Warning),
        (
            r#"{"Driver":"overlay","CgroupVersion":"1","Rootless":true}"#,
            Severity::Warning,
        ),
        (
            r#"{"Driver":"overlay","CgroupVersion":"2","Rootless":true,"CPUCfsQuota":false}"#,
            Severity::Warning,
        ),
        (
            r#"{"Driver":"overlay","CgroupVersion":"1","MemoryLimit":false}"#,
            Severity::Warning,
        ),
    ] {
        let found = worst(|report| report.about(&about(text)));
        assert_eq!(found.0, severity, "{text}");
        assert_eq!(found.1.is_some(), severity > Severity::Good, "{text}");
    }
    let failed = || Error::misuse("it failed");
    assert!(worst(|report| report.about(&Err(failed()))).1.is_some());
    assert_eq!(worst(|report| report.image("x", &Ok(true))).0, Severity::Good);
    assert_eq!(worst(|report| report.image("x", &Ok(false))).0, Severity::Problem);
    assert!(worst(|report| report.image("x", &Err(failed()))).1.is_some());
    assert_eq!(worst(|report| report.orphans(&Ok(Vec::new()))).0, Severity::Good);
    assert!(worst(|report| report.orphans(&Ok(vec!["pd-1".to_owned()]))).1.is_some());
}

#[test]
fn where_no_engine_answers_it_says_what_to_do() {
    let tried = |why: &str| {
        let tried = vec![("/run/podman/podman.sock".to_owned(), why.to_owned())];
        Report::without_engine(&SocketError::NoEngine { tried }.into())
    };
    let report = tried("nothing is there");
    assert!(!report.is_usable());
    let shown = report.to_string();
    let first = "problem    engine    no container engine answers here\n                     /run/podman/podman.sock: nothing is there";
    assert!(shown.starts_with(first), "{shown}");
    assert!(shown.contains("\n                     > install Podman"), "{shown}");
    assert!(tried("Permission denied").to_string().contains("usermod"));
    let text = serde_json::to_value(&report).unwrap();
    assert_eq!(text["findings"][0]["severity"], "problem");
}
