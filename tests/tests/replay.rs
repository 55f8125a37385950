//! Every recorded response of every engine through the codecs, however it is cut.

#[cfg(test)]
mod recordings {
    use bytes::{Bytes, BytesMut};
    use pocket_dock_core::http::{Event, ResponseReader};
    use pocket_dock_core::stream::{Channel, Demux};
    use pocket_dock_core::{Limits, ProtocolError};
    use pocket_dock_tests::replay::{ENGINES, Framing, Recording, Verdict};
    use pocket_dock_tests::scripted::{Cutter, Split};

    fn splits() -> Vec<Split> {
        [Split::Bytes].into_iter().chain((1..=8).map(Split::Seeded)).collect()
    }

    /// What the codecs made of the bytes of one connection.
    #[derive(Debug, PartialEq)]
    struct Outcome {
        /// Data that belongs together in one piece.
        events: Vec<Event>,
        error: Option<ProtocolError>,
        /// What followed an upgrade.
        rest: Bytes,
    }

    impl Outcome {
        fn statuses(&self) -> Vec<u16> {
            let status = |event: &Event| {
                if let Event::Head(head) = event {
                    Some(head.status)
                } else {
                    None
                }
            };
            self.events.iter().filter_map(status).collect()
        }

        /// The body of the last response.
        fn body(&self) -> &[u8] {
            let data = |event: &'_ Event| matches!(event, Event::Data(_) | Event::Head(_));
            match self.events.iter().rfind(|event| data(event)) {
                Some(Event::Data(data)) => data,
                _ => b"",
            }
        }

        fn push(&mut self, event: Event) {
            if let (Some(Event::Data(before)), Event::Data(data)) = (self.events.last_mut(), &event) {
                assert!(!data.is_empty(), "a piece of data is empty");
                *before = [&before[..], &data[..]].concat().into();
                return;
            }
            self.events.push(event);
        }
    }

    fn read(recording: &Recording, split: Split) -> Outcome {
        let mut readers: Vec<_> = recording.expected().into_iter().rev().collect();
        let mut next = || {
            let (method, upgrade) = readers.pop()?;
            Some(ResponseReader::new(&Limits::default(), method, upgrade))
        };
        let mut reader = next();
        let mut outcome = Outcome {
            events: Vec::new(),
            error: None,
            rest: Bytes::new(),
        };
        let mut received = BytesMut::new();
        let pieces = Cutter::new(split).cut(&recording.response);
        for (piece, eof) in pieces.into_iter().map(|piece| (piece, false)).chain([(&b""[..], true)]) {
            received.extend_from_slice(piece);
            while let Some(current) = &mut reader {
                match current.next(&mut received, eof) {
                    Ok(None) => break,
                    Ok(Some(event)) => {
                        match &event {
                            Event::End { .. } => reader = next(),
                            Event::Upgraded => reader = None,
                            Event::Head(_) | Event::Data(_) => {}
                        }
                        outcome.push(event);
                    }
                    Err(error) => {
                        outcome.error = Some(error);
                        reader = None;
                    }
                }
            }
        }
        outcome.rest = received.freeze();
        outcome
    }

    /// What the index says, in terms of events.
    fn check(engine: &str, recording: &Recording, verdict: &Verdict, outcome: &Outcome) {
        let at = format!("{engine}/{}: {verdict:?}, {outcome:?}", recording.name);
        assert_eq!(recording.response.len(), verdict.bytes, "{at}");
        let finals: Vec<u16> = verdict
            .statuses
            .iter()
            .copied()
            .filter(|&status| status >= 101)
            .collect();
        let statuses = outcome.statuses();
        if recording.name == "keepalive_multi" {
            // Where a reply to HEAD says no length, the index takes all that follows it for its body.
            assert!(statuses.len() == 11 && statuses.starts_with(&finals[..6]), "{at}");
        } else {
            assert_eq!(statuses, finals, "{at}");
        }
        let ended = matches!(outcome.events.last(), Some(Event::End { .. }));
        let truncated = matches!(outcome.error, Some(ProtocolError::Truncated { .. }));
        match verdict.framing {
            Framing::Complete => assert!(ended && outcome.error.is_none() && outcome.rest.is_empty(), "{at}"),
            Framing::Head => assert!(ended && outcome.body().is_empty() && outcome.rest.is_empty(), "{at}"),
            Framing::Open => assert!(!ended && truncated && !outcome.body().is_empty(), "{at}"),
            Framing::NoLength(_) if recording.name == "keepalive_multi" => {
                assert!(ended && outcome.error.is_none() && outcome.rest.is_empty(), "{at}");
            }
            Framing::NoLength(bytes) => {
                assert!(
                    ended && outcome.error.is_none() && outcome.body().len() == bytes,
                    "{at}"
                );
            }
            Framing::Raw(bytes) => {
                assert!(outcome.error.is_none(), "{at}");
                if outcome.events.last() == Some(&Event::Upgraded) {
                    assert_eq!(outcome.rest.len(), bytes, "{at}");
                } else {
                    assert_eq!(outcome.events.last(), Some(&Event::End { keep_alive: false }), "{at}");
                    assert_eq!(outcome.body().len(), bytes, "{at}");
                }
            }
        }
    }

