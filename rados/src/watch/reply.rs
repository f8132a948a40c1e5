//! What the watchers of an object answered to a notification.

use ceph_core::{Error, Result};

/// Who watches an object: a client, and which of its watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Watcher {
    /// The client, as its [`Conn::instance_id`](crate::Conn::instance_id).
    pub client: u64,
    /// Which of the client's watches.
    pub cookie: u64,
}

/// A watcher's answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NotifyAck {
    /// Who answered.
    pub watcher: Watcher,
    /// With what; often nothing.
    pub payload: Vec<u8>,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "it tells whether all watchers answered"]
#[non_exhaustive]
pub struct NotifyReply {
    /// The answers, in no special order.
    pub acks: Vec<NotifyAck>,
    /// Those who did not answer in time.
    pub timed_out: Vec<Watcher>,
}

impl NotifyReply {
    /// Decodes C's reply: numbers are little-endian, and a count goes before each list.
    pub(super) fn decode(op: &'static str, bytes: &[u8]) -> Result<Self> {
        let mut left = bytes;
        Self::take(&mut left).ok_or_else(|| {
            let at = bytes.len() - left.len();
            let hint = format!("the reply of {} bytes does not decode at {at}", bytes.len());
            Error::refused(op, libc::EBADMSG, hint)
        })
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut reply = Self::default();
        if bytes.is_empty() {
            return Some(reply);
        }
        // No room is made for what a count promises: each entry must be there.
        for _ in 0..number(bytes)? {
            let watcher = watcher(bytes)?;
            let len = usize::try_from(number(bytes)?).ok()?;
            let (payload, rest) = bytes.split_at_checked(len)?;
            *bytes = rest;
            let payload = payload.to_vec();
            reply.acks.push(NotifyAck { watcher, payload });
        }
        for _ in 0..number(bytes)? {
            reply.timed_out.push(watcher(bytes)?);
        }
        Some(reply)
    }
}

fn watcher(bytes: &mut &[u8]) -> Option<Watcher> {
    let client = u64::from_le_bytes(array(bytes)?);
    let cookie = u64::from_le_bytes(array(bytes)?);
    Some(Watcher { client, cookie })
}

fn number(bytes: &mut &[u8]) -> Option<u32> {
    array(bytes).map(u32::from_le_bytes)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ceph_core::ErrorKind;

    fn encoded() -> (Vec<u8>, NotifyReply) {
        let mut bytes = Vec::new();
        bytes.extend(2_u32.to_le_bytes());
        for (client, cookie, payload) in [(7_u64, 8_u64, &b"yes"[..]), (9, u64::MAX, b"")] {
            bytes.extend(client.to_le_bytes());
            bytes.extend(cookie.to_le_bytes());
            bytes.extend((payload.len() as u32).to_le_bytes());
            bytes.extend(payload);
        }
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(10_u64.to_le_bytes());
        bytes.extend(11_u64.to_le_bytes());
        let watcher = |client, cookie| Watcher { client, cookie };
        let ack = |watcher, payload: &[u8]| NotifyAck {
            watcher,
            payload: payload.to_vec(),
        };
        let reply = NotifyReply {
            acks: vec![ack(watcher(7, 8), b"yes"), ack(watcher(9, u64::MAX), b"")],
            timed_out: vec![watcher(10, 11)],
        };
        (bytes, reply)
    }

    #[test]
    fn decodes() {
        let (bytes, reply) = encoded();
        assert_eq!(NotifyReply::decode("f", &bytes).unwrap(), reply);
        let empty = NotifyReply::default();
        assert_eq!(NotifyReply::decode("f", b"").unwrap(), empty);
        assert_eq!(NotifyReply::decode("f", &[0; 8]).unwrap(), empty);
        // A later release may add something.
        let longer = [&bytes[..], b"more"].concat();
        assert_eq!(NotifyReply::decode("f", &longer).unwrap(), reply);
    }

    #[test]
    fn refuses_what_is_cut_anywhere() {
        let (bytes, _) = encoded();
        for len in 1..bytes.len() {
            let error = NotifyReply::decode("f", &bytes[..len]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{len}");
        }
    }

    #[test]
    fn refuses_counts_and_lengths_that_lie() {
        let (bytes, _) = encoded();
        for at in (0..bytes.len() - 3).filter(|&at| at != 4) {
            let mut bytes = bytes.clone();
            bytes[at..at + 4].fill(0xff);
            // An id may be anything; nothing is read or allocated beyond the bytes.
            let _ = NotifyReply::decode("f", &bytes);
        }
        for lying in [
            &[0xff; 4][..],
            &[0xff; 64],
            &[1, 0, 0, 0],
            &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        ] {
            let error = NotifyReply::decode("f", lying).unwrap_err();
            assert_eq!(error.errno().raw(), libc::EBADMSG);
        }
    }
}
