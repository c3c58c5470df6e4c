//! The server, as clients of all kinds meet it.

use super::*;
use chain::header::BlockId;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::io::{Read, Write};
use std::sync::atomic::AtomicUsize;

const SOON: Duration = Duration::from_millis(150);
const LIMITS: Limits = Limits { connections: 4, idle: SOON, answering: SOON };
/// Far beyond any test's duration.
const LATE: Duration = Duration::from_secs(30);

/// Refuses with a text that says how often it was asked; [`Query::Model`] makes it panic, [`Query::Genesis`] talk.
fn start(limits: Limits) -> (tempfile::TempDir, PathBuf, ServerHandle) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.sock");
    let asked = AtomicUsize::new(0);
    let server = serve_within(&path, limits, move |query| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        match query {
            Query::Model => panic!("a broken handler, on purpose"),
            Query::Genesis => Answer::Refused("x".repeat(16 << 20)),
            _ => Answer::Refused(number.to_string()),
        }
    });
    (dir, path, server.unwrap())
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat()
}

fn try_ask(stream: &UnixStream, query: &Query) -> io::Result<Answer> {
    let deadline = Instant::now() + LATE;
    frame::write(stream, &codec::encode(query).unwrap(), deadline)?;
    let answer = frame::read(stream, MAX_ANSWER, deadline)?;
    codec::decode(&answer).map_err(io::Error::other)
}

/// Asks on a new connection, as often as it takes to get one.
#[track_caller]
fn answers(path: &Path) {
    let deadline = Instant::now() + LATE;
    while Instant::now() < deadline {
        let stream = UnixStream::connect(path).unwrap();
        if let Ok(answer) = try_ask(&stream, &Query::Status) {
            assert!(matches!(answer, Answer::Refused(_)));
            return;
        }
        thread::sleep(TICK);
    }
    panic!("the server answers no more");
}

/// That the server hangs up without a word.
#[track_caller]
fn hung_up(mut stream: &UnixStream) {
    stream.set_read_timeout(Some(LATE)).unwrap();
    let mut rest = vec![];
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        // What it had not read yet when it hung up.
        Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset, "{e}"),
    }
    assert!(rest.is_empty());
}

#[test]
fn questions_are_answered_one_after_the_other() {
    let (dir, path, server) = start(Limits { idle: LATE, ..LIMITS });
    let stream = UnixStream::connect(&path).unwrap();
    for number in 0..3 {
        assert_eq!(try_ask(&stream, &Query::Status).unwrap(), Answer::Refused(number.to_string()));
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    // Although a connection is open, it ends at once, and takes the connection with it.
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < LATE);
    hung_up(&stream);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_stale_socket_is_replaced_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.sock");
    drop(UnixListener::bind(&path).unwrap());
    let handler = |_| Answer::Refused(String::new());
    let server = serve(&path, handler).unwrap();
    assert_eq!(serve(&path, handler).unwrap_err().kind(), ErrorKind::AddrInUse);
    answers(&path);
    drop(server);
    fs::write(&path, "mine").unwrap();
    assert_eq!(serve(&path, handler).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(serve(&dir.path().join("none/node.sock"), handler).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn malformed_frames_end_the_connection_and_nothing_else() {
    let (_dir, path, _server) = start(LIMITS);
    let query = codec::encode(&Query::Status).unwrap();
    let mut magic = query.clone();
    magic[0] ^= 1;
    let mut version = query.clone();
    version[8] += 1;
    let locator = Query::BlocksAfter { locator: vec![BlockId::from_bytes([0; 32])], limit: 1 };
    let mut overlong = codec::encode(&locator).unwrap();
    // A list that says that it has 2^64 - 1 entries.
    overlong.splice(13..14, [vec![253], vec![0xff; 8]].concat());
    for bytes in [
        framed(b""),
        framed(b"garbage"),
        framed(&magic),
        framed(&version),
        framed(&query[..query.len() - 1]),
        framed(&[&query[..], &[0]].concat()),
        framed(&overlong),
        framed(&vec![0xff; MAX_QUERY]),
        // Refused by its length alone.
        (MAX_QUERY as u32 + 1).to_le_bytes().to_vec(),
        u32::MAX.to_le_bytes().to_vec(),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(&bytes).unwrap();
        hung_up(&stream);
        answers(&path);
    }
    // Ends within a frame.
    for length in [0, 1, 4, 10] {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(&framed(&query)[..length]).unwrap();
        drop(stream);
        answers(&path);
    }
}

#[test]
fn random_bytes_are_refused_or_answered() {
    let (_dir, path, _server) = start(LIMITS);
    // Of the length that they say, behind the head of a question: they reach the decoder.
    let head = codec::encode(&Query::Status).unwrap()[..12].to_vec();
    let mut runner = TestRunner::new(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() });
    let bodies = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..300));
    let sent = runner.run(&bodies, |(headed, body)| {
        let bytes = if headed { [&head[..], &body].concat() } else { body };
        // What happens to be a question is answered.
        prop_assume!(codec::decode::<Query>(&bytes).is_err());
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(&framed(&bytes)).unwrap();
        hung_up(&stream);
        Ok(())
    });
    assert_eq!(sent, Ok(()));
    answers(&path);
}