    #[test]
    fn every_response_is_read_the_same_however_it_is_cut() {
        for engine in ENGINES {
            let index = Verdict::index(engine).unwrap();
            let recordings = Recording::all(engine).unwrap();
            let names: Vec<_> = recordings.iter().map(|recording| &recording.name).collect();
            assert!(
                names.iter().copied().eq(index.keys()),
                "{engine}: not what the index lists: {names:?}"
            );
            for recording in recordings {
                let whole = read(&recording, Split::Whole);
                check(engine, &recording, &index[&recording.name], &whole);
                for split in splits() {
                    assert_eq!(read(&recording, split), whole, "{engine}/{}, {split:?}", recording.name);
                }
            }
        }
    }

    /// What was written to one channel without another in between.
    type Written = Vec<(Channel, Vec<u8>)>;

    fn add(written: &mut Written, channel: Channel, data: &[u8]) {
        match written.last_mut() {
            Some((last, before)) if *last == channel => before.extend_from_slice(data),
            _ => written.push((channel, data.to_vec())),
        }
    }

    /// The frames, read the plain way: all of them are there.
    fn plain(mut stream: &[u8]) -> Written {
        let mut written = Written::new();
        while let Some((header, rest)) = stream.split_first_chunk::<8>() {
            let length = u32::from_be_bytes(header[4..].try_into().unwrap()) as usize;
            assert!(header[..4] == [1, 0, 0, 0] || header[..4] == [2, 0, 0, 0], "{header:?}");
            let channel = if header[0] == 1 {
                Channel::Stdout
            } else {
                Channel::Stderr
            };
            add(&mut written, channel, &rest[..length]);
            stream = &rest[length..];
        }
        assert_eq!(stream, b"");
        written
    }

    fn demuxed(stream: &[u8], split: Split) -> Written {
        let mut demux = Demux::new(&Limits::default());
        let mut received = BytesMut::new();
        let mut written = Written::new();
        let pieces = Cutter::new(split).cut(stream);
        for (piece, eof) in pieces.into_iter().map(|piece| (piece, false)).chain([(&b""[..], true)]) {
            received.extend_from_slice(piece);
            while let Some(frame) = demux.next(&mut received, eof).unwrap() {
                add(&mut written, frame.channel, &frame.data);
            }
        }
        assert!(demux.is_clean() && received.is_empty());
        written
    }

    #[test]
    fn every_stream_has_the_same_frames_however_it_is_cut() {
        for engine in ENGINES {
            let mut streams = 0;
            for recording in Recording::all(engine).unwrap() {
                let whole = read(&recording, Split::Whole);
                let starts = recording
                    .requests()
                    .iter()
                    .any(|request| request.path.starts_with("/exec/"));
                let upgraded = whole.events.last() == Some(&Event::Upgraded);
                let closes = whole.events.last() == Some(&Event::End { keep_alive: false });
                if !starts || recording.has_terminal() || !(upgraded || closes) {
                    continue;
                }
                let stream = if upgraded { &whole.rest[..] } else { whole.body() };
                let expected = plain(stream);
                streams += usize::from(!expected.is_empty());
                for split in splits().into_iter().chain([Split::Whole]) {
                    assert_eq!(
                        demuxed(stream, split),
                        expected,
                        "{engine}/{}, {split:?}",
                        recording.name
                    );
                }
            }
            assert!(streams >= 10, "{engine}: {streams} streams only");
        }
    }

    #[test]
    fn a_stream_that_is_cut_short_is_not_taken_for_a_whole_one() {
        for engine in ENGINES {
            let recording = Recording::load(engine, "exec_start_upgrade").unwrap();
            let stream = read(&recording, Split::Whole).rest;
            let borders = [0, 8 + usize::from(stream[7]), stream.len()];
            for end in 0..=stream.len() {
                let mut demux = Demux::new(&Limits::default());
                let mut received = BytesMut::from(&stream[..end]);
                let outcome = loop {
                    match demux.next(&mut received, true) {
                        Ok(Some(_)) => {}
                        other => break other,
                    }
                };
                let clean = outcome == Ok(None);
                assert_eq!(clean, borders.contains(&end), "{engine}, cut at {end}: {outcome:?}");
            }
        }
    }
}
