//! Frames on a local socket: four bytes of length, little-endian, and so many bytes.
//!
//! Every frame has a deadline as a whole: whoever sends or takes a byte now and then does not keep the other side busy.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Bytes that are made room for at once, whatever length is announced.
const CHUNK: usize = 64 << 10;

/// What is left until the deadline.
fn left(deadline: Instant) -> io::Result<Duration> {
    // No time at all would stand for no limit.
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(too_slow()) } else { Ok(left) }
}

fn too_slow() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the other side is too slow")
}

fn hung_up() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the other side closed the connection")
}

/// A timeout and a break are called by different names on different systems; a signal is no end.
fn retried<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    match result {
        Err(e) if e.kind() == ErrorKind::Interrupted => Ok(None),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(too_slow()),
        Err(e) if matches!(e.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected) => Err(hung_up()),
        result => result.map(Some),
    }
}

fn fill(mut stream: &UnixStream, buffer: &mut [u8], deadline: Instant) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match retried(stream.read(&mut buffer[filled..]))? {
            Some(0) => return Err(hung_up()),
            read => filled += read.unwrap_or(0),
        }
    }
    Ok(())
}

/// Reads a frame of at most `limit` bytes.
pub fn read(stream: &UnixStream, limit: usize, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    fill(stream, &mut length, deadline)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > limit {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("a frame has {length} bytes; the maximum is {limit}"),
        ));
    }
    let mut frame = vec![];
    while frame.len() < length {
        let from = frame.len();
        frame.resize(length.min(from + CHUNK), 0);
        fill(stream, &mut frame[from..], deadline)?;
    }
    Ok(frame)
}

/// Writes a frame.
pub fn write(mut stream: &UnixStream, frame: &[u8], deadline: Instant) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(|_| io::Error::other("a frame of 4 GiB or more"))?;
    for part in [&length.to_le_bytes()[..], frame] {
        let mut written = 0;
        while written < part.len() {
            stream.set_write_timeout(Some(left(deadline)?))?;
            match retried(stream.write(&part[written..]))? {
                Some(0) => return Err(ErrorKind::WriteZero.into()),
                count => written += count.unwrap_or(0),
            }
        }
    }
    Ok(())
}