#[test]
fn whoever_is_slow_is_hung_up_on() {
    let (_dir, path, _server) = start(LIMITS);
    let silent = UnixStream::connect(&path).unwrap();
    // Byte by byte, each in time, all of them not.
    let mut dripping = UnixStream::connect(&path).unwrap();
    let begun = Instant::now();
    let stopped = (0..).find(|_| {
        thread::sleep(SOON / 10);
        dripping.write_all(&[0]).is_err() || begun.elapsed() > LATE
    });
    assert!(stopped.is_some_and(|bytes| bytes < 1000) && begun.elapsed() < LATE);
    hung_up(&silent);
    // Asks, and does not read the answer, which no buffer holds.
    let deaf = UnixStream::connect(&path).unwrap();
    frame::write(&deaf, &codec::encode(&Query::Genesis).unwrap(), Instant::now() + LATE).unwrap();
    thread::sleep(3 * SOON);
    let error = frame::read(&deaf, MAX_ANSWER, Instant::now() + LATE).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    answers(&path);
}

#[test]
fn connections_are_bounded() {
    let (_dir, path, _server) = start(Limits { idle: LATE, ..LIMITS });
    let open: Vec<UnixStream> = (0..LIMITS.connections).map(|_| UnixStream::connect(&path).unwrap()).collect();
    for stream in &open {
        assert!(matches!(try_ask(stream, &Query::Status), Ok(Answer::Refused(_))));
    }
    for _ in 0..20 {
        hung_up(&UnixStream::connect(&path).unwrap());
    }
    for stream in &open {
        assert!(matches!(try_ask(stream, &Query::Status), Ok(Answer::Refused(_))));
    }
    drop(open);
    answers(&path);
    // Many at once: each is answered or closed.
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| answers(&path));
        }
    });
}

#[test]
fn a_handler_that_panics_costs_its_connection_only() {
    let (_dir, path, _server) = start(LIMITS);
    // More often than there is room for connections.
    for _ in 0..2 * LIMITS.connections {
        let stream = UnixStream::connect(&path).unwrap();
        assert!(try_ask(&stream, &Query::Model).is_err());
    }
    answers(&path);
}

#[test]
fn an_answer_that_is_too_long_is_refused() {
    let short = codec::encode(&Answer::Refused(String::new())).unwrap().len();
    // The length takes five bytes instead of one.
    let longest = Answer::Refused("x".repeat(MAX_ANSWER - short - 4));
    assert_eq!(encoded(longest.clone()).len(), MAX_ANSWER);
    let Answer::Refused(mut text) = longest else { unreachable!() };
    text.push('x');
    match codec::decode(&encoded(Answer::Refused(text))).unwrap() {
        Answer::Refused(reason) => assert!(reason.contains("too long")),
        other => panic!("{other:?}"),
    }
}
